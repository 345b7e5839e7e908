package api

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// The replies of the cloud come in more shapes than the documents admit:
// numbers and booleans as strings; lists bare, wrapped in an object of another
// name (InstanceList.InstanceVO) or of the same name (OffsetTable.OffsetTable),
// or, in XML, as repeated elements that cannot be told from a single object.
// So a reply is first parsed into a tree of map[string]any, []any, string,
// json.Number, bool and nil, and the tree is then fitted to the Go type.

// maxDepth bounds the nesting of XML; no reply needs more than ten levels.
const maxDepth = 64

var errNeither = errors.New("neither JSON nor XML")

// parse returns the tree of a JSON or XML document and the name of the XML
// root element ("" for JSON).
func parse(body []byte) (tree map[string]any, root string, err error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	switch {
	case len(body) == 0:
		return nil, "", errors.New("empty")
	case body[0] == '{':
		tree, err = parseJSON(body)
		return tree, "", err
	case body[0] == '<':
		return parseXML(body)
	}
	return nil, "", errNeither
}

func parseJSON(body []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var tree map[string]any
	if err := d.Decode(&tree); err != nil {
		return nil, jsonError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return tree, nil
}

// jsonError keeps the kind and place of a JSON error, not the text around it,
// which may be a secret.
func jsonError(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("broken JSON at byte %d", syntax.Offset)
	}
	return errors.New("truncated JSON")
}

func parseXML(body []byte) (map[string]any, string, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.Token()
		if err != nil {
			return nil, "", errors.New("broken XML")
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		root := start.Name.Local
		if strings.EqualFold(root, "html") {
			return nil, root, errNeither
		}
		v, err := xmlElement(d, 0)
		if err != nil {
			return nil, root, err
		}
		tree, ok := v.(map[string]any)
		if !ok {
			tree = map[string]any{}
		}
		return tree, root, nil
	}
}

// xmlElement reads the content of an element whose start was read: its text,
// or a map of its children in which a repeated name is a list.
func xmlElement(d *xml.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("XML nested too deeply")
	}
	var text strings.Builder
	var children map[string]any
	for {
		t, err := d.Token()
		if err != nil {
			return nil, errors.New("truncated XML")
		}
		switch t := t.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			v, err := xmlElement(d, depth+1)
			if err != nil {
				return nil, err
			}
			if children == nil {
				children = map[string]any{}
			}
			name := t.Name.Local
			switch old := children[name].(type) {
			case nil:
				children[name] = v
			case xmlList:
				children[name] = append(old, v)
			default:
				children[name] = xmlList{old, v}
			}
		case xml.EndElement:
			if children != nil {
				return children, nil
			}
			return strings.TrimSpace(text.String()), nil
		}
	}
}

// xmlList is the list of elements that repeat a name.
type xmlList []any

// blanker is a struct with fields in which zero means something: blank sets
// them to what they hold where the reply says nothing.
type blanker interface{ blank() }

// fit assigns the tree n to v and names the place of what does not fit.
func fit(v reflect.Value, n any, path string) error {
	if l, ok := n.(xmlList); ok {
		n = []any(l)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if n == nil || n == "" {
			return nil
		}
		p := reflect.New(v.Type().Elem())
		if err := fit(p.Elem(), n, path); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case reflect.Struct:
		return fitStruct(v, n, path)
	case reflect.Slice:
		return fitList(v, n, path)
	case reflect.Map:
		return fitMap(v, n, path)
	default:
		return fitScalar(v, n, path)
	}
}

func fitStruct(v reflect.Value, n any, path string) error {
	if b, ok := reflect.TypeAssert[blanker](v.Addr()); ok {
		b.blank()
	}
	switch t := n.(type) {
	case nil:
		return nil
	case map[string]any:
		for i, name := range fieldsOf(v.Type()) {
			child, ok := lookup(t, name)
			if !ok {
				continue
			}
			if err := fit(v.Field(i), child, path+"."+name); err != nil {
				return err
			}
		}
		return nil
	case []any:
		if len(t) == 1 {
			return fit(v, t[0], path)
		}
	case string:
		if t == "" {
			return nil
		}
	}
	return misfit(path, "an object")
}

// fitList accepts an array, an object that wraps one, a single element, null
// and the empty string that an empty XML element leaves.
func fitList(v reflect.Value, n any, path string) error {
	switch t := n.(type) {
	case nil:
		return nil
	case string:
		if t == "" {
			return nil
		}
	case []any:
		s := reflect.MakeSlice(v.Type(), len(t), len(t))
		for i, child := range t {
			if err := fit(s.Index(i), child, path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		v.Set(s)
		return nil
	case map[string]any:
		if len(t) == 0 {
			return nil
		}
		if name, ok := wrapper(v.Type().Elem(), t); ok {
			return fit(v, t[name], path+"."+name)
		}
	}
	s := reflect.MakeSlice(v.Type(), 1, 1)
	if err := fit(s.Index(0), n, path); err != nil {
		return err
	}
	v.Set(s)
	return nil
}

// wrapper returns the key under which obj holds a list of elem: its only key,
// unless elem has a field of that name.
func wrapper(elem reflect.Type, obj map[string]any) (string, bool) {
	if len(obj) != 1 {
		return "", false
	}
	for name := range obj {
		if elem.Kind() == reflect.Struct {
			for _, field := range fieldsOf(elem) {
				if strings.EqualFold(field, name) {
					return "", false
				}
			}
		}
		return name, true
	}
	return "", false
}

func fitMap(v reflect.Value, n any, path string) error {
	obj, ok := n.(map[string]any)
	if !ok {
		if n == nil || n == "" {
			return nil
		}
		return misfit(path, "an object")
	}
	m := reflect.MakeMapWithSize(v.Type(), len(obj))
	for name, child := range obj {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := fit(e, child, path+"."+name); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(name), e)
	}
	v.Set(m)
	return nil
}

func fitScalar(v reflect.Value, n any, path string) error {
	var text string
	switch t := n.(type) {
	case nil:
		return nil
	case string:
		text = t
	case json.Number:
		text = t.String()
	case bool:
		text = strconv.FormatBool(t)
	default:
		return misfit(path, "a single value")
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Bool:
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "true", "1":
			v.SetBool(true)
		case "false", "0", "":
			v.SetBool(false)
		default:
			return misfit(path, "a boolean")
		}
		return nil
	default:
		text = strings.TrimSpace(text)
		if text == "" {
			return nil
		}
		i, err := integer(text)
		if err != nil || v.OverflowInt(i) {
			return misfit(path, "an integer of its size")
		}
		v.SetInt(i)
		return nil
	}
}

// integer parses decimal text, also in the floating notation of some JSON
// writers.
func integer(s string) (int64, error) {
	i, err := strconv.ParseInt(s, 10, 64)
	if err == nil {
		return i, nil
	}
	f, ferr := strconv.ParseFloat(s, 64)
	if ferr != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return 0, err
	}
	return int64(f), nil
}

func misfit(path, want string) error {
	return fmt.Errorf("%s is not %s", strings.TrimPrefix(path, "."), want)
}

// lookup returns the child of that name; where there is none, of a name that
// differs in case only, as between KMSKeyId and KmsKeyId.
func lookup(obj map[string]any, name string) (any, bool) {
	if name == "" {
		return nil, false
	}
	if child, ok := obj[name]; ok {
		return child, true
	}
	for other, child := range obj {
		if len(other) == len(name) && strings.EqualFold(other, name) {
			return child, true
		}
	}
	return nil, false
}

var fieldNames sync.Map // reflect.Type → []string

// fieldsOf returns the wire names of the fields of struct type t, "" for a
// field that is not on the wire.
func fieldsOf(t reflect.Type) []string {
	if names, ok := fieldNames.Load(t); ok {
		return names.([]string)
	}
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	fieldNames.Store(t, names)
	return names
}

// Config decodes AllConfig: JSON inside a string whose values are strings,
// too. The documents' samples escape it twice; then the backslashes of the
// outer escaping are still there and are removed. Nil means there was none.
func (i *Instance) Config() (map[string]string, error) {
	text := strings.TrimSpace(i.AllConfig)
	if text == "" {
		return nil, nil
	}
	tree, err := parseJSON([]byte(text))
	if err != nil {
		tree, err = parseJSON([]byte(strings.ReplaceAll(text, `\`, "")))
	}
	if err != nil {
		return nil, fmt.Errorf("AllConfig of %s: %w", i.InstanceID, err)
	}
	m := make(map[string]string, len(tree))
	for k, v := range tree {
		var s string
		if err := fitScalar(reflect.ValueOf(&s).Elem(), v, k); err == nil {
			m[k] = s
		}
	}
	return m, nil
}
