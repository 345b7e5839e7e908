package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// wire returns the parameters of request q in the form that is sent, or a
// *ParamError.
func (a *Action) wire(q any) ([]pair, error) {
	ps, err := a.encode(q)
	if err != nil {
		return nil, err
	}
	params := make(map[string]string, len(ps))
	for _, p := range ps {
		params[p.name] = p.value
	}
	return ps, a.validate(params)
}

// encode returns the wire parameters of request q. A zero field is not sent;
// where zero means something the field is a pointer.
func (a *Action) encode(q any) ([]pair, error) {
	v := reflect.ValueOf(q)
	t := v.Type()
	var ps []pair
	for i := range t.NumField() {
		tag, ok := t.Field(i).Tag.Lookup("q")
		if !ok {
			continue
		}
		f := v.Field(i)
		if f.IsZero() || (f.Kind() == reflect.Slice || f.Kind() == reflect.Map) && f.Len() == 0 {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		var err error
		if strings.Contains(options, "json") {
			ps, err = appendJSON(ps, name, f)
		} else {
			ps, err = appendParam(ps, name, f)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", a.Name, name, err)
		}
	}
	return ps, nil
}

func appendJSON(ps []pair, name string, f reflect.Value) ([]pair, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(f.Interface()); err != nil {
		return nil, err
	}
	return append(ps, pair{name, strings.TrimSuffix(b.String(), "\n")}), nil
}

// appendParam appends the pairs of one field: a value, or the elements of a
// list as name.1, name.2 and so on.
func appendParam(ps []pair, name string, f reflect.Value) ([]pair, error) {
	if f.Kind() != reflect.Slice {
		s, err := scalar(f)
		return append(ps, pair{name, s}), err
	}
	for i := range f.Len() {
		e, n := f.Index(i), name+"."+strconv.Itoa(i+1)
		if e.Kind() != reflect.Struct {
			s, err := scalar(e)
			if err != nil {
				return nil, err
			}
			ps = append(ps, pair{n, s})
			continue
		}
		for j := range e.NumField() {
			s, err := scalar(e.Field(j))
			if err != nil {
				return nil, err
			}
			if s != "" {
				ps = append(ps, pair{n + "." + e.Type().Field(j).Tag.Get("q"), s})
			}
		}
	}
	return ps, nil
}

func scalar(f reflect.Value) (string, error) {
	switch f.Kind() {
	case reflect.Pointer:
		return scalar(f.Elem())
	case reflect.String:
		return f.String(), nil
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(f.Int(), 10), nil
	case reflect.Bool:
		return strconv.FormatBool(f.Bool()), nil
	default:
	}
	if s, ok := reflect.TypeAssert[secret.String](f); ok {
		return s.Reveal(), nil
	}
	return "", fmt.Errorf("parameters of kind %s cannot be sent", f.Kind())
}
