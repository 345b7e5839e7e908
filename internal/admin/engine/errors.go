package engine

import (
	"errors"
	"fmt"
)

// What an approval can fail on.
var (
	ErrPlanHash     = errors.New("the plan is another one: its hash differs")
	ErrSelfApproval = errors.New("whoever asked for a run cannot approve it")
	ErrApprovedOnce = errors.New("the same person has approved already")
	ErrNotAPerson   = errors.New("only a person can do this")
	ErrNotPending   = errors.New("the run does not wait for an approval")
	// ErrNotUnresolved is what Resolve fails on.
	ErrNotUnresolved = errors.New("the run does not need a human, or somebody has looked at it already")
)

// KeyReusedError is an idempotency key that came with another request.
type KeyReusedError struct{ Key, RunID string }

// Error implements error.
func (e *KeyReusedError) Error() string {
	return fmt.Sprintf("idempotency key %q belongs to another request, run %s", e.Key, e.RunID)
}

// KeyInFlightError is an idempotency key whose first request is being planned.
type KeyInFlightError struct{ Key string }

// Error implements error.
func (e *KeyInFlightError) Error() string {
	return fmt.Sprintf("a request with idempotency key %q is being planned", e.Key)
}

// NotActingError is an engine that must not or cannot act.
type NotActingError struct {
	Reason string
	Err    error // nil where there is no more to tell
}

// Error implements error.
func (e *NotActingError) Error() string {
	if e.Err == nil {
		return "acting is off: " + e.Reason
	}
	return fmt.Sprintf("acting is off: %s: %v", e.Reason, e.Err)
}

// Unwrap returns Err.
func (e *NotActingError) Unwrap() error { return e.Err }

// UnknownError is a name that stands for nothing: of an action, an account, an
// instance, a secret or a run.
type UnknownError struct{ What, Name string }

// Error implements error.
func (e *UnknownError) Error() string { return fmt.Sprintf("no such %s: %q", e.What, e.Name) }

// PreStateError is a target whose present state could not be read, so that
// nothing can be planned.
type PreStateError struct {
	Action string
	Err    error
}

// Error implements error.
func (e *PreStateError) Error() string {
	return fmt.Sprintf("%s: the present state cannot be read: %v", e.Action, e.Err)
}

// Unwrap returns Err.
func (e *PreStateError) Unwrap() error { return e.Err }

// RefusedError is a run that guards do not let pass at the moment of its
// approval. The run waits on.
type RefusedError struct{ Verdicts []Verdict }

// Error implements error.
func (e *RefusedError) Error() string {
	v := e.Verdicts[0]
	return fmt.Sprintf("guard %s: %s", v.Guard, v.Message)
}
