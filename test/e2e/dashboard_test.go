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
	eventually(t, "both instances are targets", func() bool {
		return len(prom.query(t, `up{job="kafka-exporter"} == 1`)) == 2 && len(prom.query(t, `kafka_consumergroup_lag`)) > 0
	})
	variables, queries := panels(t)
	values := map[string]string{}
	for _, v := range variables {
		want := map[string][]string{"job": {"kafka-exporter"}, "instance": {bigInstance, elsewhere}, "topic": {"audit", "orders", "quiet"}}[v[0]]
		var got []string
		eventually(t, "variable "+v[0], func() bool {
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
	<-time.After(66 * time.Second)
	checkRates(t, prom, queries)
	checkInstants(t, prom, cloud, queries)
	prom.scrapesWell(t)
}

// comparison is a query with the values that it has in the end, by labels.
type comparison struct {
	name, query string
	labels      []string
	want        map[string]float64
}

// agrees waits until every value is as wanted, give or take so much of it.
func (c comparison) agrees(t *testing.T, prom prometheus, tolerance float64) {
	t.Helper()
	near := func(got, want float64) bool { return math.Abs(got-want) <= tolerance*want }
	var got map[string]float64
	for deadline := time.Now().Add(patience); ; <-time.After(500 * time.Millisecond) {
		if got = prom.vector(t, c.query, c.labels...); maps.EqualFunc(got, c.want, near) {
			t.Logf("%s: %d values, all as the cloud has them give or take %g %%: %v", c.name, len(got), 100*tolerance, got)
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s: %v, the cloud has %v", c.name, got, c.want)
			return
		}
	}
}

// checkRates compares rates with the cloud's while messages flow. A sample is
// as old as the poll behind it, so a rate over a minute is off by what is
// produced in the difference between the ages of its first and its last
// sample. Where the machine is busy now and then, that passes; what is counted
// wrong stays. That no offset went back holds at any load.
func checkRates(t *testing.T, prom prometheus, queries map[string]string) {
	t.Helper()
	// Five minutes are long to wait for: a minute, and not a fifth of it.
	minute := func(query string) string { return strings.Replace(query, "[5m])/5", "[1m])", 1) }
	produced := map[string]float64{}
	for topic, rate := range rates {
		produced[topic] = 60 * rate
	}
	consumed := map[string]float64{
		"billing orders": produced["orders"], "archive orders": produced["orders"], "archive audit": produced["audit"], "stopped audit": 0,
	}
	for _, c := range []comparison{
		{"rates", queries["produced"], []string{"topic"}, rates},
		{"messages a minute", minute(queries["produced/m"]), []string{"topic"}, produced},
		{"messages consumed a minute", minute(queries["consumed/m"]), []string{"consumergroup", "topic"}, consumed},
	} {
		c.agrees(t, prom, 0.05)
	}
	if back := prom.query(t, `resets({__name__=~"kafka_topic_partition_current_offset|kafka_consumergroup_current_offset"}[5m]) > 0`); len(back) > 0 {
		t.Errorf("offsets went back: %v", back)
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
	for _, c := range []comparison{
		{"lag", queries["lag"], []string{"consumergroup", "topic"}, lag},
		{"partitions", queries["partitions"], []string{"topic"}, map[string]float64{"orders": 12, "audit": 4, "quiet": 2}},
		{"log ends", `kafka_topic_partition_current_offset{instance="` + bigInstance + `"}`, []string{"topic", "partition"}, ends},
		{"offsets", `kafka_consumergroup_current_offset{instance="` + bigInstance + `"}`, []string{"consumergroup", "topic", "partition"}, offsets},
		{"sums of lag", `kafka_consumergroup_lag_sum{instance="` + bigInstance + `"}`, []string{"consumergroup", "topic"}, lag},
	} {
		c.agrees(t, prom, 0)
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
	// Its data are of another target than those compared before, which may be
	// scraped later.
	comparison{"lag for autoscaling", query, nil, map[string]float64{"": want}}.agrees(t, prom, 0)
	for name, q := range map[string]string{
		"data that are too old": strings.Replace(query, "< 300", "< 0", 1), "no data": strings.Replace(query, bigInstance, "gone", 1),
	} {
		if got := prom.query(t, q); len(got) != 0 {
			t.Errorf("with %s: %v", name, got)
		}
	}
}
