package collector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

func TestExplanationsHoldTheTotalsOfTheLastPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{{
			ID: "alikafka_pre-cn-1", RegionID: "cn-hangzhou",
			Topics: []sim.Topic{{Name: "orders", Partitions: 3, Rate: 10, Shape: sim.Steady}, {Name: "refunds", Partitions: 1, Rate: 1, Shape: sim.Steady}},
			Groups: []sim.Group{
				{Name: "billing", Members: 2, Subscriptions: []sim.Subscription{{Topic: "orders", Delay: 5 * time.Second}, {Topic: "refunds"}}},
				{Name: "idle"},
			},
		}}}}}})
		e := start(t, callsOnly(t, 0.7), cloud)
		e.run(t, 40*time.Minute) // more polls than samples are kept
		x, ok := e.Explain("alikafka_pre-cn-1", "billing")
		if !ok || len(x.Samples) != 48 {
			t.Fatalf("%d samples", len(x.Samples))
		}
		for i, s := range x.Samples {
			if s.Newest-s.Committed != s.Lag || s.Partitions != 4 || s.Lag < 0 {
				t.Errorf("%+v does not add up", s)
			}
			if i > 0 && (!s.At.After(x.Samples[i-1].At) || s.Committed < x.Samples[i-1].Committed) {
				t.Errorf("%+v comes after %+v", s, x.Samples[i-1])
			}
		}
		last := x.Samples[len(x.Samples)-1]
		if x.Lag == nil || last.Lag != *x.Lag || last.LagSeconds != *x.LagSeconds || !last.At.Equal(*x.PolledAt) {
			t.Errorf("the last sample is %+v, the group %+v", last, x)
		}
		if idle, ok := e.Explain("alikafka_pre-cn-1", "idle"); !ok || idle.Samples == nil || len(idle.Samples) != 0 {
			t.Errorf("a group without commits: %+v", idle.Samples)
		}
	})
}
