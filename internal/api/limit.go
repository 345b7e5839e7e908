package api

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// golang.org/x/time/rate does not serve here: its buckets let bursts through
// and know no lanes.

// pollShareOfSource is the part of the source address's limit that polling and
// retries may use; the rest is kept for acting.
const pollShareOfSource = 0.9

// lateness is how much later than its slot a call may leave without moving the
// slots after it. More, and it was asleep: what it missed is not caught up.
const lateness = 20 * time.Millisecond

// guardedSecond is the time in which the cloud may count a second's calls: the
// network brings them closer together by up to 50 ms.
const guardedSecond = 1050 * time.Millisecond

// Limiter paces the calls of one account: evenly spaced, one bucket per action
// (and region, where the cloud counts so), and slower after the cloud has
// throttled. It is safe for concurrent use.
type Limiter struct {
	source *SourceLimit

	mu      sync.Mutex
	cfg     RateLimits
	buckets map[bucketKey]*bucket
}

type bucketKey struct{ action, region string }

// bucket is the queue of one action.
type bucket struct {
	line
	pace   *pace
	last   time.Time // the last slot of any lane
	polled time.Time // the last slot of polling and retries
}

// free keeps the pace's distance between polls, and between any two calls the
// least that the cloud allows.
func (b *bucket) free(lane Lane) time.Time {
	slot := b.last.Add(b.pace.least())
	if lane > LaneRetry {
		return slot
	}
	if s := b.polled.Add(b.pace.spacing()); s.After(slot) {
		slot = s
	}
	return slot
}

func (b *bucket) count(lane Lane, slot time.Time) {
	b.last = slot
	if lane <= LaneRetry {
		b.polled = slot
	}
}

// NewLimiter returns a limiter that has sent nothing yet. All limiters of a
// process share src.
func NewLimiter(cfg RateLimits, src *SourceLimit) *Limiter {
	return &Limiter{source: src, cfg: cfg, buckets: map[bucketKey]*bucket{}}
}

// SourceLimit bounds everything that the process sends from its address. It
// counts the calls of the last second and does not space them, which would
// only disturb the spacing of the buckets.
type SourceLimit struct {
	line
	sent []time.Time // a ring of the last slots, as many as the limit has calls
	n    int         // slots so far
}

// NewSourceLimit returns a limit of so many calls per second.
func NewSourceLimit(perSecond float64) *SourceLimit {
	s := &SourceLimit{}
	s.slot, s.granted = s.free, s.count
	s.Configure(perSecond)
	return s
}

// Configure changes the limit.
func (s *SourceLimit) Configure(perSecond float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ring := make([]time.Time, max(1, int(perSecond)))
	n := min(s.n, len(s.sent), len(ring))
	for i := range n {
		ring[i] = s.sent[(s.n-n+i)%len(s.sent)]
	}
	s.sent, s.n = ring, n
}

// free is when a call may follow those of the last second.
func (s *SourceLimit) free(lane Lane) time.Time {
	most := len(s.sent)
	if lane <= LaneRetry {
		most = max(1, int(pollShareOfSource*float64(most)))
	}
	if s.n < most {
		return time.Time{}
	}
	return s.sent[(s.n-most)%len(s.sent)].Add(guardedSecond)
}

func (s *SourceLimit) count(_ Lane, slot time.Time) {
	s.sent[s.n%len(s.sent)] = slot
	s.n++
}

// Wait blocks until the call may be sent and returns how long that took. It
// fails only when ctx ends; no slot is spent then.
func (l *Limiter) Wait(ctx context.Context, action, region string, lane Lane) (time.Duration, error) {
	start := time.Now()
	if err := l.bucket(action, region).wait(ctx, lane); err != nil {
		return time.Since(start), err
	}
	err := l.source.wait(ctx, lane)
	return time.Since(start), err
}

// Done reports what became of a call: when Wait let it go and whether the
// cloud's flow control refused it.
func (l *Limiter) Done(action, region string, sent time.Time, throttled bool) {
	b := l.bucket(action, region)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pace.done(time.Now(), sent, throttled)
}

// Rate is the rate at which polling may call an action now, per second.
type Rate struct {
	Action    string
	Region    string // "" where limits are per account
	PerSecond float64
}

// Rates returns the rates of all buckets that were used, sorted.
func (l *Limiter) Rates() []Rate {
	l.mu.Lock()
	defer l.mu.Unlock()
	rates := make([]Rate, 0, len(l.buckets))
	for k, b := range l.buckets {
		b.mu.Lock()
		rates = append(rates, Rate{k.action, k.region, b.pace.rate()})
		b.mu.Unlock()
	}
	slices.SortFunc(rates, func(x, y Rate) int {
		return cmp.Or(cmp.Compare(x.Action, y.Action), cmp.Compare(x.Region, y.Region))
	})
	return rates
}

// Configure changes the limits. What was learned and when the last calls were
// sent is kept.
func (l *Limiter) Configure(cfg RateLimits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cfg = cfg
	for k, b := range l.buckets {
		b.mu.Lock()
		b.pace.configure(l.limit(k.action), cfg.Share)
		b.mu.Unlock()
	}
}

func (l *Limiter) limit(action string) float64 {
	if v, ok := l.cfg.Actions[action]; ok {
		return v
	}
	if a, ok := Lookup(action); ok && a.QPS > 0 {
		return a.QPS
	}
	return l.cfg.Default
}

func (l *Limiter) bucket(action, region string) *bucket {
	if l.cfg.Scope != "region" {
		region = ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	k := bucketKey{action, region}
	b := l.buckets[k]
	if b == nil {
		b = &bucket{pace: newPace(l.limit(action), l.cfg.Share)}
		b.slot, b.granted = b.free, b.count
		l.buckets[k] = b
	}
	return b
}

// line is a queue in which the most urgent lane goes first, first come first
// served within a lane.
type line struct {
	mu      sync.Mutex
	slot    func(Lane) time.Time // when the next call of that lane may go
	granted func(Lane, time.Time)
	waiting [len(Lanes)][]*waiter
	timer   *time.Timer
}

type waiter struct {
	since time.Time
	ready chan struct{}
}

func (l *line) wait(ctx context.Context, lane Lane) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiter{since: time.Now(), ready: make(chan struct{})}
	l.mu.Lock()
	l.waiting[lane] = append(l.waiting[lane], w)
	l.dispatch()
	l.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.waiting[lane], w); i >= 0 {
		l.waiting[lane] = slices.Delete(l.waiting[lane], i, i+1)
		l.dispatch()
		return ctx.Err()
	}
	return nil // the slot came first
}

// dispatch lets go who may go and sets the timer for who is next. Called with
// l.mu held.
func (l *line) dispatch() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	for {
		lane := l.next()
		if lane < 0 {
			return
		}
		w := l.waiting[lane][0]
		slot, now := l.slot(Lane(lane)), time.Now()
		if slot.Before(w.since) {
			slot = w.since
		}
		if d := slot.Sub(now); d > 0 {
			l.timer = time.AfterFunc(d, func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.dispatch()
			})
			return
		}
		if late := now.Add(-lateness); slot.Before(late) {
			slot = late
		}
		l.granted(Lane(lane), slot)
		l.waiting[lane] = l.waiting[lane][1:]
		close(w.ready)
	}
}

// next returns the most urgent lane in which somebody waits; -1 for none.
func (l *line) next() int {
	for lane := len(l.waiting) - 1; lane >= 0; lane-- {
		if len(l.waiting[lane]) > 0 {
			return lane
		}
	}
	return -1
}
