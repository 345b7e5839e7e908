package api

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// encode returns the wire parameters of request q, or an error that names the
// action and the parameter. A zero field is not sent; where zero means
// something the field is a pointer.
func (a *Action) encode(q any) ([]pair, error) {
	v := reflect.ValueOf(q)
	t := v.Type()
	var ps []pair
	for i := range t.NumField() {
		tag, ok := t.Field(i).Tag.Lookup("q")
		if !ok {
			continue
		}
		name, opts, _ := strings.Cut(tag, ",")
		f := v.Field(i)
		if f.IsZero() || f.Kind() == reflect.Slice && f.Len() == 0 {
			if strings.Contains(opts, "required") {
				return nil, &ParamError{Action: a.Name, Param: name, Reason: "is required"}
			}
			continue
		}
		var err error
		if ps, err = appendParam(ps, name, f); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", a.Name, name, err)
		}
	}
	return ps, nil
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
		return "", fmt.Errorf("parameters of kind %s cannot be sent", f.Kind())
	}
}

// ParamError is a request that was refused before it was sent.
type ParamError struct{ Action, Param, Reason string }

// Error implements error.
func (e *ParamError) Error() string { return e.Action + ": " + e.Param + " " + e.Reason }
