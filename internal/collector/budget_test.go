package collector_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// busy is five instances with so many topics and 40 groups each: at the default
// cadence the progress of groups alone would take 6.7 calls a second.
func busy(windows sim.Window, topics int) sim.Options {
	account := sim.Account{Name: "main"}
	for i := range 5 {
		instance := sim.Instance{ID: fmt.Sprintf("alikafka_pre-cn-%d", i), RegionID: "cn-hangzhou", TopicLimit: 100}
		for n := range topics {
			instance.Topics = append(instance.Topics, sim.Topic{Name: fmt.Sprintf("topic-%02d", n), Partitions: 3, Rate: 5, Shape: sim.Steady})
		}
		for n := range 40 {
			instance.Groups = append(instance.Groups, sim.Group{
				Name: fmt.Sprintf("group-%02d", n), Subscriptions: []sim.Subscription{{Topic: fmt.Sprintf("topic-%02d", n%topics)}},
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

// windows are the ways in which the cloud may count calls.
var windows = map[string]sim.Window{
	"fixed windows": sim.WindowFixed, "a sliding window": sim.WindowSliding, "a token bucket": sim.WindowBucket,
}

// busiest is the action that always has work due.
const busiest = "GetConsumerProgress"

// usage is what the busiest action did in a stretch of time.
type usage struct {
	elapsed             time.Duration
	accepted, throttled int // calls
}

// reaches reports whether so many calls a second were let through. A call at
// each end of the stretch may have been judged on the other side of it.
func (u usage) reaches(perSecond float64) bool {
	return float64(u.accepted)+2 >= perSecond*u.elapsed.Seconds()
}

func (u usage) String() string {
	return fmt.Sprintf("%.3f calls a second let through, %d throttled, in %v", float64(u.accepted)/u.elapsed.Seconds(), u.throttled, u.elapsed)
}

// meter measures usage since the last time it was read.
type meter struct {
	cloud *sim.Cloud
	at    time.Time
	last  sim.Count
}

func (m *meter) read() usage {
	now := m.cloud.Calls(sim.Match{Action: busiest})
	throttled := now.Throttled - m.last.Throttled
	u := usage{time.Since(m.at), now.Calls - m.last.Calls - throttled, throttled}
	m.last, m.at = now, time.Now()
	return u
}

// callsOnly returns the setting of an exporter of which only the calls matter.
// Pages would be half of the work.
func callsOnly(t *testing.T, share float64) setting {
	t.Helper()
	s := defaults("cn-hangzhou")
	s.limits.Share = share
	s.config.Metrics.Allow = []collector.Regexp{expr(t, "alikafka_up")}
	return s
}

func TestAnHourWithinTheBudget(t *testing.T) {
	t.Parallel()
	for name, w := range windows {
		for _, tc := range []struct{ share, throttled float64 }{{0.7, 0}, {1, 0.001}} {
			t.Run(fmt.Sprintf("share %v, %s", tc.share, name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					cloud := newCloud(t, busy(w, short.Of(60)))
					e := start(t, callsOnly(t, tc.share), cloud)
					defer background(t, e)()
					<-time.After(30 * time.Second) // until all groups are known
					m := &meter{cloud: cloud}
					m.read()
					<-time.After(short.Of(time.Hour))
					got := m.read()
					all := cloud.Calls(sim.Match{})
					t.Logf("%s: %s; %d calls in all, %d throttled", busiest, got, all.Calls, all.Throttled)
					if !got.reaches(0.95 * 3 * tc.share) {
						t.Errorf("%s: want 95 %% of limit × share", got)
					}
					if f := float64(all.Throttled) / float64(all.Calls); f > tc.throttled {
						t.Errorf("%.3f %% of all calls throttled, want at most %.3f %%", 100*f, 100*tc.throttled)
					}
				})
			})
		}
	}
}

// TestTheServersLimitFallsAndRises measures for a while what comes of a limit.
// Finding it out takes as long however short the measuring is.
func TestTheServersLimitFallsAndRises(t *testing.T) {
	t.Parallel()
	for name, w := range windows {
		for _, share := range []float64{0.7, 1} {
			t.Run(fmt.Sprintf("share %v, %s", share, name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					cloud := newCloud(t, busy(w, 1))
					e := start(t, callsOnly(t, share), cloud)
					defer background(t, e)()
					<-time.After(2 * time.Minute)
					cloud.SetLimit("", 1)
					<-time.After(time.Minute)
					m := &meter{cloud: cloud}
					m.read()
					<-time.After(short.Of(10 * time.Minute))
					got := m.read()
					t.Logf("limit 1: %s", got)
					// Two throttled calls are what a single try of a higher rate may cost.
					if most := max(2, (got.accepted+got.throttled)/50); !got.reaches(0.9) || got.throttled > most {
						t.Errorf("a minute after the limit fell to 1: %s, want at most %d throttled", got, most)
					}
					cloud.SetLimit("", 3)
					<-time.After(10 * time.Minute)
					m.read()
					<-time.After(short.Of(2 * time.Minute))
					if got := m.read(); !got.reaches(0.95 * 3 * share) {
						t.Errorf("ten minutes after it rose to 3: %s", got)
					}
				})
			})
		}
	}
}
