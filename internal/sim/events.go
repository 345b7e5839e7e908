package sim

import (
	"math"
	"slices"
	"time"
)

// No goroutine ticks in the cloud. What takes time is put down as an event,
// and whoever looks at the state next lets happen what is due, each event at
// its own time and in order: what the state is depends on the time alone, not
// on who looked when.

// event is something that is going to happen.
type event struct {
	at time.Duration // since the start of the cloud
	do func(at time.Duration)
}

// never is when the next event is due while there is none.
const never = time.Duration(math.MaxInt64)

// schedule puts down an event, after those of the same time. The caller holds
// the lock for writing.
func (c *Cloud) schedule(at time.Duration, do func(at time.Duration)) {
	i, _ := slices.BinarySearchFunc(c.events, at, func(e event, at time.Duration) int {
		if e.at <= at {
			return -1
		}
		return 1
	})
	c.events = slices.Insert(c.events, i, event{at, do})
	c.due.Store(int64(c.events[0].at))
}

// settle lets happen what is due by now. The caller holds the lock for
// writing.
func (c *Cloud) settle(now time.Duration) {
	for len(c.events) > 0 && c.events[0].at <= now {
		e := c.events[0]
		c.events = slices.Delete(c.events, 0, 1)
		e.do(e.at)
	}
	next := never
	if len(c.events) > 0 {
		next = c.events[0].at
	}
	c.due.Store(int64(next))
}

// lock gives the state to the caller alone, as it is now.
func (c *Cloud) lock() (now time.Duration) {
	c.mu.Lock()
	_, now = c.now()
	c.settle(now)
	return now
}

// rlock lets the caller read the state as it is at a time that is not
// earlier than any before.
func (c *Cloud) rlock(now time.Duration) {
	if c.due.Load() <= int64(now) {
		c.mu.Lock()
		c.settle(now)
		c.mu.Unlock()
	}
	c.mu.RLock()
}

// phase is a status that an instance has for a while.
type phase struct {
	lasts   time.Duration
	service int64
	view    int64 // derived: what follows from service
}

// derived as a view means the ViewInstanceStatusCode that goes with the
// ServiceStatus.
const derived = -1

// work takes an instance through phases, at the end of which it is what end
// makes of it. While it lasts the instance is busy; a later work, or
// SetStatus, ends it before its time.
func (c *Cloud) work(in *instance, kind string, now time.Duration, end func(at time.Duration), phases ...phase) {
	in.task++
	task := in.task
	in.busy = kind
	for _, p := range phases {
		c.schedule(now, func(time.Duration) {
			if in.task == task {
				in.Status, in.view = p.service, p.view
			}
		})
		now += p.lasts
	}
	c.schedule(now, func(at time.Duration) {
		if in.task == task {
			in.busy, in.view = "", derived
			end(at)
		}
	})
}

// Delays are how long the work takes that is behind an action, counted from
// its answer. Zero fields mean the defaults, which are guesses of the right
// order; a negative one means no time at all.
type Delays struct {
	Order       time.Duration // until what was bought is listed; default 3 s
	Deploy      time.Duration // until an instance that was started or reopened is in service; default 8 min
	Begin       time.Duration // until the status of an instance shows that it is being changed; default 15 s
	Change      time.Duration // of configuration, from then on; default 4 min
	Upgrade     time.Duration // of version or size, from then on; default 10 min
	Stop        time.Duration // until an instance has stopped; default 1 min
	Release     time.Duration // how long a released instance is kept, without force; default 24 h
	CreateTopic time.Duration // until a topic is listed; default 2 s
	DeleteTopic time.Duration // until a topic is gone; default 8 s
	MinimumStay time.Duration // age from which an instance may be released; default 1 h
}

// fill puts defaults into the zero fields, and zero into the negative ones.
func (d *Delays) fill() {
	for _, f := range []struct {
		field     *time.Duration
		otherwise time.Duration
	}{
		{&d.Order, 3 * time.Second},
		{&d.Deploy, 8 * time.Minute},
		{&d.Begin, 15 * time.Second},
		{&d.Change, 4 * time.Minute},
		{&d.Upgrade, 10 * time.Minute},
		{&d.Stop, time.Minute},
		{&d.Release, day},
		{&d.CreateTopic, 2 * time.Second},
		{&d.DeleteTopic, 8 * time.Second},
		{&d.MinimumStay, time.Hour},
	} {
		orElse(f.field, f.otherwise)
		*f.field = max(0, *f.field)
	}
}

// Instantly are the delays of a cloud in which all work is done at once.
func Instantly() Delays {
	return Delays{
		Order: -1, Deploy: -1, Begin: -1, Change: -1, Upgrade: -1, Stop: -1,
		Release: -1, CreateTopic: -1, DeleteTopic: -1, MinimumStay: -1,
	}
}
