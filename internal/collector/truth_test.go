package collector_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// witness notes, at the moment at which the cloud looks, how far a group
// really is behind. The way there and back takes a random time.
type witness struct {
	cloud *sim.Cloud
	slow  time.Duration // at most, each way

	mu     sync.Mutex
	random *rand.Rand
	truth  map[string]map[place]truth // by instance and group
	owner  map[string]string          // the account of an instance
	places map[string][]place         // of an instance: nothing is created in these worlds
}

type place struct {
	topic     string
	partition int
}

type truth struct {
	messages int64
	seconds  float64
}

func newWitness(cloud *sim.Cloud, slow time.Duration) *witness {
	w := &witness{
		cloud: cloud, slow: slow, random: rand.New(rand.NewPCG(1, 2)), truth: map[string]map[place]truth{},
		owner: map[string]string{}, places: map[string][]place{},
	}
	for _, a := range cloud.World().Accounts {
		for _, i := range a.Instances {
			w.owner[i.ID] = a.Name
			for _, t := range i.Topics {
				for p := range t.Partitions {
					w.places[i.ID] = append(w.places[i.ID], place{t.Name, p})
				}
			}
		}
	}
	return w
}

func (w *witness) delay() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.random.Int64N(int64(w.slow) + 1)).Truncate(time.Millisecond)
}

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	<-time.After(w.delay())
	resp, err := w.cloud.RoundTrip(r)
	if form.Get("Action") == "GetConsumerProgress" {
		w.note(form.Get("InstanceId"), form.Get("ConsumerId"))
	}
	<-time.After(w.delay())
	return resp, err
}

// note remembers the truth about a group now.
func (w *witness) note(instance, group string) {
	now := map[place]truth{}
	for _, p := range w.places[instance] {
		if n, s, ok := w.cloud.TrueLag(w.owner[instance], instance, group, p.topic, p.partition); ok {
			now[p] = truth{n, s}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.truth[instance+"/"+group] = now
}

// verdict is how what was polled compares with the truth.
type verdict struct {
	errors   map[collector.LagMethod][]float64 // seconds too much, by method
	checked  map[string]time.Time
	problems []string
}

func newVerdict() *verdict {
	return &verdict{errors: map[collector.LagMethod][]float64{}, checked: map[string]time.Time{}}
}

// check compares what was polled since the last check. A group's next poll is
// many seconds away, so the truth is still that of the poll that is shown.
func (v *verdict) check(w *witness, e exporter) {
	e.EachGroupForTest(func(instance string, g *collector.ConsumerGroup) {
		key := instance + "/" + g.Name()
		w.mu.Lock()
		now := w.truth[key]
		w.mu.Unlock()
		if now == nil || v.checked[key].Equal(g.Progress.At) {
			return
		}
		v.checked[key] = g.Progress.At
		for _, t := range g.Progress.Data.Topics {
			for i := range t.Partitions {
				p := &t.Partitions[i]
				v.compare(key, t.Topic, p, now[place{t.Topic, int(p.Partition)}])
			}
		}
	})
}

func (v *verdict) compare(group, topic string, p *collector.GroupPartition, is truth) {
	const slack = 0.011 // timestamps are in milliseconds
	off := p.Seconds - is.seconds
	v.errors[p.Method] = append(v.errors[p.Method], off)
	bad := math.IsNaN(p.Seconds) || math.IsInf(p.Seconds, 0) || p.Seconds < 0 || p.Lag() < 0 || p.Lag() != is.messages ||
		p.Method == collector.LagNone && (p.Seconds != 0 || is.messages != 0) ||
		p.Method == collector.LagAtMost && off < -slack || p.Method == collector.LagAtLeast && off > slack
	if bad && len(v.problems) < 20 {
		v.problems = append(v.problems, fmt.Sprintf("%s %s/%d: %d messages, %.3f s (%q), and in truth %d messages, %.3f s",
			group, topic, p.Partition, p.Lag(), p.Seconds, collector.MethodName(p.Method), is.messages, is.seconds))
	}
}

// percentile returns that of the absolute errors of a method.
func (v *verdict) percentile(m collector.LagMethod, part float64) float64 {
	errors := make([]float64, 0, len(v.errors[m]))
	for _, e := range v.errors[m] {
		errors = append(errors, math.Abs(e))
	}
	if len(errors) == 0 {
		return math.NaN()
	}
	slices.Sort(errors)
	return errors[int(part*float64(len(errors)-1))]
}

// play watches a cloud of some age for so long and compares each poll with the
// truth at the moment at which the cloud looked.
func play(t *testing.T, o sim.Options, s setting, slow, age, length time.Duration) *verdict {
	t.Helper()
	v := newVerdict()
	synctest.Test(t, func(t *testing.T) {
		o.Keys, o.Limits = map[string]string{"testid": "testsecret"}, sim.Limits{Default: -1, PerSourceIP: -1}
		w := newWitness(newCloud(t, o), slow)
		s.limits.Share, s.limits.Default = 1, 1000
		s.config.Metrics.Allow = []collector.Regexp{expr(t, "alikafka_up")} // pages are not looked at
		<-time.After(age)
		e := start(t, s, w)
		defer background(t, e)()
		for range length / time.Second {
			<-time.After(time.Second)
			synctest.Wait()
			v.check(w, e)
		}
	})
	for _, p := range v.problems {
		t.Error(p)
	}
	return v
}

// pollsEvery makes groups be read that often, and histories as fine.
func pollsEvery(interval time.Duration, regions ...string) setting {
	s := defaults(regions...)
	s.config.Sources["consumer_group_progress"] = collector.Source{Interval: model.Duration(interval), TTL: model.Duration(30 * interval)}
	return s
}

// TestLagInSecondsAgainstTheTruth plays every story of the simulated cloud and
// worlds made at random. docs/lag.md shows the table that it prints.
func TestLagInSecondsAgainstTheTruth(t *testing.T) {
	t.Parallel()
	const interval = 30 * time.Second
	length, least := short.Of(20*time.Minute), short.Of(100)
	type world struct {
		name string
		o    sim.Options
	}
	var worlds []world
	for _, name := range sim.Stories() {
		worlds = append(worlds, world{"story " + name, sim.Options{Story: name}})
	}
	for seed := range uint64(4) {
		w := randomWorkload(seed)
		worlds = append(worlds, world{fmt.Sprintf("random workload %d", seed), sim.Options{World: &w, Seed: seed}})
	}
	for _, w := range worlds {
		for _, hide := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, timestamps hidden %t", w.name, hide), func(t *testing.T) {
				t.Parallel()
				s := pollsEvery(interval)
				s.config.HideLastTimestamp = hide
				v := play(t, w.o, s, 500*time.Millisecond, 0, length)
				p50, p99 := v.percentile(collector.LagHistory, 0.5), v.percentile(collector.LagHistory, 0.99)
				t.Logf("| %s | %t | %d | %.2f s | %.2f s | %d | %d |", w.name, hide, len(v.errors[collector.LagHistory]), p50, p99,
					len(v.errors[collector.LagAtMost]), len(v.errors[collector.LagAtLeast]))
				if len(v.errors[collector.LagHistory]) < least || p50 > interval.Seconds() || p99 > 2*interval.Seconds() {
					t.Errorf("history of %d: median error %.2f s, p99 %.2f s", len(v.errors[collector.LagHistory]), p50, p99)
				}
			})
		}
	}
}

// randomWorkload is an instance whose topics have every shape and whose groups
// play random scenes.
func randomWorkload(seed uint64) sim.World {
	r := rand.New(rand.NewPCG(seed, 7))
	minutes := func(low, high int) time.Duration {
		return time.Duration(low*60+r.IntN((high-low)*60)) * time.Second
	}
	in := sim.Instance{ID: "alikafka_pre-cn-1", RegionID: "cn-hangzhou", TopicLimit: 100}
	shapes := []sim.Shape{sim.Wave, sim.Steady, sim.Bursts, sim.Intermittent}
	for n := range 8 {
		topic := sim.Topic{
			Name: fmt.Sprintf("topic-%d", n), Partitions: 1 + r.IntN(6), Rate: math.Exp(r.Float64()*9) / 20, // 3 a minute to 400 a second
			Shape: shapes[n%len(shapes)], Period: minutes(4, 20),
		}
		in.Topics = append(in.Topics, topic)
		scenes := []sim.Scene{
			{},
			sim.Stall(minutes(1, 5), minutes(1, 5), minutes(1, 3)),
			sim.Stop(minutes(1, 5), minutes(1, 5), minutes(1, 3)),
			sim.Rewind(minutes(1, 6), minutes(2, 60), minutes(1, 5)),
			sim.Sway(minutes(1, 2), minutes(2, 5), minutes(1, 4), minutes(1, 3)),
		}
		for k := range 2 {
			scene := scenes[r.IntN(len(scenes))]
			scene.Period = minutes(13, 15)
			in.Groups = append(in.Groups, sim.Group{
				Name: fmt.Sprintf("group-%d-%d", n, k), Members: 1 + r.IntN(3), Scene: scene,
				Subscriptions: []sim.Subscription{{Topic: topic.Name, Delay: time.Duration(r.IntN(40_000)) * time.Millisecond}},
			})
		}
	}
	return sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{in}}}}
}

// TestBoundsOfLagAreOnTheirSideOfTheTruth looks at what a process without a
// past can only bound: it starts in the middle of the demo's incidents again
// and again, over a line that takes up to four seconds each way. The first
// start is when most of them have begun and none is over.
func TestBoundsOfLagAreOnTheirSideOfTheTruth(t *testing.T) {
	t.Parallel()
	for _, hide := range []bool{false, true} {
		t.Run(fmt.Sprintf("hide_last_timestamp %t", hide), func(t *testing.T) {
			t.Parallel()
			method := map[bool]collector.LagMethod{false: collector.LagAtMost, true: collector.LagAtLeast}[hide]
			n := 0
			starts := short.Of(6)
			for k := range starts {
				s := defaults("cn-hangzhou")
				s.config.HideLastTimestamp = hide
				v := play(t, sim.Options{Story: "lively"}, s, 4*time.Second, time.Duration((k+1)%6)*100*time.Second, 3*time.Minute)
				n += len(v.errors[method])
			}
			t.Logf("%d bounds", n)
			if n < 1000*starts/6 {
				t.Errorf("too little to compare: %d", n)
			}
		})
	}
}
