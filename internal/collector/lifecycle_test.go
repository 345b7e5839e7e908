package collector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// switchable is a cloud whose listings and whose other answers can each come
// from another one.
type switchable struct{ listings, rest atomic.Pointer[sim.Cloud] }

func (s *switchable) set(listings, rest *sim.Cloud) {
	s.listings.Store(listings)
	s.rest.Store(rest)
}

func (s *switchable) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	if a := form.Get("Action"); a == "GetTopicList" || a == "GetConsumerList" {
		return s.listings.Load().RoundTrip(r)
	}
	return s.rest.Load().RoundTrip(r)
}

// world is one instance with the given topics, each with a group of its name.
func world(topics ...string) *sim.World {
	i := sim.Instance{ID: "alikafka_pre-cn-1", RegionID: "cn-hangzhou"}
	for _, name := range topics {
		i.Topics = append(i.Topics, sim.Topic{Name: name, Partitions: 2, Rate: 10, Shape: sim.Steady})
		i.Groups = append(i.Groups, sim.Group{Name: "group-of-" + name, Subscriptions: []sim.Subscription{{Topic: name}}})
	}
	return &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{i}}}}
}

// background runs e until the test's end or the returned function is called.
func background(t *testing.T, e exporter) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.Run(ctx)
	}()
	stopped := false
	return func() {
		if !stopped {
			stopped = true
			cancel()
			<-done
		}
	}
}

// has reports whether a family has a sample with these labels.
func has(families map[string]*dto.MetricFamily, name string, pairs ...string) bool {
	_, ok := value(families, name, pairs...)
	return ok
}

func TestDeletedObjectsVanishWhenTheirAbsenceIsConfirmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		whole, less := newCloud(t, sim.Options{World: world("kept", "lost")}), newCloud(t, sim.Options{World: world("kept")})
		cloud := &switchable{}
		cloud.set(whole, whole)
		s := defaults("cn-hangzhou")
		for _, source := range []string{"topics", "consumer_groups"} {
			s.config.Sources[source] = collector.Source{Interval: model.Duration(2 * time.Minute), TTL: model.Duration(time.Hour)}
		}
		e := start(t, s, cloud)
		defer background(t, e)()
		expect := func(when string, want bool) {
			t.Helper()
			f := gather(t, e.Families(""))
			topic, group := has(f, "alikafka_topic_partitions", "topic", "lost"), has(f, "alikafka_consumer_group_lag_messages", "consumer_group", "group-of-lost")
			if topic != want || group != want {
				t.Errorf("%s: topic shown %t, group shown %t", when, topic, group)
			}
			if !has(f, "alikafka_topic_partitions", "topic", "kept") {
				t.Errorf("%s: the other topic vanished", when)
			}
		}
		<-time.After(time.Minute)
		expect("at first", true)
		cloud.set(less, whole)
		<-time.After(2 * time.Minute) // one listing
		expect("one listing lacks them and they answer", true)
		cloud.set(whole, whole)
		<-time.After(10 * time.Minute)
		expect("they are listed again", true)
		cloud.set(less, whole)
		<-time.After(5 * time.Minute)
		expect("two listings lack them", false)
		cloud.set(whole, whole)
		<-time.After(3 * time.Minute)
		expect("they are back", true)
		cloud.set(whole, less)
		<-time.After(5 * time.Minute)
		expect("they are listed but do not answer", true)
		cloud.set(less, less)
		<-time.After(3 * time.Minute)
		expect("a listing lacks them and they say so themselves", false)
	})
}

func TestWhatCannotBeReadKeepsItsValueUntilTheTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: world("a", "b")})
		s := defaults("cn-hangzhou")
		s.config.Sources["consumer_group_progress"] = collector.Source{Interval: model.Duration(30 * time.Second), TTL: model.Duration(15 * time.Minute)}
		e := start(t, s, cloud)
		defer background(t, e)()
		<-time.After(time.Minute)
		before, ok := value(gather(t, e.Families("")), "alikafka_consumer_group_partition_offset", "consumer_group", "group-of-a", "partition", "0")
		if !ok {
			t.Fatal("no offset to begin with")
		}
		cloud.SetFault(sim.Match{Action: "GetConsumerProgress", Params: map[string]string{"ConsumerId": "group-of-a"}},
			sim.Fault{Kind: sim.Refuse, Code: "ONS_SYSTEM_ERROR"})
		<-time.After(10 * time.Minute)
		f := gather(t, e.Families(""))
		if _, ok := value(f, "alikafka_consumer_group_partition_offset", "consumer_group", "group-of-a", "partition", "0"); !ok {
			t.Errorf("%v vanished before its TTL", before)
		}
		if age, _ := value(f, "alikafka_data_age_seconds", "source", "consumer_group_progress"); age < 9*60 {
			t.Errorf("age %v s after ten minutes of failures", age)
		}
		<-time.After(6 * time.Minute)
		f = gather(t, e.Families(""))
		for _, name := range []string{"alikafka_consumer_group_partition_offset", "alikafka_consumer_group_lag_messages", "alikafka_consumer_group_members"} {
			if has(f, name, "consumer_group", "group-of-a") {
				t.Errorf("%s is shown after its TTL", name)
			}
		}
		if !has(f, "alikafka_consumer_group_lag_messages", "consumer_group", "group-of-b") {
			t.Error("the other group vanished, too")
		}
		if n, _ := value(f, "alikafka_source_objects", "source", "consumer_group_progress"); n != 2 {
			t.Errorf("%v groups are being read", n)
		}
	})
}

func TestNamedFamiliesAreAsAmongAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := start(t, defaults("cn-hangzhou"), newCloud(t, sim.Options{World: world("a")}))
		e.run(t, 20*time.Second)
		const lag, rebalances = "alikafka_consumer_group_lag_messages", "alikafka_consumer_group_rebalances_total"
		all, named := gather(t, e.Families("")), gather(t, e.Families("", lag, rebalances))
		for _, name := range []string{lag, rebalances} {
			if named[name] == nil || named[name].String() != all[name].String() {
				t.Errorf("%s\nis %v\nand among all %v", name, named[name], all[name])
			}
		}
		if len(named) != 2 {
			t.Errorf("%d families where two are named", len(named))
		}
	})
}

func TestEveryEditionAndShapeOfTheServiceGivesTheSamePage(t *testing.T) {
	t.Parallel()
	shown := func(o sim.Options) (text string) {
		synctest.Test(t, func(t *testing.T) {
			o.World = world("a", "my.topic", "app-KSTREAM-AGGREGATE-STATE-STORE-0000000003-changelog")
			e := start(t, defaults("cn-hangzhou"), inOrder(newCloud(t, o)))
			e.run(t, 20*time.Second)
			f := gather(t, e.Families(""))
			for _, name := range []string{ // what the older edition does not tell: members, rebalances, and the action GetQuotaTip
				"alikafka_consumer_group_members", "alikafka_consumer_group_rebalances_total", "alikafka_instance_partitions_limit", "alikafka_instance_consumer_groups_limit",
				"alikafka_source_last_success_timestamp_seconds",
			} {
				delete(f, name)
			}
			text = page(t, f)
		})
		return text
	}
	want := shown(sim.Options{})
	if !strings.Contains(want, `topic="my.topic"`) {
		t.Fatal("a topic with a dot is missing")
	}
	for name, o := range map[string]sim.Options{
		"the reference of 2022":   {Edition: sim.Edition2022},
		"bare lists":              {Lists: sim.ListsBare},
		"lists as in samples":     {Lists: sim.ListsSampled},
		"strings for numbers":     {Strings: true},
		"AllConfig escaped twice": {DoubleEscape: true},
	} {
		if d := cmp.Diff(want, shown(o)); d != "" {
			t.Errorf("%s (-current +this):\n%s", name, d)
		}
	}
}

func TestRegionsAreDiscovered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{
			{ID: "alikafka_pre-cn-1", RegionID: "cn-shanghai"}, {ID: "alikafka_pre-cn-2", RegionID: "eu-central-1"}, {ID: "alikafka_pre-cn-3", RegionID: "eu-central-1"},
		}}}}
		e := start(t, defaults(), newCloud(t, sim.Options{World: w}))
		e.run(t, 20*time.Second)
		f := gather(t, e.Families(""))
		for region, want := range map[string]float64{"cn-shanghai": 1, "eu-central-1": 2} {
			if n, ok := value(f, "alikafka_instances", "region_id", region); !ok || n != want {
				t.Errorf("%s: %v instances (%t), want %v", region, n, ok, want)
			}
		}
		if has(f, "alikafka_up", "region_id", "cn-hangzhou") {
			t.Error("the region that was asked is watched although nothing is in it")
		}
		s := defaults()
		s.previous, s.metrics = e.Collector, e.metrics
		if has(gather(t, start(t, s, newCloud(t, sim.Options{World: w})).Families("")), "alikafka_up", "region_id", "cn-hangzhou") {
			t.Error("a reload brought it back")
		}
	})
}

func TestFailedDiscoveryShows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := defaults()
		s.accounts[0].secret = "wrongsecret"
		e := start(t, s, newCloud(t, sim.Options{World: world("a")}))
		defer background(t, e)()
		<-e.Ready()
		if up, ok := value(gather(t, e.Families("")), "alikafka_up", "region_id", "cn-hangzhou"); !ok || up != 0 {
			t.Errorf("alikafka_up = %v, %t", up, ok)
		}
	})
}

func TestAReloadTakesTheDataOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: world("a", "b", "c")})
		s := defaults("cn-hangzhou")
		first := start(t, s, cloud)
		stop := background(t, first)
		<-time.After(70 * time.Second)
		s.config.Topics.Exclude = must(collector.NewRegexp("c"))
		s.previous, s.metrics = first.Collector, first.metrics
		next := start(t, s, cloud)
		stop()
		calls := cloud.Calls(sim.Match{}).Calls
		f := gather(t, next.Families(""))
		if !has(f, "alikafka_consumer_group_topic_consumed_messages_per_second", "consumer_group", "group-of-a") {
			t.Error("no rate right after the reload")
		}
		if has(f, "alikafka_topic_partitions", "topic", "c") || has(f, "alikafka_consumer_group_topic_lag_messages", "topic", "c") {
			t.Error("the new filter does not hold for what was taken over")
		}
		defer background(t, next)()
		<-time.After(2 * time.Second)
		if n := cloud.Calls(sim.Match{}).Calls - calls; n > 6 {
			t.Errorf("%d calls in the first two seconds after a reload", n)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestRates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := start(t, defaults("cn-hangzhou"), newCloud(t, sim.Options{World: world("a")}))
		e.run(t, 3*time.Minute)
		f := gather(t, e.Families(""))
		for _, name := range []string{"alikafka_topic_produced_messages_per_second", "alikafka_consumer_group_topic_consumed_messages_per_second"} {
			if v, ok := value(f, name); !ok || v < 8 || v > 12 {
				t.Errorf("%s = %v, %t; 10 are produced and consumed", name, v, ok)
			}
		}
	})
}

// withoutLogEnds is a cloud whose answers tell no log ends of what groups
// consume.
type withoutLogEnds struct{ *sim.Cloud }

func (c withoutLogEnds) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.Cloud.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	body = regexp.MustCompile(`"BrokerOffset":-?\d+,`).ReplaceAll(body, nil)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

func TestAGroupThatIsNotKnownToLagIsNotExplainedToHaveNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := world("a")
		w.Accounts[0].Instances[0].Groups = append(w.Accounts[0].Instances[0].Groups, sim.Group{Name: "idle"})
		cloud := newCloud(t, sim.Options{World: w})
		cloud.SetFault(sim.Match{Action: "GetConsumerProgress", Params: map[string]string{"ConsumerId": "group-of-a"}}, sim.Fault{Kind: sim.Refuse, Code: "ONS_SYSTEM_ERROR"})
		e := start(t, defaults("cn-hangzhou"), cloud)
		e.run(t, 2*time.Minute)
		for group, rule := range map[string]string{"group-of-a": "never_read", "idle": "no_commit"} {
			x, ok := e.Explain("alikafka_pre-cn-1", group)
			if !ok || x.Rule.Name != rule || x.Lag != nil || x.LagSeconds != nil || x.Rewound != nil {
				t.Errorf("%s: %+v", group, x)
			}
		}
	})
}

func TestWhatIsOldIsNotExplainedAsOfNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := start(t, defaults("cn-hangzhou"), newCloud(t, sim.Options{World: world("a")}))
		e.run(t, 3*time.Minute)
		produced := func() *float64 {
			x, _ := e.Explain("alikafka_pre-cn-1", "group-of-a")
			return x.Topics[0].ProducedPerSecond
		}
		if produced() == nil {
			t.Error("what is produced is not known")
		}
		<-time.After(2 * time.Hour)
		if v := produced(); v != nil {
			t.Errorf("%v a second were produced two hours ago", *v)
		}
	})
}

func TestWithoutTheLogEndThereIsNoLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: world("a")})
		for name, test := range map[string]struct {
			cloud http.RoundTripper
			want  bool
		}{"told": {cloud, true}, "not told": {withoutLogEnds{cloud}, false}} {
			e := start(t, defaults("cn-hangzhou"), test.cloud)
			e.run(t, 2*time.Minute)
			f := gather(t, e.Families(""))
			for _, lag := range []string{"", "topic_", "partition_"} {
				for _, unit := range []string{"messages", "seconds"} {
					family := "alikafka_consumer_group_" + lag + "lag_" + unit
					if got := has(f, family, "consumer_group", "group-of-a"); got != test.want {
						t.Errorf("log ends %s: %s shown %t", name, family, got)
					}
				}
			}
			if !has(f, "alikafka_consumer_group_partition_offset", "consumer_group", "group-of-a") {
				t.Errorf("log ends %s: there are no committed offsets", name)
			}
			x, _ := e.Explain("alikafka_pre-cn-1", "group-of-a")
			for _, field := range []string{"lag_messages", "lag_seconds", "rewound_messages"} {
				if got := strings.Contains(string(must(json.Marshal(x))), `"`+field+`":`); got != test.want {
					t.Errorf("log ends %s: %s explained %t", name, field, got)
				}
			}
			rule := map[bool]string{true: "within_allowed_lag", false: "no_log_end"}[test.want]
			if p := x.Topics[0].Partitions[0]; x.Rule.Name != rule || x.Topics[0].Rule != rule || p.Rule != rule || p.Committed == nil {
				t.Errorf("log ends %s: %+v", name, x)
			}
		}
	})
}
