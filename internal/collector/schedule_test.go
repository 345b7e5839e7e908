package collector_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// crowd is an instance with so many groups, of which those in busy have
// something to read. Its budget is far too small for all.
func crowd(groups int, busy map[int]bool, change func(*sim.Instance)) *sim.World {
	i := sim.Instance{ID: "alikafka_pre-cn-1", Name: "prod", RegionID: "cn-hangzhou", GroupLimit: 10000, TopicLimit: 10}
	i.Topics = []sim.Topic{
		{Name: "busy", Partitions: 1, Rate: 5, Shape: sim.Steady},
		{Name: "idle", Partitions: 1, Rate: 5, Shape: sim.Steady, Quiet: 48 * time.Hour},
	}
	for n := range groups {
		topic := "idle"
		if busy[n] {
			topic = "busy"
		}
		i.Groups = append(i.Groups, sim.Group{Name: fmt.Sprintf("group-%04d", n), CommitEvery: time.Second, Subscriptions: []sim.Subscription{{Topic: topic}}})
	}
	if change != nil {
		change(&i)
	}
	return &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{i}}}}
}

// oldest returns the greatest age that a group's progress shows within d, in
// steps of two seconds.
func oldest(e exporter, d time.Duration, groups ...string) map[string]time.Duration {
	worst := map[string]time.Duration{}
	for name, ages := range agesOf(e, d, groups...) {
		worst[name] = slices.Max(ages)
	}
	return worst
}

// mostly is the age that all but a tenth of ages stay below. When polls come is
// drawn: now and then one waits for others, which is no matter.
func mostly(ages []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(ages))[len(ages)*9/10]
}

// agesOf returns the ages that groups' progress shows within d, every two
// seconds.
func agesOf(e exporter, d time.Duration, groups ...string) map[string][]time.Duration {
	ages := map[string][]time.Duration{}
	for begin := time.Now(); time.Since(begin) < d; {
		<-time.After(2 * time.Second)
		s := e.Snapshot()
		for _, g := range s.Instances[0].Groups {
			for _, name := range groups {
				if g.Name() == name {
					ages[name] = append(ages[name], s.At.Sub(g.Progress.At))
				}
			}
		}
	}
	return ages
}

func TestTargetsOfTheirOwnAreKeptBeforeOthers(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]struct {
		config func(*testing.T, *collector.Config)
		world  func(*sim.Instance)
	}{
		"by a rule": {config: func(t *testing.T, c *collector.Config) {
			t.Helper()
			c.Freshness = []collector.FreshnessRule{{Target: model.Duration(20 * time.Second), ConsumerGroups: expr(t, "group-0007"), Instances: expr(t, "prod")}}
		}},
		"by the tag of the group": {world: func(i *sim.Instance) {
			i.Groups[7].Tags = []sim.Tag{{Key: "alikafka-exporter/freshness", Value: "20s"}}
		}},
		"by the tag of the group, which goes before a rule": {
			config: func(t *testing.T, c *collector.Config) {
				t.Helper()
				c.Freshness = []collector.FreshnessRule{{Target: model.Duration(10 * time.Minute), ConsumerGroups: expr(t, "group-0007")}}
			},
			world: func(i *sim.Instance) {
				i.Groups[7].Tags = []sim.Tag{{Key: "alikafka-exporter/freshness", Value: "20s"}}
			},
		},
		"by the tag of the group, which goes before that of the instance": {world: func(i *sim.Instance) {
			i.Tags = []sim.Tag{{Key: "alikafka-exporter/freshness", Value: "14m"}}
			i.Groups[7].Tags = []sim.Tag{{Key: "alikafka-exporter/freshness", Value: "20s"}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := newCloud(t, sim.Options{World: crowd(60, nil, set.world), Latency: 40 * time.Millisecond})
				s := defaults("cn-hangzhou")
				s.limits.Actions = map[string]float64{busiest: 0.3}
				if set.config != nil {
					set.config(t, &s.config)
				}
				e := start(t, s, cloud)
				defer background(t, e)()
				<-time.After(10 * time.Minute)
				got := agesOf(e, 10*time.Minute, "group-0007", "group-0008")
				most, worst := mostly(got["group-0007"]), slices.Max(got["group-0007"])
				t.Logf("the group with a target of 20 s was mostly up to %v old, %v at worst", most, worst)
				if most > 30*time.Second || worst > 2*time.Minute {
					t.Errorf("the group with a target of 20 s was mostly up to %v old, %v at worst", most, worst)
				}
				if age := slices.Max(got["group-0008"]); age < 3*time.Minute {
					t.Errorf("the other group was %v old at most: there is room for all, and nothing is shown", age)
				}
			})
		})
	}
}

func TestAHintIsReadAtOnceWithinABound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: crowd(60, nil, nil), Latency: 40 * time.Millisecond})
		s := defaults("cn-hangzhou")
		s.limits.Actions = map[string]float64{busiest: 0.3}
		e := start(t, s, cloud)
		defer background(t, e)()
		<-time.After(20 * time.Minute)
		group := e.Snapshot().Instances[0].Groups[0] // the one that was read longest ago
		for _, g := range e.Snapshot().Instances[0].Groups {
			if g.Progress.At.Before(group.Progress.At) {
				group = g
			}
		}
		hint := collector.Object{InstanceID: "alikafka_pre-cn-1", ConsumerGroup: group.Name()}
		if !e.Hint(hint, "a test") {
			t.Fatal("the hint was not taken")
		}
		now := time.Now()
		<-time.After(12 * time.Second)
		for _, g := range e.Snapshot().Instances[0].Groups {
			if g.Name() == group.Name() && g.Progress.At.Before(now) {
				t.Errorf("not read within 12 s of the hint, but %v ago", time.Since(g.Progress.At))
			}
		}
		taken := 0
		for n := range 60 {
			if e.Hint(collector.Object{InstanceID: "alikafka_pre-cn-1", ConsumerGroup: fmt.Sprintf("group-%04d", n)}, "a flood") {
				taken++
			}
		}
		if taken > 2 {
			t.Errorf("%d of 60 hints at once were taken", taken)
		}
		for _, unknown := range []collector.Object{{}, {InstanceID: "none", Topic: "busy"}, {InstanceID: "alikafka_pre-cn-1", Topic: "none"}} {
			if e.Hint(unknown, "a test") {
				t.Errorf("a hint for %+v was taken", unknown)
			}
		}
	})
}

// TestAFloodOfNewGroupsLeavesKnownOnesFresh has 2,000 groups appear beside 100
// of which ten are active.
func TestAFloodOfNewGroupsLeavesKnownOnesFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		busy := map[int]bool{}
		for n := range 10 {
			busy[n*10] = true
		}
		few := newCloud(t, sim.Options{World: crowd(100, busy, nil), Latency: 40 * time.Millisecond})
		many := newCloud(t, sim.Options{World: crowd(2100, busy, nil), Latency: 40 * time.Millisecond})
		cloud := &switchable{}
		cloud.set(few, few)
		s := defaults("cn-hangzhou")
		s.config.Metrics.Allow = []collector.Regexp{expr(t, "alikafka_up")}
		e := start(t, s, cloud)
		defer background(t, e)()
		<-time.After(10 * time.Minute)
		cloud.set(many, many)
		<-time.After(2 * time.Minute)
		got := oldest(e, 10*time.Minute, "group-0010", "group-0050")
		for name, age := range got {
			if age > 3*time.Minute {
				t.Errorf("%s, in which something moves, was %v old while 2,000 groups were new", name, age)
			}
		}
	})
}

// TestAnIdleGroupThatWakesIsSeenToMove has a group join a busy topic after an
// hour.
func TestWhatWakesIsReadOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idle := newCloud(t, sim.Options{World: crowd(300, nil, nil), Latency: 40 * time.Millisecond})
		awake := newCloud(t, sim.Options{World: crowd(300, map[int]bool{33: true}, nil), Latency: 40 * time.Millisecond})
		cloud := &switchable{}
		cloud.set(idle, idle)
		s := defaults("cn-hangzhou")
		s.limits.Actions = map[string]float64{busiest: 0.6}
		s.config.Metrics.Allow = []collector.Regexp{expr(t, "alikafka_up")}
		e := start(t, s, cloud)
		defer background(t, e)()
		<-time.After(time.Hour)
		if got := oldest(e, 20*time.Minute, "group-0033"); got["group-0033"] < 8*time.Minute {
			t.Errorf("idle, the group was %v old at most", got["group-0033"])
		}
		cloud.set(awake, awake)
		<-time.After(20 * time.Minute)
		got := agesOf(e, 10*time.Minute, "group-0033")["group-0033"]
		t.Logf("awake, the group was mostly up to %v old, %v at worst", mostly(got), slices.Max(got))
		if mostly(got) > 45*time.Second || slices.Max(got) > 2*time.Minute {
			t.Errorf("awake, the group was mostly up to %v old, %v at worst", mostly(got), slices.Max(got))
		}
		cloud.set(idle, idle)
		<-time.After(time.Hour)
		if got := oldest(e, 20*time.Minute, "group-0033"); got["group-0033"] < 8*time.Minute {
			t.Errorf("idle again, the group was %v old at most", got["group-0033"])
		}
	})
}
