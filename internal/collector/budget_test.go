package collector_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// busy is five instances with 300 topics and 200 groups: at the default
// cadence their progress alone would take 6.7 calls a second.
func busy(windows sim.Window) sim.Options {
	account := sim.Account{Name: "main"}
	for i := range 5 {
		instance := sim.Instance{ID: fmt.Sprintf("alikafka_pre-cn-%d", i), RegionID: "cn-hangzhou", TopicLimit: 100}
		for n := range 60 {
			instance.Topics = append(instance.Topics, sim.Topic{Name: fmt.Sprintf("topic-%02d", n), Partitions: 3, Rate: 5, Shape: sim.Steady})
		}
		for n := range 40 {
			instance.Groups = append(instance.Groups, sim.Group{
				Name: fmt.Sprintf("group-%02d", n), Subscriptions: []sim.Subscription{{Topic: fmt.Sprintf("topic-%02d", n)}},
			})
		}
		account.Instances = append(account.Instances, instance)
	}
	return sim.Options{
		World: &sim.World{Accounts: []sim.Account{account}},
		// Half of it before the request is judged: up to 50 ms of jitter on the
		// way there, and as much on the way back.
		Latency: 40 * time.Millisecond, Jitter: 100 * time.Millisecond,
		Limits: sim.Limits{Window: windows},
	}
}

// busiest is the action that always has work due.
const busiest = "GetConsumerProgress"

// usage is what the busiest action did in a stretch of time: calls a second
// that were let through, and the share of all calls that were throttled.
type usage struct{ accepted, throttled float64 }

// meter measures usage since the last time it was read.
type meter struct {
	cloud *sim.Cloud
	at    time.Time
	last  sim.Count
}

func (m *meter) read() usage {
	now := m.cloud.Calls(sim.Match{Action: busiest})
	calls, throttled := now.Calls-m.last.Calls, now.Throttled-m.last.Throttled
	elapsed := time.Since(m.at).Seconds()
	m.last, m.at = now, time.Now()
	if calls == 0 || elapsed == 0 {
		return usage{}
	}
	return usage{float64(calls-throttled) / elapsed, float64(throttled) / float64(calls)}
}

func TestAnHourWithinTheBudget(t *testing.T) {
	t.Parallel()
	for name, w := range windows {
		for _, tc := range []struct{ share, throttled float64 }{{0.7, 0}, {1, 0.001}} {
			t.Run(fmt.Sprintf("share %v, %s", tc.share, name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					cloud := newCloud(t, busy(w))
					s := defaults("cn-hangzhou")
					s.limits.Share = tc.share
					e := start(t, s, cloud)
					defer background(t, e)()
					<-time.After(30 * time.Second) // until all groups are known
					m := &meter{cloud: cloud}
					m.read()
					<-time.After(anHour)
					got := m.read()
					all := cloud.Calls(sim.Match{})
					t.Logf("%s: %.3f calls a second, %.2f %% of limit × share; %d calls in all, %d throttled",
						busiest, got.accepted, 100*got.accepted/(3*tc.share), all.Calls, all.Throttled)
					if used := got.accepted / (3 * tc.share); used < 0.95 {
						t.Errorf("%.2f %% of limit × share used, want 95 %%", 100*used)
					}
					if f := float64(all.Throttled) / float64(all.Calls); f > tc.throttled {
						t.Errorf("%.3f %% of all calls throttled, want at most %.3f %%", 100*f, 100*tc.throttled)
					}
				})
			})
		}
	}
}

func TestTheServersLimitFallsAndRises(t *testing.T) {
	t.Parallel()
	long(t)
	for name, w := range windows {
		for _, share := range []float64{0.7, 1} {
			t.Run(fmt.Sprintf("share %v, %s", share, name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					cloud := newCloud(t, busy(w))
					s := defaults("cn-hangzhou")
					s.limits.Share = share
					e := start(t, s, cloud)
					defer background(t, e)()
					<-time.After(2 * time.Minute)
					cloud.SetLimit("", 1)
					<-time.After(time.Minute)
					m := &meter{cloud: cloud}
					m.read()
					<-time.After(10 * time.Minute)
					got := m.read()
					t.Logf("limit 1: %.3f calls a second let through, %.2f %% of calls throttled", got.accepted, 100*got.throttled)
					if got.accepted < 0.9 || got.throttled > 0.02 {
						t.Errorf("a minute after the limit fell to 1: %.3f calls a second, %.2f %% throttled", got.accepted, 100*got.throttled)
					}
					cloud.SetLimit("", 3)
					<-time.After(10 * time.Minute)
					m.read()
					<-time.After(2 * time.Minute)
					if got := m.read(); got.accepted < 0.95*3*share {
						t.Errorf("ten minutes after it rose to 3: %.3f calls a second", got.accepted)
					}
				})
			})
		}
	}
}
