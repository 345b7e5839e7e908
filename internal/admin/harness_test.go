package admin_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// Two instances: principals are allowed on the first only.
const (
	mine  = "alikafka_pre-cn-mine0001"
	other = "alikafka_pre-cn-other001"
)

// principals is the admin section of the tests; tokens are the names of the
// principals, long enough.
const principals = `
admin:
  allowed_hosts: [exporter.monitoring.svc]
  alertmanager_repeat_interval: 1h
  principals:
    - {name: alice, kind: person, token_file: alice, effects: [Read, Write, Secure, Destroy], instances: alikafka_pre-cn-mine.*}
    - {name: bob, kind: person, token_file: bob, effects: [Read], instances: .*, may_approve: true, privileged: true}
    - {name: carol, kind: person, token_file: carol, actions: [ModifyTopicRemark], instances: alikafka_pre-cn-mine.*, may_approve: true}
    - {name: dave, kind: person, token_file: dave}
    - {name: am, kind: webhook, token_file: am, instances: alikafka_pre-cn-mine.*, runbooks: [RUNBOOKS]}
    - {name: am2, kind: webhook, token_file: am2, instances: alikafka_pre-cn-mine.*, runbooks: [RUNBOOKS]}
    - {name: stranger, kind: webhook, token_file: stranger, instances: .*}
  secrets: {kafka-user: sasl}
  guards:
    whitelist: {allowed: [10.0.0.0/8]}
`

// canary is the content of every secret of the tests.
const canary = "canary-0123456789abcdef"

func token(principal string) string { return principal + "-token-" + canary }

// house is an admin server on a simulated cloud.
type house struct {
	t         *testing.T
	cloud     *sim.Cloud
	client    *api.Client
	dir       string
	config    admin.Config
	runbooks  []admin.Runbook
	collector *collector.Collector
	metrics   *admin.Metrics
	log       *buffer
	segment   int64      // size of the journal's segments; 0: the default
	disk      journal.FS // of the journal; nil: the real one
	acting    *engine.Metrics

	server *admin.Server
	polls  func() // ends polling
	stop   func() // ends the server
}

// buffer is what the server logs.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

type fixed api.Key

func (k fixed) Key(context.Context) (api.Key, error) { return api.Key(k), nil }

// world is what the simulated cloud holds.
func world() *sim.World {
	instance := func(id string) sim.Instance {
		return sim.Instance{
			ID: id, Name: id, RegionID: "cn-hangzhou",
			Allowed:   []sim.AllowedIPs{{PortRange: "9092/9092", IPs: []string{"192.168.0.0/16"}}},
			SaslUsers: []sim.SaslUser{{Username: "app", Password: canary}},
			Topics: []sim.Topic{
				{Name: "orders", Partitions: 12, Rate: 50, Tags: []sim.Tag{{Key: "alikafka-exporter-scale", Value: "true"}}},
				{Name: "invoices", Partitions: 6, Rate: 5, Tags: []sim.Tag{{Key: "alikafka-exporter-scale", Value: "true"}}},
				{Name: "closed", Partitions: 6, Rate: 5},
			},
			Groups: []sim.Group{{Name: "billing", Subscriptions: []sim.Subscription{{Topic: "orders"}}}},
		}
	}
	return &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{instance(mine), instance(other)}}}}
}

// build makes a house with the runbooks of a YAML list and starts it. Called
// inside a bubble.
func build(t *testing.T, runbooks string) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), metrics: admin.NewMetrics(), acting: engine.NewMetrics(), log: &buffer{}}
	for _, name := range []string{"alice", "bob", "carol", "dave", "am", "am2", "stranger"} {
		h.write(name, token(name))
	}
	h.write("sasl", canary)
	h.configure(runbooks)
	var err error
	if h.cloud, err = sim.New(sim.Options{World: world(), Limits: sim.Limits{Default: -1}, Log: true}); err != nil {
		t.Fatal(err)
	}
	limits := api.DefaultRateLimits()
	limits.Default, limits.PerSourceIP = 100, 1000
	h.client, err = api.NewClient(api.Options{
		Account: "main", Credentials: fixed{ID: "testid", Secret: secret.New("testsecret")}, Transport: h.cloud,
		Limiter: api.NewLimiter(limits, api.NewSourceLimit(limits.PerSourceIP)),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.watch()
	h.start()
	t.Cleanup(func() { h.stop(); h.polls() })
	return h
}

func (h *house) write(name, content string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(content+"\n"), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// configure reads the configuration with these runbooks.
func (h *house) configure(runbooks string) {
	h.t.Helper()
	var names []string
	for line := range strings.Lines(runbooks) {
		if name, ok := strings.CutPrefix(line, "  - name: "); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	text := strings.ReplaceAll(principals, "RUNBOOKS", strings.Join(names, ", "))
	if runbooks != "" {
		text += "runbooks:\n" + runbooks
	}
	h.write("config.yaml", text)
	var err error
	if h.config, h.runbooks, err = config.LoadRunbooks(filepath.Join(h.dir, "config.yaml")); err != nil {
		h.t.Fatal(err)
	}
}

// The parameters of runbooks: targets by the labels of alerts.
const (
	byInstance = "InstanceId: {label: instance_id, type: instance}"
	byTopic    = byInstance + ", Topic: {label: topic, type: topic}"
	byResource = "ResourceType: {value: INSTANCE}, ResourceId.1: {label: instance_id, type: instance}, Tag.1.Key: {value: alikafka-exporter-incident}"
	doubled    = byTopic + ", TargetPartitionNum: {times: 2, max: 96}"
)

// runbook writes an item of the list that build takes: one matcher, parameters
// with commas between, and lines of other keys.
func runbook(name, match, action, params string, more ...string) string {
	return fmt.Sprintf("  - name: %s\n    match: ['%s']\n    action: %s\n    params: {%s}\n    %s\n", name, match, action, params, strings.Join(more, "\n    "))
}

// scale is a runbook that acts by itself.
var scale = runbook("scale", `alertname="PartitionBound"`, "ModifyPartitionNum", doubled,
	"mode: auto", "wait_for: 1m", "cool_down: 1h", "verify: {metric: alikafka_topic_partitions, expect: higher, within: 30m}")

// watch starts polling and waits until everything is known.
func (h *house) watch() {
	account := collector.DefaultAccountConfig()
	account.Name, account.Regions = "main", []string{"cn-hangzhou"}
	// Nobody scrapes: of all families only the one is made that runbooks measure.
	measured, err := collector.NewRegexp("alikafka_topic_partitions")
	if err != nil {
		h.t.Fatal(err)
	}
	cfg := collector.DefaultConfig()
	cfg.Metrics.Allow = []collector.Regexp{measured}
	// Tests play hours: what changes behind the server's back is seen within
	// ten minutes, not within one.
	for name, source := range cfg.Sources {
		source.Interval *= 10
		cfg.Sources[name] = source
	}
	h.collector = collector.New(collector.Options{
		Accounts: []collector.Account{{AccountConfig: account, Client: h.client}}, Config: cfg,
		Logger: slog.New(slog.DiscardHandler), Metrics: collector.NewMetrics(),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.collector.Run(ctx) }()
	<-h.collector.Ready()
	h.polls = sync.OnceFunc(func() { cancel(); <-done })
}

// open makes the server, which does nothing yet.
func (h *house) open() { h.standby("") }

// standby makes a server that must not act for a reason; "" may.
func (h *house) standby(reason string) {
	h.t.Helper()
	server, err := admin.New(admin.Options{
		Config: h.config, Runbooks: h.runbooks, Collector: h.collector, Readers: map[string]*api.Client{"main": h.client},
		Metrics: h.metrics, Logger: slog.New(slog.NewTextHandler(h.log, nil)),
		Engine: engine.Options{Accounts: map[string]engine.Account{"main": {Client: h.client}}, Dir: h.dir, Standby: reason, SegmentSize: h.segment, FS: h.disk, Metrics: h.acting},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.server = server
	h.stop = sync.OnceFunc(func() {
		if err := server.Close(); err != nil {
			h.t.Error(err)
		}
	})
}

// start opens the server and lets it act.
func (h *house) start() {
	h.t.Helper()
	h.open()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	server, closing := h.server, h.stop
	go func() { done <- server.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
		closing()
	})
}

// restart ends the server and starts it anew on the same storage.
func (h *house) restart() {
	h.t.Helper()
	h.stop()
	h.start()
}

// request is a request to the server; the zero value of a field sends nothing.
type request struct {
	method, path string
	as           string // principal
	body         string
	header       map[string]string
	host         string
}

// answer is what the server answered.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (h *house) do(r request) answer {
	h.t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
		if r.body != "" {
			r.method = http.MethodPost
		}
	}
	req := httptest.NewRequestWithContext(context.Background(), r.method, "http://localhost:19309"+r.path, strings.NewReader(r.body))
	if r.host != "" {
		req.Host = r.host
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.as != "" {
		req.Header.Set("Authorization", "Bearer "+token(r.as))
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.server.ServeHTTP(w, req)
	a := answer{status: w.Code, header: w.Header(), text: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &a.json)
	if strings.Contains(a.text, canary) {
		h.t.Errorf("%s %s: the answer holds a secret:\n%s", r.method, r.path, a.text)
	}
	return a
}

// act asks for an action and fails the test unless the status is as wanted.
func (h *house) act(as, key, action, body string, want int) answer {
	h.t.Helper()
	a := h.do(request{path: "/api/v1/actions/" + action, as: as, body: body, header: map[string]string{"Idempotency-Key": key, "Prefer": "wait=120"}})
	if a.status != want {
		h.t.Fatalf("%s: %d, want %d:\n%s", action, a.status, want, a.text)
	}
	return a
}

// text returns a member of the answer, "" where there is none.
func (a answer) member(path ...string) string {
	var at any = a.json
	for _, name := range path {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	s, _ := at.(string)
	return s
}

// effects returns what was done to the cloud.
func (h *house) effects(action string) []sim.Effect {
	return h.cloud.Effects(sim.Match{Action: action})
}

// mutations counts the calls of actions that change something, whatever came
// of them.
func (h *house) mutations() int {
	n := 0
	for _, a := range api.Actions() {
		if a.Effect != api.Read {
			n += h.cloud.Calls(sim.Match{Action: a.Name}).Calls
		}
	}
	return n
}

// counter returns the value of a counter of the server's, or of a gauge of its
// engine's; 0 where it has none.
func (h *house) counter(name string, labels ...string) float64 {
	h.t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(h.metrics, h.acting)
	families, err := r.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && hasLabels(m, labels) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

func hasLabels(m *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		found := false
		for _, l := range m.GetLabel() {
			found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}

// alert is an alert of a webhook's message.
type alert struct {
	Status   string            `json:"status"`
	Labels   map[string]string `json:"labels"`
	StartsAt time.Time         `json:"startsAt"`
	EndsAt   time.Time         `json:"endsAt"`
}

func firing(labels ...string) alert {
	return alert{Status: "firing", Labels: labelSet(labels), StartsAt: time.Now()}
}

func resolvedNow(labels ...string) alert {
	return alert{Status: "resolved", Labels: labelSet(labels), StartsAt: time.Now().Add(-time.Hour), EndsAt: time.Now()}
}

func labelSet(pairs []string) map[string]string {
	set := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		set[pairs[i]] = pairs[i+1]
	}
	return set
}

// message writes a webhook's body as Alertmanager does.
func message(t *testing.T, truncated int, alerts ...alert) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"version": "4", "groupKey": `{}:{alertname="A"}`, "status": "firing", "receiver": "alikafka-runbooks", "truncatedAlerts": truncated,
		"alerts": alerts, "externalURL": "http://am:9093", "commonLabels": map[string]string{}, "notification_reason": "first notification",
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// deliver posts a webhook that must be taken in.
func (h *house) deliver(as string, alerts ...alert) {
	h.t.Helper()
	a := h.do(request{path: "/api/v1/webhook/alertmanager", as: as, body: message(h.t, 0, alerts...)})
	if a.status != http.StatusAccepted {
		h.t.Fatalf("webhook: %d\n%s", a.status, a.text)
	}
}

// episodes returns what bob sees of the episodes.
func (h *house) episodes() []map[string]any {
	h.t.Helper()
	var list []map[string]any
	for _, e := range h.do(request{path: "/api/v1/episodes", as: "bob"}).json["episodes"].([]any) {
		list = append(list, e.(map[string]any))
	}
	return list
}

// cloudCall makes a call past the server, as somebody else does.
func (h *house) cloudCall(action string, params map[string]string) ([]byte, error) {
	return h.client.Do(context.Background(), api.Raw{Action: action, Version: api.Version, RegionID: "cn-hangzhou", Format: "JSON", Params: params})
}

func basicAuth(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}
