package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// Do is the one door to a write. It reads the present state, plans, asks the
// guards, and returns once plan and verdicts are durable: as a run that is
// refused, unchanged, waits for approval, or is queued for Run. A dry run is
// not recorded. The error is *api.ParamError values, joined, where the request
// is wrong; *UnknownError, *KeyReusedError, *KeyInFlightError, *NotActingError,
// *PreStateError, or that of Options.Admit.
func (e *Engine) Do(ctx context.Context, q Request) (Run, error) {
	q.Params, q.SecretRefs, q.Alert = maps.Clone(q.Params), maps.Clone(q.SecretRefs), maps.Clone(q.Alert)
	if !q.DryRun {
		stored, err := e.reserve(q)
		if err != nil || stored.ID != "" {
			return stored, err
		}
		defer e.release(q)
	}
	if err := e.o.Admit(q.Actor); err != nil {
		return Run{}, err
	}
	p, err := e.plan(ctx, q)
	if err != nil {
		return Run{}, err
	}
	return e.admit(p)
}

// reserve claims the request's key, or returns the run that it belongs to.
func (e *Engine) reserve(q Request) (Run, error) {
	if err := e.over(); err != nil {
		return Run{}, err
	}
	if q.Key == "" {
		return Run{}, &api.ParamError{Action: q.Action, Param: "Idempotency-Key", Reason: "is required"}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	key := keyOf(q.Actor, q.Key)
	if id, used := e.keys[key]; used {
		r := *e.runs[id]
		if fingerprint(r.Request) != fingerprint(q) {
			return Run{}, &KeyReusedError{Key: q.Key, RunID: id}
		}
		return r, nil
	}
	if e.planned[key] {
		return Run{}, &KeyInFlightError{Key: q.Key}
	}
	if err := e.Err(); err != nil {
		return Run{}, err
	}
	e.planned[key] = true
	return Run{}, nil
}

func (e *Engine) release(q Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.planned, keyOf(q.Actor, q.Key))
}

// fingerprint is what makes two requests the same.
func fingerprint(q Request) string {
	// As the journal has it: what is empty there is nil when it is read back.
	text, err := json.Marshal(Request{Account: q.Account, Action: q.Action, Params: q.Params, SecretRefs: q.SecretRefs, RequireApproval: q.RequireApproval})
	if err != nil {
		panic(err) // it is made of strings
	}
	return string(text)
}

// admit asks the guards and records what they say, as one step: no other run
// can begin between.
func (e *Engine) admit(p *planning) (Run, error) {
	e.takeTurn()
	defer e.giveTurn()
	p.now = time.Now()
	r := Run{ID: p.id, Request: p.req, Plan: p.finish(), Created: p.now.UTC()}
	if p.unchanged() {
		r.State, r.Why = StateUnchanged, "the cloud is as desired already"
	} else {
		r.Verdicts = p.judge(func(guard) bool { return true })
		r.State, r.Why = p.admitted(r.Refusals())
	}
	if r.State == StatePending {
		r.ExpiresAt = r.Created.Add(time.Duration(p.config.ApprovalExpiry))
	}
	if p.req.DryRun {
		if r.State != StateUnchanged {
			r.State = StateDryRun
		}
		r.ID, r.Updated = "", r.Created
		return r, nil
	}
	recorded, err := e.record(string(r.State), r)
	if err == nil {
		e.count(r.Refusals())
	}
	return recorded, err
}

// admitted returns where a run begins.
func (p *planning) admitted(refusals []Verdict) (State, string) {
	switch n := p.approvals(); {
	case len(refusals) > 0:
		return StateRefused, why(refusals)
	case n > 0:
		return StatePending, fmt.Sprintf("waits for %d of the people who may approve", n)
	}
	return StateQueued, ""
}

// why says what guards refused.
func why(refusals []Verdict) string {
	parts := make([]string, len(refusals))
	for i, v := range refusals {
		parts[i] = v.Guard + ": " + v.Message
	}
	return strings.Join(parts, "; ")
}

func (e *Engine) count(refusals []Verdict) {
	for _, v := range refusals {
		e.o.Metrics.refusals.WithLabelValues(v.Guard).Inc()
	}
}

// judge asks the guards that are chosen and apply.
func (p *planning) judge(chosen func(guard) bool) []Verdict {
	var verdicts []Verdict
	for _, g := range guards {
		if chosen(g) && g.applies(p) {
			verdicts = append(verdicts, g.judge(p))
		}
	}
	return verdicts
}

// active reports whether a run may have a call on its way, or is about to.
func (r Run) active() bool { return !r.State.Terminal() && r.State != StatePending }

// conflict reports whether two operations must not be under way together.
func conflict(a, b Target) bool {
	switch {
	case a.Account != b.Account:
		return false
	case a.Kind == "order" || b.Kind == "order":
		return a.Kind == b.Kind && a.RegionID == b.RegionID
	case a.InstanceID != b.InstanceID:
		return false
	case a.Kind == "instance" || b.Kind == "instance":
		return true
	case a.Kind != b.Kind:
		return false
	case a.Kind == "topic" || a.Kind == "consumer_group":
		return a.Name == b.Name
	}
	return true
}

// holder returns the active run, but self, that an operation on a target must
// wait for; empty: none.
func (e *Engine) holder(t Target, self string) string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for id, r := range e.runs {
		if id != self && r.active() && conflict(r.Plan.Target, t) {
			return id
		}
	}
	return ""
}

// lastCall returns when the last call of an action on a target was sent; zero:
// never.
func (e *Engine) lastCall(action string, t Target) time.Time {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var last time.Time
	for _, r := range e.runs {
		if n := len(r.Calls); n > 0 && r.Action == action && r.Plan.Target == t && r.Calls[n-1].At.After(last) {
			last = r.Calls[n-1].At
		}
	}
	return last
}

// started counts the account's runs since a time that were sent or are about to
// be; bill: only those that cost money.
func (e *Engine) started(account string, since time.Time, bill bool) int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	n := 0
	for _, r := range e.runs {
		if (len(r.Calls) > 0 || r.active()) && r.Plan.Target.Account == account && r.Created.After(since) && (!bill || r.Plan.Effect == api.Bill.String()) {
			n++
		}
	}
	return n
}

// webhookTargets counts the different targets that webhooks asked for since a
// time, and t.
func (e *Engine) webhookTargets(since time.Time, t Target) int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	targets := map[Target]bool{t: true}
	for _, r := range e.runs {
		if r.Actor.Kind == Webhook && r.Created.After(since) {
			targets[r.Plan.Target] = true
		}
	}
	return len(targets)
}

func between(s string, least, most int64) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n >= least && n <= most
}

// Approve records a person's consent to the plan of that hash. When it is the
// last that was missing the run is queued, unless the cloud has changed since:
// then it is void. The error is *UnknownError, one of the Err values,
// *RefusedError, *NotActingError or *PreStateError.
func (e *Engine) Approve(ctx context.Context, id string, a Actor, planHash string) (Run, error) {
	r, ok := e.Get(id)
	if !ok {
		return Run{}, &UnknownError{What: "run", Name: id}
	}
	if err := r.approvable(a, planHash); err != nil {
		return r, err
	}
	if err := e.Err(); err != nil {
		return r, err
	}
	p, err := e.resume(r)
	if err != nil {
		return r, err
	}
	now, err := p.op.read(lane(ctx, a), p.subject(e.settings.Load()))
	if err != nil {
		return r, &PreStateError{Action: r.Action, Err: err}
	}
	return e.step(id, "approved", func(r *Run) error {
		if err := r.approvable(a, planHash); err != nil {
			return err
		}
		if drift := drift(r.Plan.Pre, now); drift != "" {
			r.State, r.Why = StateVoid, drift
			return nil
		}
		r.Approvals = append(r.Approvals, Approval{Actor: a, At: time.Now().UTC(), PlanHash: planHash})
		if len(r.Approvals) < r.Plan.Approvals {
			return nil
		}
		if p, err = e.resume(*r); err != nil { // as it is known and configured by now
			return err
		}
		if refused := (Run{Verdicts: p.judge(atApproval)}).Refusals(); len(refused) > 0 {
			e.count(refused)
			return &RefusedError{Verdicts: refused}
		}
		r.State, r.Why = StateQueued, ""
		return nil
	})
}

// atApproval chooses the guards whose answer may have changed since the plan
// was made.
func atApproval(g guard) bool {
	return g.again || slices.Contains([]string{guardInFlight, guardCoolDown, guardHourly, guardDaily, guardBill}, g.name)
}

// approvable says why a person cannot approve a run.
func (r Run) approvable(a Actor, planHash string) error {
	switch {
	case a.Kind != Person:
		return ErrNotAPerson
	case r.State != StatePending || overdue(&r, time.Now()):
		return ErrNotPending
	case r.Actor.Principal == a.Principal:
		return ErrSelfApproval
	case slices.ContainsFunc(r.Approvals, func(p Approval) bool { return p.Actor.Principal == a.Principal }):
		return ErrApprovedOnce
	case r.Plan.Hash != planHash:
		return ErrPlanHash
	}
	return nil
}

// overdue reports whether nobody approved in time. A clock that went back
// before the run was made counts as that.
func overdue(r *Run, now time.Time) bool {
	return r.State == StatePending && (!now.Before(r.ExpiresAt) || now.Before(r.Created.Add(-time.Minute)))
}

// drift says what of the pre-state is no longer true; empty: all is.
func drift(planned, now Facts) string {
	for _, name := range sortedKeys(planned) {
		if now[name] != planned[name] {
			return fmt.Sprintf("the cloud changed since the plan was made: %s was %s, is %s", name, orDefault(planned[name], "(none)"), orDefault(now[name], "(none)"))
		}
	}
	for _, name := range sortedKeys(now) {
		if _, known := planned[name]; !known {
			return fmt.Sprintf("the cloud changed since the plan was made: %s is %s now", name, now[name])
		}
	}
	return ""
}

// Reject ends a run that waits for approval. Whoever asked for it may do so.
// The reason may be empty.
func (e *Engine) Reject(_ context.Context, id string, a Actor, planHash, reason string) (Run, error) {
	if a.Kind != Person {
		return Run{}, ErrNotAPerson
	}
	return e.step(id, "rejected", func(r *Run) error {
		switch {
		case r.State != StatePending:
			return ErrNotPending
		case r.Plan.Hash != planHash:
			return ErrPlanHash
		}
		r.Approvals = append(r.Approvals, Approval{Actor: a, At: time.Now().UTC(), PlanHash: planHash, Rejected: true})
		r.State, r.Why = StateRejected, "rejected by "+a.Principal
		if reason != "" {
			r.Why += ": " + reason
		}
		return nil
	})
}

// resume makes a planning of a run's plan again, with what the collector knows
// and what is configured now.
func (e *Engine) resume(r Run) (*planning, error) {
	s := e.settings.Load()
	row, ok := api.Lookup(r.Action)
	op := operationOf(r.Action)
	if !ok || op == nil {
		return nil, &UnknownError{What: "action that changes something", Name: r.Action}
	}
	if _, acts := s.accounts[r.Plan.Target.Account]; !acts {
		return nil, &NotActingError{Reason: "account " + r.Plan.Target.Account + " has no acting credentials"}
	}
	p := &planning{
		engine: e, config: s.config, id: r.ID, req: r.Request, row: row, op: op, now: time.Now(), wire: r.Plan.Params,
		needs: op.needs, target: r.Plan.Target, pre: r.Plan.Pre, desired: r.Plan.Desired, effect: row.Effect,
	}
	for _, i := range s.inventory.Snapshot().Instances {
		if i.Account == p.target.Account && i.ID == p.target.InstanceID {
			p.instance = i
			p.look()
		}
	}
	p.judgeEffect()
	return p, nil
}
