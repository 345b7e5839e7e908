package collector_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// samples returns the lines of a page's samples with their labels sorted, and
// its metadata, all sorted.
func samples(t *testing.T, text string) []string {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return lines(families)
}

func lines(families map[string]*dto.MetricFamily) []string {
	var out []string
	for name, f := range families {
		out = append(out, fmt.Sprintf("# %s %s %s", name, f.GetType(), f.GetHelp()))
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			slices.Sort(labels)
			out = append(out, fmt.Sprintf("%s%v %v", name, labels, m.GetGauge().GetValue()+m.GetCounter().GetValue()))
		}
	}
	slices.Sort(out)
	return out
}

// published returns the text of the page that is kept ready.
func published(t *testing.T, e exporter, instance string) string {
	t.Helper()
	h := exposition.NewHandler(exposition.Options{Page: e.Page})
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	if instance == "" {
		h.ServeHTTP(w, r)
	} else {
		h.ServeInstance(w, r, instance)
	}
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, %v", w.Code, err)
	}
	return string(body)
}

// compare checks that the page says what client_golang says.
func compare(t *testing.T, when string, e exporter, instance string) {
	t.Helper()
	want, got := lines(gather(t, e.Families(instance))), samples(t, published(t, e, instance))
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s: (-client_golang +page):\n%s", when, d)
	}
}

// TestThePageSaysWhatClientGolangSays runs random clouds through random events
// and compares the page with the reference after each.
func TestThePageSaysWhatClientGolangSays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				world := sim.Generate(sim.GenerateOptions{
					Regions:   []string{"cn-hangzhou", "cn-shanghai"},
					Instances: 1 + random.IntN(3), TopicsPerInstance: 5 + random.IntN(short.Of(30)), GroupsPerInstance: 5 + random.IntN(short.Of(20)),
					PartitionsPerTopic: 1 + random.IntN(6), TopicsPerGroup: 1 + random.IntN(3),
				}, seed)
				cloud := newCloud(t, sim.Options{Seed: seed, World: &world, Latency: 20 * time.Millisecond})
				s := defaults()
				s.config.Tags = []string{"team", "env"}
				s.config.OwnerInfo = seed%2 == 1
				coarsen(t, random, &s.config)
				e := start(t, s, cloud)
				stop, started := background(t, e), time.Now()
				defer func() { stop() }() //nolint:gocritic // stop changes with the reload
				for step := range 8 {
					event := disturb(t, cloud, random)
					<-time.After(short.Of(time.Duration(random.IntN(400)) * time.Second))
					// Just after a sweep, so that what has outlived its TTL is gone.
					<-time.After(sweep - time.Since(started)%sweep + time.Nanosecond)
					synctest.Wait()
					compare(t, fmt.Sprintf("step %d, %s", step, event), e, "")
					if step == 4 { // and once more after a reload
						s.previous, s.metrics = e.Collector, e.metrics
						coarsen(t, random, &s.config)
						next := start(t, s, cloud)
						stop()
						compare(t, "right after a reload", next, "")
						e = next
						stop, started = background(t, e), time.Now()
					}
				}
				for _, i := range e.Snapshot().Instances {
					compare(t, "instance "+i.ID, e, i.ID)
				}
				compare(t, "an unknown instance", e, "nobody")
			})
		})
	}
}

// sweep is how often what has outlived its TTL is taken off the page.
const sweep = 5 * time.Second

// coarsen draws rules of granularity and a series budget.
func coarsen(t *testing.T, random *rand.Rand, c *collector.Config) {
	t.Helper()
	expression := func() (r collector.Regexp) {
		r, err := collector.NewRegexp([]string{"", "", ".*[0-4]", ".*[5-9]", "[a-m].*"}[random.IntN(5)])
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	c.Granularity = nil
	for range random.IntN(4) {
		c.Granularity = append(c.Granularity, collector.GranularityRule{
			Instances: expression(), Topics: expression(), ConsumerGroups: expression(), Level: collector.LevelPartition + collector.Level(random.IntN(3)),
		})
	}
	c.SeriesBudget = []int{0, 100, 400, 900}[random.IntN(4)]
}

// disturb makes something fail, or mends it.
func disturb(t *testing.T, cloud *sim.Cloud, random *rand.Rand) string {
	t.Helper()
	actions := []string{"GetInstanceList", "GetTopicList", "GetTopicStatus", "GetConsumerList", "GetConsumerProgress", "GetQuotaTip", "GetAllowedIpList"}
	action := actions[random.IntN(len(actions))]
	fault := sim.Fault{Kind: sim.Refuse, Code: "ONS_SYSTEM_ERROR", Times: random.IntN(200)}
	if fault.Times == 0 {
		return "nothing"
	}
	cloud.SetFault(sim.Match{Action: action}, fault)
	return fmt.Sprintf("%s fails %d times", action, fault.Times)
}
