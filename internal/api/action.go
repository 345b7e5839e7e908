package api

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
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
// wire name of the action; its `q` tags are the wire names of its parameters
// and what is allowed as their values:
//
//	required     must be sent
//	blank        may be empty although it is required
//	secret       is never shown
//	in=a|b       one of these values; with fold, in any case
//	range=1..9   a number from 1 to 9; either end may be left out
//	name=3..64   letters, digits, - and _, so many of them
//	months       a term that is sold: 1 to 12, 24 or 36
//	version      a version of Kafka, such as 2.2.0
//	json         a value that is sent as JSON in one string
type Request[R any] interface{ reply() R }

// Param is one wire parameter of an action, from the `q` tag of its field.
// A list parameter's Name has the form "InstanceId.N".
type Param struct {
	Name     string
	Type     string // string, integer, boolean or json
	Required bool
	List     bool     // sent as Name.1, Name.2, …; N starts at 1
	Secret   bool     // never logged, hashed or shown
	In       []string // the values that are allowed; nil: any
	Min, Max *int64   // of an integer; nil: no bound

	// MinLength and MaxLength count characters; 0: no bound.
	MinLength, MaxLength int

	blank, fold bool
	form        *form
	value       reflect.Type // of the field
}

// Action is one row of the table.
type Action struct {
	Name    string
	Subject string // what it is about, for lists
	Effect  Effect
	Params  []Param
	QPS     float64 // documented calls per second and account; 0 means none is stated
	RAM     string  // RAM action that a policy must allow
	// RAMInferred: no document states RAM for this action; it follows those
	// that are stated.
	RAMInferred bool
	// Repeatable: an identical second call has no second effect. It may be
	// answered with an error.
	Repeatable bool
	// Confirm is the read that shows whether a call took effect; empty for
	// reads, and where there is none.
	Confirm string

	reply reflect.Type
	rule  func(*values) // what the parameters must be together
}

// Param returns the parameter of that wire name. For a list, "Tag.1.Key"
// finds "Tag.N.Key".
func (a *Action) Param(name string) (Param, bool) {
	if p := a.param(name); p != nil {
		return *p, true
	}
	return Param{}, false
}

func (a *Action) param(name string) *Param {
	for i := range a.Params {
		p := &a.Params[i]
		if p.Name == name && !p.List || p.List && p.index(name) > 0 {
			return p
		}
	}
	return nil
}

// index returns the number for which a list parameter's name stands, 0 where
// name is none of its names. The number has no sign and no leading zero.
func (p *Param) index(name string) int {
	before, after, _ := strings.Cut(p.Name, ".N")
	n, ok := strings.CutPrefix(name, before+".")
	if !ok {
		return 0
	}
	n, ok = strings.CutSuffix(n, after)
	if !ok || n == "" || n[0] < '1' || n[0] > '9' {
		return 0
	}
	i, err := strconv.Atoi(n)
	if err != nil {
		return 0
	}
	return i
}

// act makes the row of request type Q. The methods that follow complete it.
func act[Q interface{ reply() R }, R any](e Effect, ram string) *Action {
	t := reflect.TypeFor[Q]()
	return &Action{Name: t.Name(), Effect: e, Params: params(t), RAM: "alikafka:" + ram, Repeatable: true, reply: reflect.TypeFor[R]()}
}

// inferred marks a RAM action that no document states for the row.
func (a *Action) inferred() *Action { a.RAMInferred = true; return a }

// once marks a row whose repetition has a second effect.
func (a *Action) once() *Action { a.Repeatable = false; return a }

func (a *Action) qps(limit float64) *Action { a.QPS = limit; return a }

func (a *Action) confirm(read string) *Action { a.Confirm = read; return a }

// needs sets the rule that the parameters must obey together.
func (a *Action) needs(rule func(*values)) *Action { a.rule = rule; return a }

// params reads the `q` tags of a request type. A field of struct-slice kind
// (tags) contributes one list parameter per field of its element; where the
// list is required, the first of them is.
func params(t reflect.Type) []Param {
	var ps []Param
	for f := range t.Fields() {
		tag, ok := f.Tag.Lookup("q")
		if !ok {
			continue
		}
		p := parseTag(tag)
		p.value = f.Type
		if p.Type != "json" && f.Type.Kind() == reflect.Slice {
			p.List = true
			p.value = f.Type.Elem()
		}
		if p.Type == "" {
			p.Type = typeName(p.value)
		}
		switch {
		case !p.List:
			ps = append(ps, p)
		case p.value.Kind() == reflect.Struct:
			for j := range p.value.NumField() {
				sub := p
				sub.Name = p.Name + ".N." + p.value.Field(j).Tag.Get("q")
				sub.Type = "string"
				sub.Required = p.Required && j == 0
				ps = append(ps, sub)
			}
		default:
			p.Name += ".N"
			ps = append(ps, p)
		}
	}
	return ps
}

func typeName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return "integer"
	case t.Kind() == reflect.String, t.Kind() == reflect.Struct, t == reflect.TypeFor[secret.String]():
		return "string"
	}
	panic("api: parameters of type " + t.String() + " cannot be sent")
}

// parseTag reads a `q` tag. A mistake in one is a mistake of ours and panics
// when the program starts.
func parseTag(tag string) Param {
	options := strings.Split(tag, ",")
	p := Param{Name: options[0]}
	for _, option := range options[1:] {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "required":
			p.Required = true
		case "blank":
			p.blank = true
		case "secret":
			p.Secret = true
		case "fold":
			p.fold = true
		case "json":
			p.Type = "json"
		case "in":
			p.In = strings.Split(value, "|")
		case "months":
			p.In = []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "24", "36"}
		case "version":
			p.form = &versionForm
		case "range":
			p.Min, p.Max = parseRange(value)
		case "name":
			from, to := parseRange(value)
			p.MinLength, p.MaxLength, p.form = int(*from), int(*to), &nameForm
		default:
			panic("api: unknown option " + option + " of parameter " + p.Name)
		}
	}
	return p
}

// parseRange reads the bounds of "1..9"; an end that is left out is nil.
func parseRange(s string) (from, to *int64) {
	bound := func(s string) *int64 {
		if s == "" {
			return nil
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			panic("api: bound " + s + " is no number")
		}
		return &n
	}
	before, after, _ := strings.Cut(s, "..")
	return bound(before), bound(after)
}
