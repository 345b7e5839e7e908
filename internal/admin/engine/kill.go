package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// killRecord is the API's word on the kill switch.
type killRecord struct {
	Stop   bool      `json:"stop"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`

	unrecorded bool // it holds until the process ends, and no longer
}

// breakerRecord is the breaker in a new segment of the journal.
type breakerRecord struct {
	Why      string      `json:"why,omitempty"`
	Failures []time.Time `json:"failures,omitempty"`
}

// KillFile is the name of the file in the storage path that stops acting.
const KillFile = "kill-switch"

// killState asks every source. A file that cannot be looked for says stop.
func (e *Engine) killState() KillState {
	e.mu.RLock()
	k := e.kill
	e.mu.RUnlock()
	var s KillState
	if k.Stop {
		s.By, s.Reason, s.At = k.By, k.Reason, k.At
		s.Sources = append(s.Sources, "api")
	}
	if _, err := os.Stat(filepath.Join(e.o.Dir, KillFile)); err == nil || !errors.Is(err, fs.ErrNotExist) {
		s.Sources = append(s.Sources, "file")
	}
	if e.o.StoppedByEnvironment {
		s.Sources = append(s.Sources, "environment")
	}
	s.Stopped = len(s.Sources) > 0
	return s
}

// words says of every source what a person has to look for.
func (k KillState) words() string {
	about := map[string]string{"file": KillFile + " in the storage path", "api": k.By}
	if k.Reason != "" {
		about["api"] += ": " + k.Reason
	}
	var parts []string
	for _, source := range k.Sources {
		if about[source] != "" {
			source += " (" + about[source] + ")"
		}
		parts = append(parts, source)
	}
	return strings.Join(parts, ", ")
}

// KillSwitch returns the kill switch and the breaker.
func (e *Engine) KillSwitch() KillState {
	s := e.killState()
	e.mu.RLock()
	defer e.mu.RUnlock()
	s.BreakerOpen, s.Why = e.breaker != "", e.breaker
	return s
}

// SetKillSwitch stops acting, or takes back the API's word for it and closes
// the breaker. That a principal may restart is for the caller to know. The
// error is ErrNotAPerson or a *NotActingError.
func (e *Engine) SetKillSwitch(_ context.Context, a Actor, stop bool, reason string) error {
	if !stop && a.Kind != Person {
		return ErrNotAPerson
	}
	e.takeTurn()
	defer e.giveTurn()
	if stop && e.stopRecorded() && (a.Kind == Webhook || e.o.Admit(a) != nil) {
		return nil // nothing changes, and a stolen token fills no disk with it
	}
	k := killRecord{Stop: stop, By: a.Principal, Reason: reason, At: time.Now().UTC()}
	if err := e.append(kindKill, k); err != nil {
		if stop && e.journal != nil { // it stops all the same, until the process ends
			k.unrecorded = true
			e.applyKill(k)
		}
		return err
	}
	e.applyKill(k)
	e.o.Logger.Warn("kill switch", "stop", stop, "principal", a.Principal, "reason", reason)
	return nil
}

// stopRecorded reports whether the API said stop, and still says so after a
// restart.
func (e *Engine) stopRecorded() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.kill.Stop && !e.kill.unrecorded
}

func (e *Engine) applyKill(k killRecord) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kill = k
	if !k.Stop {
		e.breaker, e.failures = "", nil
	}
}

// applyEnd tells the breaker how a run ended. Called with mu held.
func (e *Engine) applyEnd(r Run) {
	b := e.settings.Load().config.Guards.Breaker
	switch {
	case r.State == StateNeedsHuman && r.ResolvedBy == nil:
		e.breaker = fmt.Sprintf("run %s needs a human", r.ID)
	case r.State == StateNotApplied && len(r.Calls) > 0:
		since := r.Updated.Add(-time.Duration(b.Window))
		e.failures = slices.DeleteFunc(append(e.failures, r.Updated), func(t time.Time) bool { return t.Before(since) })
		if len(e.failures) >= b.Failures && e.breaker == "" {
			e.breaker = fmt.Sprintf("%d failures, the last of them run %s", len(e.failures), r.ID)
		}
	}
}

// Resolve records that a person has looked at a run that needed one. The
// breaker stays as it is: SetKillSwitch closes it.
func (e *Engine) Resolve(_ context.Context, id string, a Actor) (Run, error) {
	if a.Kind != Person {
		return Run{}, ErrNotAPerson
	}
	return e.step(id, "resolved", func(r *Run) error {
		if r.State != StateNeedsHuman || r.ResolvedBy != nil {
			return ErrNotUnresolved
		}
		r.ResolvedBy = &a
		return nil
	})
}

// openSince says why the breaker is open; empty: it is closed.
func (e *Engine) openSince() string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.breaker
}
