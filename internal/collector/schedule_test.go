package collector_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// crowded is the instance of crowd.
const crowded = "alikafka_pre-cn-1"

// crowd is an instance with so many groups, of which those in busy have
// something to read. Its budget is far too small for all.
func crowd(groups int, busy map[int]bool, change func(*sim.Instance)) *sim.World {
	i := sim.Instance{ID: crowded, Name: "prod", RegionID: "cn-hangzhou", GroupLimit: 10000, TopicLimit: 10}
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
		for _, name := range groups {
			if at, known := e.PolledForTest(crowded, name); known {
				ages[name] = append(ages[name], time.Since(at))
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
				s := callsOnly(t, 0.7)
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

// TestAHintIsReadAtOnceWithinABound gives a hint of the group whose turn is
// furthest away: without it nearly all of the 60 others would come first. Only
// what is overdue may, and that is hardly ever one.
func TestAHintIsReadAtOnceWithinABound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: crowd(60, nil, nil), Latency: 40 * time.Millisecond})
		s := callsOnly(t, 0.7)
		s.limits.Actions = map[string]float64{busiest: 0.3}
		e := start(t, s, cloud)
		defer background(t, e)()
		<-time.After(20 * time.Minute)
		now := time.Now()
		var name string
		var latest time.Time // of those that were not read just now, of which a hint would say nothing new
		e.EachGroupForTest(func(_ string, g *collector.ConsumerGroup) {
			if at := g.Progress.At; at.After(latest) && now.Sub(at) > 15*time.Second {
				name, latest = g.Name(), at
			}
		})
		if !e.Hint(collector.Object{InstanceID: crowded, ConsumerGroup: name}, "a test") {
			t.Fatal("the hint was not taken")
		}
		before := 0 // groups that were read since, and before that one
		for read := false; !read && before < 30; {
			<-time.After(time.Second)
			before = 0
			e.EachGroupForTest(func(_ string, g *collector.ConsumerGroup) {
				if at := g.Progress.At; at.After(now) {
					before++
					read = read || g.Name() == name
				}
			})
		}
		t.Logf("the group was number %d that was read after the hint, %v after it", before, time.Since(now))
		if before > 10 {
			t.Errorf("the group was number %d that was read after the hint", before)
		}
		taken := 0
		for n := range 60 {
			if e.Hint(collector.Object{InstanceID: crowded, ConsumerGroup: fmt.Sprintf("group-%04d", n)}, "a flood") {
				taken++
			}
		}
		if taken > 1 { // in five seconds hardly more than one call is let through
			t.Errorf("%d of 60 hints at once were taken", taken)
		}
		for _, unknown := range []collector.Object{{}, {InstanceID: "none", Topic: "busy"}, {InstanceID: crowded, Topic: "none"}} {
			if e.Hint(unknown, "a test") {
				t.Errorf("a hint for %+v was taken", unknown)
			}
		}
	})
}

// TestAFloodOfNewGroupsLeavesKnownOnesFresh has 2,000 groups appear beside 100
// of which ten are active. The rate is such that to read all of them takes a
// quarter of an hour.
func TestAFloodOfNewGroupsLeavesKnownOnesFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		known, others := short.Of(100), short.Of(2000)
		busy := map[int]bool{}
		var active []string
		for n := 0; n < known; n += 10 {
			busy[n] = true
			active = append(active, fmt.Sprintf("group-%04d", n))
		}
		few := newCloud(t, sim.Options{World: crowd(known, busy, nil), Latency: 40 * time.Millisecond})
		many := newCloud(t, sim.Options{World: crowd(known+others, busy, nil), Latency: 40 * time.Millisecond})
		cloud := &switchable{}
		cloud.set(few, few)
		s := callsOnly(t, 0.7)
		s.limits.Actions = map[string]float64{busiest: 3 * float64(known) / 100}
		e := start(t, s, cloud)
		defer background(t, e)()
		<-time.After(10 * time.Minute)
		cloud.set(many, many)
		<-time.After(2 * time.Minute)
		for name, age := range oldest(e, 10*time.Minute, active...) {
			t.Logf("%s was up to %v old", name, age)
			if age > 3*time.Minute {
				t.Errorf("%s, in which something moves, was %v old while %d groups were new", name, age, others)
			}
		}
	})
}

// TestWhatWakesIsReadOften has a group join a busy topic after five rounds of
// reading all groups, and leave it again. A round takes a second for each 0.42
// groups.
func TestWhatWakesIsReadOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		groups := short.Of(300)
		name := fmt.Sprintf("group-%04d", groups/9)
		idle := newCloud(t, sim.Options{World: crowd(groups, nil, nil), Latency: 40 * time.Millisecond})
		awake := newCloud(t, sim.Options{World: crowd(groups, map[int]bool{groups / 9: true}, nil), Latency: 40 * time.Millisecond})
		cloud := &switchable{}
		cloud.set(idle, idle)
		s := callsOnly(t, 0.7)
		s.limits.Actions = map[string]float64{busiest: 0.6}
		e := start(t, s, cloud)
		defer background(t, e)()
		least := short.Of(8 * time.Minute) // two thirds of a round
		<-time.After(short.Of(time.Hour))
		if got := oldest(e, short.Of(20*time.Minute), name)[name]; got < least {
			t.Errorf("idle, the group was %v old at most", got)
		}
		cloud.set(awake, awake)
		<-time.After(short.Of(20 * time.Minute))
		got := agesOf(e, 10*time.Minute, name)[name]
		t.Logf("awake, the group was mostly up to %v old, %v at worst", mostly(got), slices.Max(got))
		if mostly(got) > 45*time.Second || slices.Max(got) > 2*time.Minute {
			t.Errorf("awake, the group was mostly up to %v old, %v at worst", mostly(got), slices.Max(got))
		}
		cloud.set(idle, idle)
		<-time.After(short.Of(time.Hour))
		if got := oldest(e, short.Of(20*time.Minute), name)[name]; got < least {
			t.Errorf("idle again, the group was %v old at most", got)
		}
	})
}
