package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
)

// due returns the episodes about which something is to be decided now.
func (p *processor) due() []*episode {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	var due []*episode
	for _, e := range p.episodes {
		if r, ok := p.runbook(e.Runbook); e.open() && e.Decided.IsZero() && (!ok || !now.Before(e.Opened.Add(time.Duration(r.WaitFor)))) {
			due = append(due, e)
		}
	}
	slices.SortFunc(due, func(a, b *episode) int { return a.Opened.Compare(b.Opened) })
	return due
}

func (p *processor) runbook(name string) (Runbook, bool) {
	runbooks := p.settings.Load().Runbooks
	i := slices.IndexFunc(runbooks, func(r Runbook) bool { return r.Name == name })
	if i < 0 {
		return Runbook{}, false
	}
	return runbooks[i], true
}

// decision is what becomes of an episode.
type decision struct {
	outcome string // "" where a run decides
	why     string
	acted   bool
	mode    string
	run     engine.Run
	params  map[string]string
	before  *float64
}

// decide settles what becomes of an episode and does it. Nothing is decided
// while the engine does not act or cannot read: then it is tried again.
func (p *processor) decide(ctx context.Context, e *episode) {
	d, again := p.judge(ctx, e)
	p.mu.Lock()
	defer p.mu.Unlock()
	if again != nil {
		if e.Why == "" {
			p.log.Warn("a runbook waits", "runbook", e.Runbook, "episode", e.ID, "err", again)
		}
		e.Why = again.Error() // for who looks now: each answer of the cloud has another RequestId, so the journal is spared it
		return
	}
	e.Decided, e.Outcome, e.Why, e.Acted, e.Before = time.Now().UTC(), d.outcome, d.why, d.acted, d.before
	if d.mode != "" {
		e.Mode = d.mode
	}
	if d.params != nil {
		e.Params = d.params
	}
	switch {
	case d.run.State == engine.StateDryRun:
		plan := d.run.Plan
		e.Plan, e.Verdicts = &plan, d.run.Verdicts
	case d.run.ID != "":
		e.Run, e.RunState = d.run.ID, d.run.State
	}
	p.changed[e] = true
	p.count(e.Runbook, d.outcome)
	p.log.Info("a runbook has decided", "runbook", e.Runbook, "episode", e.ID, "mode", e.Mode, "outcome", e.Outcome, "run", e.Run, "why", e.Why)
	if e.Run != "" {
		p.settle(e)
	}
}

// judge asks the runbook's own limits and then the engine. The error says why
// nothing could be decided yet.
func (p *processor) judge(ctx context.Context, e *episode) (decision, error) {
	r, ok := p.runbook(e.Runbook)
	if !ok {
		return decision{outcome: outcomeForbidden, why: "the runbook is no longer configured"}, nil
	}
	target, err := r.resolve(e.Labels, p.settings.Load().Collector.Snapshot())
	if err != nil {
		return decision{outcome: outcomeUnresolved, why: err.Error(), mode: r.Mode}, nil
	}
	if !p.maySend(e.Principal, r.Name, target.InstanceID) {
		return decision{outcome: outcomeForbidden, why: "the sender may no longer start it", mode: r.Mode}, nil
	}
	if refused := engine.WebhookRefusal(r.Action, target.Params); refused != nil {
		return decision{outcome: outcomeForbidden, why: refused.Error(), mode: r.Mode}, nil
	}
	if outcome, why := p.limits(r, e); outcome != "" {
		return decision{outcome: outcome, why: why, mode: r.Mode}, nil
	}
	d := decision{acted: true, mode: r.Mode, params: target.Params}
	if r.Verify != nil {
		d.before = p.measure(r, e.Labels, target.InstanceID, target.Params)
	}
	ctx, cancel := context.WithTimeout(ctx, planTimeout)
	defer cancel()
	d.run, err = p.engine.Do(ctx, p.request(r, e, target))
	return p.outcome(d, err)
}

// planTimeout bounds the reads that a plan needs.
const planTimeout = 2 * time.Minute

// request is what is asked of the engine. The key is the episode's: whatever
// happens between the engine's record and ours, there is one run.
func (p *processor) request(r Runbook, e *episode, target resolved) engine.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	firing := 0
	for _, other := range p.episodes {
		if other.Runbook == r.Name && other.open() {
			firing++
		}
	}
	return engine.Request{
		Key: e.ID, Actor: webhook(e.Principal),
		Account: target.Account, Action: r.Action, Params: target.Params,
		Reason: "runbook " + r.Name, Runbook: r.Name, Episode: e.ID, Alert: e.Labels,
		Firing: firing, Truncated: e.Truncated,
		DryRun: r.Mode == modeShadow, RequireApproval: r.Mode == modeApprove,
	}
}

// outcome reads the engine's answer.
func (p *processor) outcome(d decision, err error) (decision, error) {
	if reused, ok := errors.AsType[*engine.KeyReusedError](err); ok {
		// It was asked for before a crash, with what was computed then.
		if run, ok := p.engine.Get(reused.RunID); ok {
			d.run, err = run, nil
		}
	}
	_, notActing := errors.AsType[*engine.NotActingError](err)
	_, unread := errors.AsType[*engine.PreStateError](err)
	_, inFlight := errors.AsType[*engine.KeyInFlightError](err)
	bad := d.run.Refusals()
	switch {
	case notActing || unread || inFlight || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
	case err != nil:
		d, err = decision{outcome: outcomeError, why: err.Error(), mode: d.mode, params: d.params}, nil
	case d.run.State != engine.StateDryRun:
	case len(bad) > 0:
		d.outcome, d.why = outcomeShadowRefused, fmt.Sprintf("guard %s: %s", bad[0].Guard, bad[0].Message)
	default:
		d.outcome = outcomeShadowAllowed
	}
	return d, err
}

// limits applies the cool-down and the caps of a runbook.
func (p *processor) limits(r Runbook, e *episode) (outcome, why string) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	hour, day := 0, 0
	all := slices.Clone(p.history)
	for _, other := range p.episodes {
		all = append(all, other)
	}
	for _, other := range all {
		if other.Runbook != r.Name || !other.Acted || other == e {
			continue
		}
		age := now.Sub(other.Decided)
		if other.Key == e.Key && age < time.Duration(r.CoolDown) {
			return outcomeCoolDown, fmt.Sprintf("episode %s acted on the target %s ago, cool_down is %s", other.ID, age.Round(time.Second), r.CoolDown)
		}
		if age < time.Hour {
			hour++
		}
		if age < 24*time.Hour {
			day++
		}
	}
	switch {
	case hour >= r.HourlyCap:
		return outcomeCapped, fmt.Sprintf("%d runs in the last hour, hourly_cap is %d", hour, r.HourlyCap)
	case day >= r.DailyCap:
		return outcomeCapped, fmt.Sprintf("%d runs in the last day, daily_cap is %d", day, r.DailyCap)
	}
	return "", ""
}

// follow looks at runs that were going on and at metrics that should improve.
func (p *processor) follow() {
	for _, e := range p.unsettled() {
		if !e.VerifyBy.IsZero() {
			p.verify(e)
			continue
		}
		run, ok := p.engine.Get(e.Run)
		if !ok || run.State == e.RunState {
			continue
		}
		p.mu.Lock()
		e.RunState = run.State
		p.changed[e] = true
		p.settle(e)
		p.mu.Unlock()
	}
}

// unsettled returns the episodes whose runs, or their effects, are not known
// to be over.
func (p *processor) unsettled() []*episode {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []*episode
	for _, e := range p.history {
		if e.Run != "" && !e.settled() {
			list = append(list, e)
		}
	}
	for _, e := range p.episodes {
		if e.Run != "" && !e.settled() {
			list = append(list, e)
		}
	}
	return list
}

// settle takes note of the end of a run. Called with p.mu held.
func (p *processor) settle(e *episode) {
	if !e.RunState.Terminal() {
		return
	}
	e.Outcome = string(e.RunState)
	p.count(e.Runbook, e.Outcome)
	r, ok := p.runbook(e.Runbook)
	if !ok || r.Verify == nil || e.RunState != engine.StateApplied {
		return
	}
	e.VerifyBy = time.Now().UTC().Add(time.Duration(r.Verify.Within))
}

// verify looks whether the metric of a runbook changed as expected.
func (p *processor) verify(e *episode) {
	r, ok := p.runbook(e.Runbook)
	if !ok || r.Verify == nil {
		p.concluded(e, outcomeUnmeasured, nil)
		return
	}
	after := p.measure(r, e.Labels, e.InstanceID, e.Params)
	over := !time.Now().Before(e.VerifyBy)
	switch {
	case after != nil && e.Before != nil && (*after < *e.Before) == (r.Verify.Expect == "lower") && *after != *e.Before:
		p.concluded(e, outcomeImproved, after)
	case over && (after == nil || e.Before == nil):
		p.concluded(e, outcomeUnmeasured, after)
	case over:
		p.concluded(e, outcomeNotImproved, after)
	}
}

func (p *processor) concluded(e *episode, effect string, after *float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Effect, e.After, e.VerifyBy = effect, after, time.Time{}
	p.changed[e] = true
	p.count(e.Runbook, effect)
	p.log.Info("a runbook's effect", "runbook", e.Runbook, "episode", e.ID, "effect", effect)
}

// measure adds up the series of a runbook's metric; nil where there is none.
func (p *processor) measure(r Runbook, labels map[string]string, instanceID string, params map[string]string) *float64 {
	want := map[string]string{"instance_id": instanceID}
	for param, label := range map[string]string{"Topic": "topic", "ConsumerId": "consumer_group"} {
		if params[param] != "" {
			want[label] = params[param]
		}
	}
	for _, name := range r.Verify.Labels {
		want[name] = labels[name]
	}
	registry := prometheus.NewRegistry()
	if registry.Register(p.settings.Load().Collector.Families(instanceID, r.Verify.Metric)) != nil {
		return nil
	}
	families, err := registry.Gather()
	if err != nil {
		return nil
	}
	sum, n := 0.0, 0
	for _, family := range families {
		for _, m := range family.GetMetric() {
			other := false
			for _, l := range m.GetLabel() {
				value, wanted := want[l.GetName()]
				other = other || wanted && value != l.GetValue()
			}
			if !other {
				sum, n = sum+m.GetGauge().GetValue()+m.GetCounter().GetValue(), n+1
			}
		}
	}
	if n == 0 {
		return nil
	}
	return &sum
}

// next returns when something is due again; 0: nothing before the next
// delivery.
func (p *processor) next() time.Duration {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	var next time.Duration
	at := func(d time.Duration) {
		if d = max(d, time.Millisecond); next == 0 || d < next {
			next = d
		}
	}
	if len(p.pending) > 0 || len(p.changed) > 0 {
		at(lookAgain)
	}
	for _, e := range p.episodes {
		r, _ := p.runbook(e.Runbook)
		switch due := e.Opened.Add(time.Duration(r.WaitFor)).Sub(now); {
		case e.Run != "" && !e.settled():
			at(lookAgain)
		case e.open() && e.Decided.IsZero() && due > 0:
			at(due)
		case e.open() && e.Decided.IsZero():
			at(lookAgain) // it was due and could not be decided
		case e.open():
			at(e.Seen.Add(2 * time.Duration(p.settings.Load().Config.RepeatInterval)).Sub(now))
		}
	}
	for _, e := range p.history {
		if e.Run != "" && !e.settled() {
			at(lookAgain)
		}
	}
	return next
}
