package admin

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
)

// delivery is a webhook as it was taken in.
type delivery struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Principal string    `json:"principal"`
	Receiver  string    `json:"receiver"`
	GroupKey  string    `json:"group_key"`
	Truncated bool      `json:"truncated,omitempty"` // there were more alerts
	Alerts    []alert   `json:"alerts"`
}

// alert is an alert of a delivery.
type alert struct {
	Firing      bool              `json:"firing"`
	Labels      map[string]string `json:"labels"`
	StartsAt    time.Time         `json:"starts_at,omitzero"`
	EndsAt      time.Time         `json:"ends_at,omitzero"`
	Fingerprint string            `json:"fingerprint"`
}

// episode is a time for which alerts say that a target of a runbook is in
// trouble. There is at most one run for each.
type episode struct {
	ID        string            `json:"id"`
	Key       string            `json:"key"` // of the target
	Runbook   string            `json:"runbook"`
	Mode      string            `json:"mode"` // of the runbook when it was decided
	Principal string            `json:"principal"`
	Labels    map[string]string `json:"labels"` // of the alert that opened it
	Opened    time.Time         `json:"opened"`
	Seen      time.Time         `json:"seen"`   // last delivery that said firing
	Firing    []string          `json:"firing"` // fingerprints
	Truncated bool              `json:"truncated,omitempty"`
	Ended     time.Time         `json:"ended,omitzero"`
	EndsAt    time.Time         `json:"ends_at,omitzero"` // what the last resolved alert said

	Account    string            `json:"account,omitempty"`
	InstanceID string            `json:"instance_id,omitempty"`
	Params     map[string]string `json:"params,omitempty"` // that were asked for

	Decided time.Time `json:"decided,omitzero"`
	Outcome string    `json:"outcome,omitempty"` // one of the table of outcomes
	Why     string    `json:"why,omitempty"`
	// Acted: the runbook's own limits let it pass, so that it counts for them;
	// in shadow mode, too.
	Acted    bool             `json:"acted,omitempty"`
	Run      string           `json:"run,omitempty"` // the engine's id
	RunState engine.State     `json:"run_state,omitempty"`
	Plan     *engine.Plan     `json:"plan,omitempty"`     // in shadow mode: what would have been done
	Verdicts []engine.Verdict `json:"verdicts,omitempty"` // in shadow mode

	Before   *float64  `json:"before,omitempty"` // the metric of verify, when it was decided
	After    *float64  `json:"after,omitempty"`  // and when last looked at
	VerifyBy time.Time `json:"verify_by,omitzero"`
	Effect   string    `json:"effect,omitempty"` // improved, not_improved or unmeasured
}

// The outcomes of episodes that are not states of a run.
const (
	outcomeShadowAllowed = "shadow_allowed"
	outcomeShadowRefused = "shadow_refused"
	outcomeUnresolved    = "unresolved"
	outcomeForbidden     = "forbidden"
	outcomeCrowded       = "crowded"
	outcomeCoolDown      = "cool_down"
	outcomeCapped        = "capped"
	outcomeResolvedEarly = "resolved_early"
	outcomeStale         = "stale"
	outcomeError         = "error"
	outcomeImproved      = "improved"
	outcomeNotImproved   = "not_improved"
	outcomeUnmeasured    = "unmeasured"
)

// runbookOutcomes is the table of the outcome label of
// alikafka_runbook_runs_total, besides the terminal states of runs.
var runbookOutcomes = []struct{ outcome, about string }{
	{outcomeShadowAllowed, "shadow mode: it would have acted"},
	{outcomeShadowRefused, "shadow mode: a guard would have refused"},
	{outcomeUnresolved, "a label is missing, has a value that is not allowed, or names nothing that is watched"},
	{outcomeForbidden, "the sender may not start the runbook, or not on that instance"},
	{outcomeCrowded, "the sender has 1,000 episodes already; the alert counts when it is sent again"},
	{outcomeCoolDown, "the runbook ran on that target a short while ago"},
	{outcomeCapped, "the runbook ran too often in the last hour or day"},
	{outcomeResolvedEarly, "the alert was resolved before wait_for had passed"},
	{outcomeStale, "a delivery that is older than the end of the episode it belongs to"},
	{outcomeError, "the request could not be planned"},
	{outcomeImproved, "after a run: the metric of verify changed as expected"},
	{outcomeNotImproved, "after a run: it did not"},
	{outcomeUnmeasured, "after a run: it has no value"},
}

const (
	// maxEpisodes bounds the targets of which episodes of a principal are
	// remembered.
	maxEpisodes = 1000
	// maxFiring bounds the alerts that keep an episode open. More of them are
	// not remembered, and do not keep it open.
	maxFiring = 1000
)

// staleFor is how long after its end an episode is defended against deliveries
// that were under way.
const staleFor = 5 * time.Minute

// open reports whether the trouble goes on.
func (e *episode) open() bool { return e.Ended.IsZero() }

// settled reports whether nothing more is to be done about the episode.
func (e *episode) settled() bool {
	if e.open() && e.Decided.IsZero() {
		return false
	}
	return e.Run == "" || e.RunState.Terminal() && e.VerifyBy.IsZero()
}

// kept reports whether the episode is remembered: while it is open or
// unsettled, and for as long as it counts.
func (e *episode) kept(now time.Time, longest time.Duration) bool {
	switch {
	case e.open() || !e.settled():
		return true
	case e.Acted && now.Sub(e.Decided) < longest:
		return true
	}
	return now.Sub(e.Ended) < staleFor
}

// episodeID derives an id from what opened the episode, so that the same
// delivery never opens two.
func episodeID(key, item string) string {
	sum := sha256.Sum256([]byte(key + "\x00" + item))
	return "ep-" + hex.EncodeToString(sum[:10])
}

// see takes note of an alert about the target, and returns the outcome to count,
// if there is one.
func (e *episode) see(a alert, d *delivery) (outcome string) {
	if a.Firing {
		if d.At.After(e.Seen) {
			e.Seen = d.At
		}
		e.Truncated = d.Truncated
		if !slices.Contains(e.Firing, a.Fingerprint) && len(e.Firing) < maxFiring {
			e.Firing = append(e.Firing, a.Fingerprint)
		}
		return ""
	}
	e.Firing = slices.DeleteFunc(e.Firing, func(f string) bool { return f == a.Fingerprint })
	if a.EndsAt.After(e.EndsAt) {
		e.EndsAt = a.EndsAt
	}
	if len(e.Firing) > 0 {
		return ""
	}
	return e.end(d.At, "resolved before anything was done")
}

// end ends the episode.
func (e *episode) end(at time.Time, why string) (outcome string) {
	e.Ended = at
	if !e.Decided.IsZero() {
		return ""
	}
	e.Decided, e.Outcome, e.Why = at, outcomeResolvedEarly, why
	return outcomeResolvedEarly
}

// late reports whether a firing alert tells of a time before the end of an
// episode that is over.
func (e *episode) late(a alert, at time.Time) bool {
	return at.Sub(e.Ended) < staleFor && a.StartsAt.Before(e.EndsAt)
}

// byOpened sorts episodes, the newest first.
func byOpened(a, b episode) int {
	return cmp.Or(b.Opened.Compare(a.Opened), cmp.Compare(a.ID, b.ID))
}
