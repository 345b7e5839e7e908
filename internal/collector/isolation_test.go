package collector_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// threeRegions is an account with the same instance in three regions, and
// another account in one of them. Each instance has so many topics and groups.
func threeRegions(objects int) *sim.World {
	instance := func(account, region string) sim.Instance {
		i := sim.Instance{ID: "alikafka_pre-" + account + "-" + region, RegionID: region}
		for n := range objects {
			i.Topics = append(i.Topics, sim.Topic{Name: fmt.Sprintf("topic-%02d", n), Partitions: 3, Rate: 5})
			i.Groups = append(i.Groups, sim.Group{Name: fmt.Sprintf("group-%02d", n), Subscriptions: []sim.Subscription{{Topic: fmt.Sprintf("topic-%02d", n)}}})
		}
		return i
	}
	return &sim.World{Accounts: []sim.Account{
		{Name: "main", Keys: []sim.Key{{ID: "testid", Secret: "testsecret"}}, Instances: []sim.Instance{instance("main", "cn-hangzhou"), instance("main", "cn-shanghai"), instance("main", "cn-beijing")}},
		{Name: "other", Keys: []sim.Key{{ID: "otherid", Secret: "othersecret"}}, Instances: []sim.Instance{instance("other", "cn-hangzhou")}},
	}}
}

// isolatedRate is the limit of an action that reads objects of threeRegions, in
// calls a second: with fewer objects as much lower, so that they get in each
// other's way as many do.
func isolatedRate() float64 { return 3 * float64(short.Of(20)) / 20 }

// worstAges runs an exporter for 18 minutes and returns the greatest age
// that each source of main's cn-hangzhou showed in the last ten minutes.
// broken: from the second minute on a region hangs, another answers HTML, and
// the other account's secret is wrong from the start.
func worstAges(t *testing.T, broken bool) map[string]float64 {
	t.Helper()
	worst := map[string]float64{}
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: threeRegions(short.Of(20)), Latency: 50 * time.Millisecond})
		s := defaults("cn-hangzhou", "cn-shanghai", "cn-beijing")
		s.limits.Actions = map[string]float64{busiest: isolatedRate(), "GetTopicStatus": isolatedRate()}
		other := s.accounts[0]
		other.Name, other.key, other.secret, other.Regions = "other", "otherid", "othersecret", []string{"cn-hangzhou"}
		if broken {
			other.secret = "wrongsecret"
		}
		s.accounts = append(s.accounts, other)
		e := start(t, s, cloud)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error)
		go func() { done <- e.Run(ctx) }()
		<-time.After(2 * time.Minute)
		if broken {
			cloud.SetFault(sim.Match{Account: "main", RegionID: "cn-shanghai"}, sim.Fault{Kind: sim.Hang})
			cloud.SetFault(sim.Match{Account: "main", RegionID: "cn-beijing"}, sim.Fault{Kind: sim.Gateway})
		}
		<-time.After(6 * time.Minute)
		const age = "alikafka_data_age_seconds"
		for second := range 590 {
			<-time.After(time.Second)
			before := time.Now()
			families := gather(t, e.Families("", age))
			if second%10 == 0 {
				_ = gather(t, e.Families(""), e.metrics)
			}
			if waited := time.Since(before); waited != 0 {
				t.Fatalf("a scrape waited %v", waited)
			}
			for _, source := range []string{"instances", "topics", "topic_status", "consumer_groups", "consumer_group_progress"} {
				age, _ := value(families, age, "account", "main", "region_id", "cn-hangzhou", "source", source)
				worst[source] = max(worst[source], age)
			}
		}
		families := gather(t, e.Families(""), e.metrics)
		for labels, want := range map[[2]string]float64{
			{"main", "cn-hangzhou"}: 1, {"main", "cn-shanghai"}: not(broken), {"main", "cn-beijing"}: not(broken), {"other", "cn-hangzhou"}: not(broken),
		} {
			if got, ok := value(families, "alikafka_up", "account", labels[0], "region_id", labels[1]); !ok || got != want {
				t.Errorf("alikafka_up%v = %v, %t; want %v", labels, got, ok, want)
			}
		}
		if broken {
			checkBroken(t, e, page(t, families))
		}
		cancel()
		<-done
	})
	return worst
}

func not(b bool) float64 {
	if b {
		return 0
	}
	return 1
}

// checkBroken looks for the reasons of the failures in metrics and log.
func checkBroken(t *testing.T, e exporter, page string) {
	t.Helper()
	for _, want := range []string{
		`alikafka_source_errors_total{account="other",reason="SignatureDoesNotMatch",region_id="cn-hangzhou",source="instances"}`,
		`alikafka_source_errors_total{account="main",reason="timeout",region_id="cn-shanghai",source="instances"}`,
		`alikafka_source_errors_total{account="main",reason="unreadable_reply",region_id="cn-beijing",source="instances"}`,
		`alikafka_api_requests_total{account="other",action="GetInstanceList",code="SignatureDoesNotMatch"}`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	log := e.log.String()
	for line := range strings.SplitSeq(log, "\n") {
		if strings.Contains(line, "SignatureDoesNotMatch") && !strings.Contains(line, "request_id=") {
			t.Errorf("no RequestId in: %s", line)
		}
	}
	if n := strings.Count(log, "SignatureDoesNotMatch"); n < 1 || n > 5 {
		t.Errorf("the wrong secret was logged %d times", n)
	}
	for _, secret := range []string{"wrongsecret", "othersecret", "testsecret"} {
		if strings.Contains(log, secret) || strings.Contains(page, secret) {
			t.Errorf("%s leaked", secret)
		}
	}
}

// TestFailuresOfOthersLeaveTheDataAsFresh allows for the jitter of intervals, a
// tenth either way, and for the second between two looks, in both runs: some
// sources are read five times only. What is due may also find others before it,
// which take a slot each: under -short there are five of them.
func TestFailuresOfOthersLeaveTheDataAsFresh(t *testing.T) {
	t.Parallel()
	healthy, broken := worstAges(t, false), worstAges(t, true)
	slot := 1 / (0.7 * isolatedRate())
	for source, age := range broken {
		t.Logf("%s: worst age %.0f s with failures beside it, %.0f s without", source, age, healthy[source])
		if age > 1.1/0.9*(healthy[source]+1)+1+6*slot {
			t.Errorf("%s: worst age %.0f s, %.0f s without the failures", source, age, healthy[source])
		}
	}
}

// TestASickInstanceLeavesItsNeighboursAsFresh has one of two instances of a
// region forbidden for half an hour.
func TestASickInstanceLeavesItsNeighboursAsFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := sim.Generate(sim.GenerateOptions{Account: "main", Instances: 2, TopicsPerInstance: 20, GroupsPerInstance: 20, TopicsPerGroup: 1, PartitionsPerTopic: 2}, 1)
		cloud := newCloud(t, sim.Options{World: &w, Latency: 50 * time.Millisecond})
		const polled = "alikafka_consumer_group_last_poll_timestamp_seconds"
		s := defaults("cn-hangzhou")
		s.config.Metrics.Allow = []collector.Regexp{expr(t, polled)} // the only family that is looked at
		e := start(t, s, cloud)
		defer background(t, e)()
		<-time.After(5 * time.Minute)
		sick, well := w.Accounts[0].Instances[0].ID, w.Accounts[0].Instances[1].ID
		mend := cloud.SetFault(sim.Match{Params: map[string]string{"InstanceId": sick}}, sim.Fault{Kind: sim.Refuse, Status: 403, Code: "Forbidden.RAM"})
		polls := func(instance string) []*dto.Metric { return gather(t, e.Families(instance))[polled].GetMetric() }
		worst, lasts := 0.0, short.Of(30*time.Minute)
		for begin := time.Now(); time.Since(begin) < lasts; {
			<-time.After(10 * time.Second)
			list := polls(well)
			for _, m := range list {
				worst = max(worst, float64(time.Now().UnixMilli())/1000-m.GetGauge().GetValue())
			}
			if len(list) != 20 {
				t.Fatalf("%d of 20 groups of the healthy instance are shown", len(list))
			}
		}
		t.Logf("worst age of a group of the healthy instance: %.0f s", worst)
		if worst > 45 {
			t.Errorf("a group of the healthy instance was %.0f s old", worst)
		}
		const sources = 6 // that read an instance: each complains at first and every ten minutes
		if n, most := strings.Count(e.log.String(), "source failed"), sources*int(1+lasts/(10*time.Minute)); n < 1 || n > most {
			t.Errorf("%d log lines in %v, want at most %d", n, lasts, most)
		}
		mend()
		<-time.After(6 * time.Minute)
		if n := len(polls(sick)); n != 20 {
			t.Errorf("%d of 20 groups are back", n)
		}
		if n := strings.Count(e.log.String(), "source recovered"); n < 1 || n > sources {
			t.Errorf("%d recoveries logged, want one of each source at most", n)
		}
	})
}

// TestWhatIsDroppedWhileItFailsHasNotRecovered deletes a group that cannot be
// read; another comes back.
func TestWhatIsDroppedWhileItFailsHasNotRecovered(t *testing.T) {
	t.Parallel()
	const recovered, gone = `msg="source recovered"`, `msg="what failed of the source is no longer read"`
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: world("a", "b")})
		e := start(t, callsOnly(t, 0.7), cloud)
		defer background(t, e)()
		<-time.After(2 * time.Minute)
		fail := func(group string) (mend func()) {
			mend = cloud.SetFault(sim.Match{Action: "GetConsumerProgress", Params: map[string]string{"ConsumerId": group}}, sim.Fault{Kind: sim.Refuse, Status: 403, Code: "Forbidden.RAM"})
			<-time.After(2 * time.Minute)
			return mend
		}
		fail("group-of-a")
		check(t, cloud.Remove(sim.Ref{Account: "main", Instance: "alikafka_pre-cn-1", Group: "group-of-a"}))
		<-time.After(time.Hour)
		if log := e.log.String(); strings.Contains(log, recovered) || strings.Count(log, gone) != 1 {
			t.Errorf("after a group was deleted that could not be read:\n%s", log)
		}
		mend := fail("group-of-b")
		mend()
		<-time.After(time.Hour)
		if log := e.log.String(); strings.Count(log, recovered) != 1 || strings.Count(log, gone) != 1 {
			t.Errorf("after a group could be read again:\n%s", log)
		}
	})
}
