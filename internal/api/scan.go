package api

import (
	"bytes"
	"encoding/binary"
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
		s.offsets.gaps = make([]gap, 10)
		s.rebalances = elementsOf((*scanner).rebalance)
		if ok = s.reply(status, "ConsumerProgress", func() { r = s.consumerProgress() }); ok {
			*into = r
		}
	case *TopicStatus:
		var r TopicStatus
		s.table = elementsOf((*scanner).topicOffsets)
		s.table.gaps = make([]gap, 10)
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

	strings map[string]*text // by what stands between their quotes
	texts   []text           // the last block of them
	block   strings.Builder  // see pack
	// The string before in each field.
	topic, memberID, clientID, clientIP, other *text
}

func (s *scanner) fail() { s.b, s.i, s.failed = nil, 0, true }

// reply scans the envelope; payload scans the field of that name. It reports
// whether this is a successful reply and was understood.
func (s *scanner) reply(status int, name string, payload func()) bool {
	names := append(slices.Clone(fieldsOf(reflect.TypeFor[envelope]())), name)
	if s.peek() != '{' {
		s.fail()
	}
	for key, n := s.field(nil, 0); key != nil; key, n = s.field(nil, n) {
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
			s.unknown(key, &fields{names: names})
		}
	}
	s.peek()
	return !s.failed && s.i == len(s.b) && !s.env.failed(status)
}

func (s *scanner) consumerProgress() (r ConsumerProgress) {
	p, names := &r.Progress, fieldsOf(reflect.TypeOf(r.Progress))
	for key, n := s.field(nil, 0); key != nil; key, n = s.field(nil, n) {
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
			s.unknown(key, &fields{names: names})
		}
	}
	return r
}

func (s *scanner) topicProgress(t *TopicProgress) {
	for key, n := s.field(nil, 0); key != nil; key, n = s.field(nil, n) {
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
			s.unknown(key, &s.topics.fields)
		}
	}
}

func (s *scanner) consumerOffsets(o *ConsumerOffsets) {
	o.blank()
	for key, n := s.field(s.offsets.gaps, 0); key != nil; key, n = s.field(s.offsets.gaps, n) {
		switch string(key) {
		case "Partition":
			o.Partition = s.partition()
		case "ConsumerOffset":
			o.ConsumerOffset = s.offset()
		case "BrokerOffset":
			o.BrokerOffset = s.offset()
		case "LastTimestamp":
			o.LastTimestamp = s.integer()
		case "MemberId":
			o.MemberID = s.interned(&s.memberID, true)
		case "ClientId":
			o.ClientID = s.interned(&s.clientID, true)
		case "ClientIp":
			o.ClientIP = s.interned(&s.clientIP, true)
		default:
			s.unknown(key, &s.offsets.fields)
		}
	}
}

func (s *scanner) rebalance(r *Rebalance) {
	for key, n := s.field(nil, 0); key != nil; key, n = s.field(nil, n) {
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
			s.unknown(key, &s.rebalances.fields)
		}
	}
}

func (s *scanner) topicStatus() (r TopicStatus) {
	t, names := &r.TopicStatus, fieldsOf(reflect.TypeOf(r.TopicStatus))
	for key, n := s.field(nil, 0); key != nil; key, n = s.field(nil, n) {
		switch string(key) {
		case "TotalCount":
			t.TotalCount = s.integer()
		case "LastTimeStamp":
			t.LastTimeStamp = s.integer()
		case "OffsetTable":
			t.Offsets = list(s, &s.table, false)
		default:
			s.unknown(key, &fields{names: names})
		}
	}
	return r
}

func (s *scanner) topicOffsets(o *TopicOffsets) {
	o.blank()
	for key, n := s.field(s.table.gaps, 0); key != nil; key, n = s.field(s.table.gaps, n) {
		switch string(key) {
		case "Partition":
			o.Partition = s.partition()
		case "Topic":
			o.Topic = s.interned(&s.topic, false)
		case "MinOffset":
			o.MinOffset = s.offset()
		case "MaxOffset":
			o.MaxOffset = s.offset()
		case "LastUpdateTimestamp":
			o.LastUpdateTimestamp = s.integer()
		default:
			s.unknown(key, &s.table.fields)
		}
	}
}

// elements are the elements of all lists of one type in a reply. The lists
// share arrays, so that there are few of them.
type elements[T any] struct {
	fields fields
	scan   func(*scanner, *T)
	free   []T   // what is left of the last array, of length 0
	gaps   []gap // nil: objects of this kind are few
}

func elementsOf[T any](scan func(*scanner, *T)) elements[T] {
	return elements[T]{fields: fields{names: fieldsOf(reflect.TypeFor[T]())}, scan: scan}
}

// fields are the wire names of an object's fields, and the last key that was
// found to be none of them.
type fields struct {
	names    []string
	stranger []byte
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
	key := s.name()
	if slices.Contains(of.fields.names, string(key)) {
		s.i = start
		one := make([]T, 1)
		of.scan(s, &one[0])
		return one
	}
	if wrapped || !foreign(key, of.fields.names) {
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
		n := len(l)
		if n == cap(l) {
			l = append(make([]T, 0, n+s.expect(n, s.i-start)), l...)
		}
		l = l[:n+1]
		of.scan(s, &l[n])
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

// gap is what stands between two values of an object, from the comma to the
// colon.
type gap struct {
	text []byte
	key  []byte // nil where the object ends
}

// field goes to the n-th value of an object and returns its key, nil past the
// last one, and n+1. In objects of one kind, what stands before a value is
// likely to be what stood there in the object before: gaps. Null is an object
// without values.
func (s *scanner) field(gaps []gap, n int) (key []byte, next int) {
	if n >= len(gaps) {
		return s.nextKey(n), n + 1
	}
	g := &gaps[n]
	if rest := s.b[s.i:]; len(g.text) > 0 && bytes.HasPrefix(rest, g.text) {
		s.i += len(g.text)
		return g.key, n + 1
	}
	from := s.i
	key = s.nextKey(n)
	*g = gap{s.b[min(from, s.i):s.i], key}
	return key, n + 1
}

func (s *scanner) nextKey(n int) []byte {
	if n == 0 {
		if s.null() {
			return nil
		}
		if s.peek() != '{' {
			s.fail()
			return nil
		}
		s.i++
	}
	if s.more(n == 0, '}') {
		return s.name()
	}
	return nil
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

// name scans a key and the colon. No field's name has an escape, so a key that
// has one may be returned as it is, or cut short. It returns nil when it fails.
func (s *scanner) name() []byte {
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

// unknown skips the value of a key that is none of the fields.
func (s *scanner) unknown(key []byte, f *fields) {
	if !bytes.Equal(key, f.stranger) {
		if !foreign(key, f.names) {
			s.fail()
			return
		}
		f.stranger = key
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
	s.scalar(reflect.ValueOf(&v).Elem())
	return v
}

// scalar scans such a value into v, which stays as it is where nothing is said.
func (s *scanner) scalar(v reflect.Value) {
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
	if !s.failed && fit(v, n, "") != nil {
		s.fail()
	}
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

// offset scans an integer that is -1 where nothing is said.
func (s *scanner) offset() int64 {
	if v, ok := s.decimal(); ok {
		return v
	}
	v := int64(-1)
	s.scalar(reflect.ValueOf(&v).Elem())
	return v
}

func (s *scanner) partition() int32 {
	v := s.offset()
	if v != int64(int32(v)) {
		s.fail()
	}
	return int32(v)
}

// decimal scans an integer of up to 18 digits, quoted or not. At anything else
// it stays where it is and reports false.
func (s *scanner) decimal() (v int64, ok bool) {
	b, i := s.b, s.i
	for len(b)-i >= 8 {
		x := binary.LittleEndian.Uint64(b[i:]) - 0x3030303030303030
		if (x|(x+0x7676767676767676))&0x8080808080808080 != 0 {
			break
		}
		x = x*10 + x>>8
		x = ((x&0xff000000ff)*(100+1_000_000<<32) + (x>>16&0xff000000ff)*(1+10_000<<32)) >> 32
		v = v*1e8 + int64(x)
		i += 8
	}
	for i < len(b) && b[i]-'0' <= 9 {
		v = v*10 + int64(b[i]-'0')
		i++
	}
	if n := i - s.i; 0 < n && n <= 18 && (n == 1 || b[s.i] != '0') && i < len(b) && (b[i] == ',' || b[i] == '}') {
		s.i = i
		return v, true
	}
	return s.otherDecimal()
}

// otherDecimal is decimal for numbers that are quoted, negative or between
// blanks.
func (s *scanner) otherDecimal() (v int64, ok bool) {
	quoted := s.peek() == '"'
	b, i := s.b, s.i
	if quoted {
		i++
	}
	negative := i < len(b) && b[i] == '-'
	if negative {
		i++
	}
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		v = v*10 + int64(b[i]-'0')
		i++
	}
	if n := i - start; n == 0 || n > 18 || n > 1 && b[start] == '0' || i == len(b) {
		return 0, false
	}
	switch b[i] {
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

// text is a string that was met, and the one that came after it in its field
// the last time: a list goes round the members of a group.
type text struct {
	raw, value string // as it stands between its quotes, and what that means
	next       *text
}

// interned scans a string that is likely to repeat; *last is the one before it
// in that field. Those that are not kept for long can be packed.
func (s *scanner) interned(last **text, packed bool) string {
	if s.peek() != '"' {
		return single[string](s)
	}
	rest := s.b[s.i+1:]
	if before := *last; before != nil {
		likely := before.next
		if n := len(likely.raw); n < len(rest) && rest[n] == '"' && string(rest[:n]) == likely.raw {
			s.i += n + 2
			*last = likely
			return likely.value
		}
	}
	// This may cut a string short at an escaped quote, which is after an odd
	// number of backslashes. No whole string ends like that.
	if n := bytes.IndexByte(rest, '"'); n >= 0 {
		if t, ok := s.strings[string(rest[:n])]; ok {
			s.i += n + 2
			return t.after(last)
		}
	}
	return s.intern(last, packed)
}

// intern scans a string that did not occur before.
func (s *scanner) intern(last **text, packed bool) string {
	literal, escaped := s.quoted()
	if s.failed {
		return ""
	}
	if len(s.texts) == cap(s.texts) {
		s.texts = make([]text, 0, max(8, 2*cap(s.texts)))
	}
	s.texts = append(s.texts, text{})
	raw, t := literal[1:len(literal)-1], &s.texts[len(s.texts)-1]
	t.next = t
	if packed && !escaped && utf8.Valid(raw) {
		t.value = s.pack(raw)
	} else {
		t.value = s.text(literal, escaped)
	}
	t.raw = t.value
	if escaped {
		t.raw = string(raw)
	}
	if s.strings == nil {
		s.strings = make(map[string]*text, min(len(s.b)>>10, 64))
	}
	s.strings[t.raw] = t
	return t.after(last)
}

// after notes that t came after *last.
func (t *text) after(last **text) string {
	if before := *last; before != nil {
		before.next = t
	}
	*last = t
	return t.value
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
