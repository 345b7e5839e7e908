package collector

import (
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// Metrics are the exporter's own counters: what it asked of the cloud and what
// came of it. They live as long as the process, reloads included. Metrics is a
// prometheus.Collector.
type Metrics struct {
	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	throttled   *prometheus.CounterVec
	waited      *prometheus.CounterVec
	unavailable *prometheus.CounterVec
	errors      *prometheus.CounterVec
	rateLimit   *prometheus.Desc
	reloaded    prometheus.Gauge
	reloadedAt  prometheus.Gauge

	mu     sync.Mutex
	down   map[regionKey]time.Time // the last minute that was counted as unavailable
	limits map[string]*api.Limiter // by account
}

type regionKey struct{ account, region string }

// NewMetrics returns counters that are all zero.
func NewMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	return &Metrics{
		requests: counter("alikafka_api_requests_total",
			"Attempts of calls to the cloud's API by result; ok, a documented error code, or a transport fault.", "account", "action", "code"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "alikafka_api_request_duration_seconds",
			Help:    "Time from sending a request to the last byte of its reply.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"account", "action"}),
		throttled: counter("alikafka_api_throttled_total", "Attempts that the cloud's flow control refused.", "account", "action"),
		waited:    counter("alikafka_api_wait_seconds_total", "Time that calls waited for a slot of the rate limit.", "account", "action", "lane"),
		unavailable: counter("alikafka_api_unavailable_seconds_total",
			"Minutes, in seconds, that were down by the provider's agreement: a request and its three retries all ended in InternalError (500) or ServiceUnavailable (503).",
			"account", "region_id"),
		errors: counter("alikafka_source_errors_total", "Reads of a source that failed, retries included, by error code.", "account", "region_id", "source", "reason"),
		rateLimit: prometheus.NewDesc("alikafka_api_rate_limit_requests_per_second",
			"Rate at which polling may call the action now. It adapts when the cloud throttles.", []string{"account", "action"}, nil),
		reloaded:   gauge("alikafka_exporter_config_last_reload_successful", "Whether the last attempt to load the configuration succeeded."),
		reloadedAt: gauge("alikafka_exporter_config_last_reload_success_timestamp_seconds", "When the configuration was last loaded successfully."),
		down:       map[regionKey]time.Time{},
		limits:     map[string]*api.Limiter{},
	}
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.duration, m.throttled, m.waited, m.unavailable, m.errors, m.reloaded, m.reloadedAt}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
	ch <- m.rateLimit
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
	m.eachLimit(func(account, action string, perSecond float64) {
		ch <- prometheus.MustNewConstMetric(m.rateLimit, prometheus.GaugeValue, perSecond, account, action)
	})
}

// eachLimit visits the present limits of what was called.
func (m *Metrics) eachLimit(f func(account, action string, perSecond float64)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for account, l := range m.limits {
		slowest := map[string]float64{} // where limits are per region, the most restricted one
		for _, r := range l.Rates() {
			if v, ok := slowest[r.Action]; !ok || r.PerSecond < v {
				slowest[r.Action] = r.PerSecond
			}
		}
		for action, v := range slowest {
			f(account, action, v)
		}
	}
}

// Observe counts an attempt of a call; it is what api.Options.Observe takes.
func (m *Metrics) Observe(a api.Attempt) {
	action := actionLabel(a.Action)
	m.requests.WithLabelValues(a.Account, action, api.CodeLabel(a.Code)).Inc()
	m.waited.WithLabelValues(a.Account, action, a.Lane.String()).Add(a.Waited.Seconds())
	if a.Took > 0 {
		m.duration.WithLabelValues(a.Account, action).Observe(a.Took.Seconds())
	}
	if a.Class == api.Throttled {
		m.throttled.WithLabelValues(a.Account, action).Inc()
	}
	if a.Unavailable {
		m.unavailableMinute(regionKey{a.Account, a.RegionID}, a.At.Truncate(time.Minute))
	}
}

// unavailableMinute counts a minute once.
func (m *Metrics) unavailableMinute(k regionKey, minute time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if minute.After(m.down[k]) {
		m.down[k] = minute
		m.unavailable.WithLabelValues(k.account, k.region).Add(60)
	}
}

// actionLabel keeps the label's values to those of the table.
func actionLabel(action string) string {
	if _, ok := api.Lookup(action); ok {
		return action
	}
	return api.CodeOther
}

// Watch shows the limits of an account, and zeros for what may yet be counted.
func (m *Metrics) Watch(account string, l *api.Limiter) {
	m.mu.Lock()
	m.limits[account] = l
	m.mu.Unlock()
	for _, s := range sources() {
		m.throttled.WithLabelValues(account, s.action)
		m.requests.WithLabelValues(account, s.action, api.CodeOK)
	}
}

// Forget removes an account that is no longer configured.
func (m *Metrics) Forget(account string) {
	m.mu.Lock()
	delete(m.limits, account)
	maps.DeleteFunc(m.down, func(k regionKey, _ time.Time) bool { return k.account == account })
	m.mu.Unlock()
	labels := prometheus.Labels{"account": account}
	for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{m.requests, m.duration, m.throttled, m.waited, m.unavailable, m.errors} {
		v.DeletePartialMatch(labels)
	}
}

// forgetRegion removes a region in which the account has nothing any more.
func (m *Metrics) forgetRegion(account, region string) {
	labels := prometheus.Labels{"account": account, "region_id": region}
	m.unavailable.DeletePartialMatch(labels)
	m.errors.DeletePartialMatch(labels)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.down, regionKey{account, region})
}

// watchRegion exports the zero of a region that has not been down yet.
func (m *Metrics) watchRegion(account, region string) {
	m.unavailable.WithLabelValues(account, region)
}

func (m *Metrics) sourceError(account, region, source, reason string) {
	m.errors.WithLabelValues(account, region, source, reason).Inc()
}

// Configured notes an attempt to load the configuration.
func (m *Metrics) Configured(ok bool) {
	if !ok {
		m.reloaded.Set(0)
		return
	}
	m.reloaded.Set(1)
	m.reloadedAt.SetToCurrentTime()
}

// reason is the value of the reason label for err.
func reason(err error) string {
	var e *api.Error
	var incomplete *api.IncompleteError
	switch {
	case errors.As(err, &e):
		return api.CodeLabel(e.Code)
	case errors.As(err, &incomplete):
		return "incomplete_listing"
	}
	return api.CodeOther
}
