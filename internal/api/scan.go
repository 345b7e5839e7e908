package api

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Nearly all bytes that the cloud sends are replies of GetConsumerProgress and
// GetTopicStatus: some 230 for every partition at every poll. A scanner fills
// these two in one pass over the bytes. It knows the shapes that the service
// sends; whatever else it meets, failures included, it leaves to the general
// decoder. What it accepts equals what the general decoder makes of it.

// scan decodes a successful reply into the struct that into points to. It
// reports false, and leaves into alone, where the general decoder has to do
// it. Nothing that it returns refers to body.
func scan(status int, body []byte, into any) (envelope, bool) {
	s := &scanner{b: body}
	ok := false
	switch into := into.(type) {
	case *ConsumerProgress:
		var r ConsumerProgress
		s.topics = elementsOf((*scanner).topicProgress)
		s.offsets = elementsOf((*scanner).consumerOffsets)
		s.rebalances = elementsOf((*scanner).rebalance)
		if ok = s.reply(status, "ConsumerProgress", func() { r = s.consumerProgress() }); ok {
			*into = r
		}
	case *TopicStatus:
		var r TopicStatus
		s.table = elementsOf((*scanner).topicOffsets)
		if ok = s.reply(status, "TopicStatus", func() { r = s.topicStatus() }); ok {
			*into = r
		}
	}
	return s.env, ok
}

// scanner is a reply on its way. When it fails it has no bytes left, which
// ends all loops over them.
type scanner struct {
	b      []byte
	i      int // of the next byte
	failed bool
	env    envelope

	topics     elements[TopicProgress]
	offsets    elements[ConsumerOffsets]
	rebalances elements[Rebalance]
	table      elements[TopicOffsets]

	strings map[string]string // by what stands between their quotes
	block   strings.Builder   // see pack
	// The string before in each field, which is likely to come again.
	topic, memberID, clientID, clientIP, other string
}

func (s *scanner) fail() { s.b, s.i, s.failed = nil, 0, true }

// reply scans the envelope; payload scans the field of that name. It reports
// whether this is a successful reply and was understood.
func (s *scanner) reply(status int, name string, payload func()) bool {
	fields := append(slices.Clone(fieldsOf(reflect.TypeFor[envelope]())), name)
	for key := range s.object {
		switch string(key) {
		case name:
			payload()
		case "Code":
			s.env.Code = single[string](s)
		case "Message":
			s.env.Message = single[string](s)
		case "RequestId":
			s.env.RequestID = single[string](s)
		case "Success":
			s.env.Success = single[*bool](s)
		default:
			s.unknown(key, fields)
		}
	}
	s.peek()
	return !s.failed && s.i == len(s.b) && !s.env.failed(status)
}

func (s *scanner) consumerProgress() (r ConsumerProgress) {
	if s.null() {
		return r
	}
	p, fields := &r.Progress, fieldsOf(reflect.TypeOf(r.Progress))
	for key := range s.object {
		switch string(key) {
		case "TotalDiff":
			p.TotalDiff = s.integer()
		case "LastTimestamp":
			p.LastTimestamp = s.integer()
		case "state":
			p.State = single[*string](s)
		case "TopicList":
			p.Topics = list(s, &s.topics, false)
		case "RebalanceInfoList":
			p.Rebalances = list(s, &s.rebalances, false)
		default:
			s.unknown(key, fields)
		}
	}
	return r
}

func (s *scanner) topicProgress(t *TopicProgress) {
	for key := range s.object {
		switch string(key) {
		case "Topic":
			t.Topic = s.interned(&s.topic, false)
		case "TotalDiff":
			t.TotalDiff = s.integer()
		case "LastTimestamp":
			t.LastTimestamp = s.integer()
		case "OffsetList":
			t.Offsets = list(s, &s.offsets, false)
		default:
			s.unknown(key, s.topics.fields)
		}
	}
}

func (s *scanner) consumerOffsets(o *ConsumerOffsets) {
	for key := range s.object {
		switch string(key) {
		case "Partition":
			o.Partition = s.integer32()
		case "ConsumerOffset":
			o.ConsumerOffset = s.integer()
		case "BrokerOffset":
			o.BrokerOffset = s.integer()
		case "LastTimestamp":
			o.LastTimestamp = s.integer()
		case "MemberId":
			o.MemberID = s.interned(&s.memberID, true)
		case "ClientId":
			o.ClientID = s.interned(&s.clientID, true)
		case "ClientIp":
			o.ClientIP = s.interned(&s.clientIP, true)
		default:
			s.unknown(key, s.offsets.fields)
		}
	}
}

func (s *scanner) rebalance(r *Rebalance) {
	for key := range s.object {
		switch string(key) {
		case "Generation":
			r.Generation = s.integer()
		case "GroupId":
			r.GroupID = s.interned(&s.other, false)
		case "LastRebalanceTimestamp":
			r.LastRebalanceTimestamp = s.integer()
		case "RebalanceTimeConsuming":
			r.RebalanceTimeConsuming = s.integer()
		case "RebalanceSuccess":
			r.RebalanceSuccess = single[bool](s)
		case "Reason":
			r.Reason = s.interned(&s.other, false)
		default:
			s.unknown(key, s.rebalances.fields)
		}
	}
}

func (s *scanner) topicStatus() (r TopicStatus) {
	if s.null() {
		return r
	}
	t, fields := &r.TopicStatus, fieldsOf(reflect.TypeOf(r.TopicStatus))
	for key := range s.object {
		switch string(key) {
		case "TotalCount":
			t.TotalCount = s.integer()
		case "LastTimeStamp":
			t.LastTimeStamp = s.integer()
		case "OffsetTable":
			t.Offsets = list(s, &s.table, false)
		default:
			s.unknown(key, fields)
		}
	}
	return r
}

func (s *scanner) topicOffsets(o *TopicOffsets) {
	for key := range s.object {
		switch string(key) {
		case "Partition":
			o.Partition = s.integer32()
		case "Topic":
			o.Topic = s.interned(&s.topic, false)
		case "MinOffset":
			o.MinOffset = s.integer()
		case "MaxOffset":
			o.MaxOffset = s.integer()
		case "LastUpdateTimestamp":
			o.LastUpdateTimestamp = s.integer()
		default:
			s.unknown(key, s.table.fields)
		}
	}
}

// elements are the elements of all lists of one type in a reply. The lists
// share arrays, so that there are few of them.
type elements[T any] struct {
	fields []string // their wire names
	scan   func(*scanner, *T)
	free   []T // what is left of the last array, of length 0
}

func elementsOf[T any](scan func(*scanner, *T)) elements[T] {
	return elements[T]{fields: fieldsOf(reflect.TypeFor[T]()), scan: scan}
}

// list scans a bare list, one in a wrapper, a single object or null. An object
// is a single element when its first key is a field, else it is a wrapper.
func list[T any](s *scanner, of *elements[T], wrapped bool) []T {
	if s.peek() != '{' {
		return array(s, of)
	}
	start := s.i
	s.i++
	if !s.more(true, '}') {
		return nil
	}
	key := s.key()
	if slices.Contains(of.fields, string(key)) {
		s.i = start
		one := make([]T, 1)
		of.scan(s, &one[0])
		return one
	}
	if wrapped || !foreign(key, of.fields) {
		s.fail()
		return nil
	}
	l := list(s, of, true)
	if s.more(false, '}') {
		s.fail()
	}
	return l
}

// array scans an array or null.
func array[T any](s *scanner, of *elements[T]) []T {
	if s.null() {
		return nil
	}
	if s.peek() != '[' {
		s.fail()
		return nil
	}
	start := s.i
	s.i++
	l := of.free
	for first := true; s.more(first, ']'); first = false {
		if len(l) == cap(l) {
			l = slices.Grow(l, s.expect(len(l), s.i-start))
		}
		l = append(l, *new(T))
		if !s.null() {
			of.scan(s, &l[len(l)-1])
		}
	}
	if len(l) == 0 {
		return []T{}
	}
	of.free = l[len(l):]
	return slices.Clip(l)
}

// expect guesses how many elements follow after n elements in size bytes: as
// many as that suggests, but at least as many again. It never returns more
// than twice what would fit.
func (s *scanner) expect(n, size int) int {
	const short = 48 // bytes; an element that says something is longer
	rest := len(s.b) - s.i
	return 1 + min(rest/short, max(n, rest*n/size))
}

// object calls field with every key of an object, to scan the value.
func (s *scanner) object(field func(key []byte) bool) {
	if s.peek() != '{' {
		s.fail()
		return
	}
	s.i++
	for first := true; s.more(first, '}'); first = false {
		if key := s.key(); s.failed || !field(key) {
			return
		}
	}
}

// more reports whether another element follows, and goes past the comma
// before it, or else past the end.
func (s *scanner) more(first bool, end byte) bool {
	switch c := s.peek(); {
	case c == end:
		s.i++
		return false
	case first:
		return true
	case c == ',':
		s.i++
		return true
	}
	s.fail()
	return false
}

// key scans a key and the colon. No field's name has an escape, so a key that
// has one may be returned as it is, or cut short.
func (s *scanner) key() []byte {
	if s.peek() == '"' {
		rest := s.b[s.i+1:]
		if n := bytes.IndexByte(rest, '"'); n >= 0 {
			s.i += n + 2
			if s.peek() == ':' {
				s.i++
				return rest[:n]
			}
		}
	}
	s.fail()
	return nil
}

// peek returns the next byte that is not white space, 0 for none.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\n', '\r', '\t':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// unknown skips the value of a key that is none of fields.
func (s *scanner) unknown(key []byte, fields []string) {
	if !foreign(key, fields) {
		s.fail()
		return
	}
	s.skip()
}

// foreign reports whether key is plain and none of fields in whatever case,
// which the general decoder accepts.
func foreign(key []byte, fields []string) bool {
	for _, c := range key {
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	for _, f := range fields {
		if len(f) == len(key) && strings.EqualFold(f, string(key)) {
			return false
		}
	}
	return true
}

// skip scans a value of any shape.
func (s *scanner) skip() {
	if _, ok := s.decimal(); ok {
		return
	}
	switch s.peek() {
	case '"':
		s.quoted()
	case '{', '[':
		s.container()
	default:
		s.token()
	}
}

// container skips an object or an array.
func (s *scanner) container() {
	for start, depth := s.i, 0; s.i < len(s.b) && depth <= maxDepth; {
		switch s.b[s.i] {
		case '"':
			s.quoted()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.i++
		if depth == 0 {
			if !json.Valid(s.b[start:s.i]) {
				break
			}
			return
		}
	}
	s.fail()
}

// null reports whether null is next, and goes past it.
func (s *scanner) null() bool { return s.peek() == 'n' && string(s.token()) == "null" }

// token scans a number, true, false or null.
func (s *scanner) token() []byte {
	s.peek()
	rest := s.b[s.i:]
	n := bytes.IndexAny(rest, ",]} \n\r\t")
	if n < 0 || !json.Valid(rest[:n]) {
		s.fail()
		return nil
	}
	s.i += n
	return rest[:n]
}

// quoted scans a string and returns it with its quotes.
func (s *scanner) quoted() (literal []byte, escaped bool) {
	for i := s.i + 1; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '\\':
			escaped = true
			i++
		case c == '"':
			literal = s.b[s.i : i+1]
			if escaped && !json.Valid(literal) {
				s.fail()
				return nil, false
			}
			s.i = i + 1
			return literal, escaped
		case c < ' ':
			s.fail()
			return nil, false
		}
	}
	s.fail()
	return nil, false
}

// single scans a value that is neither an object nor an array, and converts it
// as the general decoder does.
func single[T any](s *scanner) (v T) {
	var n any
	switch s.peek() {
	case '"':
		n = s.text(s.quoted())
	case '{', '[':
		s.fail()
	default:
		switch t := string(s.token()); t {
		case "null":
		case "true", "false":
			n = t == "true"
		default:
			n = json.Number(t)
		}
	}
	if !s.failed && fit(reflect.ValueOf(&v).Elem(), n, "") != nil {
		s.fail()
	}
	return v
}

// text decodes what quoted returned.
func (s *scanner) text(literal []byte, escaped bool) string {
	switch {
	case s.failed:
	case !utf8.Valid(literal): // the general decoder makes it valid
		s.fail()
	case escaped:
		var text string
		if json.Unmarshal(literal, &text) != nil {
			s.fail()
		}
		return text
	default:
		return string(literal[1 : len(literal)-1])
	}
	return ""
}

// integer scans an integer, quoted or not.
func (s *scanner) integer() int64 {
	if v, ok := s.decimal(); ok {
		return v
	}
	return single[int64](s)
}

func (s *scanner) integer32() int32 {
	v := s.integer()
	if v != int64(int32(v)) {
		s.fail()
	}
	return int32(v)
}

// decimal scans an integer of up to 18 digits, quoted or not. At anything else
// it stays where it is and reports false.
func (s *scanner) decimal() (v int64, ok bool) {
	quoted := s.peek() == '"'
	i := s.i
	if quoted {
		i++
	}
	negative := i < len(s.b) && s.b[i] == '-'
	if negative {
		i++
	}
	start := i
	for ; i < len(s.b) && s.b[i]-'0' <= 9; i++ {
		v = v*10 + int64(s.b[i]-'0')
	}
	if n := i - start; n == 0 || n > 18 || n > 1 && s.b[start] == '0' || i == len(s.b) {
		return 0, false
	}
	switch s.b[i] {
	case '"':
		ok = quoted
		i++
	case ',', '}', ']', ' ', '\n', '\r', '\t':
		ok = !quoted
	}
	if !ok {
		return 0, false
	}
	s.i = i
	if negative {
		v = -v
	}
	return v, true
}

// interned scans a string that is likely to repeat; *last is the one before it
// in that field. Those that are not kept for long can be packed.
func (s *scanner) interned(last *string, packed bool) string {
	if s.peek() != '"' {
		return single[string](s)
	}
	// This may cut a string short at an escaped quote, which is after an odd
	// number of backslashes. No whole string ends like that.
	rest := s.b[s.i+1:]
	if n := bytes.IndexByte(rest, '"'); n >= 0 {
		if string(rest[:n]) == *last {
			s.i += n + 2
			return *last
		}
		if v, ok := s.strings[string(rest[:n])]; ok {
			s.i += n + 2
			if len(v) == n { // without escapes
				*last = v
			}
			return v
		}
	}
	return s.intern(last, packed)
}

// intern scans a string that did not occur before.
func (s *scanner) intern(last *string, packed bool) string {
	literal, escaped := s.quoted()
	if s.failed {
		return ""
	}
	raw := literal[1 : len(literal)-1]
	var v string
	if packed && !escaped && utf8.Valid(raw) {
		v = s.pack(raw)
	} else {
		v = s.text(literal, escaped)
	}
	if s.strings == nil {
		s.strings = map[string]string{}
	}
	if escaped {
		s.strings[string(raw)] = v
		return v
	}
	s.strings[v], *last = v, v
	return v
}

// pack copies raw into a string that shares a block of memory with others, at
// most 4 KiB, which lives as long as any of them.
func (s *scanner) pack(raw []byte) string {
	if s.block.Cap()-s.block.Len() < len(raw) {
		size := min(max(256, 2*s.block.Cap()), 4096)
		s.block.Reset()
		s.block.Grow(max(size, len(raw)))
	}
	n := s.block.Len()
	s.block.Write(raw)
	return s.block.String()[n:]
}
