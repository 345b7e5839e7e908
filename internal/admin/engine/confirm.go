package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

const (
	// firstRead and everyRead are the shortest and the longest time between
	// two reads of a run that is confirmed.
	firstRead = 2 * time.Second
	everyRead = 2 * time.Minute

	// agreeing is how many reads in a row must say the same.
	agreeing = 2
)

// confirmation reads the cloud until it says twice in a row what became of a
// run.
type confirmation struct {
	run   Run
	op    *operation
	known bool // the cloud said that it was done

	// quiet is when a call whose outcome is unknown can no longer take effect;
	// deadline when a human has to look.
	quiet, deadline time.Time

	seen  sight     // what the last reads said
	first time.Time // when the first of them was sent
	v     Verification
}

// sight is what a read says of a run.
type sight int

const (
	seesNeither sight = iota
	seesPre           // nothing has happened, and nothing will any more
	seesPost
)

// confirm brings a run that was sent to its end by reading. It sends nothing.
func (e *Engine) confirm(ctx context.Context, r Run) error {
	p, err := e.resume(r)
	if _, later := errors.AsType[*NotActingError](err); later {
		return err
	}
	if err != nil {
		return e.finish(ctx, r.ID, StateNeedsHuman, err.Error(), r.Verification)
	}
	last := r.Calls[len(r.Calls)-1]
	c := &confirmation{run: r, op: p.op, known: r.State == StateVerifying, v: r.Verification}
	c.v.Agreed = 0
	c.deadlines(e.since(last.At), time.Duration(p.config.Quiescence))
	ctx = lane(ctx, r.Actor)
	for pause := firstRead; ; pause = min(2*pause, everyRead) {
		s := p.subject(e.settings.Load())
		s.order = last.OrderID
		sent := time.Now()
		facts, err := p.op.read(ctx, s)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.note(facts, err, sent)
		if state, why := c.verdict(time.Now()); state != "" {
			return e.finish(ctx, r.ID, state, why, c.v)
		}
		e.observe(r.ID, c.v)
		if c.v.Agreed > 0 {
			pause = firstRead // the next read may decide
		}
		if !sleep(ctx, c.wait(pause)) {
			return ctx.Err()
		}
	}
}

// since returns when waiting for a call began. After a restart that is the
// restart: what the wall clock has done since the call was signed is not
// known, but the call was signed before.
func (e *Engine) since(signed time.Time) time.Time {
	if e.opened.After(signed) || time.Until(signed) > 0 {
		return e.opened
	}
	return signed
}

// deadlines sets when to give up.
func (c *confirmation) deadlines(since time.Time, quiescence time.Duration) {
	c.quiet = since.Add(quiescence + c.op.unseen)
	c.deadline = time.Now().Add(c.op.settle)
	if !c.known && c.quiet.After(time.Now()) {
		c.deadline = c.quiet.Add(c.op.settle)
	}
}

// wait shortens a pause so that the read after it comes when something can be
// decided.
func (c *confirmation) wait(pause time.Duration) time.Duration {
	for _, t := range []time.Time{c.quiet, c.deadline} {
		if d := time.Until(t); d > 0 && d < pause {
			return d
		}
	}
	return pause
}

// note takes what a read that was sent at a time says.
func (c *confirmation) note(facts Facts, err error, sent time.Time) {
	c.v.At, c.v.Reads = time.Now().UTC(), c.v.Reads+1
	if err != nil {
		c.v.Error, c.v.Agreed, c.seen = err.Error(), 0, seesNeither
		return
	}
	now := seesNeither
	switch {
	case c.run.Plan.Desired.matches(facts):
		now = seesPost
	case !c.known && maps.Equal(c.run.Plan.Pre, facts) && !sent.Before(c.quiet):
		now = seesPre
	}
	if now != c.seen {
		c.v.Agreed, c.first = 0, sent
	}
	c.seen, c.v.Facts, c.v.Error = now, facts, ""
	if now != seesNeither {
		c.v.Agreed++
	}
}

// verdict says how the run ends; "" where more must be read.
func (c *confirmation) verdict(now time.Time) (State, string) {
	switch {
	case c.seen == seesPost && c.v.Agreed >= agreeing && now.Sub(c.first) >= c.op.restart:
		c.v.AttributedBy = c.attribution()
		return StateApplied, ""
	case c.seen == seesPre && c.v.Agreed >= agreeing:
		return StateNotApplied, "the call had no effect, and can have none any more"
	case now.Before(c.deadline), c.v.Agreed > 0 && now.Before(c.deadline.Add(everyRead)):
		return "", "" // in the latter case the next read may decide
	case c.v.Error != "":
		return StateNeedsHuman, "the cloud could not be read: " + c.v.Error
	case c.known:
		return StateNeedsHuman, fmt.Sprintf("the cloud said that it was done, but shows %s", c.v.Facts)
	}
	return StateNeedsHuman, fmt.Sprintf("the outcome is not known, and the cloud shows neither the state before nor the one desired: %s", c.v.Facts)
}

// attribution says how it is known that the effect is ours.
func (c *confirmation) attribution() string {
	switch {
	case c.known:
		return "ack"
	case c.v.Facts[opFact] == c.run.ID:
		return "tag"
	}
	return "none"
}

// finish ends a run that was sent.
func (e *Engine) finish(ctx context.Context, id string, state State, why string, v Verification) error {
	return e.persist(ctx, id, string(state), func(r *Run) {
		if n := len(r.Calls); n > 0 && r.Calls[n-1].Outcome == "" {
			r.Calls[n-1].Outcome = api.OutcomeUnknown.String()
		}
		r.State, r.Why, r.Verification = state, why, v
	})
}
