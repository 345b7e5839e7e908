package api

import (
	"errors"
	"strings"
)

// Outcome says what is known of a call that changes something once it has
// returned.
type Outcome uint8

// The outcomes. After OutcomeUnknown only a read can tell, and nothing may be
// sent again.
const (
	OutcomeUnknown Outcome = iota // it may have been executed, wholly or in part
	OutcomeDone                   // it was executed
	OutcomeNotDone                // it was certainly not executed
)

// String returns the outcome as it appears in logs and journals.
func (o Outcome) String() string { return [...]string{"unknown", "done", "not_done"}[o] }

// OutcomeOf returns what the error of a call says about its effect. Where the
// call asked to delete something, OutcomeNotDone with class NotFound means that
// there was nothing left to delete.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return OutcomeDone
	}
	if _, refused := errors.AsType[*ParamError](err); refused {
		return OutcomeNotDone
	}
	if e, ok := errors.AsType[*Error](err); ok && e.notDone() {
		return OutcomeNotDone
	}
	return OutcomeUnknown
}

// notDone reports whether the failure rules out that the call was executed.
func (e *Error) notDone() bool {
	if e.unsent {
		return true
	}
	switch e.Class {
	case Throttled, Auth, NotFound, State, Balance, Idempotence:
		return true
	case Invalid:
		// A code that no table lists is called invalid for its status alone.
		// That will do for a read; half of the codes that the service sends
		// with status 400 mean that it failed on the way.
		return CodeLabel(e.Code) != CodeOther || strings.HasPrefix(e.Code, "Invalid") || strings.HasPrefix(e.Code, "Missing")
	default:
		// Among them a nonce that was used before: something between us and the
		// service sent the request twice, and the first copy arrived.
		return false
	}
}
