package collector

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// A queue holds the objects that share a bucket of the rate limit: those of
// one source, of one region where limits are per region. Its loop waits for a
// slot and only then picks the most overdue object, so that a slot is never
// spent on anything but what is most urgent at that moment.
//
// Regions are kept apart inside a queue: one that hangs or fails fills its own
// in-flight places, then is probed one call at a time, and takes no slots from
// the others.

const (
	// maxInFlight calls of one source may be under way in one region: enough
	// for ten calls a second that take three seconds each.
	maxInFlight = 32
	// tripAfter failures in a row, of more than one instance where there are
	// more, a region is probed instead of polled.
	tripAfter = 3
	// The pause between probes, doubled up to the maximum.
	minProbe = 5 * time.Second
	maxProbe = time.Minute
	// maxPenalty bounds the pause of an object that keeps failing alone.
	maxPenalty = 5 * time.Minute
)

// object is one thing that a source reads: a region's instance list, an
// instance's topic list, a topic, a group. Its fields are guarded by the
// account's mutex.
type object struct {
	source   *source
	region   string
	instance string // "" for sources of a region or an account
	name     string // topic or group

	due   time.Time
	index int // in the heap; -1 while it is being read or after it was dropped
	gone  bool

	known time.Time // when it was first listed
	at    time.Time // last success
	tried bool
	fails int // in a row
	err   error
	errAt time.Time
}

// since is the date of what is shown of the object.
func (o *object) since() time.Time {
	if o.at.IsZero() {
		return o.known
	}
	return o.at
}

// queue is the work of one bucket.
type queue struct {
	source *source
	bucket string // region of the bucket; "" where limits are per account
	lanes  map[string]*regionLane
	wake   chan struct{} // holds a token when something may have become due
}

// regionLane is a queue's part of one region.
type regionLane struct {
	objects   objectHeap
	inFlight  int
	fails     int             // in a row, of whatever object
	of        map[string]bool // the instances of these objects
	tripped   bool
	notBefore time.Time
}

// eligible returns when the lane's most urgent object may be read; ok is
// false when nothing may be until a call returns.
func (l *regionLane) eligible() (time.Time, bool) {
	limit := maxInFlight
	if l.tripped {
		limit = 1
	}
	if len(l.objects) == 0 || l.inFlight >= limit {
		return time.Time{}, false
	}
	due := l.objects[0].due
	if due.Before(l.notBefore) {
		due = l.notBefore
	}
	return due, true
}

// next returns the lane whose object is most overdue, and when it may be
// read; nil when there is nothing to wait for but a wake-up.
func (q *queue) next() (*regionLane, time.Time) {
	var best *regionLane
	var when time.Time
	for _, l := range q.lanes {
		if due, ok := l.eligible(); ok && (best == nil || due.Before(when)) {
			best, when = l, due
		}
	}
	return best, when
}

func (q *queue) lane(region string) *regionLane {
	l := q.lanes[region]
	if l == nil {
		l = &regionLane{}
		q.lanes[region] = l
	}
	return l
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run reads what is due until ctx ends.
func (a *account) run(ctx context.Context, q *queue) {
	for ctx.Err() == nil {
		if !a.awaitDue(ctx, q) {
			return
		}
		slot, err := a.Client.WaitSlot(ctx, q.source.action, q.bucket)
		if err != nil {
			return
		}
		if o := a.take(q); o != nil {
			a.work.Go(func() { a.read(slot, q, o) })
		}
	}
}

// awaitDue waits until something may be read; false when ctx ended.
func (a *account) awaitDue(ctx context.Context, q *queue) bool {
	for {
		a.mu.Lock()
		lane, when := q.next()
		a.mu.Unlock()
		wait := time.Hour
		if lane != nil {
			if wait = time.Until(when); wait <= 0 {
				return true
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return false
		case <-q.wake:
			t.Stop()
		case <-t.C:
		}
	}
}

// take removes the most overdue object from q; nil when nothing is due any
// more.
func (a *account) take(q *queue) *object {
	a.mu.Lock()
	defer a.mu.Unlock()
	lane, when := q.next()
	if lane == nil || time.Until(when) > 0 {
		return nil
	}
	lane.inFlight++
	return heap.Pop(&lane.objects).(*object)
}

// read reads one object and plans its next read.
func (a *account) read(ctx context.Context, q *queue, o *object) {
	ctx, cancel := context.WithTimeout(ctx, o.source.timeout)
	defer cancel()
	start := time.Now()
	err := o.source.read(ctx, a, o)
	if err != nil && a.ctx.Err() != nil {
		return // cut short by the end of Run, which says nothing of the cloud
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	defer q.signal()
	if !o.gone {
		a.report(o, err)
	}
	lane := q.lane(o.region)
	lane.inFlight--
	now := time.Now()
	o.tried = true
	if r := a.regions[o.region]; r != nil && r.list == o {
		r.up = err == nil
	}
	if err == nil {
		o.at, o.err, o.fails = now, nil, 0
		a.recovered(lane, now)
	} else {
		o.err, o.errAt = err, now
		o.fails++
		a.failed(lane, o, now)
	}
	if !o.gone {
		a.plan(q, o, start)
	}
	a.checkReady()
}

// failed notes a failure that may be the region's or the account's. One
// instance that fails alone says nothing about the others; nor do answers that
// are the object's own trouble, or flow control, which the limiter handles.
func (a *account) failed(l *regionLane, o *object, now time.Time) {
	e, ok := errors.AsType[*api.Error](o.err)
	if !ok || e.Class != api.Server && e.Class != api.Network && e.Class != api.Auth {
		return
	}
	l.fails++
	if l.of == nil {
		l.of = map[string]bool{}
	}
	l.of[o.instance] = true
	instances := 0
	if r := a.regions[o.region]; r != nil {
		instances = len(r.instances)
	}
	if l.fails < tripAfter || len(l.of) < min(2, instances) {
		return
	}
	l.tripped = true
	l.notBefore = now.Add(jitter(min(minProbe<<min(l.fails-tripAfter, 6), maxProbe)))
}

// recovered notes a success. After an outage, what had failed with it need not
// wait out the pauses that it earned.
func (a *account) recovered(l *regionLane, now time.Time) {
	if l.tripped {
		for _, o := range l.objects {
			if o.fails > 0 {
				o.fails = 0
				o.due = earlier(o.due, now.Add(jitter(a.interval(o))))
			}
		}
		heap.Init(&l.objects)
	}
	l.fails, l.tripped, l.notBefore = 0, false, time.Time{}
	clear(l.of)
}

func earlier(t, u time.Time) time.Time {
	if u.Before(t) {
		return u
	}
	return t
}

// plan puts o back into q: an interval after this read began, longer each time
// when an object of an instance keeps failing.
func (a *account) plan(q *queue, o *object, start time.Time) {
	interval := a.interval(o)
	if o.fails > 0 && o.instance != "" {
		interval = max(interval, min(interval<<min(o.fails-1, 8), maxPenalty))
	}
	o.due = start.Add(jitter(interval))
	heap.Push(&q.lane(o.region).objects, o)
}

// interval is the cadence of o.
func (a *account) interval(o *object) time.Duration {
	d := time.Duration(a.config.Sources[o.source.name].Interval)
	if o.source.name == sourceTopicStatus && a.consumed(o) {
		d = max(d, min(consumedFactor*d, a.ttl(sourceTopicStatus)/2))
	}
	return d
}

// jitter varies d by a tenth either way, so that objects do not march in step.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1) //nolint:gosec // spreading needs no cryptography
}

// add begins to read an object, from due on. Called with a.mu held.
func (a *account) add(o *object, due time.Time) *object {
	if o.known.IsZero() {
		o.known = time.Now()
	}
	o.due, o.index = due, -1
	a.objects[o] = struct{}{}
	q := a.queue(o.source, o.region)
	heap.Push(&q.lane(o.region).objects, o)
	q.signal()
	return o
}

// drop ends reading o; a read that is under way finishes without effect on
// the schedule. Called with a.mu held.
func (a *account) drop(o *object) {
	if o == nil || o.gone {
		return
	}
	o.gone = true
	delete(a.objects, o)
	a.forgive(o)
	if o.index >= 0 {
		heap.Remove(&a.queue(o.source, o.region).lane(o.region).objects, o.index)
	}
}

// hurry makes o due now, unless it is being read. Called with a.mu held.
func (a *account) hurry(o *object) { a.reschedule(o, time.Now()) }

// reschedule moves o, unless it is being read. Called with a.mu held.
func (a *account) reschedule(o *object, due time.Time) {
	if o == nil || o.index < 0 {
		return
	}
	o.due = due
	q := a.queue(o.source, o.region)
	heap.Fix(&q.lane(o.region).objects, o.index)
	q.signal()
}

// queue returns the queue for objects of that source and region, and starts
// its loop with the first. Called with a.mu held.
func (a *account) queue(s *source, region string) *queue {
	bucket := ""
	if a.perRegion {
		bucket = cmp.Or(region, a.DiscoveryRegion)
	}
	k := queueKey{s, bucket}
	q := a.queues[k]
	if q == nil {
		q = &queue{source: s, bucket: bucket, lanes: map[string]*regionLane{}, wake: make(chan struct{}, 1)}
		a.queues[k] = q
		if a.ctx != nil {
			a.work.Go(func() { a.run(a.ctx, q) })
		}
	}
	return q
}

type queueKey struct {
	source *source
	bucket string
}

// objectHeap orders by due time.
type objectHeap []*object

func (h *objectHeap) Len() int           { return len(*h) }
func (h *objectHeap) Less(i, j int) bool { return (*h)[i].due.Before((*h)[j].due) }
func (h *objectHeap) Swap(i, j int) {
	s := *h
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push implements heap.Interface.
func (h *objectHeap) Push(x any) {
	o := x.(*object)
	o.index = len(*h)
	*h = append(*h, o)
}

// Pop implements heap.Interface.
func (h *objectHeap) Pop() any {
	old := *h
	o := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	o.index = -1
	return o
}
