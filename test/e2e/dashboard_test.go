package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// The cloud of the dashboard's test: two instances with topics of the same
// names and different rates.
const (
	cloudRegion = "cn-hangzhou"
	bigInstance = "alikafka_pre-cn-big"
	elsewhere   = "alikafka_pre-cn-small"
	clients     = "192.168.0.0/16" // where all producers and consumers are
)

func dashboardWorld() *sim.World {
	topic := func(name string, partitions int, rate float64) sim.Topic {
		return sim.Topic{Name: name, Partitions: partitions, Rate: rate, Shape: sim.Steady, Age: time.Hour}
	}
	group := func(name string, delay time.Duration, topics ...string) sim.Group {
		g := sim.Group{Name: name, CommitEvery: time.Second}
		for _, t := range topics {
			g.Subscriptions = append(g.Subscriptions, sim.Subscription{Topic: t, Delay: delay})
		}
		return g
	}
	stopped := group("stopped", time.Minute, "audit")
	stopped.Subscriptions[0].Left, stopped.Offline = 10*time.Minute, true
	return &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{
		{
			ID: bigInstance, RegionID: cloudRegion, Retention: 72 * time.Hour,
			Allowed: []sim.AllowedIPs{{PortRange: "9092/9092", IPs: []string{clients}}},
			Topics:  []sim.Topic{topic("orders", 12, 1200), topic("audit", 4, 90), topic("quiet", 2, 0)},
			Groups:  []sim.Group{group("billing", 3*time.Second, "orders"), group("archive", 20*time.Second, "orders", "audit"), stopped, group("idle", 0)},
		},
		{
			ID: elsewhere, RegionID: cloudRegion, Retention: 72 * time.Hour,
			Topics: []sim.Topic{topic("orders", 3, 40)},
			Groups: []sim.Group{group("billing", time.Second, "orders")},
		},
	}}}}
}

// rates are the messages a second of the topics of bigInstance.
var rates = map[string]float64{"orders": 1200, "audit": 90, "quiet": 0}

// panels reads the dashboard: its variables in order, and its queries by name.
func panels(t *testing.T) (variables [][2]string, queries map[string]string) {
	t.Helper()
	text, err := os.ReadFile("testdata/dashboard-7589.txt")
	if err != nil {
		t.Fatal(err)
	}
	queries = map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		if name == "var" {
			variable, query, _ := strings.Cut(rest, " ")
			variables = append(variables, [2]string{variable, strings.TrimSpace(query)})
		} else {
			queries[name] = rest
		}
	}
	return variables, queries
}

// fill puts the values of variables in, as Grafana does.
func fill(query string, values map[string]string) string {
	for name, value := range values {
		query = strings.ReplaceAll(query, "$"+name, value)
	}
	return query
}

// labelValues evaluates Grafana's label_values(selector, label).
func (p prometheus) labelValues(t *testing.T, query string) []string {
	t.Helper()
	inner := strings.TrimSuffix(strings.TrimPrefix(query, "label_values("), ")")
	at := strings.LastIndex(inner, ", ")
	var answer struct{ Data []string }
	p.get(t, "/api/v1/label/"+inner[at+2:]+"/values?match[]="+url.QueryEscape(inner[:at]), &answer)
	return answer.Data
}

// vector is an instant vector by the values of labels.
func (p prometheus) vector(t *testing.T, expr string, labels ...string) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	for _, s := range p.query(t, expr) {
		key := make([]string, len(labels))
		for i, l := range labels {
			key[i] = s.Metric[l]
		}
		values[strings.Join(key, " ")] = s.number()
	}
	return values
}

// startDashboard starts an exporter of the cloud and a Prometheus with the
// configuration that we ship, but for the address and the intervals.
func startDashboard(t *testing.T, cloud *sim.Cloud) prometheus {
	t.Helper()
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	config := fmt.Sprintf(`
accounts:
  - name: main
    credentials: {access_key_id: testid, access_key_secret: testsecret}
    regions: [%s]
    endpoints: {%[1]s: %q}
collect:
  sources:
    topic_status: {interval: 1s}
    consumer_group_progress: {interval: 1s}
rate_limits: {share: 1, default: 100, actions: {GetConsumerProgress: 100, GetTopicStatus: 100}}
`, cloudRegion, server.URL)
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	e := start(t, exporter(t), "serve", "--config.file="+file, "--web.listen-address=127.0.0.1:0")
	address := e.wait(t, `msg="Listening on" address=(127\.0\.0\.1:[1-9][0-9]*)`)[1]
	shipped, err := os.ReadFile("../../deploy/prometheus/prometheus-sd.yml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("alikafka-exporter:19308", address, "scrape_interval: 30s", "scrape_interval: 1s\n  scrape_timeout: 1s", "refresh_interval: 1m", "refresh_interval: 1s").Replace(string(shipped))
	return runPrometheus(t, text)
}

// clientOf returns one that calls the cloud as fast as it likes.
func clientOf(t *testing.T, cloud *sim.Cloud) *api.Client {
	t.Helper()
	limits := api.DefaultRateLimits()
	limits.Share, limits.Default = 1, 1000
	client, err := api.NewClient(api.Options{
		Account: "main", Credentials: testKey{}, Transport: cloud, Limiter: api.NewLimiter(limits, api.NewSourceLimit(limits.PerSourceIP)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

type testKey struct{}

func (testKey) Key(context.Context) (api.Key, error) {
	return api.Key{ID: "testid", Secret: secret.New("testsecret")}, nil
}

// TestDashboardOfKafkaExporter runs every query of the dashboard on targets
// that Prometheus discovered.
func TestDashboardOfKafkaExporter(t *testing.T) {
	t.Parallel()
	cloud, err := sim.New(sim.Options{World: dashboardWorld(), Limits: sim.Limits{Default: -1, PerSourceIP: -1}})
	if err != nil {
		t.Fatal(err)
	}
	prom := startDashboard(t, cloud)
	eventually(t, "both instances are targets", 90*time.Second, func() bool {
		return len(prom.query(t, `up{job="kafka-exporter"} == 1`)) == 2 && len(prom.query(t, `kafka_consumergroup_lag`)) > 0
	})
	begun := time.Now()
	variables, queries := panels(t)
	values := map[string]string{}
	for _, v := range variables {
		want := map[string][]string{"job": {"kafka-exporter"}, "instance": {bigInstance, elsewhere}, "topic": {"audit", "orders", "quiet"}}[v[0]]
		var got []string
		eventually(t, "variable "+v[0], 30*time.Second, func() bool {
			got = prom.labelValues(t, fill(v[1], values))
			return len(got) >= len(want)
		})
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("variable %s: %v, want %v", v[0], got, want)
		}
		values[v[0]] = got[0]
	}
	values["topic"] = "(audit|orders|quiet)" // all of them
	for name, query := range queries {
		queries[name] = fill(query, values)
	}
	// A minute of samples, and the slack of the first scrapes.
	<-time.After(time.Until(begun.Add(66 * time.Second)))
	checkRates(t, prom, queries)
	checkInstants(t, prom, cloud, queries)
	if errs := prom.scrapeErrors(t); len(errs) > 0 {
		t.Errorf("scrape errors: %v", errs)
	}
}

// span is how long the samples of a series in a range reach, how far they lie
// apart and how many seconds before at the last one is.
func (p prometheus) span(t *testing.T, selector string, at time.Time) (reach, step, late float64) {
	t.Helper()
	var answer struct {
		Data struct {
			Result []struct{ Values [][2]any }
		}
	}
	p.get(t, "/api/v1/query?query="+url.QueryEscape(selector)+"&time="+unix(at), &answer)
	if len(answer.Data.Result) == 0 {
		t.Fatalf("%s: no series", selector)
	}
	v := answer.Data.Result[0].Values
	first, _ := v[0][0].(float64)
	last, _ := v[len(v)-1][0].(float64)
	return last - first, (last - first) / float64(len(v)-1), float64(at.UnixMilli())/1000 - last
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

func (p prometheus) vectorAt(t *testing.T, expr string, at time.Time, labels ...string) map[string]float64 {
	t.Helper()
	var answer struct{ Data struct{ Result []sample } }
	p.get(t, "/api/v1/query?query="+url.QueryEscape(expr)+"&time="+unix(at), &answer)
	values := map[string]float64{}
	for _, s := range answer.Data.Result {
		key := make([]string, len(labels))
		for i, l := range labels {
			key[i] = s.Metric[l]
		}
		values[strings.Join(key, " ")] = s.number()
	}
	return values
}

// checkRates compares rates with the cloud's while messages flow. A sample is
// as old as the poll behind it, so an increase over a range is off by what is
// produced in the longest of these ages, and by one message for each partition.
func checkRates(t *testing.T, prom prometheus, queries map[string]string) {
	t.Helper()
	at := time.Now().Add(-time.Second)
	worst := func(metric string) float64 {
		return prom.vectorAt(t, fmt.Sprintf(`max(max_over_time((timestamp(%s{instance=%q}) - %[1]s{instance=%[2]q})[1m:1s]))`, metric, bigInstance), at)[""]
	}
	topics, groups := worst("alikafka_topic_last_poll_timestamp_seconds"), worst("alikafka_consumer_group_last_poll_timestamp_seconds")
	const commits = 1.0 // a group commits once a second
	t.Logf("the longest age of a sample within a minute: %.2f s of topics, %.2f s of groups", topics, groups)
	if topics <= 0 || groups <= 0 || max(topics, groups) > 20 {
		t.Errorf("ages of samples: %v s of topics, %v s of groups; a rate says nothing", topics, groups)
	}
	near := func(what string, got, want, tolerance float64) {
		t.Helper()
		t.Logf("%s: %.2f, the cloud's is %.2f, off by %.2f %% (bound %.2f)", what, got, want, 100*math.Abs(got-want)/max(want, 1), tolerance)
		if math.Abs(got-want) > tolerance {
			t.Errorf("%s: %v, want %v give or take %v", what, got, want, tolerance)
		}
	}
	selector := `kafka_topic_partition_current_offset{instance="` + bigInstance + `",topic="orders",partition="0"}`
	reach, step, _ := prom.span(t, selector+"[1m]", at)
	produced := prom.vectorAt(t, queries["produced"], at, "topic")
	for topic, rate := range rates {
		near("rate of "+topic, produced[topic], rate, rate*(topics+2*step)/reach+12./reach)
	}
	// Prometheus carries an increase on for at most half of a step before the
	// first sample, and up to the end after the last one.
	reach, step, late := prom.span(t, selector+"[5m]", at)
	perMinute := prom.vectorAt(t, queries["produced/m"], at, "topic")
	carried := reach + step/2 + late
	for topic, rate := range rates {
		near("messages a minute of "+topic, perMinute[topic], rate*carried/5, (rate*(topics+2*step)*carried/reach+12)/5)
	}
	consumed := prom.vectorAt(t, queries["consumed/m"], at, "consumergroup", "topic")
	for key, rate := range map[string]float64{"billing orders": rates["orders"], "archive orders": rates["orders"], "archive audit": rates["audit"], "stopped audit": 0} {
		near("messages a minute of "+key, consumed[key], rate*carried/5, (rate*(groups+commits+2*step)*carried/reach+12)/5)
	}
	if len(produced) != 3 || len(perMinute) != 3 || len(consumed) != 4 {
		t.Errorf("series: %v, %v, %v", produced, perMinute, consumed)
	}
}

// checkInstants locks all clients out, so that the cloud's offsets stand
// still, and compares every number.
func checkInstants(t *testing.T, prom prometheus, cloud *sim.Cloud, queries map[string]string) {
	t.Helper()
	client := clientOf(t, cloud)
	if _, err := api.Call(t.Context(), client, api.UpdateAllowedIp{
		RegionID: cloudRegion, InstanceID: bigInstance, UpdateType: "delete", AllowedListType: "vpc", PortRange: "9092/9092", AllowedListIP: clients,
	}); err != nil {
		t.Fatal(err)
	}
	lag, offsets, ends := map[string]float64{}, map[string]float64{}, map[string]float64{}
	for _, group := range []string{"billing", "archive", "stopped"} {
		answer, err := api.Call(t.Context(), client, api.GetConsumerProgress{RegionID: cloudRegion, InstanceID: bigInstance, ConsumerID: group})
		if err != nil {
			t.Fatal(err)
		}
		for _, topic := range answer.Progress.Topics {
			for _, p := range topic.Offsets {
				messages, _, ok := cloud.TrueLag("main", bigInstance, group, topic.Topic, int(p.Partition))
				if !ok || messages != p.BrokerOffset-p.ConsumerOffset {
					t.Fatalf("the cloud contradicts itself about %s on %s/%d: %d, %v", group, topic.Topic, p.Partition, messages, p)
				}
				lag[group+" "+topic.Topic] += float64(messages)
				offsets[fmt.Sprint(group, " ", topic.Topic, " ", p.Partition)] = float64(p.ConsumerOffset)
				ends[fmt.Sprint(topic.Topic, " ", p.Partition)] = float64(p.BrokerOffset)
			}
		}
	}
	ends["quiet 0"], ends["quiet 1"] = 0, 0
	if lag["billing orders"] == 0 || lag["archive audit"] == 0 || lag["stopped audit"] == 0 || len(ends) != 18 || len(offsets) != 32 {
		t.Fatalf("nothing to compare with: lag %v, %d log ends, %d offsets", lag, len(ends), len(offsets))
	}
	for _, c := range []struct {
		name, query string
		labels      []string
		want        map[string]float64
	}{
		{"lag", queries["lag"], []string{"consumergroup", "topic"}, lag},
		{"partitions", queries["partitions"], []string{"topic"}, map[string]float64{"orders": 12, "audit": 4, "quiet": 2}},
		{"log ends", `kafka_topic_partition_current_offset{instance="` + bigInstance + `"}`, []string{"topic", "partition"}, ends},
		{"offsets", `kafka_consumergroup_current_offset{instance="` + bigInstance + `"}`, []string{"consumergroup", "topic", "partition"}, offsets},
		{"sums of lag", `kafka_consumergroup_lag_sum{instance="` + bigInstance + `"}`, []string{"consumergroup", "topic"}, lag},
	} {
		var got map[string]float64
		agree := func() bool {
			got = prom.vector(t, c.query, c.labels...)
			return maps.Equal(got, c.want)
		}
		for deadline := time.Now().Add(30 * time.Second); !agree() && time.Now().Before(deadline); {
			<-time.After(500 * time.Millisecond)
		}
		if !agree() {
			t.Errorf("%s: %v, the cloud has %v", c.name, got, c.want)
			continue
		}
		t.Logf("%s: %d values, all as the cloud has them", c.name, len(got))
	}
	checkAutoscaling(t, prom, lag["billing orders"])
}

// checkAutoscaling evaluates the query that docs/compatibility.md gives to
// autoscalers: without data that are young enough it has no answer.
func checkAutoscaling(t *testing.T, prom prometheus, want float64) {
	t.Helper()
	_, query, ok := strings.Cut(documents(t)["compatibility.md"], "query: |\n")
	query, _, closed := strings.Cut(query, "threshold:")
	query = strings.NewReplacer("alikafka_pre-cn-…", bigInstance, "orders-billing", "billing").Replace(query)
	if !ok || !closed || !strings.Contains(query, bigInstance) || !strings.Contains(query, "< 300") {
		t.Fatalf("the document has no such query: %s", query)
	}
	if got := prom.query(t, query); len(got) != 1 || got[0].number() != want {
		t.Errorf("%s: %v, want %v", query, got, want)
	}
	for name, q := range map[string]string{
		"data that are too old": strings.Replace(query, "< 300", "< 0", 1), "no data": strings.Replace(query, bigInstance, "gone", 1),
	} {
		if got := prom.query(t, q); len(got) != 0 {
			t.Errorf("with %s: %v", name, got)
		}
	}
}
