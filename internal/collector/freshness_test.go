package collector_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

var (
	freshnessDay  = flag.Bool("freshness.day", false, "simulate a whole day of 1,000 groups, as make sim-freshness does")
	freshnessSeed = flag.Uint64("freshness.seed", 1, "seed of the simulated day")
)

// trouble is an incident of a group and when a scrape first showed it.
type trouble struct {
	kind        string
	group       groupID
	onset, ends time.Duration // since the start
	shown       time.Duration // 0: never
}

type groupID struct{ instance, group string }

// fleet is a world of which a tenth is active, and what will go wrong in it.
type fleet struct {
	world    sim.World
	troubles map[groupID][]*trouble
	// healthy is the lag, in messages, below which an active group is well.
	healthy map[groupID]float64
	active  map[groupID]bool
	groups  int
}

const (
	// Until everything was read twice, ages are those of the start.
	warmUp      = 80 * time.Minute
	scrapeEvery = 15 * time.Second
)

// newFleet returns instances with 100 topics and 50 groups each. A tenth of the
// groups, wherever they are, has something to read and each so many incidents
// within the span after the warm-up.
func newFleet(seed uint64, instances, incidents int, span time.Duration) *fleet {
	rng := rand.New(rand.NewPCG(seed, 5))
	f := &fleet{troubles: map[groupID][]*trouble{}, healthy: map[groupID]float64{}, active: map[groupID]bool{}, groups: 50 * instances}
	chosen := map[int]bool{}
	for _, n := range rng.Perm(f.groups)[:f.groups/10] {
		chosen[n] = true
	}
	account := sim.Account{Name: "main"}
	for i := range instances {
		in := sim.Instance{ID: fmt.Sprintf("alikafka_pre-cn-%02d", i), RegionID: "cn-hangzhou", TopicLimit: 200, GroupLimit: 100}
		for n := range 100 {
			t := sim.Topic{Name: fmt.Sprintf("topic-%02d", n), Partitions: 2, Rate: 5, Quiet: time.Duration(1+rng.IntN(10)) * 24 * time.Hour}
			active := n < 50 && chosen[i*50+n] || n >= 50 && rng.IntN(10) == 0
			if active {
				t.Rate, t.Quiet, t.Shape = 5+20*rng.Float64(), 0, []sim.Shape{sim.Steady, sim.Wave}[rng.IntN(2)]
			}
			in.Topics = append(in.Topics, t)
			if n >= 50 {
				continue
			}
			g := sim.Group{Name: fmt.Sprintf("group-%02d", n), CommitEvery: time.Second, Subscriptions: []sim.Subscription{{Topic: t.Name, Delay: 500 * time.Millisecond}}}
			if active {
				id := groupID{in.ID, g.Name}
				f.active[id] = true
				f.healthy[id] = 2.5*t.Rate*1.5 + 5
				g.Scene = f.plan(rng, id, incidents, span)
			}
			in.Groups = append(in.Groups, g)
		}
		account.Instances = append(account.Instances, in)
	}
	f.world = sim.World{Accounts: []sim.Account{account}}
	return f
}

// plan makes the incidents of a group: each in its own part of the span, so
// that it is over before the next begins.
func (f *fleet) plan(rng *rand.Rand, id groupID, incidents int, span time.Duration) sim.Scene {
	s := sim.Scene{Period: 100 * 24 * time.Hour}
	part := span / time.Duration(incidents)
	for n := range incidents {
		lasts := 9*time.Minute + time.Duration(rng.Int64N(int64(5*time.Minute)))
		heals := lasts / 4
		at := warmUp + time.Duration(n)*part + time.Duration(rng.Int64N(int64(part-lasts-heals-5*time.Minute)))
		t := &trouble{kind: []string{"stall", "stop", "jump"}[rng.IntN(3)], group: id, onset: at, ends: at + lasts + heals}
		switch t.kind {
		case "jump":
			s.Knots = append(s.Knots, sim.Knot{At: at}, sim.Knot{At: at, Behind: lasts}, sim.Knot{At: at + lasts, Behind: lasts}, sim.Knot{At: at + lasts + heals})
		case "stop":
			s.Absent = append(s.Absent, sim.Span{From: at, To: at + lasts})
			fallthrough
		default:
			s.Knots = append(s.Knots, sim.Knot{At: at}, sim.Knot{At: at + lasts, Behind: lasts}, sim.Knot{At: at + lasts + heals})
		}
		f.troubles[id] = append(f.troubles[id], t)
	}
	return s
}

// outcome is what a schedule achieved.
type outcome struct {
	name          string
	latency       []float64 // of all incidents, seconds from onset to the scrape
	missed, wrong int
	idle, active  []float64 // ages of groups at scrapes, seconds
	worst         float64   // age of any object, as a part of its maximum age
	oldest        string    // that object
	throttled     int
	used          float64 // of limit × share
	calls         int
}

// judges are the schedules that are compared: what the collector learns;
// everything alike; and knowledge of which groups are active.
func (f *fleet) judges() map[string]collector.JudgeForTest {
	return map[string]collector.JudgeForTest{
		"ours":        nil,
		"round robin": func(string, string) bool { return true },
		"all-knowing": func(instance, group string) bool { return f.active[groupID{instance, group}] },
	}
}

// play runs a schedule on the fleet.
func (f *fleet) play(t *testing.T, name string, judge collector.JudgeForTest, seed uint64, span time.Duration, limit float64) *outcome {
	t.Helper()
	o := &outcome{name: name}
	synctest.Test(t, func(t *testing.T) {
		start0 := time.Now()
		cloud := newCloud(t, sim.Options{World: &f.world, Seed: seed, Latency: 40 * time.Millisecond, Jitter: 100 * time.Millisecond})
		s := defaults("cn-hangzhou")
		s.limits.Actions = map[string]float64{"GetConsumerProgress": limit, "GetTopicStatus": limit}
		// What is looked at is the snapshot, which pages are made of; not to make
		// them spares half of the work.
		s.config.Metrics.Allow = []collector.Regexp{expr(t, "alikafka_up")}
		for _, source := range []string{"topics", "consumer_groups"} {
			s.config.Sources[source] = collector.Source{Interval: model.Duration(10 * time.Minute), TTL: model.Duration(time.Hour)}
		}
		e := start(t, s, cloud)
		e.SetJudgeForTest(judge)
		defer background(t, e)()
		<-time.After(warmUp)
		before := cloud.Calls(sim.Match{Action: busiest})
		for n := 0; time.Since(start0) < warmUp+span; n++ {
			<-time.After(scrapeEvery)
			o.scrape(f, e.Snapshot(), start0, n%4 == 0)
		}
		after := cloud.Calls(sim.Match{Action: busiest})
		o.used = float64(after.Calls-after.Throttled-before.Calls+before.Throttled) / (span.Seconds() * limit * s.limits.Share)
		all := cloud.Calls(sim.Match{})
		o.throttled, o.calls = all.Throttled, all.Calls
	})
	for _, list := range f.troubles {
		for _, tr := range list {
			if tr.shown == 0 {
				o.missed++
				tr.shown = tr.ends
			}
			o.latency = append(o.latency, (tr.shown - tr.onset).Seconds())
			tr.shown = 0
		}
	}
	slices.Sort(o.latency)
	slices.Sort(o.idle)
	slices.Sort(o.active)
	return o
}

// scrape looks at what a scrape shows: the detector, which is the same for all
// schedules, and the ages.
func (o *outcome) scrape(f *fleet, s *collector.Snapshot, start time.Time, ages bool) {
	now := s.At.Sub(start)
	for _, i := range s.Instances {
		for _, g := range i.Groups {
			id := groupID{i.ID, g.Name()}
			age := s.At.Sub(g.Progress.At).Seconds()
			o.aged(age/900, "group", i.ID, g.Name(), now)
			switch {
			case f.active[id]:
				f.detect(o, id, g, g.Progress.At.Sub(start), now)
				if ages {
					o.active = append(o.active, age)
				}
			case ages:
				o.idle = append(o.idle, age)
			}
		}
		for n, t := range i.Topics {
			limit := 900.0
			if n < 50 { // consumed
				limit *= 2
			}
			o.aged(s.At.Sub(t.Status.At).Seconds()/limit, "topic", i.ID, t.Name(), now)
		}
	}
}

// aged notes an age, as a part of the object's maximum age.
func (o *outcome) aged(part float64, kind, instance, name string, now time.Duration) {
	if part > o.worst {
		o.worst, o.oldest = part, fmt.Sprintf("%s %s of %s after %v", kind, name, instance, now)
	}
}

// detect compares the lag with what is usual and looks for members.
func (f *fleet) detect(o *outcome, id groupID, g *collector.ConsumerGroup, polled, now time.Duration) {
	lag := int64(0)
	for _, t := range g.Progress.Data.Topics {
		for i := range t.Partitions {
			lag += t.Partitions[i].Lag()
		}
	}
	if float64(lag) <= f.healthy[id] && g.Progress.Data.Members > 0 {
		return
	}
	for _, t := range f.troubles[id] {
		if polled >= t.onset && polled <= t.ends+10*time.Second {
			if t.shown == 0 {
				t.shown = now
			}
			return
		}
	}
	o.wrong++
}

// quantile of sorted values.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// compareSchedules plays all schedules and checks the bars.
func compareSchedules(t *testing.T, seed uint64, instances, incidents int, span time.Duration, limit float64) map[string]*outcome {
	t.Helper()
	outcomes := map[string]*outcome{}
	var mu sync.Mutex
	t.Run("schedules", func(t *testing.T) {
		for name := range newFleet(seed, instances, incidents, span).judges() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := newFleet(seed, instances, incidents, span)
				o := f.play(t, name, f.judges()[name], seed, span, limit)
				mu.Lock()
				defer mu.Unlock()
				outcomes[name] = o
			})
		}
	})
	var b strings.Builder
	scheduleTable(&b, outcomes)
	t.Logf("seed %d, %d groups, %v:\n%s", seed, 50*instances, span, b.String())
	if *freshnessDay {
		_, _ = fmt.Fprintf(os.Stdout, "seed %d, %d instances, %d topics, %d groups of which a tenth is active, %v simulated\n\n%s\n", seed, instances, 100*instances, 50*instances, span, b.String())
	}
	return outcomes
}

func scheduleTable(b *strings.Builder, outcomes map[string]*outcome) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "schedule\tincidents\tmissed\tshown after, median\tp90\tp99\tage of active, p99\tage of idle, p99\tworst age / maximum\tthrottled\tbudget used\t")
	for _, name := range []string{"round robin", "ours", "all-knowing"} {
		o := outcomes[name]
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%.0f s\t%.0f s\t%.0f s\t%.0f s\t%.0f s\t%.2f\t%d\t%.1f %%\t\n", name, len(o.latency), o.missed,
			quantile(o.latency, 0.5), quantile(o.latency, 0.9), quantile(o.latency, 0.99), quantile(o.active, 0.99), quantile(o.idle, 0.99), o.worst, o.throttled, 100*o.used)
	}
	_ = w.Flush()
	rr, ours, best := outcomes["round robin"], outcomes["ours"], outcomes["all-knowing"]
	for _, q := range []struct {
		name string
		q    float64
	}{{"median", 0.5}, {"p99", 0.99}} {
		_, _ = fmt.Fprintf(b, "%s: %.2f times sooner than round robin; %.2f times as long as the all-knowing\n", q.name,
			quantile(rr.latency, q.q)/quantile(ours.latency, q.q), quantile(ours.latency, q.q)/quantile(best.latency, q.q))
	}
}

func checkFreshness(t *testing.T, outcomes map[string]*outcome, median, p99, age float64) {
	t.Helper()
	rr, ours := outcomes["round robin"], outcomes["ours"]
	if r := quantile(rr.latency, 0.5) / quantile(ours.latency, 0.5); r < median {
		t.Errorf("incidents show %.2f times sooner at the median, want %v", r, median)
	}
	if r := quantile(rr.latency, 0.99) / quantile(ours.latency, 0.99); r < p99 {
		t.Errorf("incidents show %.2f times sooner at p99, want %v", r, p99)
	}
	if r := quantile(ours.idle, 0.99) / quantile(rr.idle, 0.99); r > 2 {
		t.Errorf("idle groups are %.2f times as old at p99, want at most 2", r)
	}
	for _, o := range outcomes {
		if o.missed > 0 || o.wrong > 0 || o.throttled > 0 || o.used < 0.97 || len(o.latency) == 0 {
			t.Errorf("%s: %d incidents, %d missed, %d false alarms, %d calls throttled, %.1f %% of the budget used", o.name, len(o.latency), o.missed, o.wrong, o.throttled, 100*o.used)
		}
	}
	if ours.worst > age {
		t.Errorf("%s was %.2f times its maximum age", ours.oldest, ours.worst)
	}
}

// TestFreshnessDay is what make sim-freshness runs.
func TestFreshnessDay(t *testing.T) {
	if !*freshnessDay {
		t.Skip("minutes of computing: make sim-freshness")
	}
	checkFreshness(t, compareSchedules(t, *freshnessSeed, 20, 6, 24*time.Hour, 3), 4, 3, 1)
}

// TestFreshnessForAnHour is the same in small, with laxer bars: a fifth of the
// groups and of the rate shows the difference, if not to the second.
func TestFreshnessForAnHour(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a tenth of the groups is two that are active: of their incidents there is no median to compare")
	}
	checkFreshness(t, compareSchedules(t, 1, 4, 3, 90*time.Minute, 0.6), 2.5, 2, 1.1)
}
