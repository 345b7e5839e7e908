package collector_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
	"github.com/alikafka-exporter/alikafka-exporter/internal/golden"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// kafkaExporterPage returns the text of an instance's page.
func kafkaExporterPage(t *testing.T, e exporter, instance string) string {
	t.Helper()
	page, ok := e.KafkaExporterPage(instance)
	if !ok {
		t.Fatalf("no page of %s", instance)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	exposition.NewHandler(exposition.Options{Page: e.Page}).ServePage(w, r, page)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, %v", w.Code, err)
	}
	return string(body)
}

// compatWorld is an instance with what kafka_exporter would get wrong: a topic
// without messages, a group without a commit, one that nobody is a member of.
func compatWorld() *sim.World {
	return &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{
		{
			ID: "alikafka_pre-cn-1", Name: "payments", RegionID: "cn-hangzhou", Retention: 48 * time.Hour,
			Tags: []sim.Tag{{Key: "team", Value: "支付"}, {Key: "cost.center", Value: `a"b\c<d>`}},
			Topics: []sim.Topic{
				{Name: "orders", Partitions: 2, Rate: 10, Shape: sim.Steady},
				{Name: "my.topic", Partitions: 1, Rate: 0, Compact: true},
			},
			Groups: []sim.Group{
				{Name: "billing", Members: 2, Subscriptions: []sim.Subscription{{Topic: "orders", Delay: 2 * time.Second}, {Topic: "my.topic"}}},
				{Name: "gone", Offline: true, Subscriptions: []sim.Subscription{{Topic: "orders", Delay: time.Minute}}},
				{Name: "idle"},
			},
		},
		{ID: "alikafka_pre-cn-2", Name: "audit", RegionID: "cn-hangzhou", Topics: []sim.Topic{{Name: "orders", Partitions: 1}}},
	}}}}
}

func TestTheKafkaExporterPageOfAnInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := start(t, defaults("cn-hangzhou"), inOrder(newCloud(t, sim.Options{World: compatWorld()})))
		e.run(t, 20*time.Second)
		golden.File(t, "testdata/kafka_exporter.prom", kafkaExporterPage(t, e, "alikafka_pre-cn-1"))
		if got := kafkaExporterPage(t, e, "alikafka_pre-cn-2"); strings.Contains(got, "consumergroup") || !strings.Contains(got, `kafka_topic_partitions{topic="orders"} 1`) {
			t.Errorf("of the other instance:\n%s", got)
		}
		if _, ok := e.KafkaExporterPage("alikafka_pre-cn-3"); ok {
			t.Error("there is a page of an instance that does not exist")
		}
	})
}

// sameAs are the families of kafka_exporter that are one of ours by another
// name, without the labels of the instance.
var sameAs = map[string]string{
	"kafka_topic_partitions":               "alikafka_topic_partitions",
	"kafka_topic_partition_current_offset": "alikafka_topic_partition_newest_offset",
	"kafka_topic_partition_oldest_offset":  "alikafka_topic_partition_oldest_offset",
	"kafka_consumergroup_current_offset":   "alikafka_consumer_group_partition_offset",
	"kafka_consumergroup_lag":              "alikafka_consumer_group_partition_lag_messages",
	"kafka_consumergroup_lag_sum":          "alikafka_consumer_group_topic_lag_messages",
	"kafka_consumergroup_members":          "alikafka_consumer_group_members",
}

// seriesOf returns a family's values by topic, partition and group.
func seriesOf(f *dto.MetricFamily) map[string]float64 {
	values := map[string]float64{}
	for _, m := range f.GetMetric() {
		var topic, partition, group string
		for _, l := range m.GetLabel() {
			switch l.GetName() {
			case "topic":
				topic = l.GetValue()
			case "partition":
				partition = l.GetValue()
			case "consumergroup", "consumer_group":
				group = l.GetValue()
			}
		}
		values[fmt.Sprintf("%q %q %q", group, topic, partition)] = m.GetGauge().GetValue()
	}
	return values
}

func parsed(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return families
}

// TestTheKafkaExporterPageSaysWhatOursSays compares both pages of random
// instances while sources fail.
func TestTheKafkaExporterPageSaysWhatOursSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(5, 0))
		world := sim.Generate(sim.GenerateOptions{Instances: 3, TopicsPerInstance: 12, GroupsPerInstance: 9, PartitionsPerTopic: 5, TopicsPerGroup: 3}, 5)
		cloud := newCloud(t, sim.Options{Seed: 5, World: &world})
		e := start(t, defaults("cn-hangzhou"), cloud)
		defer background(t, e)()
		for range 6 {
			event := disturb(t, cloud, random)
			<-time.After(sweep * time.Duration(short.Of(20+random.IntN(60))))
			<-time.After(time.Nanosecond)
			synctest.Wait()
			for _, i := range e.Snapshot().Instances {
				theirs, ours := parsed(t, kafkaExporterPage(t, e, i.ID)), parsed(t, published(t, e, i.ID))
				for name, our := range sameAs {
					if got, want := seriesOf(theirs[name]), seriesOf(ours[our]); fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("%s, %s: %s is %v, %s is %v", event, i.ID, name, got, our, want)
					}
				}
				for name, f := range theirs {
					for series, v := range seriesOf(f) {
						if v < 0 {
							t.Errorf("%s%s is %v", name, series, v)
						}
					}
				}
				checkOffsetSums(t, theirs)
			}
		}
	})
}

// checkOffsetSums adds the partitions' offsets up.
func checkOffsetSums(t *testing.T, families map[string]*dto.MetricFamily) {
	t.Helper()
	want := map[string]float64{}
	for series, v := range seriesOf(families["kafka_consumergroup_current_offset"]) {
		want[series[:strings.LastIndexByte(series, ' ')]] += v
	}
	got := map[string]float64{}
	for series, v := range seriesOf(families["kafka_consumergroup_current_offset_sum"]) {
		got[series[:strings.LastIndexByte(series, ' ')]] = v
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sums of offsets are %v, want %v", got, want)
	}
}

func TestInstancesAreDiscovered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := defaults("cn-hangzhou")
		again := s.accounts[0]
		again.Name = "again" // the same key under another name: one target all the same
		s.accounts = append(s.accounts, again)
		cloud := newCloud(t, sim.Options{World: compatWorld()})
		e := start(t, s, cloud)
		if got := e.Discover(); got == nil || len(got) != 0 {
			t.Errorf("before anything is known: %v", got)
		}
		defer background(t, e)()
		<-e.Ready()
		text, err := json.MarshalIndent(e.Discover(), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.File(t, "testdata/discovered.json", string(text)+"\n")
		// What cannot be listed any more stays a target, in an unknown state.
		cloud.SetFault(sim.Match{Action: "GetInstanceList"}, sim.Fault{Kind: sim.Refuse, Code: "ONS_SYSTEM_ERROR"})
		<-time.After(20 * time.Minute) // the TTL of the list is a quarter of an hour
		found := e.Discover()
		if len(found) != 2 || found[0]["__meta_alikafka_status"] != "unknown" || found[0]["__meta_alikafka_instance_name"] != "payments" {
			t.Errorf("20 minutes after the last list: %v", found)
		}
	})
}

func TestKafkaExporterFamiliesAreItsOwn(t *testing.T) {
	t.Parallel()
	for _, f := range collector.KafkaExporterFamilies() {
		if !strings.HasPrefix(f.Name, "kafka_") {
			t.Errorf("%s is not of kafka_exporter", f.Name)
		}
	}
}
