package api

import (
	"math"
	"time"
)

// The constants of the controller. All of them follow from how a server can
// count calls (by fixed second, by sliding second, by tokens, by the minute)
// and from what a wrong guess costs: a probe that fails costs one or two
// throttled calls.
const (
	// guard keeps limit+1 calls out of any one second, however the server
	// counts it, when the network adds up to 50 ms to some calls and nothing
	// to others: calls are 1.05/limit apart, so limit+1 of them leave over
	// 1.05 s and arrive over at least 1 s.
	guard = 1.05

	// settleTime is how long after a decrease throttling says nothing new: the
	// second in which too much was sent must pass first.
	settleTime = time.Second

	// A level is proven by proofCalls accepted calls in close order over
	// proofTime. Four seconds show every way of counting seconds at work and
	// use up what a token bucket saved; minuteProof shows a limit by the
	// minute.
	proofCalls  = 3
	proofTime   = 4 * time.Second
	minuteProof = time.Minute

	// A level that was too much is tried again after probeEvery; each further
	// try doubles the pause up to probeMost, so that a raised limit is found
	// within five minutes. probeMemory without a probe makes the next decrease
	// a new matter, which starts at probeEvery again.
	probeEvery  = time.Minute
	probeMost   = 4 * time.Minute
	probeMemory = 10 * time.Minute

	// blackoutCalls throttled calls over blackoutTime without one accepted
	// call between them are no matter of too high a level: a limit of even
	// one call in four seconds would have let one through.
	blackoutCalls = 4
	blackoutTime  = 5 * time.Second

	// minuteRun calls accepted in a row, then a blackout, twice within
	// minuteSpan: the server counts by the minute.
	minuteRun  = 10
	minuteSpan = 3 * time.Minute

	// leastLevel is as far as decreases go (or a quarter of a smaller
	// budget). It keeps a client that others crowd out knocking often enough
	// to get in.
	leastLevel = 0.25
)

// pace finds out how fast a bucket may be polled, from nothing but which calls
// the server throttled.
//
// It holds a level: the limit that the server is taken to have, in calls per
// second. Polls leave at level/guard. Levels are kept to the values in which
// limits are published (see grid), which usually finds a changed limit exactly.
//
//   - Throttling lowers the level to the next plausible one, once per settle
//     time. A level above it is refused from then on.
//   - A level that is proven is followed by a trial of the next one up, until
//     one is refused or the budget is reached; between the proven and the
//     refused level there is at most one search, by halves.
//   - A refused level is tried again once a minute, later less often. If it
//     then holds, the climb goes on from there.
//   - A blackout, in which nothing gets through, counts as one throttled call,
//     however many were tried; one that keeps coming back is a limit by the
//     minute, and what got through in a whole round is its measure.
//
// A pace is not safe for concurrent use. It has no clock: callers say when.
type pace struct {
	limit float64 // configured, calls per second
	top   float64 // the level at which polls use their whole share of it

	level   float64   // in use
	held    float64   // highest proven level; a level above it is on trial
	refused float64   // lowest level that was too much; 0 when none is known
	since   time.Time // when level was set; older calls say nothing about it
	sent    time.Time // when the latest call left
	passed  int       // calls accepted at level
	proof   int       // of these, the ones sent in close order

	probeAt time.Time     // when refused is forgotten and tried again
	probed  time.Time     // when that happened last
	backoff time.Duration // pause after the next refusal

	lost   int       // calls throttled
	silent int       // calls throttled since the last accepted one
	quiet  time.Time // when the first of them left
	resume float64   // level to resume at if they turn out to be a blackout

	lifted   time.Time // end of the last blackout; zero once a plain throttling followed it
	run      int       // calls accepted since then
	byMinute bool      // the server counts by the minute
}

// newPace returns a pace for a limit, in calls per second, of which polls may
// use a share.
func newPace(limit, share float64) *pace {
	p := &pace{backoff: probeEvery}
	p.configure(limit, share)
	return p
}

// configure changes the limit and the share. A level that was learned below
// them stays.
func (p *pace) configure(limit, share float64) {
	free := p.level >= p.top
	p.limit, p.top = limit, math.Min(limit, guard*limit*share)
	if free || p.level > p.top {
		p.level, p.held = p.top, p.top
	}
}

// rate returns calls per second at which polls may leave now.
func (p *pace) rate() float64 { return p.level / guard }

// spacing returns the least time between a call and the next poll, and between
// a call and the next one of an acting lane, which may use the whole limit.
func (p *pace) spacing() (poll, acting time.Duration) {
	between, least := guard/p.level, guard/p.level
	if p.level >= p.top {
		least = guard / p.limit
	}
	if p.silent > 0 {
		// Tries at even intervals can fall into step with another client and
		// come too late every time. Multiples of the golden ratio spread
		// best; a little more, never the same, keeps two clients that evade
		// each other in the same way from meeting again.
		_, f := math.Modf(float64(p.silent) * math.Phi)
		_, g := math.Modf(float64(p.lost) * math.Phi)
		between *= 1 + f/2 + g/10
	}
	return ceil(between), ceil(least)
}

// ceil converts seconds, rounding up: a nanosecond too little is too early. What
// floating point gets wrong is far less than a thousandth of one.
func ceil(seconds float64) time.Duration {
	return time.Duration(math.Ceil(seconds*float64(time.Second) - 1e-3))
}

// done takes the verdict on a call that left at sent.
func (p *pace) done(now, sent time.Time, throttled bool) {
	if sent.Before(p.since) {
		return
	}
	inTime := sent.Sub(p.sent).Seconds() < 1.5/p.rate()
	p.sent = sent
	if throttled {
		p.throttled(now, sent)
		return
	}
	p.accepted(now, sent)
	if inTime {
		p.prove(now, sent)
	}
}

func (p *pace) throttled(now, sent time.Time) {
	switch {
	case p.level > p.held: // the trial failed
		p.refuse(now)
		p.set(p.held, now)
	case sent.Sub(p.since) >= settleTime:
		if now.Sub(p.probed) > probeMemory {
			p.backoff = probeEvery
		}
		p.refuse(now)
		if p.passed == 0 {
			p.set(grid(p.level/2), now)
		} else {
			p.set(below(p.level), now)
		}
		p.held = p.level
	}
	if p.silent == 0 {
		p.quiet, p.resume = sent, p.level
	}
	p.silent++
	p.lost++
}

func (p *pace) refuse(now time.Time) {
	p.refused, p.probeAt = p.level, now.Add(p.backoff)
}

func (p *pace) set(level float64, now time.Time) {
	p.level = min(max(level, min(leastLevel, p.top/4)), p.top)
	p.since, p.passed, p.proof = now, 0, 0
}

func (p *pace) accepted(now, sent time.Time) {
	switch {
	case p.silent >= blackoutCalls && sent.Sub(p.quiet) > blackoutTime:
		p.lift(now, sent)
	case p.silent > 0:
		p.lifted, p.byMinute = time.Time{}, false
	}
	p.silent = 0
	p.passed++
	p.run++
}

// lift ends a blackout: the call that left at sent was accepted.
func (p *pace) lift(now, sent time.Time) {
	round := sent.Sub(p.lifted)
	p.byMinute = p.run >= minuteRun && !p.lifted.IsZero() && (p.byMinute || round < minuteSpan)
	if p.byMinute {
		p.set(grid(guard*float64(p.run)/round.Seconds()), now)
		p.refused, p.probeAt = above(p.level), now.Add(p.backoff)
	} else {
		p.set(max(p.level, p.resume), now)
		p.refused = 0
	}
	p.held = p.level
	p.lifted, p.run = sent, 0
}

// prove counts an accepted call as evidence for the level and moves on to the
// next level when there is enough.
func (p *pace) prove(now, sent time.Time) {
	p.proof++
	need := proofTime
	if p.byMinute {
		need = minuteProof
	}
	if p.proof < proofCalls || sent.Sub(p.since) < need {
		return
	}
	p.held = p.level
	if next := p.next(now); next > p.level {
		p.set(next, now)
	}
}

// next returns the level to try after a proven one, or that one itself.
func (p *pace) next(now time.Time) float64 {
	switch {
	case p.level >= p.top:
		p.byMinute, p.backoff = false, probeEvery
		return p.level
	case p.refused == 0:
		return min(above(p.level), p.top)
	case now.Before(p.probeAt):
		return between(p.level, p.refused)
	}
	p.probed, p.refused = now, 0
	p.backoff = min(2*p.backoff, probeMost)
	if p.level < 1 && !p.byMinute {
		// Less than one call a second is what others left of a shared limit:
		// who has the least asks the most often.
		p.backoff = probeEvery
	}
	return min(above(p.level), p.top)
}

// grid returns the highest level not above level at which a limit is likely:
// whole calls per second, below one of them quarters (fifteen a minute), below
// that halves of halves.
func grid(level float64) float64 {
	switch {
	case level >= 1:
		return math.Floor(level)
	case level >= 0.25:
		return math.Floor(4*level) / 4
	}
	_, exp := math.Frexp(level)
	return math.Ldexp(1, exp-1)
}

// unit returns the width of the grid above level.
func unit(level float64) float64 {
	switch {
	case level >= 1:
		return 1
	case level >= 0.25:
		return 0.25
	}
	return grid(level)
}

// below returns the level to go down to: one step of the grid or a fifth,
// whichever is more.
func below(level float64) float64 {
	fifth := 0.8 * level
	return min(grid(math.Nextafter(level, 0)), grid(fifth+unit(fifth)/2))
}

// above returns the level to go up to: one step of the grid or a tenth,
// whichever is more.
func above(level float64) float64 {
	g := grid(level)
	return g + max(unit(g), math.Floor(g/10))
}

// between returns the level halfway between a proven and a refused one, or the
// proven one when there is no more than a twentieth to gain.
func between(proven, refused float64) float64 {
	mid := grid((proven + refused) / 2)
	if mid < guard*proven || refused < guard*mid {
		return proven
	}
	return mid
}
