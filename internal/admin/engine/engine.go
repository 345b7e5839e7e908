package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
)

// Engine plans, judges, records, executes and confirms operations. Its methods
// may be used concurrently.
//
// What it knows is what the journal says: every change is appended first and
// then applied, by the same code that replays the journal.
type Engine struct {
	o        Options
	journal  *journal.Journal // nil on standby
	settings atomic.Pointer[settings]
	opened   time.Time
	turn     chan struct{} // holds a token while nothing is being decided and recorded
	stuck    string        // why the journal's last rotation failed; empty: it did not. Belongs to who has the turn
	measured time.Time     // when the journal was; belongs to Run
	wake     chan struct{} // holds a token when Run should look again

	mu       sync.RWMutex
	runs     map[string]*Run // immutable
	order    []string        // ids, oldest first
	keys     map[string]string
	planned  map[string]bool // keys whose requests are being planned
	owned    map[string]bool // runs that a goroutine of Run works on; false: it has given up
	changed  chan struct{}   // closed when a run changes
	kill     killRecord
	breaker  string // why it is open; empty: closed
	failures []time.Time
}

// settings are what a reload changes.
type settings struct {
	accounts  map[string]Account
	inventory Inventory
	config    Config
}

// The kinds of records. Those of runs and notes have a word behind them.
const (
	kindRun     = "run/"
	kindNote    = "note/"
	kindKill    = "kill_switch"
	kindBreaker = "breaker"
	// kindProof is a note that nobody is told of.
	kindProof = kindNote + "journal_writable"
)

// keepRuns is how long a run is remembered after it ended, and with it its
// idempotency key; longer where a guard looks further back.
const keepRuns = 8 * 24 * time.Hour

// kept is for how long runs that ended are needed.
func (g Guards) kept() time.Duration {
	return max(keepRuns, time.Duration(g.CoolDown), time.Duration(g.Partitions.CoolDown), time.Duration(g.Storm.Window))
}

// Open replays the journal and returns an engine that acts once Run runs. A
// damaged journal is no error: the engine then does not act, see Err.
func Open(o Options) (*Engine, error) {
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	if o.Carry == nil {
		o.Carry = func() []Note { return nil }
	}
	if o.Admit == nil {
		o.Admit = func(Actor) error { return nil }
	}
	if o.Recorded == nil {
		o.Recorded = func(Actor, int) {}
	}
	e := &Engine{
		o: o, opened: time.Now(), measured: time.Now(), turn: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		runs: map[string]*Run{}, keys: map[string]string{}, planned: map[string]bool{}, owned: map[string]bool{}, changed: make(chan struct{}),
	}
	e.turn <- struct{}{}
	e.Configure(o.Accounts, o.Inventory, o.Config)
	if o.Standby == "" {
		j, err := journal.Open(journal.Options{
			Dir: filepath.Join(o.Dir, "journal"), FS: o.FS, SegmentSize: o.SegmentSize, Carry: e.carry, Rotated: e.rotated,
		}, e.replay)
		if err != nil {
			return nil, err
		}
		e.journal = j
		if err := j.Err(); err != nil {
			o.Logger.Error("acting is off", "err", err)
		}
	}
	e.o.Metrics.engine.Store(e)
	e.wakeUp()
	return e, nil
}

// Configure replaces what may change with the configuration. Runs that are
// planned already keep their plan; those that were given up are taken up again.
func (e *Engine) Configure(accounts map[string]Account, inventory Inventory, c Config) {
	e.settings.Store(&settings{accounts: accounts, inventory: inventory, config: c})
	e.mu.Lock()
	maps.DeleteFunc(e.owned, func(_ string, works bool) bool { return !works })
	e.mu.Unlock()
	e.wakeUp()
}

// Close closes the journal. Run must have returned.
func (e *Engine) Close() error {
	if e.journal == nil {
		return nil
	}
	return e.journal.Close()
}

// Err says why the engine does not act, as a *NotActingError; nil when it does.
// The kill switch is not among the reasons. Where the journal could not be
// written Run finds out when it can be again, and Err is nil from then on.
func (e *Engine) Err() error {
	if err := e.over(); err != nil {
		return err
	}
	if f := e.journal.Failed(); f != nil {
		return &NotActingError{Reason: fmt.Sprintf("the journal cannot be written, which is tried again every %s", proveAgain), Err: f.Err}
	}
	return nil
}

// over is Err where only a restart helps.
func (e *Engine) over() error {
	if e.journal == nil {
		return &NotActingError{Reason: e.o.Standby}
	}
	if err := e.journal.Err(); err != nil {
		return &NotActingError{Reason: "the journal cannot be written any more", Err: err}
	}
	return nil
}

// replay applies a record of the journal.
func (e *Engine) replay(r journal.Record) error {
	var err error
	switch {
	case strings.HasPrefix(r.Kind, kindRun):
		var run Run
		if err = json.Unmarshal(r.Body, &run); err == nil {
			e.apply(run)
		}
	case strings.HasPrefix(r.Kind, kindNote):
		err = e.tell(strings.TrimPrefix(r.Kind, kindNote), r.At, r.Body)
	case r.Kind == kindKill:
		var k killRecord
		if err = json.Unmarshal(r.Body, &k); err == nil {
			e.applyKill(k)
		}
	case r.Kind == kindBreaker:
		var b breakerRecord
		if err = json.Unmarshal(r.Body, &b); err == nil {
			e.mu.Lock()
			e.breaker, e.failures = b.Why, b.Failures
			e.mu.Unlock()
		}
	default:
		err = fmt.Errorf("this program knows no records of kind %q", r.Kind)
	}
	if err != nil {
		return fmt.Errorf("journal record %d (%s): %w", r.Seq, r.Kind, err)
	}
	return nil
}

// carry returns what a new segment of the journal begins with. It is called
// while the turn is held.
func (e *Engine) carry() []journal.Entry {
	e.mu.Lock()
	e.forget(time.Now().Add(-e.settings.Load().config.Guards.kept()))
	entries := []journal.Entry{{Kind: kindKill, Body: e.kill}}
	for _, id := range e.order {
		entries = append(entries, journal.Entry{Kind: kindRun + "carried", Body: *e.runs[id]})
	}
	// Behind the runs, whose replay counts failures anew.
	entries = append(entries, journal.Entry{Kind: kindBreaker, Body: breakerRecord{Why: e.breaker, Failures: e.failures}})
	e.mu.Unlock()
	for _, n := range e.o.Carry() {
		entries = append(entries, journal.Entry{Kind: kindNote + n.Kind, Body: n.Body})
	}
	return entries
}

// rotated counts what keeps the journal in a segment that is full, and logs each
// reason once until a rotation succeeds. It is called while the turn is held.
func (e *Engine) rotated(err error) {
	if err == nil {
		e.stuck = ""
		return
	}
	e.o.Metrics.stuck.Inc()
	if e.stuck != err.Error() {
		e.stuck = err.Error()
		e.o.Logger.Error("the journal cannot begin a new segment: the present one grows, and a start takes longer", "err", err)
	}
}

// forget drops runs that ended before a time. Called with mu held.
func (e *Engine) forget(before time.Time) {
	e.order = slices.DeleteFunc(e.order, func(id string) bool {
		r := e.runs[id]
		old := r.State.Terminal() && r.Updated.Before(before) && (r.State != StateNeedsHuman || r.ResolvedBy != nil)
		if old {
			delete(e.runs, id)
			delete(e.keys, keyOf(r.Actor, r.Key))
		}
		return old
	})
}

// apply makes a run that is on the disk what the engine knows.
func (e *Engine) apply(r Run) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.runs[r.ID]
	if before == nil {
		e.order = append(e.order, r.ID)
	}
	e.runs[r.ID] = &r
	if r.Key != "" {
		e.keys[keyOf(r.Actor, r.Key)] = r.ID
	}
	if before == nil || before.State != r.State {
		e.applyEnd(r)
	}
	close(e.changed)
	e.changed = make(chan struct{})
}

func keyOf(a Actor, key string) string { return a.Principal + "\x00" + key }

// takeTurn waits until nobody decides and records. Whoever calls it calls
// giveTurn.
func (e *Engine) takeTurn() { <-e.turn }

func (e *Engine) giveTurn() { e.turn <- struct{}{} }

// record appends a run and applies it. Called with the turn.
func (e *Engine) record(event string, r Run) (Run, error) {
	r.Updated = time.Now().UTC()
	raw, err := json.Marshal(r)
	if err != nil {
		return Run{}, fmt.Errorf("run %s: %w", r.ID, err)
	}
	if err := e.append(kindRun+event, json.RawMessage(raw)); err != nil {
		return Run{}, err
	}
	e.o.Recorded(r.Actor, len(raw))
	e.apply(r)
	e.log(event, r)
	e.wakeUp()
	return r, nil
}

// append adds a record to the journal, also where one before it could not be
// written. Called with the turn. The error is a *NotActingError.
func (e *Engine) append(kind string, body any) error {
	if err := e.over(); err != nil {
		return err
	}
	before := e.journal.Failed()
	err := e.journal.Append(kind, body)
	after := e.journal.Failed()
	switch {
	case before == nil && after != nil:
		e.wakeUp() // Run has something to prove
	case before != nil && after == nil:
		e.o.Logger.Info("the journal can be written again", "failed_for", time.Since(before.Since))
	}
	if err == nil {
		e.o.Metrics.records.Inc()
		return nil
	}
	if kind != kindProof {
		e.o.Logger.Error("cannot write the journal", "record", kind, "err", err)
	}
	if off := e.Err(); off != nil {
		return off
	}
	return &NotActingError{Reason: "it cannot be recorded", Err: err}
}

func (e *Engine) log(event string, r Run) {
	tell := e.o.Logger.Info
	if r.State == StateNeedsHuman {
		tell = e.o.Logger.Error
	}
	tell("run", "event", event, "run", r.ID, "action", r.Action, "state", string(r.State),
		"account", r.Plan.Target.Account, "instance_id", r.Plan.Target.InstanceID, "object", r.Plan.Target.Name, "principal", r.Actor.Principal, "why", r.Why)
}

// step changes a run. change gets a copy; its error ends the step.
func (e *Engine) step(id, event string, change func(*Run) error) (Run, error) {
	e.takeTurn()
	defer e.giveTurn()
	r, ok := e.Get(id)
	if !ok {
		return Run{}, &UnknownError{What: "run", Name: id}
	}
	r.Calls, r.Approvals, r.Verdicts = slices.Clone(r.Calls), slices.Clone(r.Approvals), slices.Clone(r.Verdicts)
	if err := change(&r); err != nil {
		return r, err
	}
	return e.record(event, r)
}

// observe changes what is shown of a run without recording it: nothing depends
// on it.
func (e *Engine) observe(id string, v Verification) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.runs[id]; r != nil && !r.State.Terminal() {
		seen := *r
		seen.Verification = v
		e.runs[id] = &seen
	}
}

func (e *Engine) wakeUp() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Get returns a run.
func (e *Engine) Get(id string) (Run, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if r := e.runs[id]; r != nil {
		return *r, true
	}
	return Run{}, false
}

// Runs returns the runs that f chooses, newest first.
func (e *Engine) Runs(f Filter) []Run {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var found []Run
	for _, id := range slices.Backward(e.order) {
		r := e.runs[id]
		if f.covers(r) {
			found = append(found, *r)
		}
		if f.Limit > 0 && len(found) == f.Limit {
			break
		}
	}
	return found
}

func (f Filter) covers(r *Run) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(string(f.State), string(r.State)) && is(f.Action, r.Action) && is(f.InstanceID, r.Plan.Target.InstanceID) &&
		is(f.Principal, r.Actor.Principal) && is(f.Runbook, r.Runbook)
}

// Wait returns the run when it is terminal or waits for people, or as it is
// when ctx ends, with the error of ctx.
func (e *Engine) Wait(ctx context.Context, id string) (Run, error) {
	for {
		e.mu.RLock()
		r, changed := e.runs[id], e.changed
		e.mu.RUnlock()
		switch {
		case r == nil:
			return Run{}, &UnknownError{What: "run", Name: id}
		case r.State.Terminal() || r.State == StatePending:
			return *r, nil
		}
		select {
		case <-ctx.Done():
			return *r, ctx.Err()
		case <-changed:
		}
	}
}

// Note makes a record of somebody else durable and then tells Options.Replay of
// it; when it returns nil both have happened.
func (e *Engine) Note(_ context.Context, kind string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("note of kind %s: %w", kind, err)
	}
	e.takeTurn()
	defer e.giveTurn()
	if err := e.append(kindNote+kind, json.RawMessage(raw)); err != nil {
		return err
	}
	return e.tell(kind, time.Now().UTC(), raw)
}

func (e *Engine) tell(kind string, at time.Time, body json.RawMessage) error {
	if f := e.o.Replay[kind]; f != nil {
		return f(at, body)
	}
	return nil
}

// waiting counts runs that wait for people.
func (e *Engine) waiting() (pending, human int) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, r := range e.runs {
		switch {
		case r.State == StatePending:
			pending++
		case r.State == StateNeedsHuman && r.ResolvedBy == nil:
			human++
		}
	}
	return pending, human
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// String lists facts, sorted by name.
func (f Facts) String() string {
	var parts []string
	for _, name := range sortedKeys(f) {
		parts = append(parts, name+" "+f[name])
	}
	return strings.Join(parts, ", ")
}
