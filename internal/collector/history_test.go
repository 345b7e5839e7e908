package collector_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// full returns a history of so many partitions after a day of polls every 30 s.
func full(partitions int) *collector.History {
	h := &collector.History{Config: collector.DefaultConfig().History}
	random := rand.New(rand.NewPCG(uint64(partitions), 0))
	ends := make([]int64, partitions)
	for n := range 2880 {
		for p := range ends {
			ends[p] += int64(random.ExpFloat64() * 30 * float64(1+p%7*100)) // 1 to 600 a second
		}
		h.Add(epoch.Add(time.Duration(n)*30*time.Second), ends...)
	}
	return h
}

func TestASampleTakesAFewBytes(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3, 12, 48, short.Of(360)} {
		h := full(partitions)
		each := float64(h.Bytes()) / float64(h.Rows()*partitions)
		t.Logf("%d partitions: %d samples of each, %.1f bytes a sample", partitions, h.Rows(), each)
		if each > 24 || h.Rows() < h.Config.MaxSamples/2 || h.Rows() > h.Config.MaxSamples {
			t.Errorf("%d partitions: %d samples, %.1f bytes each", partitions, h.Rows(), each)
		}
	}
}

// TestAThinnedHistoryErrsByAPartOfTheAge fills a history with a day that waves
// and bursts, and asks for messages of every age.
func TestAThinnedHistoryErrsByAPartOfTheAge(t *testing.T) {
	t.Parallel()
	h := &collector.History{Config: collector.DefaultConfig().History}
	total := func(s float64) int64 { // messages up to a second
		return int64(20*s + 2000*math.Sin(s/700) + 5000*math.Floor(s/3600))
	}
	const day = 86400
	for s := 0; s <= day; s += 30 {
		h.Add(epoch.Add(time.Duration(s)*time.Second), total(float64(s)))
	}
	asked := 0
	for s := 60; s < day-30; s += 47 {
		came, ok := h.Came(0, total(float64(s)))
		if !ok {
			continue // between the first second and the first sample
		}
		asked++
		age, off := float64(day-s), math.Abs(came.Sub(epoch).Seconds()-float64(s))
		if limit := 60 + age/16; off > limit {
			t.Errorf("a message of %.0f s ago is off by %.0f s, more than %.0f s", age, off, limit)
		}
	}
	if asked < 1000 {
		t.Errorf("only %d of them were found", asked)
	}
}

func TestHistoryOfSteadyTopicsNeedsFewSamples(t *testing.T) {
	t.Parallel()
	h := &collector.History{Config: collector.DefaultConfig().History}
	for n := range int64(1440) {
		h.Add(epoch.Add(time.Duration(n)*time.Minute), 600*n, 7, 60*n)
	}
	if came, ok := h.Came(0, 600*20+300); !ok || came.Sub(epoch.Add(20*time.Minute+30*time.Second)).Abs() > time.Second {
		t.Errorf("a message of nearly a day ago came at %v, %t", came.Sub(epoch), ok)
	}
}

func TestHistoryForgets(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	fresh := func() *collector.History {
		h := &collector.History{Config: collector.DefaultConfig().History}
		h.Add(at(0), 100)
		h.Add(at(30), 200)
		return h
	}
	for name, c := range map[string]struct {
		then func(h *collector.History)
		rows int
	}{
		"a sample too close to the last":         {func(h *collector.History) { h.Add(at(33), 300) }, 2},
		"an answer that was passed by another":   {func(h *collector.History) { h.Add(at(20), 150) }, 2},
		"one lower log end, which may be old":    {func(h *collector.History) { h.Add(at(60), 10) }, 2},
		"a topic that was created anew":          {func(h *collector.History) { h.Add(at(60), 10); h.Add(at(90), 20) }, 1},
		"an old answer between good ones":        {func(h *collector.History) { h.Add(at(60), 10); h.Add(at(90), 300) }, 3},
		"a clock that was set back":              {func(h *collector.History) { h.Add(at(-3600), 300) }, 1},
		"what is older than a day, but for one":  {func(h *collector.History) { h.Add(at(86400+60), 300) }, 2},
		"nothing, when a partition is added":     {func(h *collector.History) { h.Add(at(60), 300, 5) }, 3},
		"a partition of a number that cannot be": {func(h *collector.History) { h.Add(at(60), make([]int64, 10_000)...) }, 2},
	} {
		h := fresh()
		c.then(h)
		if h.Rows() != c.rows {
			t.Errorf("%s: %d rows, want %d", name, h.Rows(), c.rows)
		}
		if h.Bytes() > 100_000 {
			t.Errorf("%s: %d bytes", name, h.Bytes())
		}
	}
}

func BenchmarkHistory(b *testing.B) {
	b.Run("add", func(b *testing.B) {
		h := full(50)
		ends := make([]int64, 50)
		for i := range ends {
			ends[i] = 1 << 40
		}
		n := 0
		b.ReportAllocs()
		for b.Loop() {
			for i := range ends {
				ends[i] += int64(n*i) % 977
			}
			n++
			h.Add(epoch.Add(24*time.Hour+time.Duration(n)*30*time.Second), ends...)
		}
	})
}

// BenchmarkState writes and reads the state of an instance with a million
// samples in its histories: 100 topics of 100 partitions.
func BenchmarkState(b *testing.B) {
	w := sim.World{Accounts: []sim.Account{{Name: "main"}}}
	in := sim.Instance{ID: benchInstance, RegionID: "cn-hangzhou", TopicLimit: 200}
	for n := range 100 {
		name := fmt.Sprintf("topic-%03d", n)
		in.Topics = append(in.Topics, sim.Topic{Name: name, Partitions: 100, Rate: float64(100 * (1 + n%10)), Shape: sim.Bursts, Period: 7 * time.Minute})
		in.Groups = append(in.Groups, sim.Group{Name: "group-of-" + name, Subscriptions: []sim.Subscription{{Topic: name}}})
	}
	w.Accounts[0].Instances = []sim.Instance{in}
	cloud, err := sim.New(sim.Options{World: &w, Limits: sim.Limits{Default: -1, PerSourceIP: -1}})
	if err != nil {
		b.Fatal(err)
	}
	c := loaded(b, cloud)
	samples := c.FillHistoriesForTest(100)
	var state bytes.Buffer
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			state.Reset()
			if err := c.WriteStateForTest(&state); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(samples), "samples")
		b.ReportMetric(float64(state.Len())/float64(samples), "bytes/sample")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := collector.ReadStateForTest(state.Bytes()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestExplain asks why a group has its status that was sent
// back and then lost its members.
func TestExplain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ref := sim.Ref{Account: "main", Instance: "alikafka_pre-cn-1", Group: "group-of-a"}
		cloud := newCloud(t, sim.Options{World: world("a")})
		s := defaults("cn-hangzhou")
		s.config.Sources["consumer_group_progress"] = collector.Source{Interval: model.Duration(30 * time.Second), TTL: model.Duration(15 * time.Minute)}
		e := start(t, s, inOrder(cloud))
		stop := background(t, e)
		<-time.After(10 * time.Minute)
		check(t, cloud.Seek(ref, 5*time.Minute, 0))
		check(t, cloud.SetMembers(ref, 0))
		<-time.After(3 * time.Minute)
		x, ok := e.Explain("alikafka_pre-cn-1", "group-of-a")
		if !ok || x.Status != collector.StatusStopped || x.Rule.Name != "no_owner" || x.Rewound == nil || *x.Rewound < 2000 || x.Members == nil || *x.Members != 0 {
			t.Errorf("%+v, %t", x, ok)
		}
		if len(x.Rebalances.Last) == 0 || x.Rebalances.Last[0].Reason == "" || x.Rebalances.Total < 1 {
			t.Errorf("rebalances: %+v", x.Rebalances)
		}
		if x.PolledAt == nil || x.AgeSeconds == nil || *x.AgeSeconds < 0 || *x.AgeSeconds > 60 {
			t.Errorf("polled at %v, %v s ago", x.PolledAt, x.AgeSeconds)
		}
		for _, p := range x.Topics[0].Partitions {
			if p.Status != collector.StatusStopped || p.Rule != "no_owner" || p.Method != "history" || p.LagSeconds == nil || *p.LagSeconds < 300 || p.CameBefore == nil || len(p.LagSamples) < 3 ||
				p.UnownedSince == nil || p.StandsStillSince == nil || *p.Lag != *p.Newest-*p.Committed || len(p.LagSamples) > len(x.Polls) {
				t.Errorf("%+v", p)
			}
		}
		stop()
		<-time.After(20 * time.Minute)
		if x, _ := e.Explain("alikafka_pre-cn-1", "group-of-a"); x.Status != collector.StatusUnknown || x.Rule.Name != "data_too_old" {
			t.Errorf("after 20 minutes: %s by %s", x.Status, x.Rule.Name)
		}
		if _, ok := e.Explain("alikafka_pre-cn-1", "nobody"); ok {
			t.Error("it explains a group that is not there")
		}
	})
}

// TestAnAnswerWithoutRebalancesTakesNoneBack has an answer without them between
// two that tell of the same.
func TestAnAnswerWithoutRebalancesTakesNoneBack(t *testing.T) {
	t.Parallel()
	w, now := collector.NewWatch(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	told := []api.Rebalance{{Generation: 6, LastRebalanceTimestamp: now.UnixMilli()}, {Generation: 5, LastRebalanceTimestamp: now.Add(-time.Hour).UnixMilli()}}
	for i, list := range [][]api.Rebalance{told, nil, told} {
		now = now.Add(30 * time.Second)
		r := answer(10, 10, "owned")
		r.Progress.Rebalances = slices.Clone(list)
		if g := w.Poll(r, api.Times{Sent: now, Answered: now}); g.RebalancesSeen != 0 || len(g.Rebalances) != len(told) {
			t.Errorf("poll %d: %d rebalances seen, of %d", i, g.RebalancesSeen, len(g.Rebalances))
		}
	}
}
