// Package engine is the one door through which the exporter changes anything
// in the cloud.
//
// An operation is planned as a desired absolute state, judged by guards, where
// needed approved by people, written to the journal before its first byte
// leaves, sent once, and confirmed by reading the cloud. When the outcome of a
// call is not known the engine only reads; it never sends an operation again.
package engine

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// ActorKind says what stands behind a principal.
type ActorKind string

// The kinds of actors.
const (
	Person  ActorKind = "person"
	Webhook ActorKind = "webhook"
)

// Actor is who asks or approves.
type Actor struct {
	Principal string    `json:"principal"`
	Kind      ActorKind `json:"kind"`
}

// Request is an operation that somebody asks for.
type Request struct {
	// Key is the idempotency key, unique per principal; required unless
	// DryRun. The same key with the same request returns the stored run.
	Key     string            `json:"key,omitempty"`
	Actor   Actor             `json:"actor"`
	Account string            `json:"account,omitempty"` // configured name; "" where only one account acts
	Action  string            `json:"action"`            // a row of the api's table
	Params  map[string]string `json:"params,omitempty"`  // wire names; RegionId may be left out where the instance tells; no secret parameters
	// SecretRefs are the secret parameters: wire name to the name of a
	// configured secret. They are in no hash, only their names are recorded.
	SecretRefs map[string]string `json:"secret_refs,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	Runbook    string            `json:"runbook,omitempty"` // of a webhook's run
	Episode    string            `json:"episode,omitempty"` // of a webhook's run
	Alert      map[string]string `json:"alert,omitempty"`   // labels, for the record only
	// Firing is how many targets of the runbook fire now, for the storm guard;
	// 0 where that is not known. Truncated: there are more than were told.
	Firing    int  `json:"firing,omitempty"`
	Truncated bool `json:"truncated,omitempty"`
	// DryRun plans and judges, and neither records nor sends anything.
	DryRun bool `json:"dry_run,omitempty"`
	// RequireApproval asks for an approval even where the effect does not.
	RequireApproval bool `json:"require_approval,omitempty"`
}

// State is where a run is.
type State string

// The states. Those from StateApplied on, and StateRefused, StateRejected,
// StateExpired and StateVoid, are terminal.
const (
	StatePending     State = "pending_approval" // waits for people until ExpiresAt
	StateQueued      State = "queued"           // nothing was sent yet
	StateRunning     State = "running"          // an intent is recorded: a call may be on its way
	StateVerifying   State = "verifying"        // the cloud said that it was done; reads must agree
	StateReconciling State = "reconciling"      // the outcome is not known: only reads from here on

	StateDryRun   State = "dry_run"  // what would be done, and what guards say
	StateRefused  State = "refused"  // by a guard: see the verdicts; nothing was sent
	StateRejected State = "rejected" // by a person; nothing was sent
	StateExpired  State = "expired"  // nobody approved in time; nothing was sent
	StateVoid     State = "void"     // the cloud changed since the plan was made; nothing was sent

	StateApplied    State = "applied"     // the desired state was read twice in a row
	StateUnchanged  State = "unchanged"   // the cloud was as desired already; nothing was sent
	StateNotApplied State = "not_applied" // certainly without effect
	StateNeedsHuman State = "needs_human" // neither could be proved; nothing more will be sent
)

// Terminal reports whether a run in this state is over.
func (s State) Terminal() bool {
	switch s {
	case StatePending, StateQueued, StateRunning, StateVerifying, StateReconciling:
		return false
	default:
		return true
	}
}

// States lists every state in the order of a run's life.
func States() []State {
	return []State{
		StateDryRun, StateRefused, StatePending, StateRejected, StateExpired, StateQueued, StateVoid, StateUnchanged,
		StateRunning, StateVerifying, StateReconciling, StateApplied, StateNotApplied, StateNeedsHuman,
	}
}

// Verdict is what one guard says of a plan.
type Verdict struct {
	Guard   string `json:"guard"`
	OK      bool   `json:"ok"`
	Limit   string `json:"limit,omitempty"`   // what is allowed
	Value   string `json:"value,omitempty"`   // what was found
	Message string `json:"message,omitempty"` // why it was refused
}

// Target is what an operation changes.
type Target struct {
	Account    string `json:"account"`
	RegionID   string `json:"region_id"`
	InstanceID string `json:"instance_id,omitempty"` // "" for orders of new instances
	Kind       string `json:"kind"`                  // instance, topic, consumer_group, sasl_user, acl, whitelist, tags or order
	Name       string `json:"name,omitempty"`        // of the topic, the group or the user
}

// Facts are what a confirming read shows, readable by people: name to value.
type Facts map[string]string

// Plan is what will be sent and what is expected of it. It is absolute: no
// value in it is relative to what the cloud holds when the call arrives, but
// where the action itself is (see docs/safety.md).
type Plan struct {
	Target  Target `json:"target"`
	Effect  string `json:"effect"`  // of these parameters; never below the action's own
	Confirm string `json:"confirm"` // the reading action that shows the effect
	// Params are what will be sent, secret parameters left out.
	Params  map[string]string `json:"params"`
	Pre     Facts             `json:"pre"`     // what was read
	Desired Facts             `json:"desired"` // what must be read afterwards
	// Approvals is how many people must approve; 0: none.
	Approvals int `json:"approvals"`
	// Hash identifies the plan: an approval names it. It covers everything
	// above.
	Hash string `json:"hash"`
}

// Approval is a person's word on a plan.
type Approval struct {
	Actor    Actor     `json:"actor"`
	At       time.Time `json:"at"`
	PlanHash string    `json:"plan_hash"`
	Rejected bool      `json:"rejected,omitempty"`
}

// Call is one attempt of the mutating call. It is recorded before it is sent;
// Outcome is empty until it is known.
type Call struct {
	Action    string        `json:"action"`
	At        time.Time     `json:"at"` // when it was signed
	Nonce     string        `json:"nonce"`
	Outcome   string        `json:"outcome,omitempty"` // done, not_done or unknown
	Code      string        `json:"code,omitempty"`
	Message   string        `json:"message,omitempty"` // the cloud's words
	RequestID string        `json:"request_id,omitempty"`
	OrderID   string        `json:"order_id,omitempty"`
	Took      time.Duration `json:"took,omitempty"` // nanoseconds
}

// Verification is what reading the cloud showed last.
type Verification struct {
	At     time.Time `json:"at"`
	Reads  int       `json:"reads"`
	Agreed int       `json:"agreed"` // reads in a row that said the same
	Facts  Facts     `json:"facts,omitempty"`
	Error  string    `json:"error,omitempty"` // of the last read, when it failed
	// AttributedBy says how it is known that the effect is ours: ack (the
	// cloud said so), tag (the object carries the run's id), or none (somebody
	// else may have done the same).
	AttributedBy string `json:"attributed_by,omitempty"`
}

// Run is an operation and all that became of it.
type Run struct {
	ID string `json:"id"`
	Request

	State        State        `json:"state"`
	Plan         Plan         `json:"plan"`
	Verdicts     []Verdict    `json:"verdicts"`
	Approvals    []Approval   `json:"approvals,omitempty"`
	Calls        []Call       `json:"calls,omitempty"`
	Verification Verification `json:"verification,omitzero"`
	Why          string       `json:"why,omitempty"` // the state is what it is
	Created      time.Time    `json:"created"`
	Updated      time.Time    `json:"updated"`
	ExpiresAt    time.Time    `json:"expires_at,omitzero"` // of an approval that is waited for
	// ResolvedBy is the person who has looked at a run that needed one.
	ResolvedBy *Actor `json:"resolved_by,omitempty"`
}

// Refusals returns the verdicts that are not OK.
func (r Run) Refusals() []Verdict {
	var bad []Verdict
	for _, v := range r.Verdicts {
		if !v.OK {
			bad = append(bad, v)
		}
	}
	return bad
}

// Filter chooses runs. Zero fields choose everything.
type Filter struct {
	State      State
	Action     string
	InstanceID string
	Principal  string
	Runbook    string
	Limit      int // newest first; 0: all
}

// KillState is the kill switch: acting stops while any source says so.
type KillState struct {
	Stopped bool     `json:"stopped"`
	Sources []string `json:"sources,omitempty"` // api, file, environment
	// By, Reason and At are of the source api, where it is among them.
	By     string    `json:"by,omitempty"` // principal
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`
	// BreakerOpen: acting stopped by itself, see Why. SetKillSwitch with stop
	// false closes the breaker, too.
	BreakerOpen bool   `json:"breaker_open"`
	Why         string `json:"why,omitempty"`
}

// Inventory is what the collector knows.
type Inventory interface {
	Snapshot() *collector.Snapshot
}

// Account is an account that the engine acts on.
type Account struct {
	Client *api.Client // acts
	Reader *api.Client // reads; nil: Client
}

// Options make an Engine. Accounts, Inventory, Config, Dir and Logger are
// required.
type Options struct {
	Accounts  map[string]Account // by configured name; those that may act
	Inventory Inventory
	Config    Config
	// Dir is the storage path. The journal is in Dir/journal; while
	// Dir/kill-switch exists acting stops.
	Dir string
	// Standby says why this process must not act, for instance because
	// another holds the storage lock; "" acts. A standby engine opens nothing
	// and answers from memory only.
	Standby string
	// StoppedByEnvironment is the environment's word on the kill switch.
	StoppedByEnvironment bool
	Logger               *slog.Logger
	Metrics              *Metrics // nil: a set of its own that nobody sees
	// Secret returns a configured secret by name; nil: the files of
	// Config.Secrets.
	Secret func(name string) (secret.String, error)
	// Replay is told of every note by kind: of those in the journal when it is
	// opened, and of each that Note makes, once it is durable and before Note
	// returns. Notes should change state nowhere else.
	// They must not call the engine. A kind that is not here is skipped.
	Replay map[string]func(at time.Time, body json.RawMessage) error
	// Carry returns the notes that must outlive the present journal segment,
	// which is about to be closed. It must not call the engine. Nil: none.
	Carry func() []Note

	// Admit is asked before a request that nobody asked for before reads the
	// cloud and is recorded, a dry run too; its error is Do's. It may count the
	// request. A person's stop that changes nothing is not recorded where it
	// returns an error. It must not call the engine. Nil: everything is admitted.
	Admit func(Actor) error
	// Recorded is told how many bytes a run added to the journal, by whoever
	// asked for it. It must not call the engine. Nil: nobody is told.
	Recorded func(Actor, int)

	FS          journal.FS // nil: the operating system's
	SegmentSize int64      // of the journal, in bytes; 0: 64 MiB
}

// Note is a record of somebody else in the journal.
type Note struct {
	Kind string
	Body any // encoded as JSON; holds no secret
}

var _ prometheus.Collector = (*Metrics)(nil)
