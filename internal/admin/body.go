package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

const (
	maxBody  = 1 << 20 // bytes of a request
	maxDepth = 32      // arrays and objects in each other
)

// readJSON returns the body of a request: one JSON value whose size and depth
// are bounded and whose objects name no key twice.
func readJSON(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, refuse(wrongType, "Content-Type must be application/json")
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil, refuse(tooLarge, fmt.Sprintf("the body has more than %d bytes", maxBody))
	}
	if err != nil {
		return nil, refuse(badRequest, "the body ends before its end")
	}
	if err := scanJSON(data); err != nil {
		return nil, refuse(badRequest, "body: "+err.Error())
	}
	return data, nil
}

// scanJSON reports why data is not one acceptable JSON value. No error repeats
// a part of it: secrets may stand where they do not belong.
func scanJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var open []map[string]bool // keys of the objects that are open; nil for an array
	key := false               // a key comes next
	for n := 0; ; n++ {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && n > 0 && len(open) == 0:
			return nil
		case errors.Is(err, io.EOF) && n == 0:
			return errors.New("empty")
		case err != nil:
			return errors.New("not JSON")
		case n > 0 && len(open) == 0:
			return errors.New("more than one JSON value")
		}
		inObject := len(open) > 0 && open[len(open)-1] != nil
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{':
				open, key = append(open, map[string]bool{}), true
				if len(open) > maxDepth {
					return fmt.Errorf("nested deeper than %d", maxDepth)
				}
				continue
			case '[':
				open, key = append(open, nil), false
				if len(open) > maxDepth {
					return fmt.Errorf("nested deeper than %d", maxDepth)
				}
				continue
			}
			open = open[:len(open)-1]
		case string:
			if inObject && key {
				if open[len(open)-1][t] {
					return errors.New("an object names a key twice")
				}
				open[len(open)-1][t], key = true, false
				continue
			}
		}
		key = len(open) > 0 && open[len(open)-1] != nil
	}
}

// decodeObject decodes a JSON object into a struct and refuses keys that it
// has no field for.
func decodeObject(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	switch wrong, isType := errors.AsType[*json.UnmarshalTypeError](err); {
	case err == nil:
		return nil
	case isType:
		return &refusal{reason: badRequest, detail: "body: a member has the wrong type", errors: []fieldError{{wrong.Field, "must be a " + wrong.Type.String()}}}
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return refuse(badRequest, "body: unknown member "+shorten(field))
	}
	return refuse(badRequest, "body: not a JSON object")
}

// shorten bounds a text of the caller's for an error.
func shorten(s string) string {
	const most = 64
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// actionBody reads the parameters of an action from a JSON object of wire
// names. Strings, numbers and booleans become wire values, and objects and
// arrays where the parameter is JSON. Secret parameters are taken as
// {"secret_ref": name} only and are returned apart.
func actionBody(action *api.Action, extra []api.Param, data []byte) (params, secrets map[string]string, err error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil || members == nil {
		return nil, nil, refuse(badRequest, "body: must be a JSON object of the action's parameters")
	}
	params, secrets = map[string]string{}, map[string]string{}
	var wrong []fieldError
	for _, name := range slices.Sorted(maps.Keys(members)) {
		p, ok := paramOf(action, extra, name)
		switch {
		case !ok:
			wrong = append(wrong, fieldError{shorten(name), "is no parameter of " + action.Name + api.DidYouMean(name, paramNames(action, extra))})
		case p.Secret:
			ref, err := secretRef(members[name])
			if err != nil {
				wrong = append(wrong, fieldError{name, err.Error()})
				continue
			}
			secrets[name] = ref
		default:
			value, err := wireValue(p, members[name])
			if err != nil {
				wrong = append(wrong, fieldError{name, err.Error()})
				continue
			}
			params[name] = value
		}
	}
	if wrong != nil {
		return nil, nil, &refusal{reason: invalidParam, detail: action.Name + " was not asked for", errors: wrong}
	}
	return params, secrets, nil
}

func paramOf(action *api.Action, extra []api.Param, name string) (api.Param, bool) {
	for _, p := range extra {
		if p.Name == name {
			return p, true
		}
	}
	return action.Param(name)
}

func paramNames(action *api.Action, extra []api.Param) []string {
	var names []string
	for _, p := range slices.Concat(action.Params, extra) {
		names = append(names, p.Name)
	}
	return names
}

// wireValue returns the form in which a JSON value is sent.
func wireValue(p api.Param, raw json.RawMessage) (string, error) {
	var value any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&value) != nil {
		return "", errors.New("must be JSON")
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case json.Number:
		if p.Type == "integer" {
			return v.String(), nil
		}
	case bool:
		if p.Type == "boolean" {
			return strconv.FormatBool(v), nil
		}
	case map[string]any, []any:
		if p.Type == "json" {
			var b bytes.Buffer
			if err := json.Compact(&b, raw); err != nil {
				return "", errors.New("must be JSON")
			}
			return b.String(), nil
		}
	}
	return "", fmt.Errorf("must be a JSON %s", p.Type)
}

// secretRef reads {"secret_ref": name}.
func secretRef(raw json.RawMessage) (string, error) {
	var ref struct {
		Name *string `json:"secret_ref"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(&ref) != nil || ref.Name == nil || *ref.Name == "" {
		return "", errors.New(`is secret: give it as {"secret_ref": "name"}, where admin.secrets has the name`)
	}
	return *ref.Name, nil
}
