package conformance_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// leaves are the values of a document by path, such as
// TopicList.TopicVO[0].Remark. Absent and zero are the same to a typed struct
// and so to a comparison.
type leaves map[string]string

// fields are the paths that a type has, their indices empty:
// TopicList.TopicVO[].Remark. One that ends in .* holds anything.
type fields map[string]bool

var index = regexp.MustCompile(`\[\d+\]`)

func typePath(path string) string { return index.ReplaceAllString(path, "[]") }

// place returns the field that a path belongs to, empty where there is none.
func (f fields) place(path string) string {
	path = typePath(path)
	if f[path] {
		return path
	}
	for i, c := range path {
		if c == '.' && f[path[:i]+".*"] {
			return path[:i] + ".*"
		}
	}
	return ""
}

// has reports whether a type has a place for a path.
func (f fields) has(path string) bool { return f.place(path) != "" }

// lists reports whether the type has a list at a path.
func (f fields) lists(path string) bool {
	path = typePath(path) + "[]"
	for known := range f {
		if strings.HasPrefix(known, path) {
			return true
		}
	}
	return false
}

// zero reports whether a value is what an absent one is.
func zero(v string) bool { return v == "" || v == "0" || v == "false" }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// readJSON returns the values of a JSON document.
func readJSON(document []byte) (leaves, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	found := make(leaves)
	found.addJSON("", v)
	return found, nil
}

func (l leaves) addJSON(path string, v any) {
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for name, member := range v {
			l.addJSON(join(path, name), member)
		}
	case []any:
		for i, element := range v {
			l.addJSON(path+"["+strconv.Itoa(i)+"]", element)
		}
	default:
		l[path] = fmt.Sprint(v)
	}
}

// element is an XML element without attributes.
type element struct {
	name     string
	text     strings.Builder
	children []*element
}

// readXML returns the values of an XML document. Nothing in it tells a list of
// one from a plain value: types does, where it knows the name.
func readXML(document []byte, types fields) (leaves, error) {
	d := xml.NewDecoder(bytes.NewReader(document))
	root := &element{}
	open := []*element{root}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("answer: %w", err)
		}
		last := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local}
			last.children = append(last.children, e)
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			last.text.Write(token)
		}
	}
	if len(root.children) != 1 {
		return nil, fmt.Errorf("answer: %d roots", len(root.children))
	}
	found := make(leaves)
	found.addXML("", root.children[0], types)
	return found, nil
}

func (l leaves) addXML(path string, e *element, types fields) {
	if len(e.children) == 0 {
		l[path] = e.text.String()
		return
	}
	count := make(map[string]int)
	for _, c := range e.children {
		count[c.name]++
	}
	seen := make(map[string]int)
	for _, c := range e.children {
		at := join(path, c.name)
		if count[c.name] > 1 || types.lists(at) {
			at += "[" + strconv.Itoa(seen[c.name]) + "]"
			seen[c.name]++
		}
		l.addXML(at, c, types)
	}
}

// tagged returns the name of a struct field on the wire, empty for one that is
// none.
func tagged(f reflect.StructField, tag string) string {
	name, _, _ := strings.Cut(f.Tag.Get(tag), ",")
	return name
}

// addValue adds what a struct holds, by the json tags of its fields; fields
// without one have their own name, embedded ones are left out.
func (l leaves) addValue(path string, v reflect.Value) {
	if at, ok := reflect.TypeAssert[time.Time](v); ok {
		l[path] = strconv.FormatInt(at.UnixMilli(), 10)
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			l.addValue(path, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Anonymous || !f.IsExported() {
				continue
			}
			name := tagged(f, "json")
			if name == "" || name == "-" {
				name = f.Name
			}
			l.addValue(join(path, name), v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			l.addValue(path+"["+strconv.Itoa(i)+"]", v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			l.addValue(join(path, key.String()), v.MapIndex(key))
		}
	default:
		l[path] = fmt.Sprint(v.Interface())
	}
}

// addType adds the fields of a type, see addValue.
func (f fields) addType(path string, t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer:
		f.addType(path, t.Elem())
	case reflect.Struct:
		for field := range t.Fields() {
			if !field.Anonymous {
				f.addType(join(path, tagged(field, "json")), field.Type)
			}
		}
	case reflect.Slice:
		f.addType(path+"[]", t.Elem())
	case reflect.Map:
		f[path+".*"] = true
	default:
		f[path] = true
	}
}

// differences compares two sets of values and returns how many there are and
// what is wrong. A wanted value that starts with ~ is a time in milliseconds
// that may be off by one.
func differences(want, got leaves) (compared int, wrong []string) {
	for path, w := range want {
		compared++
		if g := got[path]; !equal(w, g) {
			wrong = append(wrong, fmt.Sprintf("%s: want %q, got %q", path, w, g))
		}
	}
	for path, g := range got {
		if _, ok := want[path]; !ok && !zero(g) {
			wrong = append(wrong, fmt.Sprintf("%s: want nothing, got %q", path, g))
		}
	}
	slices.Sort(wrong)
	return compared, wrong
}

func equal(want, got string) bool {
	if want == got || zero(want) && got == "" || want == "" && zero(got) {
		return true
	}
	about, ok := strings.CutPrefix(want, "~")
	if !ok {
		return false
	}
	w, errW := strconv.ParseInt(about, 10, 64)
	g, errG := strconv.ParseInt(got, 10, 64)
	return errW == nil && errG == nil && max(w-g, g-w) <= 1
}
