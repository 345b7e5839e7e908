package collector

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// The records of the state file. What there is much of is written as varints,
// lists and descriptions of the API as JSON. Readers check every length
// against what is left, so that a damaged file costs no memory.

// errState is a record that nobody wrote.
var errState = errors.New("the record is damaged")

// stateWriter appends fields to a record.
type stateWriter struct{ b []byte }

func (w *stateWriter) uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }
func (w *stateWriter) int(v int64)   { w.b = binary.AppendVarint(w.b, v) }
func (w *stateWriter) float(v float64) {
	w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(v))
}
func (w *stateWriter) text(s string) { w.bytes([]byte(s)) }

func (w *stateWriter) bytes(b []byte) {
	w.uint(uint64(len(b)))
	w.b = append(w.b, b...)
}

func (w *stateWriter) bool(v bool) {
	if v {
		w.uint(1)
	} else {
		w.uint(0)
	}
}

// time writes the zero time as 0.
func (w *stateWriter) time(t time.Time) {
	if t.IsZero() {
		w.int(0)
	} else {
		w.int(t.UnixNano())
	}
}

func (w *stateWriter) json(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("collector: state: " + err.Error()) // plain data; a test writes all of it
	}
	w.bytes(b)
}

// stateReader reads what a stateWriter wrote. After an error everything reads
// as zero.
type stateReader struct {
	b   []byte
	now time.Time // no date is later
	err error
}

func (r *stateReader) fail() {
	r.err, r.b = errState, nil
}

func (r *stateReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *stateReader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// small reads a number that is at most limit.
func (r *stateReader) small(limit int) int {
	v := r.uint()
	if v > uint64(limit) {
		r.fail()
		return 0
	}
	return int(v)
}

// count reads the length of a list whose elements take at least a byte each.
func (r *stateReader) count() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *stateReader) float() float64 {
	if len(r.b) < 8 {
		r.fail()
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.b))
	r.b = r.b[8:]
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.fail()
		return 0
	}
	return v
}

func (r *stateReader) bytes() []byte {
	n := r.count()
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *stateReader) text() string { return string(r.bytes()) }
func (r *stateReader) bool() bool   { return r.small(1) == 1 }

// time reads a date; a clock that was set back makes no dates of the future.
func (r *stateReader) time() time.Time {
	v := r.int()
	if v == 0 {
		return time.Time{}
	}
	if t := time.Unix(0, v); t.Before(r.now) {
		return t
	}
	return r.now
}

// until reads a date that may be up to an hour ahead.
func (r *stateReader) until() time.Time {
	ahead := stateReader{b: r.b, now: r.now.Add(time.Hour)}
	t := ahead.time()
	if r.b = ahead.b; ahead.err != nil {
		r.fail()
	}
	return t
}

func (r *stateReader) json(v any) {
	if b := r.bytes(); r.err == nil && json.Unmarshal(b, v) != nil {
		r.fail()
	}
}

// list reads a list of at most the length that is left.
func list[T any](r *stateReader, read func() T) []T {
	n := r.count()
	if n == 0 {
		return nil
	}
	l := make([]T, 0, min(n, 4096))
	for range n {
		l = append(l, read())
		if r.err != nil {
			return nil
		}
	}
	return l
}

// Sections of which the data are plain.

func writeSection[T any](w *stateWriter, s Section[T]) {
	w.time(s.At)
	if !s.At.IsZero() {
		w.json(s.Data)
	}
}

func readSection[T any](r *stateReader) (s Section[T]) {
	if s.At = r.time(); !s.At.IsZero() {
		r.json(&s.Data)
	}
	return s
}

func (w *stateWriter) object(o *object) {
	w.bool(o != nil)
	if o == nil {
		return
	}
	w.time(o.known)
	w.bool(o.tried)
	w.float(o.calls)
	m := o.memory()
	w.time(m.At)
	w.uint(uint64(m.Quiet))
	w.uint(uint64(m.Stuck))
	w.float(m.Usual)
	w.time(m.Incident)
	for _, n := range []int64{m.Committed, m.Newest, m.Lag, int64(m.Owned)} {
		w.int(n)
	}
	w.uint(uint64(m.Status))
}

// object reads an object that is in no queue; nil for none.
func (r *stateReader) object() *object {
	if !r.bool() {
		return nil
	}
	o := &object{index: -1, known: r.time(), tried: r.bool(), calls: r.float()}
	o.at = r.time()
	o.activity = activity{quiet: r.small(math.MaxInt32), stuck: r.small(math.MaxInt32), usual: r.float(), incident: r.until()}
	o.activity.signals = signals{committed: r.int(), newest: r.int(), lag: r.int(), owned: int(r.int()), status: r.status()}
	return o
}

func (w *stateWriter) rate(v Rate) {
	w.bool(v.Known)
	if v.Known {
		w.float(v.PerSecond)
		w.time(v.At)
	}
}

func (r *stateReader) rate() (v Rate) {
	if v.Known = r.bool(); v.Known {
		v.PerSecond, v.At = r.float(), r.time()
	}
	return v
}

func (w *stateWriter) poll(p poll) {
	w.int(p.sent)
	w.int(p.answered - p.sent)
}

func (r *stateReader) poll() poll {
	sent := r.int()
	return poll{sent, sent + r.int()}
}

// Instances.

func (w *stateWriter) instance(i *instance) {
	v := i.view
	w.text(v.ID)
	writeSection(w, v.Info)
	writeSection(w, v.Quota)
	writeSection(w, v.AllowedIPs)
	writeSection(w, v.TopicList)
	writeSection(w, v.GroupList)
	w.uint(uint64(i.missing))
	for _, o := range []*object{i.quota, i.allowedIPs, i.topicList, i.groupList} {
		w.object(o)
	}
	w.uint(uint64(len(i.topics)))
	for _, name := range sortedKeys(i.topics) {
		w.topic(i.topics[name])
	}
	w.uint(uint64(len(i.groups)))
	for _, name := range sortedKeys(i.groups) {
		w.group(i.groups[name])
	}
}

func (r *stateReader) instance(account, region string) *instance {
	v := &Instance{Account: account, RegionID: region, ID: r.text()}
	v.Info = readSection[InstanceInfo](r)
	v.Quota = readSection[api.Quota](r)
	v.AllowedIPs = readSection[api.AllowedIPs](r)
	v.TopicList = readSection[TopicTotals](r)
	v.GroupList = readSection[int](r)
	i := &instance{view: v, dirty: true, topics: map[string]*topic{}, groups: map[string]*group{}, missing: r.small(confirmed)}
	for _, o := range []**object{&i.quota, &i.allowedIPs, &i.topicList, &i.groupList} {
		*o = r.object()
	}
	for _, t := range list(r, r.topic) {
		i.topics[t.view.Name()] = t
	}
	for _, g := range list(r, r.group) {
		for n := range g.view.Progress.Data.Topics {
			if t := i.topics[g.view.Progress.Data.Topics[n].Topic]; t != nil {
				g.view.Progress.Data.Topics[n].oldest = t.view.Status.Data.Partitions
			}
		}
		i.groups[g.view.Name()] = g
	}
	return i
}

// Topics.

func (w *stateWriter) topic(t *topic) {
	writeSection(w, t.view.Info)
	w.time(t.view.Status.At)
	w.int(t.view.Status.Data.LastMessage)
	w.uint(uint64(len(t.view.Status.Data.Partitions)))
	for _, p := range t.view.Status.Data.Partitions {
		w.int(int64(p.Partition))
		w.int(p.Oldest)
		w.int(p.Newest - p.Oldest)
	}
	w.uint(uint64(len(t.view.Newest)))
	var before LogEnd
	for _, e := range t.view.Newest {
		w.int(int64(e.Partition - before.Partition))
		w.int(e.Offset)
		w.bool(e.At.Equal(before.At))
		if !e.At.Equal(before.At) {
			w.time(e.At)
		}
		before = e
	}
	w.rate(t.view.Produced)
	for _, s := range t.samples {
		w.int(s.sum)
		w.uint(uint64(s.partitions))
		w.time(s.at)
	}
	w.time(t.consumed)
	w.uint(uint64(t.missing))
	w.object(t.status)
	w.history(&t.history)
}

func (r *stateReader) topic() *topic {
	v := &Topic{Info: readSection[api.Topic](r)}
	v.Status.At, v.Status.Data.LastMessage = r.time(), r.int()
	v.Status.Data.Partitions = list(r, func() PartitionOffsets {
		p := PartitionOffsets{Partition: int32(r.int()), Oldest: r.int()}
		p.Newest = p.Oldest + r.int()
		return p
	})
	var before LogEnd
	v.Newest = list(r, func() LogEnd {
		e := LogEnd{before.Partition + int32(r.int()), r.int(), before.At}
		if !r.bool() {
			e.At = r.time()
		}
		before = e
		return e
	})
	v.Produced = r.rate()
	t := &topic{view: v}
	for i := range t.samples {
		t.samples[i] = offsetSample{r.int(), r.small(math.MaxInt32), r.time()}
	}
	t.consumed, t.missing, t.status, t.history = r.time(), r.small(confirmed), r.object(), r.history()
	if t.status == nil {
		r.fail()
	}
	return t
}

func (w *stateWriter) history(h *history) {
	w.uint(uint64(len(h.starts)))
	before := uint32(0)
	for _, s := range h.starts {
		w.uint(uint64(s - before))
		before = s
	}
	w.bytes(h.rows)
	w.int(h.first)
	w.poll(h.last)
	w.uint(uint64(len(h.ends)))
	for _, e := range h.ends {
		w.int(e)
	}
}

func (r *stateReader) history() (h history) {
	start := uint32(0)
	h.starts = list(r, func() uint32 {
		start += uint32(r.small(math.MaxInt32))
		return start
	})
	h.rows = slices.Clone(r.bytes())
	h.first, h.last = r.int(), r.poll()
	h.ends = list(r, r.int)
	if r.err == nil && h.check() != nil {
		r.fail()
	}
	if h.last.sent > r.now.UnixMilli() || r.err != nil { // of a clock that was set back
		return history{}
	}
	return h
}

// Groups.

func (w *stateWriter) group(g *group) {
	writeSection(w, g.view.Info)
	w.time(g.view.Progress.At)
	w.uint(uint64(g.missing))
	w.object(g.progress)
	p := &g.view.Progress.Data
	w.uint(uint64(p.Members))
	w.bool(p.MembersKnown)
	w.text(p.State)
	w.uint(uint64(len(p.Owners)))
	for _, o := range p.Owners {
		for _, s := range o {
			w.text(s)
		}
	}
	w.uint(uint64(p.Status))
	w.rule(p.rule)
	w.int(p.Since)
	w.json(p.Rebalances)
	w.int(p.RebalancesSeen)
	w.bool(p.RebalancesKnown)
	w.poll(p.at)
	w.uint(uint64(len(p.polls)))
	for _, at := range p.polls {
		w.int(at)
	}
	w.uint(uint64(len(p.Topics)))
	for i := range p.Topics {
		w.groupTopic(&p.Topics[i], p.at)
	}
}

func (r *stateReader) group() *group {
	v := &ConsumerGroup{Info: readSection[api.ConsumerGroup](r)}
	g := &group{view: v}
	v.Progress.At, g.missing, g.progress = r.time(), r.small(confirmed), r.object()
	if g.progress == nil {
		r.fail()
	}
	p := &v.Progress.Data
	p.Members, p.MembersKnown, p.State = r.small(math.MaxInt32), r.bool(), r.text()
	p.Owners = list(r, func() Owner { return Owner{r.text(), r.text(), r.text()} })
	p.Status, p.rule, p.Since = r.status(), r.rule(), r.int()
	r.json(&p.Rebalances)
	p.RebalancesSeen, p.RebalancesKnown, p.at = r.int(), r.bool(), r.poll()
	p.polls = list(r, r.int)
	if len(p.polls) > statusSlots {
		r.fail()
	}
	p.Topics = list(r, func() GroupTopic { return r.groupTopic(p.at) })
	byName := func(x, y GroupTopic) int { return strings.Compare(x.Topic, y.Topic) }
	if !slices.IsSortedFunc(p.Topics, byName) {
		r.fail()
	}
	return g
}

func (r *stateReader) status() GroupStatus { return GroupStatus(r.small(len(groupStatuses) - 1)) }

func (w *stateWriter) rule(r rule) { w.uint(uint64(ruleNames[r].stored)) }

func (r *stateReader) rule() rule {
	stored := r.uint()
	for i := range ruleNames {
		if uint64(ruleNames[i].stored) == stored {
			return rule(i)
		}
	}
	r.fail()
	return 0
}

func (w *stateWriter) groupTopic(t *GroupTopic, at poll) {
	w.text(t.Topic)
	w.rate(t.Consumed)
	w.uint(uint64(t.Status))
	w.rule(t.rule)
	w.bool(t.Retention.Known)
	w.int(t.Retention.Margin)
	w.int(t.Retention.Lost)
	w.uint(uint64(len(t.Partitions)))
	for i := range t.Partitions {
		p := &t.Partitions[i]
		w.int(int64(p.Partition))
		w.int(int64(p.Owner))
		w.uint(uint64(p.Method))
		w.uint(uint64(p.Status))
		w.int(p.Committed)
		w.int(p.Newest - p.Committed)
		w.int(int64(math.Round(p.Seconds * 1000)))
		w.moment(p.absent, at)
		w.moment(p.present, at)
	}
	w.uint(uint64(len(t.late)))
	for i := range t.late {
		w.lateness(&t.late[i], at)
	}
}

func (r *stateReader) groupTopic(at poll) GroupTopic {
	t := GroupTopic{Topic: r.text(), Consumed: r.rate(), Status: r.status(), rule: r.rule()}
	t.Retention = Retention{Known: r.bool(), Margin: r.int(), Lost: r.int()}
	t.Partitions = list(r, func() GroupPartition {
		p := GroupPartition{Partition: int32(r.int()), Owner: int16(r.int()), Method: LagMethod(r.small(len(lagMethods) - 1)), Status: r.status(), Committed: r.int()}
		p.Newest = p.Committed + r.int()
		p.Seconds = seconds(r.int())
		p.absent, p.present = r.moment(at), r.moment(at)
		return p
	})
	t.late = list(r, func() lateness { return r.lateness(at) })
	if !slices.IsSortedFunc(t.Partitions, func(x, y GroupPartition) int { return int(x.Partition) - int(y.Partition) }) ||
		!slices.IsSortedFunc(t.late, func(x, y lateness) int { return int(x.partition) - int(y.partition) }) {
		r.fail()
	}
	return t
}

// moment writes a time in Unix ms, 0 for none, by its distance from a poll.
func (w *stateWriter) moment(t int64, at poll) {
	w.bool(t != 0)
	if t != 0 {
		w.int(at.answered - t)
	}
}

func (r *stateReader) moment(at poll) int64 {
	if !r.bool() {
		return 0
	}
	return at.answered - r.int()
}

func (w *stateWriter) lateness(l *lateness, at poll) {
	w.int(int64(l.partition))
	w.rule(l.rule)
	w.uint(uint64(l.samples))
	for _, t := range []int64{l.since, l.moved, l.ownerless, l.rewoundAt} {
		w.moment(t, at)
	}
	w.int(l.rewoundFrom)
	for _, lag := range l.lags[statusSlots-int(l.samples):] {
		w.float(float64(lag))
	}
}

func (r *stateReader) lateness(at poll) lateness {
	l := lateness{partition: int32(r.int()), rule: r.rule(), samples: uint8(r.small(statusSlots))}
	for _, t := range []*int64{&l.since, &l.moved, &l.ownerless, &l.rewoundAt} {
		*t = r.moment(at)
	}
	l.rewoundFrom = r.int()
	for i := statusSlots - int(l.samples); i < statusSlots; i++ {
		l.lags[i] = float32(r.float())
	}
	return l
}

// Regions and accounts.

func (w *stateWriter) region(id string, reg *region) {
	w.text(id)
	w.bool(reg.up)
	w.uint(uint64(reg.missing))
	w.object(reg.list)
}

func (r *stateReader) region() (string, *region) {
	id := r.text()
	reg := &region{up: r.bool(), missing: r.small(confirmed), list: r.object(), instances: map[string]*instance{}}
	if reg.list == nil {
		r.fail()
	}
	return id, reg
}

// end checks that a record was read to its end.
func (r *stateReader) end(what string) error {
	if r.err == nil && len(r.b) > 0 {
		r.err = errState
	}
	if r.err != nil {
		return fmt.Errorf("%s: %w", what, r.err)
	}
	return nil
}
