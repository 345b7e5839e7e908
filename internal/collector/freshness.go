package collector

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// How fresh an object is to be, and what the rate limit makes of that.
//
// Every object has a target, the time from one read to the next that is wished
// for, and a maximum age. Where the limit has room for all targets, all are
// met. Where it has not, the targets of objects are stretched: those in which
// nothing happens most, though not beyond their maximum age. Where not even
// the maximum ages fit, all are missed by the same factor, and the plan says
// so.

// urgency is how much an object is worth to be looked at.
type urgency uint8

const (
	urgencyIdle     urgency = iota // nothing has happened for several reads
	urgencyQuiet                   // nothing has happened lately
	urgencyActive                  // something moves; also every object about which nothing can be learned
	urgencyIncident                // something has just gone wrong
	urgencyWanted                  // a target was configured for the object
)

// weight is how readily the target of an object is stretched: twice the weight,
// twice the interval.
func (u urgency) weight() float64 {
	return [...]float64{urgencyIdle: 64, urgencyQuiet: 4, urgencyActive: 1, urgencyIncident: 0.7, urgencyWanted: 1. / 16}[u]
}

// part is the part of its maximum age that an object is given when not all
// maximum ages can be kept.
func (u urgency) part() float64 {
	return [...]float64{urgencyIdle: 1, urgencyQuiet: 1. / 2, urgencyActive: 1. / 4, urgencyIncident: 1. / 8, urgencyWanted: 1. / 8}[u]
}

// held is the part of the maximum age after which an object is read again at
// the latest. The rest is for reads that wait for others or take their time.
const held = 0.96

// need is what an object asks of its queue.
type need struct {
	target, maxAge time.Duration
	urgency        urgency
}

// allocation is how a queue spreads its calls over what is needed.
type allocation struct {
	stretch float64 // of target × weight
	over    float64 // by how much maximum ages are exceeded; 1: they are kept
}

// allocate finds the least stretch with which needs take at most rate calls a
// second, of which reserve is kept for other things as long as maximum ages
// can be held. needs holds the calls that one read of all objects with that
// need takes.
func allocate(needs map[need]float64, rate, reserve float64) allocation {
	relaxed, reduced := 0.0, 0.0
	sorted := sortedNeeds(needs)
	for _, n := range sorted {
		relaxed += needs[n] / n.limit().Seconds()
		reduced += needs[n] / (n.limit().Seconds() * n.urgency.part())
	}
	if relaxed > rate && rate > 0 {
		return allocation{over: reduced / rate}
	}
	a := allocation{over: 1}
	low, high := 1./64, 1./64
	for _, n := range sorted {
		high = max(high, n.limit().Seconds()/(n.target.Seconds()*n.urgency.weight()))
	}
	if a.stretch = low; a.rate(sorted, needs) <= rate-reserve {
		return a
	}
	for range 40 {
		a.stretch = math.Sqrt(low * high)
		if a.rate(sorted, needs) > rate-reserve {
			low = a.stretch
		} else {
			high = a.stretch
		}
	}
	a.stretch = high
	return a
}

// limit is the longest interval that keeps the maximum age.
func (n need) limit() time.Duration {
	return max(n.target, time.Duration(held*float64(n.maxAge)))
}

// interval is the time from one read of an object to the next.
func (a allocation) interval(n need) time.Duration {
	if a.over > 1 {
		return max(n.target, time.Duration(a.over*n.urgency.part()*float64(n.limit())))
	}
	return min(max(n.target, time.Duration(a.stretch*n.urgency.weight()*float64(n.target))), n.limit())
}

// rate is how many calls a second the intervals take.
func (a allocation) rate(sorted []need, needs map[need]float64) float64 {
	sum := 0.0
	for _, n := range sorted {
		sum += needs[n] / a.interval(n).Seconds()
	}
	return sum
}

// sortedNeeds returns the keys in an order, so that sums come out the same to
// the last bit each time.
func sortedNeeds(needs map[need]float64) []need {
	return slices.SortedFunc(maps.Keys(needs), func(x, y need) int {
		return cmp.Or(cmp.Compare(x.target, y.target), cmp.Compare(x.maxAge, y.maxAge), cmp.Compare(x.urgency, y.urgency))
	})
}

// needOf returns what an object of a source needs by default. consumed: it is
// a topic whose log ends come with the progress of a group.
func needOf(c *Config, source string, consumed bool, u urgency) need {
	s := c.Sources[source]
	n := need{target: time.Duration(s.Interval), urgency: u}
	// What is read less often than that has twice its interval.
	n.maxAge = max(time.Duration(c.MaxAge), 2*n.target)
	if consumed {
		n.target, n.maxAge = consumedFactor*n.target, 2*n.maxAge
	}
	n.maxAge = min(n.maxAge, time.Duration(s.TTL))
	n.target = min(n.target, n.maxAge/2)
	return n
}

// need returns what o needs now. Called with a.mu held.
func (a *account) need(o *object) need {
	n := needOf(&a.config, o.source.name, o.source.name == sourceTopicStatus && a.consumed(o), urgencyActive)
	if wanted := a.wanted(o); wanted > 0 {
		n.target, n.urgency = min(wanted, n.limit()), urgencyWanted
		return n
	}
	if o.learns() {
		n.urgency = o.activity.urgency(time.Now())
		if a.judge != nil {
			n.urgency = a.judge(o, n.urgency)
		}
	}
	return n
}

// learns reports whether answers show how much happens in the object.
func (o *object) learns() bool { return learns(o.source.name) }

func learns(source string) bool { return source == sourceTopicStatus || source == sourceProgress }

// wanted returns the target that the configuration or a tag gives o; 0 for
// none. The tag of the object itself goes before rules that name such objects,
// then the tag of its instance, then rules that name only the instance. Called
// with a.mu held.
func (a *account) wanted(o *object) time.Duration {
	i := a.instance(o)
	if !o.learns() || i == nil || len(a.config.Freshness) == 0 && a.config.FreshnessTag == "" {
		return 0
	}
	if d := a.tagged(o, i); d > 0 {
		return d
	}
	if d := a.ruled(o, i, true); d > 0 {
		return d
	}
	if d := a.tagTarget(i.view.Info.Data.Tags); d > 0 {
		return d
	}
	return a.ruled(o, i, false)
}

// tagged returns the target that the topic's or group's own tag gives.
func (a *account) tagged(o *object, i *instance) time.Duration {
	if t := i.topics[o.name]; t != nil && o.source.name == sourceTopicStatus {
		return a.tagTarget(t.view.Info.Data.Tags)
	}
	if g := i.groups[o.name]; g != nil && o.source.name == sourceProgress {
		return a.tagTarget(g.view.Info.Data.Tags)
	}
	return 0
}

// ruled returns the target of the first rule that fits, of those that name
// objects of o's kind or of those that name only instances.
func (a *account) ruled(o *object, i *instance, byName bool) time.Duration {
	for _, r := range a.config.Freshness {
		names, others := r.Topics, r.ConsumerGroups
		if o.source.name == sourceProgress {
			names, others = others, names
		}
		switch {
		case names.IsZero() == byName, names.IsZero() && !others.IsZero():
		case byName && !names.Match(o.name):
		case !r.Instances.allows(o.instance, i.view.Info.Data.Name):
		default:
			return time.Duration(r.Target)
		}
	}
	return 0
}

// tagTarget returns the target that tags give; 0 for none or one that makes no
// sense.
func (a *account) tagTarget(tags []api.Tag) time.Duration {
	for _, t := range tags {
		if t.Key != a.config.FreshnessTag || t.Key == "" {
			continue
		}
		d, err := model.ParseDuration(t.Value)
		if err == nil && isCadence(d) {
			return time.Duration(d)
		}
		a.logger.Debug("tag is no freshness target", "tag", t.Key, "value", t.Value)
	}
	return 0
}
