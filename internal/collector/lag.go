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
	// LagAtMost: an upper bound. The oldest unconsumed message was produced
	// after the last consumed one (the API's timestamp), and after the last
	// poll at which it was not there yet.
	LagAtMost
	// LagAtLeast: a lower bound. It was there at the first poll that saw the
	// log end beyond the committed offset.
	LagAtLeast
)

// lagMethods are the values of the method label.
var lagMethods = []string{LagAtMost: "at_most", LagAtLeast: "at_least"}

// GroupPartition is a group's progress on a partition, and the two moments
// that bound how long its oldest unconsumed message has waited. Times are
// Unix milliseconds; 0 means that it is not known.
type GroupPartition struct {
	Partition int32
	Owner     int16 // index in GroupProgress.Owners; -1 for none
	Method    LagMethod
	Committed int64 // below 0: nothing was committed
	Newest    int64 // log end in the same answer
	Seconds   float64

	absent  int64 // the last poll that was sent when the oldest unconsumed message was not there yet
	present int64 // the first poll that was answered when it was
}

// poll are the moments between which the cloud looked, as Unix milliseconds.
// Bounds are taken on the safe side of it.
type poll struct{ sent, answered int64 }

func pollOf(t api.Times) poll { return poll{t.Sent.UnixMilli(), t.Answered.UnixMilli()} }

// Lag returns how many messages wait; never below 0.
func (p *GroupPartition) Lag() int64 { return max(0, p.Newest-p.Committed) }

// committed reports whether there is a committed offset.
func (p *GroupPartition) committed() bool { return p.Committed >= 0 }

// measured reports whether there is a lag: both offsets are known.
func (p *GroupPartition) measured() bool { return p.committed() && p.Newest >= 0 }

// observe makes the record of a poll: committed and newest offset, and the
// time at which the last consumed message was produced (Unix ms; 0 or -1:
// unknown). prev is the record of the poll before, at before; nil for none.
func observe(prev *GroupPartition, before poll, partition int32, committed, newest, lastConsumed int64, at poll) GroupPartition {
	p := GroupPartition{Partition: partition, Owner: -1, Committed: committed, Newest: newest}
	if !p.measured() {
		return p
	}
	if p.Lag() == 0 {
		p.absent = at.sent
		return p
	}
	p.present = at.answered
	if prev != nil && prev.measured() && prev.Newest <= newest { // else the topic was created anew
		p.inherit(prev, before)
	}
	p.measure(lastConsumed, at)
	return p
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

// measure sets Seconds and Method from the bounds: the upper one where there
// is one, unless clocks disagree so that it is below the lower one.
func (p *GroupPartition) measure(lastConsumed int64, at poll) {
	atLeast := at.sent - p.present
	p.Method, p.Seconds = LagAtLeast, seconds(atLeast)
	if earliest := max(lastConsumed, p.absent); earliest > 0 {
		if atMost := at.answered - earliest; atMost >= atLeast {
			p.Method, p.Seconds = LagAtMost, seconds(atMost)
		}
	}
}

func seconds(ms int64) float64 { return math.Max(0, float64(ms)/1000) }
