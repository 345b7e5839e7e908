package collector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

func TestPagesSayWhatTheMetricsSay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := start(t, defaults("cn-hangzhou"), newCloud(t, sim.Options{}))
		e.run(t, 2*time.Minute)
		families := gather(t, e.Families(""))
		instances, groups := e.Instances(), e.ConsumerGroups("")
		if len(instances) < 2 || len(groups) < 5 {
			t.Fatalf("%d instances, %d groups", len(instances), len(groups))
		}
		compared := 0
		for _, s := range append(instances, groups...) {
			pairs := []string{"account", s.Account, "region_id", s.RegionID, "instance_id", s.InstanceID}
			if s.Group != "" {
				pairs = append(pairs, "consumer_group", s.Group)
			}
			for name, got := range s.Values {
				compared++
				if want, ok := value(families, name, pairs...); !ok || got != want {
					t.Errorf("%s %s%s: %v, the metric says %v %v", name, s.InstanceID, s.Group, got, want, ok)
				}
			}
			if s.Group == "" {
				if v, _ := value(families, "alikafka_instance_status", append(pairs, "status", s.Status)...); v != 1 {
					t.Errorf("%s is not %q by the metric", s.InstanceID, s.Status)
				}
			}
		}
		if compared < 50 {
			t.Errorf("only %d values were compared", compared)
		}
		for _, g := range e.ConsumerGroups(instances[0].InstanceID) {
			if g.InstanceID != instances[0].InstanceID {
				t.Errorf("asked for %s, got %+v", instances[0].InstanceID, g)
			}
		}
		if at := groups[0].Time("alikafka_consumer_group_last_poll_timestamp_seconds"); at.IsZero() || time.Since(at) > 2*time.Minute {
			t.Errorf("last poll at %s", at)
		}
		if at := groups[0].Time("alikafka_none"); !at.IsZero() {
			t.Errorf("a time out of nothing: %s", at)
		}
	})
}

func TestCallsAreSummedUpByAction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := callsOnly(t, 0.7)
		s.limits.Actions = map[string]float64{"GetConsumerProgress": 40} // more than the cloud lets through
		e := start(t, s, newCloud(t, sim.Options{}))
		e.run(t, 2*time.Minute)
		families := gather(t, e.metrics)
		calls := e.metrics.Calls()
		if len(calls) < 7 {
			t.Fatalf("%+v", calls)
		}
		for _, c := range calls {
			okay, _ := value(families, "alikafka_api_requests_total", "account", "main", "action", c.Action, "code", api.CodeOK)
			if c.Account != "main" || c.Attempts-c.Failed != okay {
				t.Errorf("%+v, the metric says %v ok", c, okay)
			}
			throttled, _ := value(families, "alikafka_api_throttled_total", "account", "main", "action", c.Action)
			limit, _ := value(families, "alikafka_api_rate_limit_requests_per_second", "account", "main", "action", c.Action)
			if c.Throttled != throttled || c.PerSecond != limit {
				t.Errorf("%+v, the metrics say %v throttled at %v", c, throttled, limit)
			}
			if c.Action == "GetConsumerProgress" && c.Throttled == 0 {
				t.Errorf("%+v was not throttled", c)
			}
		}
	})
}
