package sim

import (
	"math"
	"slices"
	"sort"
	"time"
)

// All times in this file are relative to the start of the cloud and may be
// negative: a topic has a past.

// curve is a cumulative production: a periodic, piecewise linear rate, summed
// up. It can be inverted exactly.
type curve struct {
	period time.Duration
	at     []float64 // ns within the period, from 0 to the period
	sum    []float64 // messages up to then, from 0 to a whole number
}

// segments per period of a wave.
const segments = 48

// newCurve returns the production of a topic.
func newCurve(t Topic) curve {
	period := t.Period
	if period == 0 {
		period = 10 * time.Minute
	}
	rate := func(x float64) float64 { return 1 + 0.35*math.Sin(2*math.Pi*x) } // Wave
	switch t.Shape {
	case Wave:
	case Steady:
		rate = func(float64) float64 { return 1 }
	case Bursts: // a twelfth of the period, centred
		rate = func(x float64) float64 { return pick(math.Abs(x-0.5) < 1./24, 10, 1) }
	case Intermittent:
		rate = func(x float64) float64 { return pick(x < 1./6, 1, 0) }
	}
	c := curve{period: period, at: make([]float64, segments+1), sum: make([]float64, segments+1)}
	for i := range segments {
		c.at[i+1] = float64(period) * float64(i+1) / segments
		c.sum[i+1] = c.sum[i] + rate((float64(i)+0.5)/segments)
	}
	// A whole number per period keeps sums over years exact.
	total := math.Round(t.Rate * period.Seconds())
	if t.Rate > 0 {
		total = max(1, total)
	}
	scale := total / c.sum[segments]
	for i := range c.sum {
		c.sum[i] *= scale
	}
	c.sum[segments] = total
	return c
}

func pick(cond bool, a, b float64) float64 {
	if cond {
		return a
	}
	return b
}

// value returns the messages produced from 0 to t; none before 0. It never
// decreases with t, rounding included.
func (c *curve) value(t time.Duration) float64 {
	if t <= 0 {
		return 0
	}
	whole, rest := t/c.period, float64(t%c.period)
	i := min(int(rest*segments/float64(c.period)), segments-1)
	v := c.sum[i] + (rest-c.at[i])*(c.sum[i+1]-c.sum[i])/(c.at[i+1]-c.at[i])
	return float64(whole)*c.sum[segments] + min(max(v, c.sum[i]), c.sum[i+1])
}

// inverse returns when value reached v: the earliest such time.
func (c *curve) inverse(v float64) time.Duration {
	total := c.sum[segments]
	if v <= 0 || total == 0 {
		return 0
	}
	whole := math.Ceil(v/total) - 1
	rest := v - whole*total
	i := sort.Search(segments, func(i int) bool { return c.sum[i+1] >= rest })
	i = min(i, segments-1)
	t := c.at[i]
	if rise := c.sum[i+1] - c.sum[i]; rise > 0 {
		t += (rest - c.sum[i]) * (c.at[i+1] - c.at[i]) / rise
	}
	return time.Duration(whole)*c.period + time.Duration(math.Ceil(t))
}

// era is a span of a topic's life with a fixed number of partitions.
type era struct {
	from   time.Duration // from when on
	sum    float64       // production up to from
	base   []float64     // messages of each partition up to from, with a fraction that keeps them out of step
	weight []float64     // share of each partition from then on
}

// produced returns how many messages partition p had got at t: its log end.
func (t *topic) produced(p int, at time.Duration) int64 {
	e := t.eraOf(p, at)
	if e == nil {
		return 0
	}
	return int64(e.base[p] + e.weight[p]*(t.total(at)-e.sum))
}

// total returns the messages of all partitions produced up to at.
func (t *topic) total(at time.Duration) float64 {
	at = t.busyUntil(at)
	if t.Quiet > 0 {
		at = min(at, -t.Quiet)
	}
	return t.curve.value(at + t.Age)
}

// eraOf returns the latest era that began by at and has partition p; nil when
// there is none.
func (t *topic) eraOf(p int, at time.Duration) *era {
	for i := len(t.eras) - 1; i >= 0; i-- {
		if e := &t.eras[i]; e.from <= at || i == 0 {
			if p < len(e.base) {
				return e
			}
			return nil
		}
	}
	return nil
}

// producedAt returns when the message with that offset was produced. The
// message must exist.
func (t *topic) producedAt(p int, offset int64) time.Duration {
	need := float64(offset + 1)
	i := len(t.eras) - 1
	for i > 0 && p < len(t.eras[i-1].base) && t.eras[i].base[p] >= need {
		i--
	}
	e := &t.eras[i]
	if e.weight[p] == 0 {
		return e.from
	}
	return t.wallTime(t.curve.inverse(e.sum+(need-e.base[p])/e.weight[p]) - t.Age)
}

// oldest returns the lowest offset that retention has left.
func (t *topic) oldest(p int, at time.Duration) int64 {
	if t.Compact {
		return 0
	}
	low := t.produced(p, at-t.retention)
	if p < len(t.floor) {
		low = max(low, t.floor[p])
	}
	return low
}

// retain keeps messages for another time from now on.
func (t *topic) retain(retention, now time.Duration) {
	floor := make([]int64, t.Partitions)
	for p := range floor {
		floor[p] = t.oldest(p, now)
	}
	t.floor, t.retention = floor, retention
}

// Knot is a point of a scene: from At on the group is Behind by so much, and
// moves linearly to the next knot. Two knots at one time are a jump.
type Knot struct{ At, Behind time.Duration }

// Span is a part of a scene, from its first to its last moment.
type Span struct{ From, To time.Duration }

// Scene is what goes wrong with a group, repeated every period. A Behind that
// grows as fast as time passes is a consumer that stands still. The zero
// Scene is a healthy group.
type Scene struct {
	Period     time.Duration // default 10 minutes
	Knots      []Knot        // by time; outside of them the group is not behind
	Absent     []Span        // when no member is online; joining and leaving rebalances the group
	Rebalances []time.Duration
	Partitions []int // which partitions of every topic are affected; nil means all
}

func (s *Scene) period() time.Duration {
	if s.Period == 0 {
		return 10 * time.Minute
	}
	return s.Period
}

// phase returns where in the period t is, and which period it is.
func (s *Scene) phase(t time.Duration) (at time.Duration, round int64) {
	p := s.period()
	at = t % p
	if at < 0 {
		at += p
	}
	return at, int64((t - at) / p)
}

// behind returns how far behind its usual place the group is at t.
func (s *Scene) behind(t time.Duration) time.Duration {
	if len(s.Knots) == 0 {
		return 0
	}
	at, _ := s.phase(t)
	i := sort.Search(len(s.Knots), func(i int) bool { return s.Knots[i].At > at })
	if i == 0 || i == len(s.Knots) {
		return 0
	}
	a, b := s.Knots[i-1], s.Knots[i]
	return a.Behind + time.Duration(float64(at-a.At)/float64(b.At-a.At)*float64(b.Behind-a.Behind))
}

// absent reports whether no member is online at t.
func (s *Scene) absent(t time.Duration) bool {
	return s.back(t) != t
}

// back returns the first time, from now on, at which members are online.
func (s *Scene) back(now time.Duration) time.Duration {
	at, round := s.phase(now)
	for _, span := range s.Absent {
		if span.From <= at && at < span.To {
			return time.Duration(round)*s.period() + span.To
		}
	}
	return now
}

// rebalance is one rebalance of a group.
type rebalance struct {
	at         time.Duration
	generation int64
	reason     string
}

// firstGeneration is what the groups had been through before the start.
const firstGeneration = 1000

// moments returns the rebalances of one period, in order.
func (s *Scene) moments() []rebalance {
	ms := make([]rebalance, 0, 2*len(s.Absent)+len(s.Rebalances))
	for _, span := range s.Absent {
		ms = append(ms,
			rebalance{at: span.From, reason: "member left the group"},
			rebalance{at: span.To, reason: "member joined the group"})
	}
	for _, at := range s.Rebalances {
		ms = append(ms, rebalance{at: at, reason: "member failed to heartbeat in time"})
	}
	sort.Slice(ms, func(i, j int) bool { return ms[i].at < ms[j].at })
	return ms
}

// bend changes the course of one partition of a subscription at run time.
type bend struct {
	since time.Duration // from when on it stands at place
	from  time.Duration // from when on it moves
	place time.Duration // position at from
	speed float64       // of the position from then on; 1 is as fast as production
	ahead bool          // the group is at least there; else at most, or with no speed exactly
	waits bool          // stands still until there are members
	kept  *bend         // what a cut has put aside, if that stood still
}

// halt returns the bend of a partition on which the group stands still from
// now on.
func (g *group) halt(s *subscription, p int, now time.Duration) *bend {
	return &bend{since: now, from: now, place: g.position(s, p, now)}
}

// await makes the group stand still, until it has members, on the partitions of
// a topic from the first one on.
func (g *group) await(s *subscription, first int, now time.Duration) {
	for p := first; p < s.topic.Partitions; p++ {
		s.bends[p] = g.halt(s, p, now)
		s.bends[p].waits = true
	}
}

// position returns up to which production time the group had consumed and
// committed partition p of a subscription.
func (g *group) position(s *subscription, p int, now time.Duration) time.Duration {
	at := now
	if step := g.CommitEvery; step > 0 {
		lag := (at + g.phase) % step
		if lag < 0 {
			lag += step
		}
		at -= lag
	}
	if s.Left > 0 {
		at = min(at, -s.Left)
	}
	place := at - s.delay(p)
	if g.affects(p) {
		place -= g.Scene.behind(at)
	}
	if len(s.paces) > 0 {
		place = min(place, s.reached(p, at))
	}
	if o := s.bends[p]; o != nil && now >= o.since {
		bent := s.topic.later(o.place, time.Duration(o.speed*float64(max(at, o.from)-o.from)))
		switch {
		case o.ahead:
			return max(place, bent)
		case o.speed == 0:
			return bent
		}
		return min(place, bent)
	}
	return place
}

// delay spreads the usual delay over the partitions.
func (s *subscription) delay(p int) time.Duration {
	return s.Delay + s.Delay*time.Duration(p%5)/8
}

// affects reports whether the scene plays on partition p.
func (g *group) affects(p int) bool {
	return g.Scene.Partitions == nil || slices.Contains(g.Scene.Partitions, p)
}

// online returns the members that the group has at t.
func (g *group) online(t time.Duration) []client {
	if g.Offline || g.out != 0 || g.Scene.absent(t) {
		return nil
	}
	return g.clients
}

// committed returns the committed offset and the log end of partition p.
func (g *group) committed(s *subscription, p int, now time.Duration) (offset, end int64) {
	end = s.topic.produced(p, now)
	return min(s.topic.produced(p, g.position(s, p, now)), end), end
}

// rebalances returns the last n rebalances up to now, latest first: those of
// the scene and those that happened besides.
func (g *group) rebalances(now time.Duration, n int) []rebalance {
	played := g.played(now, n)
	if len(g.happened) == 0 {
		return played
	}
	var last []rebalance
	i := len(g.happened)
	for len(last) < n && (i > 0 || len(played) > 0) {
		if i > 0 && (len(played) == 0 || g.happened[i-1].at >= played[0].at) {
			i--
			r := g.happened[i]
			r.generation = firstGeneration + g.countPlayed(r.at) + g.forgotten + int64(i)
			last = append(last, r)
			continue
		}
		r := played[0]
		played = played[1:]
		r.generation += g.forgotten + int64(i)
		last = append(last, r)
	}
	return last
}

// rebalanced adds a rebalance to what happened.
func (g *group) rebalanced(now time.Duration, reason string) {
	g.happened = append(slices.Clip(g.happened), rebalance{at: now, reason: reason})
	if more := len(g.happened) - maxRebalances; more > 0 {
		g.happened = g.happened[more:]
		g.forgotten += int64(more)
	}
}

// maxRebalances bounds how many rebalances besides those of its scene a group
// remembers.
const maxRebalances = 100

// countPlayed returns how many rebalances the scene has played up to now.
func (g *group) countPlayed(now time.Duration) int64 {
	if last := g.played(now, 1); len(last) > 0 {
		return last[0].generation - firstGeneration + 1
	}
	return 0
}

// played is rebalances of the scene alone.
func (g *group) played(now time.Duration, n int) []rebalance {
	if len(g.moments) == 0 {
		return nil
	}
	_, round := g.Scene.phase(now)
	var last []rebalance
	for ; len(last) < n && round >= 0; round-- {
		start := time.Duration(round) * g.Scene.period()
		for i := len(g.moments) - 1; i >= 0 && len(last) < n; i-- {
			m := g.moments[i]
			m.at += start
			if m.at <= now {
				m.generation = firstGeneration + round*int64(len(g.moments)) + int64(i)
				last = append(last, m)
			}
		}
	}
	return last
}
