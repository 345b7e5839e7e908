package admin

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// Metrics count what is asked of the admin listener and what runbooks do. They
// live as long as the process, reloads included. Metrics is a
// prometheus.Collector.
type Metrics struct {
	requests   *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	runbooks   *prometheus.CounterVec

	known []string // runbooks that were configured last
}

// NewMetrics returns counters that are all zero.
func NewMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		requests: counter("alikafka_admin_requests_total",
			"Requests to the admin listener by action (other where none was named) and outcome: ok, accepted, or the reason of the refusal.", "action", "outcome"),
		deliveries: counter("alikafka_webhook_deliveries_total",
			"Webhooks of Alertmanager by outcome: accepted once durable, or the reason of the refusal.", "outcome"),
		runbooks: counter("alikafka_runbook_runs_total",
			"What became of the episodes of runbooks: the state in which the run ended, or why there was none; then whether the metric improved.", "runbook", "outcome"),
	}
	m.deliveries.WithLabelValues(outcomeAccepted)
	for _, r := range []reason{notActing, tooManyAlerts, wrongToken, noToken, badRequest} {
		m.deliveries.WithLabelValues(string(r))
	}
	return m
}

// The outcomes of requests that were not refused.
const (
	outcomeOK       = "ok"
	outcomeAccepted = "accepted"
)

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.deliveries, m.runbooks}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
}

// request counts a request; action is any text that a caller chose.
func (m *Metrics) request(action, outcome string) {
	if _, ok := api.Lookup(action); !ok {
		action = api.CodeOther
	}
	m.requests.WithLabelValues(action, outcome).Inc()
}

func (m *Metrics) delivery(outcome string) { m.deliveries.WithLabelValues(outcome).Inc() }

// runbookRun counts an outcome of the tables; runbook is a configured name.
func (m *Metrics) runbookRun(runbook, outcome string) {
	inTable := slices.ContainsFunc(runbookOutcomes, func(row struct{ outcome, about string }) bool { return row.outcome == outcome })
	if !inTable && !slices.Contains(engine.States(), engine.State(outcome)) {
		outcome = api.CodeOther
	}
	m.runbooks.WithLabelValues(runbook, outcome).Inc()
}

// configure shows the zeros of runbooks and forgets those that are gone. It is
// called by one at a time.
func (m *Metrics) configure(runbooks []Runbook) {
	for _, name := range m.known {
		if !slices.ContainsFunc(runbooks, func(r Runbook) bool { return r.Name == name }) {
			m.runbooks.DeletePartialMatch(prometheus.Labels{"runbook": name})
		}
	}
	m.known = nil
	for _, r := range runbooks {
		m.known = append(m.known, r.Name)
		for _, outcome := range []string{string(engine.StateApplied), string(engine.StateNeedsHuman), string(engine.StateRefused), outcomeUnresolved} {
			m.runbooks.WithLabelValues(r.Name, outcome)
		}
	}
}
