package api

import (
	"math"
	"time"
)

const (
	guard      = 1.05
	settle     = time.Second
	proofTime  = 4 * time.Second
	proofCalls = 3
	probeEvery = time.Minute
	probeMost  = 4 * time.Minute
	blackout   = 5 * time.Second
	leastLevel = 0.25
)

type pace struct {
	limit, top float64

	level      float64
	held       float64
	bad        float64
	since      time.Time
	proof      int
	oks        int
	lastSent   time.Time
	probeAt    time.Time
	probedFrom float64
	backoff    time.Duration
	probed     time.Time

	silent      int
	silentSince time.Time
	before      float64
	lifted      time.Time
}

func newPace(limit, share float64) *pace {
	p := &pace{backoff: probeEvery}
	p.configure(limit, share)
	return p
}

func (p *pace) configure(limit, share float64) {
	free := p.level >= p.top
	p.limit, p.top = limit, math.Min(limit, guard*limit*share)
	if free || p.level > p.top {
		p.level, p.held = p.top, p.top
	}
}

func (p *pace) rate() float64 { return p.level / guard }

func (p *pace) spacing() time.Duration {
	s := guard / p.level
	if p.silent > 0 {
		_, f := math.Modf(float64(p.silent) * math.Phi)
		s *= 1 + 0.5*f
	}
	return time.Duration(math.Ceil(s * float64(time.Second)))
}

func (p *pace) set(level float64, now time.Time) {
	p.level, p.since, p.proof = math.Min(math.Max(level, leastLevel), p.top), now, 0
	p.oks = 0
}

func (p *pace) done(now, sent time.Time, throttled bool) {
	if sent.Before(p.since) {
		return
	}
	if throttled {
		p.throttled(now, sent)
	} else {
		p.accepted(now, sent)
	}
}

func (p *pace) throttled(now, sent time.Time) {
	switch {
	case p.level > p.held:
		p.bad = p.level
		p.set(p.held, now)
		p.probeAt = now.Add(p.backoff)
	case p.silent > 0 && sent.Before(p.since.Add(settle)):
	case sent.Before(p.since.Add(settle)):
	default:
		p.bad = p.level
		p.set(down(p.level, p.oks == 0), now)
		p.held = p.level
		if now.Sub(p.probed) > 10*time.Minute {
			p.backoff = probeEvery
		}
		p.probedFrom = 0
		p.probeAt = now.Add(p.backoff)
	}
	if p.silent == 0 {
		p.silentSince, p.before = sent, p.level
	}
	p.silent++
}

func (p *pace) accepted(now, sent time.Time) {
	if p.silent > 3 && sent.Sub(p.silentSince) > blackout {
		p.set(math.Max(p.level, p.before), now)
		p.held, p.bad = p.level, up(p.level)
		p.lifted = now
		p.probeAt = now.Add(p.backoff)
	}
	p.silent = 0
	p.oks++
	gap := sent.Sub(p.lastSent)
	p.lastSent = sent
	if gap.Seconds() > 1.5/p.rate() {
		return
	}
	p.proof++
	prove := proofTime
	if now.Sub(p.lifted) < 10*time.Minute {
		prove = 15 * time.Second
	}
	if p.proof < proofCalls || sent.Sub(p.since) < prove {
		return
	}
	p.held = p.level
	if next := p.next(now); next > p.level {
		p.set(next, now)
	}
}

func (p *pace) next(now time.Time) float64 {
	switch {
	case p.level >= p.top:
		return p.level
	case p.bad == 0:
		return math.Min(up(p.level), p.top)
	case !now.Before(p.probeAt):
		if p.held > p.probedFrom*1.02 {
			p.backoff = probeEvery
		}
		p.probedFrom, p.probed = p.held, now
		p.backoff = min(2*p.backoff, probeMost)
		p.bad = 0
		return math.Min(up(p.level), p.top)
	}
	return between(p.level, p.bad)
}

// grid returns the highest level on the grid that is not above level.
func grid(level float64) float64 {
	switch {
	case level >= 1:
		return math.Floor(level)
	case level >= 0.25:
		return math.Floor(4*level) / 4
	}
	return math.Exp2(math.Floor(math.Log2(level)))
}

func step(level float64) float64 {
	switch {
	case level >= 1:
		return math.Max(1, math.Floor(level/10))
	case level >= 0.25:
		return 0.25
	}
	return level
}

func down(level float64, none bool) float64 {
	if none {
		return grid(level / 2)
	}
	return grid(math.Max(math.Min(math.Round(0.8*level), math.Ceil(level)-1), level*0.75))
}

func up(level float64) float64 {
	g := grid(level)
	return g + step(g)
}

func between(low, high float64) float64 {
	mid := grid((low + high) / 2)
	if mid < 1.05*low || high < 1.05*mid {
		return low
	}
	return mid
}

// least is the spacing of acting lanes: they may use the whole limit, as long
// as the cloud was not seen to allow less.
func (p *pace) least() time.Duration {
	level := p.limit
	if p.level < p.top {
		level = p.level
	}
	return time.Duration(math.Ceil(guard / level * float64(time.Second)))
}
