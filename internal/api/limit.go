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

const (
	// pollShareOfSource is the part of the source address's limit that polls
	// and retries may use; the rest is kept for acting.
	pollShareOfSource = 0.9

	// lateness is how much later than its slot a call may leave without moving
	// the slots after it: timers are a little late under load, and at a share
	// of 1 nothing could make up for it. More, and the process was asleep;
	// what it missed is not caught up.
	lateness = 10 * time.Millisecond
)

// Limiter paces the calls of one account: evenly, one bucket per action (and
// region, where the cloud counts so), more slowly after the cloud throttled.
// Within a bucket the most urgent lane goes first, and whoever came first
// within a lane. It is safe for concurrent use and has no goroutine.
type Limiter struct {
	source  *SourceLimit
	cfg     RateLimits
	changed time.Time // when the buckets were last thrown away
	buckets map[bucketKey]*bucket
}

type bucketKey struct{ action, region string }

// SourceLimit bounds what the process sends from its address, for all
// accounts. It counts the calls of the last second and does not space them,
// which would disturb the spacing of the buckets. Nothing is queued for it: a
// call leaves when its bucket and its source both have room.
type SourceLimit struct {
	mu sync.Mutex // guards all limiters of this source and their buckets

	window time.Duration // in which so many calls may leave:
	most   int           // by acting lanes,
	polls  int           // by the others
	sent   []time.Time   // the calls that still count, oldest first

	queues []*bucket   // the buckets in which somebody waits
	timer  *time.Timer // calls dispatch for the next of them; nil before the first
}

// NewSourceLimit returns a limit of so many calls per second.
func NewSourceLimit(perSecond float64) *SourceLimit {
	s := &SourceLimit{}
	s.set(perSecond)
	return s
}

// Configure changes the limit. Calls that were sent still count.
func (s *SourceLimit) Configure(perSecond float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(perSecond)
	s.dispatch(time.Now())
}

func (s *SourceLimit) set(perSecond float64) {
	s.window = ceil(guard * max(1, 1/perSecond))
	s.most = max(1, int(perSecond))
	s.polls = max(1, int(pollShareOfSource*perSecond))
}

// NewLimiter returns a limiter that has sent nothing yet. All limiters of a
// process share src.
func NewLimiter(cfg RateLimits, src *SourceLimit) *Limiter {
	return &Limiter{source: src, cfg: cfg, buckets: map[bucketKey]*bucket{}}
}

// Wait blocks until a call may be sent and returns how long that took. It fails
// only with the error of ctx; no slot is spent then. Done wants to know what
// became of the call.
func (l *Limiter) Wait(ctx context.Context, action, region string, lane Lane) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s := l.source
	w := &waiter{lane: lane, since: time.Now(), ready: make(chan struct{})}
	s.mu.Lock()
	b := l.bucket(action, region)
	s.enter(b, w)
	s.mu.Unlock()

	select {
	case <-w.ready:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		s.mu.Lock()
		s.leave(b, w)
		s.mu.Unlock()
		return time.Since(w.since), err
	}
	return time.Since(w.since), nil
}

// Done reports what became of a call that the cloud answered: when Wait let it
// go, and whether it was refused for coming too fast.
func (l *Limiter) Done(action, region string, sent time.Time, throttled bool) {
	s := l.source
	s.mu.Lock()
	defer s.mu.Unlock()
	b, now := l.bucket(action, region), time.Now()
	b.pace.done(now, sent, throttled)
	if b.head() != nil {
		s.dispatch(now)
	}
}

// Rate is the rate at which an action is polled when there is enough to poll.
type Rate struct {
	Action    string
	Region    string  // empty where the cloud counts by account
	PerSecond float64 // at most the share of the limit; less after throttling
}

// Rates returns the rates of all buckets that were used, sorted.
func (l *Limiter) Rates() []Rate {
	l.source.mu.Lock()
	defer l.source.mu.Unlock()
	rates := make([]Rate, 0, len(l.buckets))
	for k, b := range l.buckets {
		rates = append(rates, Rate{k.action, k.region, b.pace.rate()})
	}
	slices.SortFunc(rates, func(x, y Rate) int {
		return cmp.Or(cmp.Compare(x.Action, y.Action), cmp.Compare(x.Region, y.Region))
	})
	return rates
}

// Rate returns how many polls of an action may leave per second now. An action
// that was not called yet has its whole share.
func (l *Limiter) Rate(action, region string) float64 {
	l.source.mu.Lock()
	defer l.source.mu.Unlock()
	if b := l.buckets[l.key(action, region)]; b != nil {
		return b.pace.rate()
	}
	return l.cfg.PollRate(action)
}

// Configure changes the limits. What was learned and when the last calls were
// sent is kept. Only when the scope changes, learning starts over: what held
// for an account says nothing about a region.
func (l *Limiter) Configure(cfg RateLimits) {
	l.source.mu.Lock()
	defer l.source.mu.Unlock()
	now := time.Now()
	if cfg.Scope != l.cfg.Scope {
		l.buckets, l.changed = map[bucketKey]*bucket{}, now
	}
	l.cfg = cfg
	for k, b := range l.buckets {
		b.pace.configure(l.limit(k.action), cfg.Share)
	}
	l.source.dispatch(now)
}

func (l *Limiter) limit(action string) float64 { return l.cfg.Limit(action) }

// key returns the key of the bucket of an action.
func (l *Limiter) key(action, region string) bucketKey {
	if l.cfg.Scope != "region" {
		region = ""
	}
	return bucketKey{action, region}
}

// bucket returns the bucket of an action, which is new when it has none.
func (l *Limiter) bucket(action, region string) *bucket {
	k := l.key(action, region)
	b := l.buckets[k]
	if b == nil {
		b = &bucket{pace: newPace(l.limit(action), l.cfg.Share), last: l.changed, polled: l.changed}
		l.buckets[k] = b
	}
	return b
}

// bucket is what the cloud counts together, with those who wait for it.
type bucket struct {
	pace    *pace
	last    time.Time // slot of the last call
	polled  time.Time // slot of the last poll or retry
	waiting [len(Lanes)][]*waiter
}

// waiter is a call of Wait.
type waiter struct {
	lane  Lane
	since time.Time
	ready chan struct{} // closed when the call may leave

	slot         time.Time // its own, once it is ready
	last, polled time.Time // the slots of the bucket before it
}

// acting reports whether the lane may use the reserve.
func (l Lane) acting() bool { return l > LaneRetry }

// head returns the next to leave; nil when nobody waits.
func (b *bucket) head() *waiter {
	for _, lane := range slices.Backward(b.waiting[:]) {
		if len(lane) > 0 {
			return lane[0]
		}
	}
	return nil
}

// free returns when the bucket has room for a call.
func (b *bucket) free(lane Lane) time.Time {
	poll, least := b.pace.spacing()
	slot := b.last.Add(least)
	if !lane.acting() {
		slot = later(slot, b.polled.Add(poll))
	}
	return slot
}

// free returns when the source has room for a call.
func (s *SourceLimit) free(lane Lane) time.Time {
	most := s.polls
	if lane.acting() {
		most = s.most
	}
	if len(s.sent) < most {
		return time.Time{}
	}
	return s.sent[len(s.sent)-most].Add(s.window)
}

func later(t, u time.Time) time.Time {
	if u.After(t) {
		return u
	}
	return t
}

// enter queues w and lets go who may go.
func (s *SourceLimit) enter(b *bucket, w *waiter) {
	if b.head() == nil {
		s.queues = append(s.queues, b)
	}
	b.waiting[w.lane] = append(b.waiting[w.lane], w)
	s.dispatch(w.since)
}

// leave takes back a waiter that gave up. A slot that it had been given in the
// same moment goes to the next one, unless a later slot was given already.
func (s *SourceLimit) leave(b *bucket, w *waiter) {
	if i := slices.Index(b.waiting[w.lane], w); i >= 0 {
		s.remove(b, w.lane, i)
	} else if b.last.Equal(w.slot) {
		b.last, b.polled = w.last, w.polled
	}
	s.dispatch(time.Now())
}

func (s *SourceLimit) remove(b *bucket, lane Lane, i int) {
	b.waiting[lane] = slices.Delete(b.waiting[lane], i, i+1)
	if b.head() == nil {
		i := slices.Index(s.queues, b)
		s.queues = slices.Delete(s.queues, i, i+1)
	}
}

// dispatch lets go who may go and sets the timer for who is next.
func (s *SourceLimit) dispatch(now time.Time) {
	for {
		b, slot := s.next(now)
		switch wait := slot.Sub(now); {
		case b == nil:
			if s.timer != nil {
				s.timer.Stop()
			}
			return
		case wait <= 0:
			s.grant(b, slot, now)
		case s.timer == nil:
			s.timer = time.AfterFunc(wait, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.dispatch(time.Now())
			})
			return
		default:
			s.timer.Reset(wait)
			return
		}
	}
}

// next returns the bucket whose head leaves next, and when: of those that may
// leave now the most urgent, else the one that may leave first.
func (s *SourceLimit) next(now time.Time) (next *bucket, slot time.Time) {
	var lane Lane
	for _, b := range s.queues {
		w := b.head()
		t := later(later(b.free(w.lane), s.free(w.lane)), w.since)
		if next != nil {
			urgent := w.lane > lane && !t.After(now)
			equal := w.lane == lane || slot.After(now)
			if !urgent && !(equal && t.Before(slot)) {
				continue
			}
		}
		next, slot, lane = b, t, w.lane
	}
	return next, slot
}

// grant lets the head of b go in its slot, which is not after now.
func (s *SourceLimit) grant(b *bucket, slot, now time.Time) {
	w := b.head()
	s.remove(b, w.lane, 0)
	w.slot, w.last, w.polled = later(slot, now.Add(-lateness)), b.last, b.polled
	b.last = w.slot
	if !w.lane.acting() {
		b.polled = w.slot
	}
	old := 0
	for old < len(s.sent) && now.Sub(s.sent[old]) > s.window+lateness {
		old++
	}
	s.sent = append(s.sent[old:], now)
	close(w.ready)
}
