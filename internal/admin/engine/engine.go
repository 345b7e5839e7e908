package engine

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// Engine plans, judges, records, executes and confirms operations. Its methods
// may be used concurrently.
type Engine struct{ o Options }

// Metrics are the engine's own. They live as long as the process, reloads
// included. Metrics is a prometheus.Collector.
type Metrics struct{ refusals *prometheus.CounterVec }

// NewMetrics returns counters that are all zero.
func NewMetrics() *Metrics {
	return &Metrics{refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "alikafka_guard_refusals_total", Help: "Operations that a guard refused.",
	}, []string{"guard"})}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) { m.refusals.Describe(ch) }

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) { m.refusals.Collect(ch) }

// Open replays the journal and returns an engine that acts once Run runs. A
// damaged journal is no error: the engine then does not act, see Err.
func Open(o Options) (*Engine, error) { return &Engine{o: o}, nil }

// Close closes the journal. Run must have returned.
func (e *Engine) Close() error { return nil }

// Err says why the engine does not act; nil when it does. The kill switch is
// not among the reasons.
func (e *Engine) Err() error { return &NotActingError{Reason: "there is no journal yet"} }

// Run executes and reconciles until ctx ends, and returns when everything it
// started has ended. It is called once.
func (e *Engine) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Do is the one door to a write. It reads the present state, plans, asks the
// guards, and returns once plan and verdicts are durable: as a run that is
// refused, waits for approval, or is queued for Run. The error is
// *api.ParamError values, joined, where the request is wrong; *UnknownError,
// *KeyReusedError, *KeyInFlightError, *NotActingError or *PreStateError.
func (e *Engine) Do(context.Context, Request) (Run, error) { return Run{}, e.Err() }

// Wait returns the run when it is terminal or waits for people, or as it is
// when ctx ends, with the error of ctx.
func (e *Engine) Wait(_ context.Context, id string) (Run, error) {
	return Run{}, &UnknownError{What: "run", Name: id}
}

// Get returns a run.
func (e *Engine) Get(string) (Run, bool) { return Run{}, false }

// Runs returns the runs that f chooses, newest first.
func (e *Engine) Runs(Filter) []Run { return nil }

// Approve records a person's consent to the plan of that hash. When it is the
// last that was missing the run is queued, unless the cloud has changed since:
// then it is void. The error is *UnknownError, one of the Err values,
// *RefusedError, *NotActingError or *PreStateError.
func (e *Engine) Approve(_ context.Context, id string, _ Actor, _ string) (Run, error) {
	return Run{}, &UnknownError{What: "run", Name: id}
}

// Reject ends a run that waits for approval. Whoever asked for it may do so.
func (e *Engine) Reject(_ context.Context, id string, _ Actor, _ string) (Run, error) {
	return Run{}, &UnknownError{What: "run", Name: id}
}

// Resolve records that a person has looked at a run that needed one.
func (e *Engine) Resolve(_ context.Context, id string, _ Actor) (Run, error) {
	return Run{}, &UnknownError{What: "run", Name: id}
}

// KillSwitch returns the kill switch and the breaker.
func (e *Engine) KillSwitch() KillState { return KillState{} }

// SetKillSwitch stops acting, or takes back the api's word for it and closes
// the breaker. That a principal may restart is for the caller to know.
func (e *Engine) SetKillSwitch(context.Context, Actor, bool, string) error { return e.Err() }

// Note makes a record of somebody else durable; when it returns nil it is.
func (e *Engine) Note(context.Context, string, any) error { return e.Err() }
