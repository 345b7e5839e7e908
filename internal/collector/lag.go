package collector

import (
	"math"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// LagMethod says how a lag in seconds came about.
type LagMethod uint8

// The methods, in the order of what is preferred.
const (
	// LagNone: nothing is waiting, or nothing is known.
	LagNone LagMethod = iota
	// LagHistory: two of our own samples of the log end lie around the oldest
	// unconsumed message. When it came is interpolated between them.
	LagHistory
	// LagAtMost: an upper bound. The oldest unconsumed message was produced
	// after the last consumed one (the API's timestamp), and after the last
	// poll at which it was not there yet.
	LagAtMost
	// LagAtLeast: a lower bound. It was there at the first poll that saw the
	// log end beyond the committed offset.
	LagAtLeast
)

// lagMethods are the values of the method label.
var lagMethods = []string{LagHistory: "history", LagAtMost: "at_most", LagAtLeast: "at_least"}

// GroupPartition is a group's progress on a partition, and the two moments
// that bound how long its oldest unconsumed message has waited. Times are
// Unix milliseconds; 0 means that it is not known. There are many of them: 48
// bytes each.
type GroupPartition struct {
	Partition int32
	Owner     int16 // index in GroupProgress.Owners; -1 for none
	Method    LagMethod
	Status    GroupStatus
	Committed int64 // below 0: nothing was committed
	Newest    int64 // log end in the same answer
	Seconds   float64

	absent  int64 // the last poll that was sent when the oldest unconsumed message was not there yet
	present int64 // the first poll that was answered when it was
}

// poll are the moments between which the cloud looked, as Unix milliseconds.
// Bounds are taken on the safe side of it.
type poll struct{ sent, answered int64 }

// middle is the likeliest moment.
func (p poll) middle() int64 { return p.sent + (p.answered-p.sent)/2 }

func pollOf(t api.Times) poll { return poll{t.Sent.UnixMilli(), t.Answered.UnixMilli()} }

// Lag returns how many messages wait; never below 0.
func (p *GroupPartition) Lag() int64 { return max(0, p.Newest-p.Committed) }

// committed reports whether there is a committed offset.
func (p *GroupPartition) committed() bool { return p.Committed >= 0 }

// measured reports whether there is a lag: both offsets are known.
func (p *GroupPartition) measured() bool { return p.committed() && p.Newest >= 0 }

// observe makes the record of a poll: committed and newest offset. prev is the
// record of the poll before, at before; nil for none. asks is true when lag in
// seconds needs the samples around the message at the committed offset, which
// are to be looked for in m; measure is to follow. Else it is settled.
func observe(prev *GroupPartition, before poll, partition int32, committed, newest int64, at poll) (p GroupPartition, m sought, asks bool) {
	p = GroupPartition{Partition: partition, Owner: -1, Committed: committed, Newest: newest}
	if !p.measured() {
		return p, m, false
	}
	if p.Lag() == 0 {
		p.absent = at.sent
		return p, m, false
	}
	p.present = at.answered
	m = sought{partition: partition, offset: committed, lower: sample{end: -1}, upper: sample{at, newest}, newest: newest}
	if prev == nil || !prev.measured() || prev.Newest > newest { // new, or the topic was created anew
		return p, m, true
	}
	p.inherit(prev, before)
	if prev.Committed == committed && prev.Method == LagHistory { // it is known already when it came
		p.Method = LagHistory
		p.Seconds = seconds(int64(math.Round(1000*prev.Seconds)) + at.middle() - before.middle())
		return p, m, false
	}
	if prev.Newest <= committed {
		m.lower = sample{before, prev.Newest}
	} else {
		m.upper = sample{before, prev.Newest}
	}
	return p, m, true
}

// inherit carries over what the earlier poll says about the message at
// p.Committed.
func (p *GroupPartition) inherit(prev *GroupPartition, before poll) {
	switch {
	case p.Committed == prev.Committed:
		p.absent = prev.absent
		if prev.present != 0 {
			p.present = prev.present
		}
	case prev.Newest <= p.Committed: // it was not there yet
		p.absent = before.sent
	case p.Committed > prev.Committed: // it was, and when absent was noted the log was shorter still
		p.present, p.absent = before.answered, prev.absent
	case prev.present != 0: // rewound: it is older than the one that was waited for then
		p.present = prev.present
	default:
		p.present = before.answered
	}
}

// measure sets Seconds and Method from what is known of the message m.
//
// With samples on both sides the moment is interpolated between them. Without
// it is a bound: the upper one where there is one, unless clocks disagree so
// that it is below the lower one.
func (p *GroupPartition) measure(m *sought, at poll) {
	p.present = min(p.present, m.upper.at.answered)
	if m.lower.end >= 0 && m.lower.end < m.upper.end {
		p.absent = max(p.absent, m.lower.at.sent)
		came := min(max(m.interpolate(), p.absent), p.present)
		p.Method, p.Seconds = LagHistory, seconds(at.middle()-came)
		return
	}
	atLeast := at.sent - p.present
	p.Method, p.Seconds = LagAtLeast, seconds(atLeast)
	if earliest := max(m.lastConsumed, p.absent); earliest > 0 {
		if atMost := at.answered - earliest; atMost >= atLeast {
			p.Method, p.Seconds = LagAtMost, seconds(atMost)
		}
	}
}

// interpolate returns when the message came, in Unix ms: messages are taken to
// come evenly between the samples around it. The last consumed message is the
// one before it, and counts where its time lies between the samples.
func (m *sought) interpolate() int64 {
	from, end, to := m.lower.at.middle(), m.lower.end, m.upper.at.middle()
	if last := m.lastConsumed; last > from && last < to {
		from, end = last, m.offset
	}
	part := (float64(m.offset-end) + 0.5) / float64(m.upper.end-end)
	return from + int64(math.Round(part*float64(to-from)))
}

func seconds(ms int64) float64 { return math.Max(0, float64(ms)/1000) }
