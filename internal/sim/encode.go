package sim

import (
	"encoding/json"
	"encoding/xml"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Lists says how the lists of a reply are wrapped.
type Lists uint8

// The forms of a list that are seen on the wire or in documents.
const (
	ListsWrapped Lists = iota // {"TopicList":{"TopicVO":[…]}}: what the official SDKs decode
	ListsSampled              // the samples of the 2022 reference: instances, topics, groups and tags bare, others wrapped
	ListsBare                 // {"TopicList":[…]} everywhere
)

// style is what the writer of a reply needs to know about its form.
type style struct {
	xml     bool
	strings bool // numbers and booleans as strings
	lists   Lists
}

// reply writes an answer, in JSON or in XML, in one pass. Names are taken as
// safe in both; values are escaped.
type reply struct {
	style

	buf   []byte
	comma bool // the next JSON member needs one
}

// begin opens the document; action is empty for an error.
func (w *reply) begin(action string) {
	switch {
	case !w.xml:
		w.buf = append(w.buf, '{')
	case action == "":
		w.buf = append(w.buf, `<?xml version="1.0" encoding="UTF-8"?><Error>`...)
	default:
		w.buf = append(w.buf, `<?xml version="1.0" encoding="UTF-8"?><`...)
		w.buf = append(w.buf, action...)
		w.buf = append(w.buf, "Response>"...)
	}
}

// finish closes what begin opened.
func (w *reply) finish(action string) {
	switch {
	case !w.xml:
		w.buf = append(w.buf, '}')
	case action == "":
		w.buf = append(w.buf, "</Error>"...)
	default:
		w.buf = append(w.buf, "</"...)
		w.buf = append(w.buf, action...)
		w.buf = append(w.buf, "Response>"...)
	}
}

// open starts a member; close ends its XML element.
func (w *reply) open(name string) {
	if w.xml {
		w.buf = append(w.buf, '<')
		w.buf = append(w.buf, name...)
		w.buf = append(w.buf, '>')
		return
	}
	w.next()
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, '"', ':')
}

func (w *reply) close(name string) {
	if w.xml {
		w.buf = append(w.buf, '<', '/')
		w.buf = append(w.buf, name...)
		w.buf = append(w.buf, '>')
	}
}

// next separates JSON members and elements.
func (w *reply) next() {
	if w.comma && !w.xml {
		w.buf = append(w.buf, ',')
	}
	w.comma = true
}

func (w *reply) text(name, v string) {
	w.open(name)
	w.value(v)
	w.close(name)
}

func (w *reply) num(name string, v int64) {
	w.open(name)
	quoted := w.strings && !w.xml
	if quoted {
		w.buf = append(w.buf, '"')
	}
	w.buf = strconv.AppendInt(w.buf, v, 10)
	if quoted {
		w.buf = append(w.buf, '"')
	}
	w.close(name)
}

func (w *reply) flag(name string, v bool) {
	w.open(name)
	quoted := w.strings && !w.xml
	if quoted {
		w.buf = append(w.buf, '"')
	}
	w.buf = strconv.AppendBool(w.buf, v)
	if quoted {
		w.buf = append(w.buf, '"')
	}
	w.close(name)
}

// object writes a member whose own members fill writes.
func (w *reply) object(name string, fill func()) {
	w.open(name)
	w.brace('{')
	fill()
	w.brace('}')
	w.close(name)
}

// list writes n objects. item is the name inside the wrapper, or empty for a
// list that never has one. Nothing marks a bare XML list, so an empty one
// vanishes.
func (w *reply) list(name, item string, n int, each func(i int)) {
	w.elements(name, item, n, func(i int) {
		w.brace('{')
		each(i)
		w.brace('}')
	})
}

// texts writes a list of strings, see list.
func (w *reply) texts(name, item string, vs []string) {
	w.elements(name, item, len(vs), func(i int) { w.value(vs[i]) })
}

func (w *reply) elements(name, item string, n int, each func(i int)) {
	wrapped := item != "" && (w.lists == ListsWrapped || w.lists == ListsSampled && !sampledBare(item))
	if wrapped {
		w.open(name)
		w.brace('{')
		defer w.close(name)
		defer w.brace('}')
		name = item
	}
	if w.xml {
		for i := range n {
			w.open(name)
			each(i)
			w.close(name)
		}
		return
	}
	w.open(name)
	w.brace('[')
	for i := range n {
		w.next()
		each(i)
	}
	w.brace(']')
}

// brace opens or closes a JSON object or array; XML has none.
func (w *reply) brace(b byte) {
	if !w.xml {
		w.buf = append(w.buf, b)
	}
	w.comma = b == '}' || b == ']'
}

// sampledBare reports whether the 2022 reference prints a list with these
// elements without its wrapper.
func sampledBare(item string) bool {
	return item == "InstanceVO" || item == "TopicVO" || item == "ConsumerVO" || item == "TagVO"
}

// value writes an escaped string, in JSON with its quotes.
func (w *reply) value(v string) {
	switch {
	case !w.xml && plain(v, `"\`):
		w.buf = append(w.buf, '"')
		w.buf = append(w.buf, v...)
		w.buf = append(w.buf, '"')
	case !w.xml:
		w.buf = appendJSON(w.buf, v)
	case plain(v, "<>&"):
		w.buf = append(w.buf, v...)
	default:
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(v)) // a Builder does not fail
		// Only attributes need quotes escaped; the service leaves them alone.
		v = strings.ReplaceAll(strings.ReplaceAll(b.String(), "&#34;", `"`), "&#39;", "'")
		w.buf = append(w.buf, v...)
	}
}

// plain reports whether v needs no escaping: printable ASCII without special.
func plain(v, special string) bool {
	for i := range len(v) {
		if v[i] < ' ' || v[i] >= utf8.RuneSelf || strings.IndexByte(special, v[i]) >= 0 {
			return false
		}
	}
	return true
}

// appendJSON appends v as a JSON string and leaves <, > and & as they are, as
// the service does.
func appendJSON(buf []byte, v string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) //nolint:errchkjson // a string into a Builder does not fail
	return append(buf, strings.TrimSuffix(b.String(), "\n")...)
}
