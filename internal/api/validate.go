package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParamError is a request that was refused before it was sent.
type ParamError struct{ Action, Param, Reason string }

// Error implements error.
func (e *ParamError) Error() string { return e.Action + ": " + e.Param + " " + e.Reason }

// Validate reports why the cloud should not be asked to run an action with
// these wire parameters. The error is a *ParamError, or several of them
// joined; nothing in it is the value of a secret parameter. Call and typed
// requests are held to the same rules.
func Validate(action string, params map[string]string) error {
	a, ok := Lookup(action)
	if !ok {
		return fmt.Errorf("unknown action %s", action)
	}
	return a.validate(params)
}

func (a *Action) validate(params map[string]string) error {
	v := &values{action: a, params: params}
	given := map[*Param]bool{}
	numbers := map[string][]int{} // by the name of the list
	for _, name := range slices.Sorted(maps.Keys(params)) {
		p := a.param(name)
		if p == nil {
			v.unknown(name)
			continue
		}
		given[p] = true
		if p.List {
			list, _, _ := strings.Cut(p.Name, ".N")
			numbers[list] = append(numbers[list], p.index(name))
		}
		for _, reason := range p.faults(params[name]) {
			v.bad(name, "%s", reason)
		}
	}
	for i := range a.Params {
		if p := &a.Params[i]; p.Required && !given[p] {
			v.bad(p.Name, "is required")
		}
	}
	for _, list := range slices.Sorted(maps.Keys(numbers)) {
		v.numbered(list, numbers[list])
	}
	if len(v.errs) == 0 {
		v.tags()
	}
	if a.rule != nil && len(v.errs) == 0 {
		a.rule(v)
	}
	return errors.Join(v.errs...)
}

// values are the parameters of a call while they are judged.
type values struct {
	action *Action
	params map[string]string
	errs   []error
}

func (v *values) bad(param, reason string, args ...any) {
	v.errs = append(v.errs, &ParamError{Action: v.action.Name, Param: param, Reason: fmt.Sprintf(reason, args...)})
}

func (v *values) has(name string) bool { _, ok := v.params[name]; return ok }

func (v *values) unknown(name string) {
	names := make([]string, len(v.action.Params))
	for i, p := range v.action.Params {
		names[i] = p.Name
	}
	v.bad(name, "is no parameter of it%s", DidYouMean(name, names))
}

// faults returns what is wrong with a value of the parameter.
func (p *Param) faults(value string) (reasons []string) {
	if value == "" {
		if p.Type == "string" && p.In == nil && (p.blank || !p.Required) {
			return nil
		}
		return []string{"must not be empty"}
	}
	wrong := func(format string, args ...any) {
		reasons = append(reasons, fmt.Sprintf(format, args...)+p.not(value))
	}
	switch p.Type {
	case "integer":
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case err != nil:
			wrong("must be a whole number")
			return reasons
		case p.Min != nil && n < *p.Min || p.Max != nil && n > *p.Max:
			wrong("must be %s", p.bounds())
		}
	case "boolean":
		if value != "true" && value != "false" {
			wrong("must be true or false")
		}
	case "json":
		if err := decodeStrict(value, reflect.New(p.value).Interface()); err != nil {
			reasons = append(reasons, err.Error())
		}
	}
	if p.In != nil && !slices.ContainsFunc(p.In, func(s string) bool { return s == value || p.fold && strings.EqualFold(s, value) }) {
		wrong("must be one of %s", strings.Join(p.In, ", "))
	}
	if n := utf8.RuneCountInString(value); p.MaxLength > 0 && (n < p.MinLength || n > p.MaxLength) {
		reasons = append(reasons, fmt.Sprintf("must have %d to %d characters, not %d", p.MinLength, p.MaxLength, n))
	}
	if p.form != nil && !p.form.pattern.MatchString(value) {
		wrong("%s", p.form.reason)
	}
	return reasons
}

// numbered refuses a list whose numbers do not run from 1 without a gap: the
// service would ignore what follows the gap.
func (v *values) numbered(list string, numbers []int) {
	slices.Sort(numbers)
	for i, n := range slices.Compact(numbers) {
		if n != i+1 {
			v.bad(list+"."+strconv.Itoa(i+1), "is missing: the numbers of a list start at 1 and leave no gap")
			return
		}
	}
}

// not repeats a value for an error, unless it is secret or long.
func (p *Param) not(value string) string {
	if p.Secret || len(value) > 64 {
		return ""
	}
	return fmt.Sprintf(", not %q", value)
}

func (p *Param) bounds() string {
	switch {
	case p.Max == nil:
		return fmt.Sprintf("at least %d", *p.Min)
	case p.Min == nil:
		return fmt.Sprintf("at most %d", *p.Max)
	}
	return fmt.Sprintf("from %d to %d", *p.Min, *p.Max)
}

func jsonName(k reflect.Kind) string {
	switch k {
	case reflect.Map, reflect.Struct:
		return "object"
	case reflect.Slice:
		return "array"
	case reflect.String:
		return "string"
	default:
		return "number"
	}
}

func article(noun string) string {
	if noun[0] == 'a' || noun[0] == 'o' {
		return "an " + noun
	}
	return "a " + noun
}

// form is what a text must look like.
type form struct {
	pattern *regexp.Regexp
	reason  string
}

var (
	nameForm    = form{regexp.MustCompile(`^[A-Za-z0-9_-]*$`), "may consist of letters, digits, - and _ only"}
	versionForm = form{regexp.MustCompile(`^\d+(\.\d+)+$`), "must be a version such as 2.2.0"}
)

// exact refuses what encoding/json lets pass, and of which the service may make
// something else: keys in another case, keys that come twice, and keys that are
// missing although their zero means something.
func exact(d *json.Decoder, into reflect.Type) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case nil:
		return errors.New("must not hold null")
	case json.Delim('['):
		for d.More() {
			if err := exact(d, into.Elem()); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		if into.Kind() == reflect.Pointer {
			into = into.Elem()
		}
		if err := exactObject(d, into); err != nil {
			return err
		}
	default:
		return nil
	}
	_, err = d.Token() // the end of it
	return err
}

func exactObject(d *json.Decoder, into reflect.Type) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		switch {
		case seen[key]:
			return fmt.Errorf("has the key %q twice", key)
		case into.Kind() == reflect.Struct && !slices.Contains(fieldsOf(into), key):
			return fmt.Errorf("has a key that is not known: %q%s", key, DidYouMean(key, fieldsOf(into)))
		}
		seen[key] = true
		if err := exact(d, into); err != nil { // a single value: no object holds another
			return err
		}
	}
	if into.Kind() == reflect.Struct {
		for f := range into.Fields() {
			if key, options, _ := strings.Cut(f.Tag.Get("json"), ","); options != "omitempty" && !seen[key] {
				return fmt.Errorf("lacks the key %q", key)
			}
		}
	}
	return nil
}

// decodeStrict decodes JSON that holds nothing but what into has a place for.
func decodeStrict(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return errors.New("must be one JSON value")
		}
		return exact(json.NewDecoder(strings.NewReader(text)), reflect.TypeOf(into).Elem())
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("has a key that is not known: %s", field)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where := ""
		if wrong.Field != "" {
			where = " as " + wrong.Field
		}
		got, _, _ := strings.Cut(wrong.Value, " ") // "number 1.5"
		return fmt.Errorf("must hold %s%s, not %s", article(jsonName(wrong.Type.Kind())), where, article(got))
	}
	return errors.New("must be JSON")
}
