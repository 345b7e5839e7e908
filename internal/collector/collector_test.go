package collector_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/golden"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// exporter is a collector on a simulated cloud.
type exporter struct {
	*collector.Collector
	metrics *collector.Metrics
	log     *syncBuffer
}

// setting is what a test varies.
type setting struct {
	config   collector.Config
	limits   api.RateLimits
	accounts []account
	previous *collector.Collector
	state    *collector.State
	metrics  *collector.Metrics
}

type account struct {
	collector.AccountConfig
	key string // AccessKeyId
	// secret of the key; "" means testsecret.
	secret string
}

func defaults(regions ...string) setting {
	a := collector.DefaultAccountConfig()
	a.Name, a.Regions = "main", regions
	return setting{config: collector.DefaultConfig(), limits: api.DefaultRateLimits(), accounts: []account{{AccountConfig: a}}}
}

// start makes a collector that calls transport. Called inside a bubble.
func start(t testing.TB, s setting, transport http.RoundTripper) exporter {
	t.Helper()
	log := &syncBuffer{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	m := s.metrics
	if m == nil {
		m = collector.NewMetrics()
	}
	source := api.NewSourceLimit(s.limits.PerSourceIP)
	var accounts []collector.Account
	for _, a := range s.accounts {
		key := api.Key{ID: "testid", Secret: secret.New("testsecret")}
		if a.key != "" {
			key.ID = a.key
		}
		if a.secret != "" {
			key.Secret = secret.New(a.secret)
		}
		limiter := api.NewLimiter(s.limits, source)
		m.Watch(a.Name, limiter)
		client, err := api.NewClient(api.Options{Account: a.Name, Credentials: fixed(key), Limiter: limiter, Transport: transport, Observe: m.Observe})
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, collector.Account{AccountConfig: a.AccountConfig, Client: client, PerRegion: s.limits.Scope == "region"})
	}
	c := collector.New(collector.Options{Accounts: accounts, Config: s.config, Logger: logger, Metrics: m, Previous: s.previous, State: s.state})
	return exporter{c, m, log}
}

// run runs the collector for d of simulated time.
func (e exporter) run(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := e.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

type fixed api.Key

func (k fixed) Key(context.Context) (api.Key, error) { return api.Key(k), nil }

// gather returns the families of a scrape by name.
func gather(t *testing.T, cs ...prometheus.Collector) map[string]*dto.MetricFamily {
	t.Helper()
	r := prometheus.NewRegistry()
	for _, c := range cs {
		r.MustRegister(c)
	}
	list, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	families := map[string]*dto.MetricFamily{}
	for _, f := range list {
		families[f.GetName()] = f
	}
	return families
}

// value returns the sample of a family whose labels include the given pairs;
// ok is false when there is none.
func value(families map[string]*dto.MetricFamily, name string, pairs ...string) (v float64, ok bool) {
	f := families[name]
	if f == nil {
		return 0, false
	}
	for _, m := range f.GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		match := true
		for i := 0; i < len(pairs); i += 2 {
			match = match && labels[pairs[i]] == pairs[i+1]
		}
		if match {
			if c := m.GetCounter(); c != nil {
				return c.GetValue(), true
			}
			return m.GetGauge().GetValue(), true
		}
	}
	return 0, false
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newCloud(t testing.TB, o sim.Options) *sim.Cloud {
	t.Helper()
	c, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// inOrder makes the listing of groups slow, so that topics are read before the
// progress of groups makes that less urgent: one order of events out of many.
func inOrder(c *sim.Cloud) *sim.Cloud {
	c.SetFault(sim.Match{Action: "GetConsumerList"}, sim.Fault{Kind: sim.Slow, Latency: 5 * time.Second})
	return c
}

// page renders families as text.
func page(t *testing.T, families map[string]*dto.MetricFamily) string {
	t.Helper()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if _, err := expfmt.MetricFamilyToText(&b, families[name]); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestThePageOfASmallInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{{
			ID: "alikafka_pre-cn-1", Name: "payments", RegionID: "cn-hangzhou", EipMax: 10, DeployType: 4, Retention: 48 * time.Hour,
			Config:  map[string]string{"enable.acl": "true", "kafka.message.max.bytes": "1048576"},
			Allowed: []sim.AllowedIPs{{PortRange: "9092/9092", IPs: []string{"10.0.0.0/8", "0.0.0.0/0"}}, {Internet: true, PortRange: "9093/9093", IPs: []string{"192.0.2.1/32"}}},
			Tags:    []sim.Tag{{Key: "team", Value: "支付"}},
			Topics: []sim.Topic{
				{Name: "orders", Partitions: 2, Rate: 10, Shape: sim.Steady, Tags: []sim.Tag{{Key: "team", Value: "a\"b\\c"}}},
				{Name: "my.topic", Partitions: 1, Rate: 0, Compact: true},
			},
			Groups: []sim.Group{
				{Name: "billing", Members: 2, Subscriptions: []sim.Subscription{{Topic: "orders", Delay: 2 * time.Second}}},
				{Name: "idle"},
			},
		}}}}}})
		s := defaults("cn-hangzhou")
		s.config.Tags = []string{"team", "cost.center"}
		s.config.OwnerInfo = true
		e := start(t, s, inOrder(cloud))
		e.run(t, 20*time.Second) // the first read of everything, none the second
		got := page(t, gather(t, e.Families("")))
		golden.File(t, "testdata/small.prom", got)
		problems, err := promlint.New(strings.NewReader(got)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("promlint: %s: %s", p.Metric, p.Text)
		}
	})
}
