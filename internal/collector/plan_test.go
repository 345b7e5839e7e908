package collector_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// TestThePlanIsWhatIsMeasured plans for numbers of groups, for which nothing is
// known but the part that is active, and compares that with what a simulated
// exporter then does. With fewer groups the rate limit is as much lower where it
// is what sets the pace.
func TestThePlanIsWhatIsMeasured(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		instances, groups int
		limited           bool // by the rate limit
		warm, span        time.Duration
	}{
		{1, 1, false, 5 * time.Minute, time.Hour},
		{1, 50, false, 5 * time.Minute, time.Hour},
		{5, 500, true, time.Hour, time.Hour},
		{25, 5000, true, 3 * time.Hour, 2 * time.Hour},
	} {
		t.Run(fmt.Sprintf("%d groups", test.groups), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				instances, groups := test.instances, test.groups
				if testing.Short() {
					instances, groups = 1, min(short.Of(groups), 100)
				}
				w := manyGroups(instances, groups/instances)
				cloud := newCloud(t, sim.Options{World: &w, Latency: 40 * time.Millisecond})
				s := callsOnly(t, 0.7)
				if test.limited {
					s.limits.Actions = map[string]float64{busiest: 3 * float64(groups) / float64(test.groups)}
				}
				// To list thousands of groups every other minute would be most of the work.
				for _, source := range []string{"topics", "consumer_groups"} {
					s.config.Sources[source] = collector.Source{Interval: model.Duration(10 * time.Minute), TTL: model.Duration(time.Hour)}
				}
				planned := collector.PlanFor(collector.Inventory{Regions: 1, Instances: instances, Topics: 10 * instances, ConsumerGroups: groups},
					collector.Supposed{Active: max(0.1, 1/float64(groups)), Consumed: min(1, float64(groups)/10)}, s.config, s.limits)
				e := start(t, s, cloud)
				defer background(t, e)()
				<-time.After(test.warm)
				got := observeGroups(e, cloud, groups, test.span)
				for i := range planned {
					row := &planned[i]
					if row.Action == busiest {
						checkPlan(t, "supposed", row, got)
					}
					calls := got.calls[row.Action]
					// The span may cut one call of each object off; regions are given.
					edge := 1.0
					if row.Action != busiest {
						edge = float64(row.Objects)
					}
					if want := row.Used * test.span.Minutes() * 60; math.Abs(calls-want) > max(0.05*want, edge) && row.Source != "regions" {
						t.Errorf("%s: %v calls, planned %.1f", row.Action, calls, want)
					}
				}
				for _, row := range e.Plan(collector.DefaultSupposed()) {
					if row.Action == busiest {
						checkPlan(t, "learned", &row, got)
					}
				}
			})
		})
	}
}

// manyGroups returns instances with ten topics and so many groups each, of
// which every tenth has something to read.
func manyGroups(instances, groups int) sim.World {
	a := sim.Account{Name: "main"}
	for i := range instances {
		in := sim.Instance{ID: fmt.Sprintf("alikafka_pre-cn-%02d", i), RegionID: "cn-hangzhou", GroupLimit: int64(groups)}
		for n := range 10 {
			t := sim.Topic{Name: fmt.Sprintf("topic-%d", n), Partitions: 1, Rate: 5, Shape: sim.Steady}
			if n > 0 {
				t.Quiet = 48 * time.Hour
			}
			in.Topics = append(in.Topics, t)
		}
		for n := range groups {
			in.Groups = append(in.Groups, sim.Group{
				Name: fmt.Sprintf("group-%04d", n), CommitEvery: time.Second, Subscriptions: []sim.Subscription{{Topic: fmt.Sprintf("topic-%d", n%10)}},
			})
		}
		a.Instances = append(a.Instances, in)
	}
	return sim.World{Accounts: []sim.Account{a}}
}

// measured is what happened in a span of time.
type measured struct {
	calls      map[string]float64 // by action
	perMinute  float64            // of the progress of groups
	cycle      float64            // seconds
	mean       float64            // age of progress, seconds
	p99, worst float64
}

func observeGroups(e exporter, cloud *sim.Cloud, groups int, span time.Duration) measured {
	m := measured{calls: map[string]float64{}}
	actions := collector.Actions(defaults("cn-hangzhou").accounts[0].AccountConfig)
	for _, action := range actions {
		m.calls[action] = -float64(cloud.Calls(sim.Match{Action: action}).Calls)
	}
	var ages []float64
	for begin := time.Now(); time.Since(begin) < span; {
		<-time.After(max(7*time.Second, span/500+time.Second))
		e.EachGroupForTest(func(_ string, g *collector.ConsumerGroup) { ages = append(ages, time.Since(g.Progress.At).Seconds()) })
	}
	for _, action := range actions {
		m.calls[action] += float64(cloud.Calls(sim.Match{Action: action}).Calls)
	}
	m.perMinute = m.calls[busiest] / span.Minutes()
	m.cycle = 60 * float64(groups) / m.perMinute
	slices.Sort(ages)
	for _, age := range ages {
		m.mean += age / float64(len(ages))
	}
	m.p99, m.worst = ages[len(ages)*99/100], ages[len(ages)-1]
	return m
}

func checkPlan(t *testing.T, which string, row *collector.PlanRow, got measured) {
	t.Helper()
	t.Logf("%s: planned %.2f calls a minute, a cycle of %.1f s, a mean age of %.1f s, %.0f s at worst; measured %.2f, %.1f s, %.1f s, %.0f s",
		which, 60*row.Used, row.Cycle.Seconds(), row.Age.Seconds(), row.Worst.Seconds(), got.perMinute, got.cycle, got.mean, got.worst)
	for _, c := range []struct {
		what      string
		plan, got float64
	}{{"calls a minute", 60 * row.Used, got.perMinute}, {"cycle", row.Cycle.Seconds(), got.cycle}, {"mean age", row.Age.Seconds(), got.mean}} {
		if math.Abs(c.got-c.plan) > 0.05*c.plan {
			t.Errorf("%s: %s: planned %.2f, measured %.2f", which, c.what, c.plan, c.got)
		}
	}
	if got.p99 > 1.05*row.Worst.Seconds()+1 {
		t.Errorf("%s: one group in a hundred was more than %.0f s old, planned are at most %.0f s", which, got.p99, row.Worst.Seconds())
	}
	// What happens to be due at once waits for slots, now and then for long.
	if got.worst > 1.5*row.Worst.Seconds()+5 {
		t.Errorf("%s: a group was %.0f s old, planned are at most %.0f s", which, got.worst, row.Worst.Seconds())
	}
}

// TestThePlanFollowsWhatListingsTake has an instance grow until its listing
// takes several calls, and then vanish beside another one.
func TestThePlanFollowsWhatListingsTake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clouds := map[string]*sim.Cloud{}
		for name, topics := range map[string][]int{"small": {1, 1}, "grown": {1, 250}, "one left": {1}} {
			w := sim.World{Accounts: []sim.Account{{Name: "main"}}}
			for i, n := range topics {
				in := sim.Instance{ID: fmt.Sprintf("alikafka_pre-cn-%d", i), RegionID: "cn-hangzhou", TopicLimit: 1000}
				for t := range n {
					in.Topics = append(in.Topics, sim.Topic{Name: fmt.Sprintf("topic-%d", t), Partitions: 1})
				}
				w.Accounts[0].Instances = append(w.Accounts[0].Instances, in)
			}
			clouds[name] = newCloud(t, sim.Options{World: &w})
		}
		cloud := &switchable{}
		cloud.set(clouds["small"], clouds["small"])
		e := start(t, callsOnly(t, 0.7), cloud)
		defer background(t, e)()
		for _, step := range []struct {
			cloud string
			calls float64 // that reading all lists of topics takes
		}{{"small", 2}, {"grown", 1 + 3}, {"one left", 1}} {
			cloud.set(clouds[step.cloud], clouds[step.cloud])
			<-time.After(10 * time.Minute)
			for _, row := range e.Plan(collector.DefaultSupposed()) {
				if got := row.Required * row.Target.Seconds(); row.Source == "topics" && math.Abs(got-step.calls) > 1e-6 {
					t.Errorf("%s: the plan reckons with %.2f calls for all lists of topics, want %v", step.cloud, got, step.calls)
				}
			}
		}
	})
}

// TestTheLogTellsWhenMaximumAgesCannotBeHeld leaves hardly any rate to polling
// groups, and then has nearly all of them vanish.
func TestTheLogTellsWhenMaximumAgesCannotBeHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		many, few := newCloud(t, sim.Options{World: crowd(60, nil, nil)}), newCloud(t, sim.Options{World: crowd(2, nil, nil)})
		cloud := &switchable{}
		cloud.set(many, many)
		s := callsOnly(t, 0.7)
		s.limits.Actions = map[string]float64{busiest: 0.05}
		e := start(t, s, cloud)
		defer background(t, e)()
		expect := func(when string, warned, relieved int) {
			t.Helper()
			log := e.log.String()
			if n := strings.Count(log, "does not allow the maximum age"); n != warned {
				t.Errorf("%s: %d warnings, want %d", when, n, warned)
			}
			if n := strings.Count(log, "allows the maximum age again"); n != relieved {
				t.Errorf("%s: %d times it is taken back, want %d", when, n, relieved)
			}
		}
		<-time.After(time.Hour)
		expect("too many groups", 1, 0)
		if !strings.Contains(e.log.String(), "level=WARN msg=\"the rate limit does not allow") || !strings.Contains(e.log.String(), "source_name=consumer_group_progress action=GetConsumerProgress objects=60 ") {
			t.Error("the warning does not say what of")
		}
		cloud.set(few, few)
		<-time.After(time.Hour)
		expect("few groups", 1, 1)
	})
}
