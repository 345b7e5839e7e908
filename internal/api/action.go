package api

import (
	"reflect"
	"strings"
)

// Version is the API version that every request names, from the common
// parameters of the API reference (2019-09-16; the samples that show
// 2018-10-15 or 2014-05-26 are leftovers).
const Version = "2019-09-16"

// Effect says what a call may do to the cloud. Every safety question is
// decided by it.
type Effect uint8

// The effects, from harmless to expensive.
const (
	Read    Effect = iota // changes nothing: may be polled and retried
	Write                 // changes state, reversibly
	Disrupt               // restarts brokers or interrupts clients
	Secure                // changes who may connect or read
	Destroy               // loses data or service
	Bill                  // spends money
)

// String returns the effect as it is shown to users.
func (e Effect) String() string {
	names := [...]string{"Read", "Write", "Disrupt", "Secure", "Destroy", "Bill"}
	if int(e) < len(names) {
		return names[e]
	}
	return "Effect?"
}

// Returns ties a request type to its reply type; it is the first, embedded
// field of every request.
type Returns[R any] struct{}

func (Returns[R]) reply() (r R) { return r }

// Request is a request struct whose reply is R. The name of its type is the
// wire name of the action; its `q` tags are the wire names of its parameters.
type Request[R any] interface{ reply() R }

// Param is one wire parameter of an action, from the `q` tag of its field.
// A list parameter's Name has the form "InstanceId.N".
type Param struct {
	Name     string
	Required bool
	List     bool // sent as Name.1, Name.2, …; N starts at 1
	Secret   bool // never logged, hashed or shown
}

// Action is one row of the table.
type Action struct {
	Name   string
	Effect Effect
	Params []Param
	QPS    float64 // documented calls per second and account; 0 means none is stated
	RAM    string  // RAM action that a policy must allow
}

// Param returns the parameter of that wire name. For a list, "Tag.1.Key"
// finds "Tag.N.Key".
func (a *Action) Param(name string) (Param, bool) {
	for _, p := range a.Params {
		if p.Name == name || p.List && matchesList(p.Name, name) {
			return p, true
		}
	}
	return Param{}, false
}

// matchesList reports whether name is pattern with a positive number, which
// has no leading zero, for N.
func matchesList(pattern, name string) bool {
	before, after, _ := strings.Cut(pattern, ".N")
	n, ok := strings.CutPrefix(name, before+".")
	if !ok {
		return false
	}
	n, ok = strings.CutSuffix(n, after)
	if !ok || n == "" || n[0] == '0' {
		return false
	}
	return strings.Trim(n, "0123456789") == ""
}

// act makes the row of request type Q.
func act[Q interface{ reply() R }, R any](e Effect, ram string) *Action {
	t := reflect.TypeFor[Q]()
	return &Action{Name: t.Name(), Effect: e, Params: params(t), RAM: ram}
}

// params reads the `q` tags of a request type. A field of struct-slice kind
// (tags) contributes one list parameter per field of its element.
func params(t reflect.Type) []Param {
	var ps []Param
	for field := range t.Fields() {
		tag, ok := field.Tag.Lookup("q")
		if !ok {
			continue
		}
		name, opts, _ := strings.Cut(tag, ",")
		p := Param{Name: name, Required: strings.Contains(opts, "required"), Secret: strings.Contains(opts, "secret")}
		ft := field.Type
		switch {
		case ft.Kind() != reflect.Slice:
			ps = append(ps, p)
		case ft.Elem().Kind() == reflect.Struct:
			p.List = true
			for part := range ft.Elem().Fields() {
				sub := p
				sub.Name = name + ".N." + part.Tag.Get("q")
				ps = append(ps, sub)
			}
		default:
			p.List = true
			p.Name += ".N"
			ps = append(ps, p)
		}
	}
	return ps
}
