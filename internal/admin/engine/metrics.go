package engine

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
)

// Metrics are the engine's own. They live as long as the process, reloads
// included. Metrics is a prometheus.Collector.
type Metrics struct {
	refusals *prometheus.CounterVec
	records  prometheus.Counter
	stuck    prometheus.Counter
	pending, human, killed, breaker, writable, status, size,
	head *prometheus.Desc

	engine atomic.Pointer[Engine]
}

// NewMetrics returns counters that are all zero.
func NewMetrics() *Metrics {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	m := &Metrics{
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "alikafka_guard_refusals_total", Help: "Operations that a guard refused; one may be refused by several.",
		}, []string{"guard"}),
		records: prometheus.NewCounter(prometheus.CounterOpts{Name: "alikafka_journal_records_total", Help: "Records that were appended to the journal and are on the disk."}),
		stuck: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "alikafka_journal_rotation_failures_total", Help: "Attempts to begin a new segment of the journal that failed, so that the present one grows; the log says why.",
		}),
		pending:  gauge("alikafka_runs_pending_approval", "Runs that wait for people to approve them."),
		human:    gauge("alikafka_runs_needs_human", "Runs whose outcome could not be proved and that nobody has looked at yet."),
		killed:   gauge("alikafka_kill_switch_active", "Whether any source says that nothing may be changed: the API, the file, the environment."),
		breaker:  gauge("alikafka_breaker_open", "Whether acting stopped by itself, after failures or a run that needs a human."),
		writable: gauge("alikafka_journal_writable", "Whether this process can record what it does, and so may act; alikafka_journal_status says why not."),
		status: gauge("alikafka_journal_status", "What becomes of a record (0/1): writable; failing, the last write failed, as on a full disk, and is tried again every 30 s; "+
			"latched, closed for good, after a failed fsync until a restart, after damage until somebody has looked; standby, another process holds the storage.", "status"),
		size: gauge("alikafka_journal_size_bytes", "Size of all segments of the journal in the storage path; every five minutes it is looked whether somebody has taken old ones away."),
		head: gauge("alikafka_journal_head", "First 48 bits of the hash of everything in the journal, as a number: kept elsewhere, it proves that nothing was changed."),
	}
	for _, g := range guards {
		m.refusals.WithLabelValues(g.name)
	}
	return m
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.refusals.Describe(ch)
	m.records.Describe(ch)
	m.stuck.Describe(ch)
	for _, d := range []*prometheus.Desc{m.pending, m.human, m.killed, m.breaker, m.writable, m.status, m.size, m.head} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. The gauges are those of the engine
// that was opened last.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.refusals.Collect(ch)
	m.records.Collect(ch)
	m.stuck.Collect(ch)
	e := m.engine.Load()
	if e == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	state := e.KillSwitch()
	pending, human := e.waiting()
	gauge(m.pending, float64(pending))
	gauge(m.human, float64(human))
	gauge(m.killed, number01(state.Stopped))
	gauge(m.breaker, number01(state.BreakerOpen))
	now := e.journalStatus()
	gauge(m.writable, number01(now == journalWritable))
	for _, status := range journalStatuses {
		ch <- prometheus.MustNewConstMetric(m.status, prometheus.GaugeValue, number01(now == status), status)
	}
	if e.journal != nil {
		gauge(m.size, float64(e.journal.Size()))
		gauge(m.head, headNumber(e.journal.Head().Hash))
	}
}

// What becomes of a record.
const (
	journalWritable = "writable"
	journalFailing  = "failing" // and is tried again
	journalLatched  = "latched" // closed for good
	journalStandby  = "standby" // another process has the journal
)

// journalStatuses are the values of the label status.
var journalStatuses = []string{journalWritable, journalFailing, journalLatched, journalStandby}

// journalStatus returns what becomes of a record now.
func (e *Engine) journalStatus() string {
	switch {
	case e.journal == nil:
		return journalStandby
	case e.journal.Err() != nil:
		return journalLatched
	case e.journal.Failed() != nil:
		return journalFailing
	}
	return journalWritable
}

func number01(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// headNumber is what a float64 can hold exactly of a hash.
func headNumber(h journal.Hash) float64 { return float64(binary.BigEndian.Uint64(h[:8]) >> 16) }
