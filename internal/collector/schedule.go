package collector

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// A queue holds the objects that share a bucket of the rate limit: those of
// one source, of one region where limits are per region. Its loop waits for a
// slot and only then picks the object, so that a slot is never spent on
// anything but what is most urgent at that moment.
//
// An object may be read again once its target has passed, and is due when the
// interval has passed that the queue's allocation gives it: of those that may
// be read, the first that is due goes first. So no slot is left unused while
// there is anything to read, and yet what is idle does not crowd out what moves.
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
	// Of the rate of a queue that knows other objects, new ones are planned to
	// take discoveryShare, and coldShare where nearly all are new.
	discoveryShare = 1. / 3
	coldShare      = 0.9
	// catchUp is how fast a backlog is worked off: one of so long takes as much
	// from what can be stretched as may be taken, catchUpShare of the rate.
	catchUp      = 2 * time.Minute
	catchUpShare = 0.3
	// mostLate is how late an object may stay because all others are.
	mostLate = 10 * time.Minute
)

// object is one thing that a source reads: a region's instance list, an
// instance's topic list, a topic, a group. Its fields are guarded by the
// account's mutex.
type object struct {
	source   *source
	region   string
	instance string // "" for sources of a region or an account
	name     string // topic or group

	release  time.Time // from when on it may be read
	due      time.Time // when it should be read
	ready    bool      // release has passed: it is in the lane's heap of these
	index    int       // in its heap; -1 while it is being read or after it was dropped
	gone     bool
	need     need
	counted  float64       // calls of it that are in the sums of the queue, under need; 0: none
	interval time.Duration // that it was given last
	calls    float64       // that a read takes; 0 means 1
	activity activity

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

// cost is how many calls a read of the object takes.
func (o *object) cost() float64 { return max(1, o.calls) }

// queue is the work of one bucket.
type queue struct {
	source *source
	bucket string // region of the bucket; "" where limits are per account
	lanes  map[string]*regionLane
	wake   chan struct{} // holds a token when something may have become due

	rate   float64          // polls that may leave per second
	needs  map[need]float64 // calls that one read of all objects with that need takes
	spread allocation       // of the rate over needs
	stale  bool             // spread has to be made anew
	phase  float64          // of the last object that was slowed down, 0 to 1
	unread int              // objects that were never tried
	first  time.Time        // when the last of them should be tried
	late   time.Duration    // how much too late the last object was taken
	pulls  float64          // objects that may be pulled forward now
	pulled time.Time        // when pulls was reckoned
}

// regionLane is a queue's part of one region.
type regionLane struct {
	waiting   objectHeap // by release
	ready     objectHeap // by due
	inFlight  int
	fails     int             // in a row, of whatever object
	of        map[string]bool // the instances of these objects
	tripped   bool
	notBefore time.Time
}

// available returns when the lane may be read; ok is false when nothing may be
// until a call returns.
func (l *regionLane) available(now time.Time) (at time.Time, ok bool) {
	limit := maxInFlight
	if l.tripped {
		limit = 1
	}
	if l.inFlight >= limit {
		return time.Time{}, false
	}
	for len(l.waiting.objects) > 0 && !l.waiting.objects[0].release.After(now) {
		o := heap.Pop(&l.waiting).(*object)
		o.ready = true
		heap.Push(&l.ready, o)
	}
	switch {
	case len(l.ready.objects) > 0:
		return later(now, l.notBefore), true
	case len(l.waiting.objects) > 0:
		return later(l.waiting.objects[0].release, l.notBefore), true
	}
	return time.Time{}, false
}

// next returns the lane to read from and when: of the lanes that may be read
// now the one whose object is due first, else the first that may be; nil when
// there is nothing to wait for but a wake-up.
func (q *queue) next(now time.Time) (best *regionLane, when time.Time) {
	for _, l := range q.lanes {
		at, ok := l.available(now)
		switch {
		case !ok:
		case best == nil, at.Before(when):
			best, when = l, at
		case at.Equal(now) && when.Equal(now) && l.ready.objects[0].due.Before(best.ready.objects[0].due):
			best = l
		}
	}
	return best, when
}

func later(t, u time.Time) time.Time {
	if u.After(t) {
		return u
	}
	return t
}

// push puts o into the heap that it belongs to.
func (l *regionLane) push(o *object, now time.Time) {
	o.ready = !o.release.After(now)
	heap.Push(l.heap(o), o)
}

func (l *regionLane) heap(o *object) *objectHeap {
	if o.ready {
		return &l.ready
	}
	return &l.waiting
}

func (q *queue) lane(region string) *regionLane {
	l := q.lanes[region]
	if l == nil {
		l = &regionLane{waiting: objectHeap{key: func(o *object) time.Time { return o.release }}, ready: objectHeap{key: func(o *object) time.Time { return o.due }}}
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
		if o := a.take(q, a.Client.PollRate(q.source.action, q.bucket)); o != nil {
			a.work.Go(func() { a.read(slot, q, o) })
		}
	}
}

// awaitDue waits until something may be read; false when ctx ended.
func (a *account) awaitDue(ctx context.Context, q *queue) bool {
	for {
		now := time.Now()
		a.mu.Lock()
		lane, when := q.next(now)
		a.mu.Unlock()
		wait := time.Hour
		if lane != nil {
			if wait = when.Sub(now); wait <= 0 {
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

// take removes the object that is due first; nil when none may be read any
// more. rate is what the limiter lets through now, calls per second.
func (a *account) take(q *queue, rate float64) *object {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	lane, when := q.next(now)
	if lane == nil || when.After(now) {
		return nil
	}
	lane.inFlight++
	o := heap.Pop(&lane.ready).(*object)
	q.late = now.Sub(o.due)
	if rate != q.rate {
		q.rate, q.stale = rate, true
	}
	return o
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
		for _, o := range slices.Concat(l.waiting.objects, l.ready.objects) {
			if o.fails > 0 {
				o.fails = 0
				a.reschedule(o, earlier(o.due, now.Add(jitter(o.need.target))))
			}
		}
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

// plan puts o back into q after a read that began at start.
func (a *account) plan(q *queue, o *object, start time.Time) {
	q.count(o, a.need(o))
	q.respread(start)
	interval := q.spread.interval(o.need)
	if o.fails > 0 && o.instance != "" { // longer each time an object keeps failing
		interval = max(interval, min(interval<<min(o.fails-1, 8), maxPenalty))
		o.release = start.Add(jitter(max(o.need.target, min(o.need.target<<min(o.fails-1, 8), maxPenalty))))
		o.due = later(o.release, start.Add(interval))
	} else {
		q.follow(o, start, interval)
	}
	o.interval = interval
	q.lane(o.region).push(o, time.Now())
}

// follow sets release and due of o after a read that began at start.
func (q *queue) follow(o *object, start time.Time, interval time.Duration) {
	// A cadence runs from when it was time to read: else every wait for a slot
	// would slow it down.
	from := o.release
	if start.Sub(from) > o.need.target/4 {
		from = start
	}
	o.release = from.Add(jitter(o.need.target))
	// With a backlog all objects of the queue are late. Then this one, too, is
	// to be late next time, so that it does not overtake those that wait.
	before := o.interval
	from = later(earlier(start, o.due), start.Add(-max(interval, mostLate)))
	o.due = from.Add(interval)
	if o.need.urgency <= urgencyQuiet && interval > before+before/2 {
		// Objects that slow down together must not come back together.
		// Multiples of the golden ratio spread best.
		_, q.phase = math.Modf(q.phase + math.Phi)
		o.due = start.Add(before + time.Duration(q.phase*float64(interval-before)))
	}
}

// count keeps the sums of needs, from which the spread is made.
func (q *queue) count(o *object, n need) {
	if o.counted == o.cost() && o.need == n {
		return
	}
	q.discount(o)
	o.need, o.counted = n, o.cost()
	q.needs[n] += o.counted
	q.stale = true
}

// discount takes o out of the sums.
func (q *queue) discount(o *object) {
	if o.counted == 0 {
		q.unread--
		return
	}
	if q.needs[o.need] -= o.counted; q.needs[o.need] < 1 {
		delete(q.needs, o.need)
	}
	o.counted, q.stale = 0, true
}

// respread makes the spread anew where something has changed: of the rate,
// less what new objects and a backlog take of it.
func (q *queue) respread(now time.Time) {
	backlog := 0.0
	if q.spread.over <= 1 && q.late > 0 {
		backlog = min(1, q.late.Seconds()/catchUp.Seconds())
	}
	if !q.stale && backlog == 0 && q.unread == 0 {
		return
	}
	reserve := catchUpShare * backlog * q.rate
	if q.unread > 0 && q.first.After(now) {
		reserve = max(reserve, discoveryShare*q.rate)
	}
	q.spread, q.stale = allocate(q.needs, q.rate, reserve), backlog > 0 || q.unread > 0
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
	o.release, o.due, o.index = due, due, -1
	a.objects[o] = struct{}{}
	q := a.queue(o.source, o.region)
	q.unread++
	o.need = a.need(o)
	if o.learns() {
		o.due = q.firstRead(due)
	}
	q.lane(o.region).push(o, time.Now())
	q.signal()
	return o
}

// firstRead returns when a new object should be read: a flood of them takes
// part of the rate only.
func (q *queue) firstRead(now time.Time) time.Time {
	known := 0.0
	for _, n := range q.needs {
		known += n
	}
	share := discoveryShare
	if known < float64(q.unread)/10 {
		share = coldShare
	}
	q.first = later(q.first, now)
	if q.rate > 0 {
		q.first = q.first.Add(time.Duration(float64(time.Second) / (share * q.rate)))
	}
	return q.first
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
	q := a.queue(o.source, o.region)
	q.discount(o)
	if o.index >= 0 {
		heap.Remove(q.lane(o.region).heap(o), o.index)
	}
}

// hurry makes o due now, unless it is being read. Called with a.mu held.
func (a *account) hurry(o *object) { a.reschedule(o, time.Now()) }

// reschedule moves o, unless it is being read. Called with a.mu held.
func (a *account) reschedule(o *object, due time.Time) {
	if o == nil || o.index < 0 {
		return
	}
	a.move(o, earlier(o.release, due), due)
}

// move sets when o may and when it should be read. Called with a.mu held.
func (a *account) move(o *object, release, due time.Time) {
	q := a.queue(o.source, o.region)
	lane := q.lane(o.region)
	heap.Remove(lane.heap(o), o.index)
	o.release, o.due = release, due
	lane.push(o, time.Now())
	q.signal()
}

// retarget takes a change of what o needs into account, unless it is being
// read: that will. Called with a.mu held.
func (a *account) retarget(o *object) {
	if o == nil || o.index < 0 || o.counted == 0 && o.at.IsZero() {
		return
	}
	n := a.need(o)
	if o.counted > 0 && n == o.need {
		return
	}
	a.resumeAt(o)
}

// resumeAt plans the next read of o, which was read last at o.at. Called with
// a.mu held.
func (a *account) resumeAt(o *object) {
	q := a.queue(o.source, o.region)
	q.count(o, a.need(o))
	q.respread(time.Now())
	o.interval = q.spread.interval(o.need)
	if o.index >= 0 {
		a.move(o, o.at.Add(jitter(o.need.target)), o.at.Add(o.interval))
	}
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
		q = &queue{
			source: s, bucket: bucket, lanes: map[string]*regionLane{}, wake: make(chan struct{}, 1),
			needs: map[need]float64{}, rate: a.Client.PollRate(s.action, bucket), spread: allocation{over: 1},
		}
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

// objectHeap orders by a time.
type objectHeap struct {
	objects []*object
	key     func(*object) time.Time
}

func (h *objectHeap) Len() int           { return len(h.objects) }
func (h *objectHeap) Less(i, j int) bool { return h.key(h.objects[i]).Before(h.key(h.objects[j])) }
func (h *objectHeap) Swap(i, j int) {
	s := h.objects
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push implements heap.Interface.
func (h *objectHeap) Push(x any) {
	o := x.(*object)
	o.index = len(h.objects)
	h.objects = append(h.objects, o)
}

// Pop implements heap.Interface.
func (h *objectHeap) Pop() any {
	old := h.objects
	o := old[len(old)-1]
	old[len(old)-1] = nil
	h.objects = old[:len(old)-1]
	o.index = -1
	return o
}
