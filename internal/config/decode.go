package config

import (
	"bytes"
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// decoder fills Go values from YAML nodes. It does what yaml.v3's own strict
// decoding does not: it goes on after a mistake, knows the path of each, and
// never repeats a value of a section that holds secrets.
//
// Depth is bounded by the Go types, which are not recursive; breadth, which
// aliases of aliases multiply, by visits.
type decoder struct {
	mistakes  []Mistake
	misshapen int            // how many of them are about shape, not meaning
	lines     map[string]int // of every path that the file mentions
	visits    int
	quiet     bool // inside a section that holds secrets
}

// maxVisits bounds the values of a file after its aliases are expanded.
const maxVisits = 200_000

// document decodes the only document of data into v. It returns false when
// there is nothing whose content could be judged.
func (d *decoder) document(data []byte, v reflect.Value) bool {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			d.mistake("", 0, "empty")
		} else {
			d.syntax(err)
		}
		return false
	}
	var next yaml.Node
	switch err := dec.Decode(&next); {
	case err == nil:
		d.mistake("", next.Line, "a second document: the configuration is one document")
	case !errors.Is(err, io.EOF):
		d.syntax(err)
		return false
	}
	root := doc.Content[0]
	if isNull(root) {
		d.mistake("", 0, "empty")
		return false
	}
	d.value("", root, v)
	d.misshapen = len(d.mistakes)
	return d.visits <= maxVisits && root.Kind == yaml.MappingNode
}

var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntax reports a text that is not YAML.
func (d *decoder) syntax(err error) {
	line, message := 0, "not YAML"
	if m := syntaxError.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = "not YAML: " + m[2]
	}
	if strings.Contains(message, "unknown anchor") {
		// The message repeats the anchor, which is the value of a secret that
		// begins with an asterisk.
		message = "not YAML: unknown anchor; a value that begins with * needs quotes"
	}
	d.mistake("", line, message)
}

func (d *decoder) mistake(path string, line int, message string) {
	d.mistakes = append(d.mistakes, Mistake{Path: path, Line: line, Message: message})
}

// value decodes n into v, which holds the default.
func (d *decoder) value(path string, n *yaml.Node, v reflect.Value) {
	line := n.Line
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if !d.visit(line) || isNull(n) {
		return // a key without a value keeps the default
	}
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		if text, ok := d.scalar(path, line, n, "a string"); ok {
			if err := u.UnmarshalText([]byte(text)); err != nil {
				d.mistake(path, line, err.Error())
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.value(path, n, p.Elem())
		v.Set(p)
	case reflect.Struct:
		if s, ok := reflect.TypeAssert[*secret.String](v.Addr()); ok {
			if text, ok := d.scalar(path, line, n, "a string"); ok {
				*s = secret.New(text)
			}
			return
		}
		d.structure(path, line, n, v)
	case reflect.Map:
		d.mapping(path, line, n, v)
	case reflect.Slice:
		d.list(path, line, n, v)
	default:
		d.basic(path, line, n, v)
	}
}

// visit counts a value and reports whether there may be more.
func (d *decoder) visit(line int) bool {
	d.visits++
	if d.visits == maxVisits+1 {
		d.mistake("", line, fmt.Sprintf("more than %d values after the aliases are expanded", maxVisits))
	}
	return d.visits <= maxVisits
}

// scalar returns the text of a scalar of YAML's own types.
func (d *decoder) scalar(path string, line int, n *yaml.Node, want string) (string, bool) {
	if n.Kind == yaml.ScalarNode {
		switch n.ShortTag() {
		case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
			return n.Value, true
		}
	}
	d.wrongType(path, line, n, want)
	return "", false
}

// basic decodes strings, booleans and numbers.
func (d *decoder) basic(path string, line int, n *yaml.Node, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if text, ok := d.scalar(path, line, n, "a string"); ok {
			v.SetString(text)
		}
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(v.Addr().Interface()) != nil {
			d.wrongType(path, line, n, "true or false")
		}
	case reflect.Int:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(v.Addr().Interface()) != nil {
			d.wrongType(path, line, n, "a whole number")
		}
	case reflect.Float64:
		tag := n.ShortTag()
		if n.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float" || n.Decode(v.Addr().Interface()) != nil {
			d.wrongType(path, line, n, "a number")
		}
	default:
		panic("config: no decoder for " + v.Type().String())
	}
}

// wrongType reports a node of another kind than wanted.
func (d *decoder) wrongType(path string, line int, n *yaml.Node, want string) {
	found := "a custom type"
	switch n.Kind {
	case yaml.MappingNode:
		found = "a mapping"
	case yaml.SequenceNode:
		found = "a list"
	case yaml.DocumentNode, yaml.AliasNode: // never here: the root is opened, aliases are followed
	case yaml.ScalarNode:
		if kind, ok := scalarKinds()[n.ShortTag()]; ok {
			found = kind
			if !d.quiet {
				found += " " + abbreviate(n.Value)
			}
		}
	}
	d.mistake(path, line, "want "+want+", found "+found)
}

func scalarKinds() map[string]string {
	return map[string]string{
		"!!str": "the string", "!!int": "the number", "!!float": "the number",
		"!!bool": "the boolean", "!!timestamp": "the time",
	}
}

// abbreviate quotes a value for a message.
func abbreviate(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}

// structure decodes a mapping whose keys are the fields of v.
func (d *decoder) structure(path string, line int, n *yaml.Node, v reflect.Value) {
	defer func(quiet bool) { d.quiet = quiet }(d.quiet)
	fields := map[string]reflect.Value{}
	d.quiet = keys(v, fields) || d.quiet
	if n.Kind != yaml.MappingNode {
		d.wrongType(path, line, n, "a mapping")
		return
	}
	for _, e := range d.entries(path, n, 0) {
		field, ok := fields[e.name]
		if !ok {
			d.unknownKey(path, e, slices.Sorted(maps.Keys(fields)))
			continue
		}
		sub := join(path, e.name)
		d.lines[sub] = e.line
		d.value(sub, e.value, field)
	}
}

// keys adds the fields of a struct by their keys, and those of its inline
// structs. It reports whether there are secrets among them.
func keys(v reflect.Value, fields map[string]reflect.Value) (secrets bool) {
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Tag.Get("yaml"); name {
		case ",inline":
			secrets = keys(v.Field(i), fields) || secrets
		default:
			fields[name] = v.Field(i)
			secrets = secrets || v.Field(i).Type() == reflect.TypeFor[secret.String]()
		}
	}
	return secrets
}

// unknownKey reports a key that no field has. Where secrets are, only what
// looks like a key is repeated: a secret may have slipped into its place.
func (d *decoder) unknownKey(path string, e entry, known []string) {
	looksLikeKey := regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	if d.quiet {
		looksLikeKey = regexp.MustCompile(`^[a-z_]{1,32}$`)
	}
	if !looksLikeKey.MatchString(e.name) {
		d.mistake(path, e.line, "unknown key")
		return
	}
	d.mistake(join(path, e.name), e.line, "unknown key"+api.DidYouMean(e.name, known))
}

// mapping decodes a mapping with free keys. Values that v has already are the
// defaults.
func (d *decoder) mapping(path string, line int, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(path, line, n, "a mapping")
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, e := range d.entries(path, n, 0) {
		element := reflect.New(v.Type().Elem()).Elem()
		key := reflect.ValueOf(e.name)
		if old := v.MapIndex(key); old.IsValid() {
			element.Set(old)
		}
		sub := join(path, e.name)
		d.lines[sub] = e.line
		d.value(sub, e.value, element)
		v.SetMapIndex(key, element)
	}
}

// list decodes a sequence in place of the default.
func (d *decoder) list(path string, line int, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.wrongType(path, line, n, "a list")
		return
	}
	list := reflect.MakeSlice(v.Type(), 0, 0)
	for i, item := range n.Content {
		element := reflect.New(v.Type().Elem()).Elem()
		switch e := element.Addr().Interface().(type) {
		case *collector.AccountConfig:
			*e = collector.DefaultAccountConfig()
		case *admin.Runbook:
			*e = admin.DefaultRunbook()
		}
		sub := fmt.Sprintf("%s[%d]", path, i)
		d.lines[sub] = item.Line
		d.value(sub, item, element)
		list = reflect.Append(list, element)
	}
	v.Set(list)
}

// entry is a key of a mapping with its value.
type entry struct {
	name  string
	line  int
	value *yaml.Node
}

// entries returns the keys of a mapping, then those that its merge keys (<<)
// add. A mapping that merges itself ends at maxVisits.
func (d *decoder) entries(path string, n *yaml.Node, depth int) []entry {
	const maxDepth = 16
	var own []entry
	var merged []*yaml.Node
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !d.visit(key.Line) {
			return nil
		}
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		first, twice := lines[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			d.mistake(path, n.Content[i].Line, "a key is not a string")
		case key.ShortTag() == "!!merge":
			merged = append(merged, value)
		case twice:
			d.mistake(join(path, key.Value), key.Line, fmt.Sprintf("set twice, first in line %d", first))
		default:
			own = append(own, entry{key.Value, key.Line, value})
			lines[key.Value] = key.Line
		}
	}
	for _, m := range merged {
		for _, e := range d.merge(path, m, depth+1, maxDepth) {
			if _, set := lines[e.name]; !set {
				own = append(own, e)
				lines[e.name] = e.line
			}
		}
	}
	return own
}

// merge returns what the value of a merge key adds: a mapping or a list of
// them, of which the first wins.
func (d *decoder) merge(path string, n *yaml.Node, depth, maxDepth int) []entry {
	line := n.Line
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case depth > maxDepth:
		d.mistake(join(path, "<<"), line, "merges too deep")
	case n.Kind == yaml.MappingNode:
		return d.entries(path, n, depth)
	case n.Kind == yaml.SequenceNode:
		var all []entry
		for _, item := range n.Content {
			if d.visit(item.Line) {
				all = append(all, d.merge(path, item, depth+1, maxDepth)...)
			}
		}
		return all
	default:
		d.wrongType(join(path, "<<"), line, n, "a mapping")
	}
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func join(path, key string) string {
	if path == "" || strings.HasPrefix(key, "[") {
		return path + key
	}
	return path + "." + key
}

// section takes over what a section's Validate found.
func (d *decoder) section(path string, err error) {
	if err == nil {
		return
	}
	var list interface{ Unwrap() []error }
	if !errors.As(err, &list) {
		d.invalid(path, err.Error())
		return
	}
	for _, e := range list.Unwrap() {
		if field, ok := errors.AsType[*api.FieldError](e); ok {
			d.invalid(join(path, field.Path), field.Err.Error())
		} else {
			d.invalid(path, e.Error())
		}
	}
}

// invalid reports a value that is wrong by its meaning, unless its shape is
// wrong already: what was not understood cannot be judged.
func (d *decoder) invalid(path, message string) {
	for _, m := range d.mistakes[:d.misshapen] {
		if within(m.Path, path) || within(path, m.Path) {
			return
		}
	}
	d.mistake(path, d.line(path), message)
}

// within reports whether path is parent or a part of it.
func within(path, parent string) bool {
	rest, ok := strings.CutPrefix(path, parent)
	return ok && parent != "" && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// line returns where path is in the file, or the nearest of its parents.
func (d *decoder) line(path string) int {
	for path != "" {
		if line, ok := d.lines[path]; ok {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

// failure returns the mistakes in the order of the file.
func (d *decoder) failure(file string) error {
	slices.SortStableFunc(d.mistakes, func(a, b Mistake) int {
		return cmp.Or(a.Line-b.Line, strings.Compare(a.Path, b.Path))
	})
	return &Error{File: file, Mistakes: d.mistakes}
}
