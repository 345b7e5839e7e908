package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

const (
	// grace is how long a call on its way may go on when the engine stops, so
	// that its outcome becomes known.
	grace = 5 * time.Second
	// writeAgain is how long is waited for room on the disk.
	writeAgain = 5 * time.Second
	// measureAgain is how often is looked whether somebody has taken segments of
	// the journal away.
	measureAgain = 5 * time.Minute
	// proveAgain is how long after a failed write to the journal Run tries
	// whether it can be written again.
	proveAgain = 30 * time.Second
	// staleQueue is how old a run may be that was not sent yet: what was asked
	// for then is not what is needed now.
	staleQueue = 15 * time.Minute
)

// Run executes and reconciles until ctx ends, and returns when everything it
// started has ended. It is called once.
func (e *Engine) Run(ctx context.Context) error {
	if e.journal == nil {
		<-ctx.Done()
		return nil
	}
	var work sync.WaitGroup
	defer work.Wait()
	for {
		for _, id := range e.claim() {
			work.Go(func() {
				e.advance(ctx, id)
				e.disown(id)
			})
		}
		next := time.NewTimer(min(e.expire(), e.prove(), e.measure()))
		select {
		case <-ctx.Done():
			next.Stop()
			return nil
		case <-e.wake:
			next.Stop()
		case <-next.C:
		}
	}
}

// claim returns the active runs that nobody works on, and marks them.
func (e *Engine) claim() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ids []string
	for _, id := range e.order {
		if _, taken := e.owned[id]; !taken && e.runs[id].active() {
			e.owned[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

func (e *Engine) disown(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.runs[id]; r != nil && r.active() {
		e.owned[id] = false
		return
	}
	delete(e.owned, id)
}

// expire ends the runs that nobody approved in time and returns how long until
// the next one may be due.
func (e *Engine) expire() time.Duration {
	next := time.Hour
	now := time.Now()
	for _, r := range e.Runs(Filter{State: StatePending}) {
		if !overdue(&r, now) {
			next = min(next, r.ExpiresAt.Sub(now))
			continue
		}
		_, err := e.step(r.ID, "expired", func(r *Run) error {
			if !overdue(r, now) {
				return ErrNotPending
			}
			r.State, r.Why = StateExpired, "nobody approved it in time"
			return nil
		})
		if err != nil {
			next = min(next, writeAgain) // it cannot be approved meanwhile
		}
	}
	return max(next, time.Second)
}

// proof is the record that proves that the journal can be written again.
type proof struct {
	Since time.Time `json:"failed_since"`
	Error string    `json:"error"`
	Room  string    `json:"room"` // is as long as what could not be written
}

// prove appends a record without consequence where one could not be written a
// while ago, so that it shows that there is room without anybody asking for
// something. It returns how long until it is to be called again.
func (e *Engine) prove() time.Duration {
	f := e.journal.Failed()
	if f == nil || e.over() != nil {
		return time.Hour
	}
	if wait := time.Until(f.Last.Add(proveAgain)); wait > 0 {
		return wait
	}
	e.takeTurn()
	defer e.giveTurn()
	if f = e.journal.Failed(); f == nil {
		return time.Hour // another record has proved it
	}
	if e.append(kindProof, proof{Since: f.Since.UTC(), Error: f.Err.Error(), Room: strings.Repeat("-", f.Room)}) != nil {
		return proveAgain
	}
	return time.Hour
}

// measure looks how large the journal is, now and then, and returns how long
// until it is to be called again. What cannot be looked at keeps its size: where
// that matters, writing fails, too.
func (e *Engine) measure() time.Duration {
	if wait := time.Until(e.measured.Add(measureAgain)); wait > 0 {
		return wait
	}
	e.measured = time.Now()
	if err := e.journal.Measure(); err != nil {
		e.o.Logger.Warn("cannot tell how large the journal is", "err", err)
	}
	return measureAgain
}

// advance brings a run to its end, or as far as it comes before ctx ends or
// the journal fails.
func (e *Engine) advance(ctx context.Context, id string) {
	for {
		r, ok := e.Get(id)
		if !ok || !r.active() || ctx.Err() != nil {
			return
		}
		var err error
		switch r.State {
		case StateQueued:
			err = e.send(ctx, r)
		case StateRunning:
			err = e.recover(ctx, r)
		default:
			err = e.confirm(ctx, r)
		}
		if err != nil {
			if ctx.Err() == nil {
				e.o.Logger.Error("run given up until the next start or reload", "run", id, "state", string(r.State), "err", err)
			}
			return
		}
	}
}

// persist is a step that is tried until the disk has room: what happened has
// happened. It fails when ctx ends or the journal is closed for good.
func (e *Engine) persist(ctx context.Context, id, event string, change func(*Run)) error {
	for {
		_, err := e.step(id, event, func(r *Run) error {
			change(r)
			return nil
		})
		if err == nil || e.over() != nil {
			return err
		}
		if !sleep(ctx, writeAgain) {
			return err
		}
	}
}

// sleep reports whether d went by before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// recover decides about a run that was being sent when the process ended. What
// was on its way then has an unknown outcome; nothing is sent any more.
func (e *Engine) recover(ctx context.Context, r Run) error {
	last := r.Calls[len(r.Calls)-1]
	return e.persist(ctx, r.ID, "recovered", func(r *Run) {
		if last.Outcome == api.OutcomeNotDone.String() {
			r.State, r.Why = StateNotApplied, "the process ended before the call was sent again"
			return
		}
		r.Calls[len(r.Calls)-1].Outcome = api.OutcomeUnknown.String()
		r.State, r.Why = StateReconciling, "the process ended while the call was on its way"
	})
}

// errHeld is an attempt that the gate held back; the run says why.
var errHeld = errors.New("the run does not go on")

// send makes the call of a queued run. Every attempt is in the journal before
// it leaves.
func (e *Engine) send(ctx context.Context, r Run) error {
	p, err := e.resume(r)
	if err != nil {
		return e.void(ctx, r.ID, err.Error())
	}
	params, err := e.params(r)
	if err != nil {
		return e.void(ctx, r.ID, err.Error())
	}
	if age := time.Since(lastWord(r)); age > staleQueue || age < -time.Minute {
		return e.void(ctx, r.ID, fmt.Sprintf("it waited too long: %s", age.Truncate(time.Second)))
	}
	ctx = lane(ctx, r.Actor)
	s := e.settings.Load()
	now, err := p.op.read(ctx, p.subject(s))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return e.void(ctx, r.ID, fmt.Sprintf("the present state cannot be read: %v", err))
	}
	if drift := drift(r.Plan.Pre, now); drift != "" {
		return e.void(ctx, r.ID, drift)
	}
	calling, stop := outlive(ctx)
	defer stop()
	start := time.Now()
	body, err := s.accounts[r.Plan.Target.Account].Client.Do(
		api.WithGate(calling, func(_ context.Context, signed api.Signed) error { return e.intend(ctx, r.ID, signed) }),
		api.Raw{Action: r.Action, RegionID: r.Plan.Target.RegionID, Params: params})
	return e.conclude(ctx, r.ID, body, err, time.Since(start))
}

// lastWord returns when the run was last asked for.
func lastWord(r Run) time.Time {
	if n := len(r.Approvals); n > 0 {
		return r.Approvals[n-1].At
	}
	return r.Created
}

// outlive returns a context that ends a little after ctx does.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-longer.Done():
		case <-t.C:
			cancel()
		}
	})
	return longer, func() { stop(); cancel() }
}

// void ends a run of which nothing was sent.
func (e *Engine) void(ctx context.Context, id, why string) error {
	return e.persist(ctx, id, "void", func(r *Run) { r.State, r.Why = StateVoid, why })
}

// intend records an attempt, unless what is known and configured by now forbids
// it. When it returns nil the record is on the disk and the attempt may leave.
func (e *Engine) intend(ctx context.Context, id string, signed api.Signed) error {
	_, err := e.step(id, "intent", func(r *Run) error {
		if r.State != StateQueued && r.State != StateRunning || ctx.Err() != nil {
			return errHeld
		}
		if err := e.Err(); err != nil {
			return err // its outcome could not be recorded either
		}
		settleLast(r, signed.After)
		p, err := e.resume(*r)
		if err != nil {
			return err
		}
		if refused := (Run{Verdicts: p.judge(func(g guard) bool { return g.again })}).Refusals(); len(refused) > 0 {
			return &RefusedError{Verdicts: refused}
		}
		r.State, r.Why = StateRunning, ""
		r.Calls = append(r.Calls, Call{Action: r.Action, At: signed.At, Nonce: signed.Nonce})
		return nil
	})
	return err
}

// settleLast notes the outcome of the attempt before: there is another one only
// where it had certainly no effect.
func settleLast(r *Run, code string) {
	if n := len(r.Calls); n > 0 && r.Calls[n-1].Outcome == "" {
		r.Calls[n-1].Outcome, r.Calls[n-1].Code = api.OutcomeNotDone.String(), code
	}
}

// conclude records what became of the call.
func (e *Engine) conclude(ctx context.Context, id string, body []byte, err error, took time.Duration) error {
	if r, _ := e.Get(id); len(r.Calls) == 0 {
		return e.unsent(ctx, id, err)
	}
	refused, held := errors.AsType[*RefusedError](err)
	if held {
		e.count(refused.Verdicts)
	}
	return e.persist(ctx, id, "outcome", func(r *Run) {
		last := &r.Calls[len(r.Calls)-1]
		outcome := api.OutcomeOf(err)
		last.Outcome, last.Took, last.Code = outcome.String(), took, api.CodeOK
		if failed, ok := errors.AsType[*api.Error](err); ok {
			last.Code, last.Message, last.RequestID = failed.Code, failed.Message, failed.RequestID
		} else if err == nil {
			last.RequestID, last.OrderID = answered(body)
		}
		if held {
			r.Verdicts = append(r.Verdicts, refused.Verdicts...)
		}
		switch outcome {
		case api.OutcomeDone:
			r.State, r.Why = StateVerifying, ""
		case api.OutcomeNotDone:
			r.State, r.Why = StateNotApplied, fmt.Sprintf("the call had no effect: %v", err)
		default:
			r.State, r.Why = StateReconciling, fmt.Sprintf("the outcome is not known: %v", err)
		}
	})
}

// unsent ends a run whose first attempt never left.
func (e *Engine) unsent(ctx context.Context, id string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err() // it goes on after the next start
	}
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok {
		if failed, notActing := errors.AsType[*NotActingError](err); notActing && e.over() != nil {
			return failed
		}
		return e.void(ctx, id, fmt.Sprintf("nothing was sent: %v", err))
	}
	e.count(refused.Verdicts)
	return e.persist(ctx, id, "refused", func(r *Run) {
		r.Verdicts = append(r.Verdicts, refused.Verdicts...)
		r.State, r.Why = StateRefused, why(refused.Verdicts)
	})
}

// answered returns what a reply says of itself.
func answered(body []byte) (requestID, orderID string) {
	var reply struct {
		RequestID string          `json:"RequestId"`
		OrderID   json.RawMessage `json:"OrderId"` // a number in some answers
	}
	if json.Unmarshal(body, &reply) != nil {
		return "", ""
	}
	return reply.RequestID, strings.Trim(string(reply.OrderID), `"`)
}

// params returns what is sent: the plan's parameters and the secrets.
func (e *Engine) params(r Run) (map[string]string, error) {
	params := make(map[string]string, len(r.Plan.Params)+len(r.SecretRefs))
	maps.Copy(params, r.Plan.Params)
	for name, ref := range r.SecretRefs {
		s, err := e.secret(ref)
		if err != nil {
			return nil, fmt.Errorf("secret %q: %w", ref, err)
		}
		params[name] = s.Reveal()
	}
	return params, nil
}

// maxSecret bounds the file of a secret parameter, in bytes.
const maxSecret = 64 << 10

// secret reads a configured secret.
func (e *Engine) secret(name string) (secret.String, error) {
	if e.o.Secret != nil {
		return e.o.Secret(name)
	}
	file, ok := e.settings.Load().config.Secrets[name]
	if !ok {
		return secret.String{}, &UnknownError{What: "secret", Name: name}
	}
	text, err := secret.ReadFile(file, maxSecret)
	if err != nil {
		return secret.String{}, err
	}
	s := secret.New(strings.TrimRight(string(text), "\r\n"))
	if s.IsZero() {
		return s, errors.New(file + " is empty")
	}
	return s, nil
}
