package conformance_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/alikafka"
)

// params are the parameters of a call by their names on the wire: text, a list
// of texts, a list of objects or an object. One whose name ends in ? is left
// out where the SDK does not know it.
type params map[string]any

// sdk drives the client of an official SDK.
type sdk interface {
	// actions lists the actions that its client has.
	actions() []string
	// fields returns what the type of an action's answer has.
	fields(action string) fields
	// knows reports whether an action takes a parameter.
	knows(action, param string) bool
	// call makes a call and returns what its typed answer holds. A refusal by
	// the service is a *refused.
	call(action string, p params) (leaves, error)
}

// refused is the refusal of a call, as the SDK tells it.
type refused struct {
	code string
	err  error
}

func (r *refused) Error() string { return r.err.Error() }

// goSDK drives github.com/aliyun/alibaba-cloud-sdk-go, by reflection, so that
// no action of its client is forgotten.
type goSDK struct {
	client         *alikafka.Client
	address        string
	method, format string
	methods        map[string]reflect.Value
}

func newGoSDK(client *alikafka.Client, address, method, format string) *goSDK {
	s := &goSDK{client: client, address: address, method: method, format: format, methods: make(map[string]reflect.Value)}
	client.Domain = address
	v := reflect.ValueOf(client)
	for i := range v.NumMethod() {
		m := v.Method(i)
		if t := m.Type(); t.NumIn() == 1 && t.NumOut() == 2 && t.Out(1) == reflect.TypeFor[error]() &&
			t.In(0).Kind() == reflect.Pointer && strings.HasSuffix(t.In(0).Elem().PkgPath(), "/services/alikafka") {
			s.methods[v.Type().Method(i).Name] = m
		}
	}
	return s
}

func (s *goSDK) actions() []string {
	var names []string
	for name := range s.methods {
		names = append(names, name)
	}
	return names
}

func (s *goSDK) fields(action string) fields {
	f := make(fields)
	f.addType("", s.methods[action].Type().Out(0))
	return f
}

func (s *goSDK) knows(action, param string) bool {
	return param == "RegionId" || field(reflect.New(s.methods[action].Type().In(0).Elem()).Elem(), param).IsValid()
}

// field returns the field of a request for a parameter.
func field(request reflect.Value, param string) reflect.Value {
	for i := range request.NumField() {
		if tagged(request.Type().Field(i), "name") == param {
			return request.Field(i)
		}
	}
	return reflect.Value{}
}

func (s *goSDK) call(action string, p params) (leaves, error) {
	m, ok := s.methods[action]
	if !ok {
		return nil, fmt.Errorf("the SDK has no action %s", action)
	}
	request := reflect.New(m.Type().In(0).Elem())
	base := &requests.RpcRequest{}
	base.InitWithApiInfo("alikafka", "2019-09-16", action, "alikafka", "openAPI")
	request.Elem().FieldByName("RpcRequest").Set(reflect.ValueOf(base))
	base.Scheme, base.Method, base.AcceptFormat = "http", s.method, s.format
	for name, value := range p {
		if name == "RegionId" {
			base.RegionId = value.(string)
			continue
		}
		f := field(request.Elem(), name)
		if !f.IsValid() {
			return nil, fmt.Errorf("%s of the SDK has no parameter %s", action, name)
		}
		set(f, value)
	}
	out := m.Call([]reflect.Value{request})
	if err, _ := reflect.TypeAssert[error](out[1]); err != nil {
		var server sdkerrors.Error
		if errors.As(err, &server) && server.HttpStatus() >= 400 {
			return nil, &refused{code: server.ErrorCode(), err: err}
		}
		return nil, err
	}
	held := make(leaves)
	held.addValue("", out[0])
	return held, nil
}

// set puts a parameter into a field of a request.
func set(f reflect.Value, value any) {
	if f.Kind() == reflect.Pointer {
		f.Set(reflect.New(f.Type().Elem()))
		f = f.Elem()
	}
	switch value := value.(type) {
	case string:
		f.SetString(value)
	case []string:
		f.Set(reflect.ValueOf(value))
	case map[string]string:
		for name, text := range value {
			field(f, name).SetString(text)
		}
	case []map[string]string:
		f.Set(reflect.MakeSlice(f.Type(), len(value), len(value)))
		for i := range value {
			set(f.Index(i), value[i])
		}
	}
}
