package engine_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal/journaltest"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// machine is what the engine runs on: it can go down at any moment, and then
// neither its disk nor its network does anything any more.
type machine struct {
	*lab

	mu     sync.Mutex
	dead   bool
	life   context.Context //nolint:containedctx // it is the machine that lives
	down   context.CancelFunc
	synced int                      // how often the journal was synced in this test
	onSync func(n int, before bool) // may call die
	onSent func()                   // a mutation was answered by the cloud; may call die
	keep   func(int) int            // how much of what was not synced survives

	promised []string // runs that Do returned
	crashes  int
}

// tally counts what a test has been through.
type tally struct {
	mu             sync.Mutex
	cells, crashes int
	ends           map[engine.State]int
}

func (c *tally) add(m *machine, end engine.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ends == nil {
		c.ends = map[engine.State]int{}
	}
	c.cells, c.crashes = c.cells+1, c.crashes+m.crashes
	c.ends[end]++
}

func newMachine(t *testing.T, change func(*lab, *sim.Options)) *machine {
	t.Helper()
	m := &machine{keep: func(int) int { return 0 }, onSync: func(int, bool) {}, onSent: func() {}}
	m.lab = newLab(t, func(l *lab, o *sim.Options) {
		if change != nil {
			change(l, o)
		}
	})
	m.transport = &cable{m: m, to: m.transport}
	m.live()
	return m
}

// live is the machine that comes up.
func (m *machine) live() {
	m.mu.Lock() // a history may call die at any time
	m.dead = false
	m.life, m.down = context.WithCancel(context.Background())
	m.mu.Unlock()
	m.disk.Fail(m.diskOp)
}

func (m *machine) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	m.down()
}

func (m *machine) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// diskOp is told of every operation before it happens. A machine that goes down
// after a sync does so at the next thing that it does.
func (m *machine) diskOp(op, _ string) error {
	if m.isDead() {
		return journaltest.ErrGone
	}
	if op != "sync" {
		return nil
	}
	m.synced++
	m.onSync(m.synced, true)
	if m.isDead() {
		return journaltest.ErrGone
	}
	m.onSync(m.synced, false)
	return nil
}

// cable is the machine's network.
type cable struct {
	m  *machine
	to http.RoundTripper
}

func (c *cable) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.m.isDead() {
		return nil, journaltest.ErrGone
	}
	_ = r.ParseForm()
	a, _ := api.Lookup(r.PostForm.Get("Action"))
	resent := remake(r)
	resp, err := c.to.RoundTrip(resent)
	if a != nil && a.Effect != api.Read {
		c.m.onSent()
	}
	if c.m.isDead() {
		if resp != nil {
			_ = resp.Body.Close()
		}
		return nil, journaltest.ErrGone
	}
	return resp, err
}

// reboot takes the machine down and up again, until the engine is open.
func (m *machine) reboot(pause time.Duration) {
	m.t.Helper()
	m.crashes++
	for range 5 {
		if m.engine != nil {
			m.down()
			m.stop()
			m.engine = nil
		}
		m.disk.Crash(m.keep)
		time.Sleep(pause)
		m.live()
		err := m.open()
		if err == nil {
			err = m.engine.Err()
		}
		if err == nil {
			return
		}
		if !m.isDead() {
			m.t.Fatalf("the engine cannot start: %v", err)
		}
	}
	m.t.Fatal("the engine never starts")
}

// finish asks for an operation as a patient caller does: again with the same
// key after every crash, until the run is over.
func (m *machine) finish(q engine.Request) (engine.Run, error) {
	m.t.Helper()
	for range 10 {
		r, err := m.attempt(q)
		switch {
		case m.isDead():
			m.reboot(time.Second)
		case err != nil:
			return r, err
		default:
			return r, nil
		}
	}
	return engine.Run{}, errors.New("the machine went down ten times")
}

func (m *machine) attempt(q engine.Request) (engine.Run, error) {
	if m.engine == nil {
		if err := m.open(); err != nil {
			return engine.Run{}, err
		}
	}
	r, err := m.engine.Do(m.life, q)
	if err != nil {
		return r, err
	}
	m.promised = append(m.promised, r.ID)
	for _, who := range []engine.Actor{bob, carol} {
		if r.State == engine.StatePending && who != r.Actor {
			if r, err = m.engine.Approve(m.life, r.ID, who, r.Plan.Hash); err != nil {
				return r, err
			}
		}
	}
	return m.engine.Wait(m.life, r.ID)
}

// violations says what is wrong after everything: more than one effect of a
// run, a run that is lost or not over, or that ended otherwise than the cloud
// says.
func (m *machine) violations(action string) (wrong []string) {
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	effects := len(m.effects(action))
	applied, sent := 0, 0
	for _, r := range m.engine.Runs(engine.Filter{}) {
		switch {
		case !r.State.Terminal():
			bad("run %s is %s", r.ID, r.State)
		case r.State == engine.StateApplied:
			applied++
		}
		if len(r.Calls) > 0 {
			sent++
		}
		if r.State == engine.StateNotApplied && effects > applied && sent == 1 {
			bad("run %s is not applied (%s), but there are %d effects", r.ID, r.Why, effects)
		}
	}
	for _, id := range m.promised {
		if _, ok := m.engine.Get(id); !ok {
			bad("run %s is lost", id)
		}
	}
	if effects > sent || effects > 1 {
		bad("%d effects of %d runs that were sent", effects, sent)
	}
	if applied > effects {
		bad("%d runs are applied, %d effects", applied, effects)
	}
	return wrong
}

// wireFault is what happens to the call of an operation on its way.
type wireFault struct {
	name  string
	fault []sim.Fault // one after the other; the call after them is good
	nonce bool        // a throttled request does not use up its nonce
}

func wireFaults() []wireFault {
	throttle := *sim.Throttle()
	lost := sim.Fault{Kind: sim.Reset, Executed: true}
	return []wireFault{
		{name: "good"},
		{name: "apply then drop", fault: []sim.Fault{lost}},
		{name: "drop before apply", fault: []sim.Fault{{Kind: sim.Reset}}},
		{name: "500 after apply", fault: []sim.Fault{{Kind: sim.Refuse, Status: 500, Code: "InternalError", Executed: true}}},
		{name: "503 before apply", fault: []sim.Fault{{Kind: sim.Refuse, Status: 503, Code: "ServiceUnavailable"}}},
		{name: "not successful after apply", fault: []sim.Fault{{Kind: sim.Unsuccessful, Executed: true}}},
		{name: "late by 5 minutes", fault: []sim.Fault{{Kind: sim.Hang, ApplyAfter: 5 * time.Minute}}},
		{name: "answer cut in half", fault: []sim.Fault{{Kind: sim.Truncate}}},
		{name: "a gateway's page", fault: []sim.Fault{{Kind: sim.Gateway, Executed: true}}},
		{name: "refused", fault: []sim.Fault{{Kind: sim.Refuse, Code: "Forbidden.RAM"}}},
		{name: "throttled, then good", fault: []sim.Fault{throttle}},
		{name: "throttled, nonce kept, then applied and dropped", fault: []sim.Fault{throttle, lost}, nonce: true},
		{name: "throttled, then dropped", fault: []sim.Fault{throttle, {Kind: sim.Reset}}},
	}
}

// crashPoint is where a machine goes down: at a sync of the journal, before or
// after it, or when the cloud has answered the call. What was written and not
// synced is lost, or there, or half of it.
type crashPoint struct {
	name string
	set  func(*machine)
}

// durableEdges is how often the journal is synced by a run that goes well: the
// segment, planned, approved, intent, outcome and the end; one more for a call
// that is sent twice.
const durableEdges = 7

func crashPoints() []crashPoint {
	points := []crashPoint{{"never", func(*machine) {}}}
	once := func(m *machine, f func(n int, before bool) bool) {
		done := false
		m.onSync = func(n int, before bool) {
			if !done && f(n, before) {
				done = true
				m.die()
			}
		}
	}
	for edge := 1; edge <= durableEdges; edge++ {
		for _, keep := range []string{"lost", "whole", "half"} {
			points = append(points, crashPoint{fmt.Sprintf("before sync %d, %s", edge, keep), func(m *machine) {
				m.keep = map[string]func(int) int{
					"lost": func(int) int { return 0 }, "whole": func(n int) int { return n }, "half": func(n int) int { return n / 2 },
				}[keep]
				once(m, func(n int, before bool) bool { return before && n == edge })
			}})
		}
		points = append(points, crashPoint{fmt.Sprintf("after sync %d", edge), func(m *machine) {
			once(m, func(n int, before bool) bool { return !before && n == edge })
			m.keepSynced()
		}})
	}
	return append(points, crashPoint{"when the cloud has answered", func(m *machine) {
		done := false
		m.onSent = func() {
			if !done {
				done = true
				m.die()
			}
		}
	}})
}

// keepSynced lets the sync during which the machine dies succeed: what it wrote
// survives whole.
func (m *machine) keepSynced() { m.keep = func(n int) int { return n } }

// survive runs one cell of the matrix and returns what was violated.
func survive(t *testing.T, s step, f wireFault, p crashPoint, sum *tally, change func(*lab, *sim.Options)) []string {
	t.Helper()
	m := newMachine(t, func(l *lab, o *sim.Options) {
		o.NonceAfterThrottle = f.nonce
		only(o, cmp.Or(s.params["InstanceId"], post))
		if change != nil {
			change(l, o)
		}
	})
	for _, fault := range slices.Backward(f.fault) {
		fault.Times = 1
		m.cloud.SetFault(sim.Match{Action: s.action}, fault) // the last set is tried first
	}
	p.set(m)
	r, err := m.finish(s.request("key"))
	if m.engine != nil {
		defer func() { m.stop() }()
	}
	if err != nil {
		return []string{err.Error()}
	}
	time.Sleep(30 * time.Minute) // nothing comes later
	sum.add(m, r.State)
	wrong := m.violations(s.action)
	if len(wrong) > 0 {
		wrong = append(wrong, fmt.Sprintf("%s %s; calls %+v", r.State, r.Why, r.Calls))
	}
	return wrong
}

// TestCrashMatrix runs every action through every fault and every crash. It is
// the promise: at most one effect, and every run ends.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	var sum tally
	t.Cleanup(func() {
		t.Logf("%d cells, %d crashes, ends %v", sum.cells, sum.crashes, sum.ends)
		if sum.crashes < sum.cells/2 || sum.ends[engine.StateNeedsHuman] > 0 {
			t.Error("too few crashes, or an end that a human would have to look at although nobody interfered")
		}
	})
	for i, s := range steps() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for j, f := range wireFaults() {
				for k, p := range crashPoints() {
					if sampled(i + j + k) {
						synctest.Test(t, func(t *testing.T) {
							for _, wrong := range survive(t, s, f, p, &sum, nil) {
								t.Errorf("%s, crash %s: %s", f.name, p.name, wrong)
							}
						})
					}
				}
			}
		})
	}
}

// sampled chooses what is done of many things: all, or under -short every
// tenth. Where n is the sum of the places in two or three lists of ten or more,
// everything of each list still meets everything of every other.
func sampled(n int) bool { return n%10 < short.Of(10) }

// TestAClockThatWasSetShortensNothing sets the clock while the process is down
// and a call is on its way that takes effect 5 minutes later.
func TestAClockThatWasSetShortensNothing(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	for _, forward := range []time.Duration{24 * time.Hour, year, -24 * time.Hour, -year} {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(t, nil)
			m.cloud.SetFault(sim.Match{Action: "ModifyPartitionNum"}, sim.Fault{Kind: sim.Hang, ApplyAfter: 5 * time.Minute, Times: 1})
			m.onSent = m.die
			q := stepOf("ModifyPartitionNum").request("key")
			if _, err := m.attempt(q); err == nil || !m.isDead() {
				t.Fatal("the machine is up still")
			}
			m.onSent = func() {}
			m.down()
			m.stop()
			m.disk = shifted(t, m.disk, -forward)
			m.reboot(time.Second)
			defer func() { m.stop() }()
			start := time.Now()
			r, err := m.engine.Wait(t.Context(), m.promised[0])
			if err != nil || r.State != engine.StateApplied || len(m.effects("ModifyPartitionNum")) != 1 {
				t.Errorf("%s forward: %s %s, %v", forward, r.State, r.Why, err)
			}
			if took := time.Since(start); took > time.Hour {
				t.Errorf("%s forward: it took %s", forward, took)
			}
			// The cool-down of a day holds where the clock was set back, too.
			q.Key, q.Params = "again", on(post, "Topic", "orders", "TargetPartitionNum", "13")
			if r, err = m.engine.Do(t.Context(), q); err != nil || r.State != engine.StateRefused && forward < 0 {
				t.Errorf("%s forward, again: %s, %v", forward, r.State, err)
			}
		})
	}
}
