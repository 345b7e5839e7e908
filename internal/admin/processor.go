package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

// The kinds of notes in the journal.
const (
	noteDelivery = "webhook_delivery"
	noteProgress = "runbook_progress"
)

// progress is a note of what was done with deliveries: alerts that need not be
// looked at again, and the episodes that changed.
type progress struct {
	Done     []string  `json:"done,omitempty"` // delivery id / index of the alert
	Episodes []episode `json:"episodes,omitempty"`

	size map[string]int // bytes of the episodes by principal; set by split
}

// noteSize is how long a note of progress may become before another one is
// begun, in bytes: a record of the journal holds several times as much.
const noteSize = 1 << 20

// split cuts progress into notes of that size. Alerts come behind the episodes
// that they changed: those of a note that a crash prevents are looked at again.
func (note progress) split() []progress {
	var cut []progress
	next := progress{size: map[string]int{}}
	size := 0
	add := func(n int) {
		if size > 0 && size+n > noteSize {
			cut, next, size = append(cut, next), progress{size: map[string]int{}}, 0
		}
		size += n
	}
	for _, e := range note.Episodes {
		text, _ := json.Marshal(e) //nolint:errchkjson // what cannot be written fails when it is
		add(len(text))
		next.Episodes = append(next.Episodes, e)
		next.size[e.Principal] += len(text)
	}
	for _, id := range note.Done {
		add(len(id) + len(`"",`))
		next.Done = append(next.Done, id)
	}
	return append(cut, next)
}

// processor turns deliveries into episodes and episodes into runs. What it
// knows is in the journal: a delivery before it is answered, and every change
// of an episode together with the alerts that caused it.
type processor struct {
	settings *atomic.Pointer[settings] // the server's
	metrics  *Metrics
	log      *slog.Logger
	budgets  *budgets       // the server's
	engine   *engine.Engine // set once it is open
	wake     chan struct{}  // of capacity one

	mu       sync.Mutex
	pending  []*intake
	episodes map[string]*episode // the latest of every key
	history  []*episode          // of keys that have a later one, for as long as they count
	changed  map[*episode]bool   // not in the journal yet
	done     []string            // not in the journal yet
}

// intake is a delivery that is not wholly processed.
type intake struct {
	delivery
	done []bool // by alert
}

func newProcessor(o Options, now *atomic.Pointer[settings], b *budgets) *processor {
	return &processor{
		settings: now, budgets: b, metrics: o.Metrics, log: o.Logger, wake: make(chan struct{}, 1),
		episodes: map[string]*episode{}, changed: map[*episode]bool{},
	}
}

// accept makes a delivery durable. When it returns nil it will be processed,
// in this life or in another. The error is a *refusal where the principal has
// sent too much.
func (p *processor) accept(ctx context.Context, d delivery) (string, error) {
	d.ID, d.At = uuid.NewString(), time.Now().UTC()
	raw, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("delivery: %w", err)
	}
	// Every alert is named once more when it is done.
	if wait := p.budgets.spend(webhook(d.Principal), len(raw)+len(d.Alerts)*len(itemID(&d, 1000)+`"",`)); wait > 0 {
		return "", &refusal{reason: tooManyAlerts, detail: "your webhooks have filled the journal: send it again later", retry: wait}
	}
	if err := p.engine.Note(ctx, noteDelivery, json.RawMessage(raw)); err != nil {
		return "", err
	}
	p.nudge()
	return d.ID, nil
}

func (p *processor) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// replay returns what is told of the processor's notes: of those in the journal
// when it is opened, and of each that is made afterwards.
func (p *processor) replay() map[string]func(time.Time, json.RawMessage) error {
	return map[string]func(time.Time, json.RawMessage) error{
		noteDelivery: func(_ time.Time, body json.RawMessage) error {
			var d delivery
			if err := json.Unmarshal(body, &d); err != nil {
				return fmt.Errorf("delivery: %w", err)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			// A carried delivery is in the segment before, too.
			if !slices.ContainsFunc(p.pending, func(in *intake) bool { return in.ID == d.ID }) {
				p.pending = append(p.pending, &intake{delivery: d, done: make([]bool, len(d.Alerts))})
			}
			return nil
		},
		noteProgress: func(_ time.Time, body json.RawMessage) error {
			if p.engine != nil {
				return nil // our own words of a moment ago
			}
			var note progress
			if err := json.Unmarshal(body, &note); err != nil {
				return fmt.Errorf("progress: %w", err)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.restore(note)
			return nil
		},
	}
}

// restore applies a note of progress. Called with p.mu held.
func (p *processor) restore(note progress) {
	for _, in := range p.pending {
		for i := range in.done {
			in.done[i] = in.done[i] || slices.Contains(note.Done, itemID(&in.delivery, i))
		}
	}
	p.sweep()
	for i := range note.Episodes {
		p.put(&note.Episodes[i])
	}
}

// put replaces an episode by its later state, or adds it.
func (p *processor) put(e *episode) {
	old := p.episodes[e.Key]
	switch {
	case old == nil || old.ID == e.ID:
		p.episodes[e.Key] = e
	case slices.ContainsFunc(p.history, func(h *episode) bool { return h.ID == e.ID }):
		i := slices.IndexFunc(p.history, func(h *episode) bool { return h.ID == e.ID })
		p.history[i] = e
	default:
		p.history = append(p.history, old)
		p.episodes[e.Key] = e
	}
}

// carry returns what a new journal segment must hold.
func (p *processor) carry() []engine.Note {
	p.mu.Lock()
	defer p.mu.Unlock()
	var notes []engine.Note
	note := progress{Done: slices.Clone(p.done)}
	for _, in := range p.pending {
		notes = append(notes, engine.Note{Kind: noteDelivery, Body: in.delivery})
		for i, done := range in.done {
			if done {
				note.Done = append(note.Done, itemID(&in.delivery, i))
			}
		}
	}
	for _, e := range p.history {
		note.Episodes = append(note.Episodes, *e)
	}
	for _, e := range p.episodes {
		note.Episodes = append(note.Episodes, *e)
	}
	for _, part := range note.split() {
		notes = append(notes, engine.Note{Kind: noteProgress, Body: part})
	}
	return notes
}

// webhook returns the actor of a principal's webhooks.
func webhook(principal string) engine.Actor {
	return engine.Actor{Principal: principal, Kind: engine.Webhook}
}

func itemID(d *delivery, i int) string { return d.ID + "/" + strconv.Itoa(i) }

// sweep drops deliveries that are processed. Called with p.mu held.
func (p *processor) sweep() {
	p.pending = slices.DeleteFunc(p.pending, func(in *intake) bool { return !slices.Contains(in.done, false) })
}

const (
	// inventoryGrace is for how long after the start or a reload an alert that names what
	// is not known waits for it to become known.
	inventoryGrace = 10 * time.Minute
	// lookAgain is how often is looked at what has no date of its own: runs
	// that go on, metrics that should improve, alerts that wait.
	lookAgain = 5 * time.Second
)

// run processes until ctx ends.
func (p *processor) run(ctx context.Context) error {
	for ready := false; !ready; {
		select {
		case <-ctx.Done():
			return nil
		case <-p.settings.Load().Collector.Ready():
			ready = true
		case <-p.wake: // perhaps by a reload, and there is another collector
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		case <-timer.C:
		}
		if next := p.pass(ctx); next > 0 {
			timer.Reset(next)
		} else {
			timer.Stop()
		}
	}
}

// pass does all that is due and returns when to come again; 0: when woken.
func (p *processor) pass(ctx context.Context) time.Duration {
	p.take()
	p.save(ctx)
	for _, e := range p.due() {
		p.decide(ctx, e)
		p.save(ctx)
	}
	p.follow()
	p.save(ctx)
	return p.next()
}

// take processes the alerts of pending deliveries in their order, and ends
// episodes of which nothing was heard.
func (p *processor) take() {
	now, in := time.Now(), p.settings.Load()
	var inventory *collector.Snapshot
	if p.hasPending() {
		inventory = in.Collector.Snapshot()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(now) // makes room
	for _, d := range p.pending {
		for i, a := range d.Alerts {
			if d.done[i] || !p.takeAlert(&d.delivery, i, a, inventory, now) {
				continue
			}
			d.done[i] = true
			p.done = append(p.done, itemID(&d.delivery, i))
		}
	}
	p.sweep()
	silence := 2 * time.Duration(in.Config.RepeatInterval)
	for _, e := range p.episodes {
		if e.open() && now.Sub(e.Seen) > silence {
			p.count(e.Runbook, e.end(now, "nothing was heard for twice the repeat interval"))
			p.changed[e] = true
		}
	}
}

func (p *processor) hasPending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pending) > 0
}

// forget drops episodes that count for nothing any more.
func (p *processor) forget(now time.Time) {
	longest := 24 * time.Hour
	for _, r := range p.settings.Load().Runbooks {
		longest = max(longest, time.Duration(r.CoolDown))
	}
	for key, e := range p.episodes {
		if !e.kept(now, longest) && !p.changed[e] {
			delete(p.episodes, key)
		}
	}
	p.history = slices.DeleteFunc(p.history, func(e *episode) bool { return !e.kept(now, longest) && !p.changed[e] })
}

// takeAlert applies an alert to the episodes of every runbook that it matches.
// It returns false where it must be looked at again later.
func (p *processor) takeAlert(d *delivery, i int, a alert, inventory *collector.Snapshot, now time.Time) bool {
	in := p.settings.Load()
	matching := slices.DeleteFunc(slices.Clone(in.Runbooks), func(r Runbook) bool { return !r.matches(a.Labels) })
	targets := make([]resolved, len(matching))
	wrong := make([]*unresolvedError, len(matching))
	for j, r := range matching {
		var err error
		targets[j], err = r.resolve(a.Labels, inventory)
		if errors.As(err, &wrong[j]) && wrong[j].Absent && now.Sub(in.since) < inventoryGrace && p.bySource(r.Name, a.Fingerprint) == nil {
			return false
		}
	}
	for j, r := range matching {
		known := p.bySource(r.Name, a.Fingerprint)
		switch {
		case wrong[j] == nil && !p.maySend(d.Principal, r.Name, targets[j].InstanceID):
			p.count(r.Name, outcomeForbidden)
		case wrong[j] == nil:
			p.apply(d, i, a, r, targets[j])
		case known != nil: // its target has changed since, perhaps by our own hand
			p.count(r.Name, known.see(a, d))
			p.changed[known] = true
		case a.Firing:
			p.log.Warn("an alert names no target", "runbook", r.Name, "delivery", d.ID, "param", wrong[j].Param, "reason", wrong[j].Reason)
			p.count(r.Name, outcomeUnresolved)
		}
	}
	return true
}

// bySource returns the open episode of a runbook that an alert of that
// fingerprint keeps open.
func (p *processor) bySource(runbook, fingerprint string) *episode {
	for _, e := range p.episodes {
		if e.Runbook == runbook && e.open() && slices.Contains(e.Firing, fingerprint) {
			return e
		}
	}
	return nil
}

func (r Runbook) matches(labels map[string]string) bool {
	return !slices.ContainsFunc(r.Match, func(m Matcher) bool { return !m.Matches(labels) })
}

// maySend reports whether a webhook's principal may start a runbook on an
// instance.
func (p *processor) maySend(principal, runbook, instanceID string) bool {
	principals := p.settings.Load().Config.Principals
	i := slices.IndexFunc(principals, func(c Principal) bool { return c.Name == principal })
	if i < 0 {
		return false
	}
	c := principals[i]
	return c.Kind == string(engine.Webhook) && slices.Contains(c.Runbooks, runbook) && c.Instances.Match(instanceID)
}

// apply opens, extends or ends the episode of a target.
func (p *processor) apply(d *delivery, i int, a alert, r Runbook, target resolved) {
	e := p.episodes[target.Key]
	switch {
	case e != nil && e.open():
		p.count(r.Name, e.see(a, d))
	case e != nil && a.Firing && e.late(a, d.At):
		p.count(r.Name, outcomeStale)
		return
	case e != nil && !a.Firing:
		if a.EndsAt.After(e.EndsAt) {
			e.EndsAt = a.EndsAt
		}
	default:
		if e == nil && p.crowded(d.Principal) {
			p.count(r.Name, outcomeCrowded)
			return
		}
		if e != nil {
			p.history = append(p.history, e)
		}
		e = &episode{
			ID: episodeID(target.Key, itemID(d, i)), Key: target.Key, Runbook: r.Name, Mode: r.Mode, Principal: d.Principal,
			Labels: a.Labels, Opened: d.At, Account: target.Account, InstanceID: target.InstanceID, Params: target.Params,
		}
		p.episodes[e.Key] = e
		e.see(a, d) // one that was resolved before it was known only bars late deliveries
	}
	p.changed[e] = true
}

// crowded reports whether a principal has as many episodes as it may.
func (p *processor) crowded(principal string) bool {
	n := 0
	for _, e := range p.episodes {
		if e.Principal == principal {
			n++
		}
	}
	return n >= maxEpisodes
}

// count counts an outcome; "" is none.
func (p *processor) count(runbook, outcome string) {
	if outcome != "" {
		p.metrics.runbookRun(runbook, outcome)
	}
}

// save writes what changed to the journal. What cannot be written is kept for
// the next time; the engine does not act meanwhile.
func (p *processor) save(ctx context.Context) {
	p.mu.Lock()
	note := progress{Done: p.done}
	list := slices.SortedFunc(maps.Keys(p.changed), func(a, b *episode) int { return -byOpened(*a, *b) })
	for _, e := range list {
		note.Episodes = append(note.Episodes, *e)
	}
	p.mu.Unlock()
	if len(note.Done)+len(note.Episodes) == 0 {
		return
	}
	for _, part := range note.split() {
		if err := p.engine.Note(context.WithoutCancel(ctx), noteProgress, part); err != nil {
			p.log.Error("progress of runbooks is not durable", "err", err)
			return
		}
		p.mu.Lock()
		for principal, n := range part.size {
			p.budgets.take(webhook(principal), n)
		}
		p.done = p.done[len(part.Done):]
		for _, e := range list[:len(part.Episodes)] {
			delete(p.changed, e)
		}
		p.mu.Unlock()
		list = list[len(part.Episodes):]
	}
}

// list returns every episode that is remembered, the newest first.
func (p *processor) list() []episode {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]episode, 0, len(p.episodes)+len(p.history))
	for _, e := range p.episodes {
		all = append(all, *e)
	}
	for _, e := range p.history {
		all = append(all, *e)
	}
	slices.SortFunc(all, byOpened)
	return all
}
