package sim_test

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// status and progress are what the answers say about offsets.
type status struct {
	TopicStatus struct {
		TotalCount, LastTimeStamp int64
		OffsetTable               struct {
			OffsetTable []struct{ Partition, MinOffset, MaxOffset, LastUpdateTimestamp int64 }
		}
	}
}

type progress struct {
	ConsumerProgress struct {
		TotalDiff, LastTimestamp int64
		State                    string `json:"state"`
		TopicList                struct {
			TopicList []struct {
				Topic                    string
				TotalDiff, LastTimestamp int64
				OffsetList               struct {
					OffsetList []struct {
						Partition, ConsumerOffset, BrokerOffset, LastTimestamp, Accumulate int64
						MemberId, ClientIp                                                 string
					}
				}
			}
		}
		RebalanceInfoList struct {
			RebalanceInfoList []struct{ Generation, LastRebalanceTimestamp int64 }
		}
	}
}

func (c *client) status(instance, topic string) (s status) {
	c.t.Helper()
	c.get(&s, "GetTopicStatus", "InstanceId", instance, "Topic", topic)
	return s
}

func (c *client) progress(instance, group string, more ...string) (p progress) {
	c.t.Helper()
	c.get(&p, "GetConsumerProgress", append(more, "InstanceId", instance, "ConsumerId", group)...)
	return p
}

// unlimited is a cloud without rate limits and storms.
func unlimited(t *testing.T, o sim.Options) (*sim.Cloud, *client) {
	t.Helper()
	o.Limits = sim.Limits{Default: -1, PerSourceIP: -1}
	cloud := newCloud(t, o)
	return cloud, newClient(t, cloud)
}

// An hour of every topic: offsets only grow, add up, and are dated right.
func TestProducers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{})
		for _, in := range cloud.World().Accounts[0].Instances {
			c.host = "127.0.0.1"
			for _, topic := range in.Topics {
				var last status
				first := int64(-1)
				samples := short.Of(60)
				step := time.Hour / time.Duration(samples)
				for range samples {
					time.Sleep(step)
					var s status
					c.get(&s, "GetTopicStatus", "InstanceId", in.ID, "Topic", topic.Name, "RegionId", in.RegionID)
					now := time.Now().UnixMilli()
					var total, newest int64
					for p, o := range s.TopicStatus.OffsetTable.OffsetTable {
						total += o.MaxOffset - o.MinOffset
						newest += o.MaxOffset
						if o.MinOffset < 0 || o.MinOffset > o.MaxOffset || o.LastUpdateTimestamp > now {
							t.Fatalf("%s[%d]: %+v at %d", topic.Name, p, o, now)
						}
						if last.TopicStatus.OffsetTable.OffsetTable != nil {
							before := last.TopicStatus.OffsetTable.OffsetTable[p]
							if o.MaxOffset < before.MaxOffset || o.MinOffset < before.MinOffset || o.LastUpdateTimestamp < before.LastUpdateTimestamp {
								t.Fatalf("%s[%d]: %+v after %+v", topic.Name, p, o, before)
							}
						}
						if (o.MaxOffset == 0) != (o.LastUpdateTimestamp == 0) {
							t.Fatalf("%s[%d]: %+v", topic.Name, p, o)
						}
					}
					if total != s.TopicStatus.TotalCount {
						t.Fatalf("%s: %d messages, partitions hold %d", topic.Name, s.TopicStatus.TotalCount, total)
					}
					if first < 0 {
						first = newest
					}
					last = s
				}
				newest := int64(0)
				for _, o := range last.TopicStatus.OffsetTable.OffsetTable {
					newest += o.MaxOffset
				}
				rate := float64(newest-first) / (time.Hour - step).Seconds()
				if topic.Quiet == 0 && math.Abs(rate-topic.Rate) > 0.1*topic.Rate+0.02 || topic.Quiet > 0 && rate != 0 {
					t.Errorf("%s: %.2f messages a second, want %.2f", topic.Name, rate, topic.Rate)
				}
			}
		}
	})
}

// Hours of every group: sums agree, the committed offset is never ahead, is
// dated right and agrees with TrueLag. Scenes come again every ten minutes, so
// each of ten samples, seven minutes apart, shows another part of them.
func TestConsumers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{})
		c.host = "127.0.0.1"
		for range short.Of(60) {
			time.Sleep(7 * time.Minute)
			for _, in := range cloud.World().Accounts[0].Instances {
				for _, g := range in.Groups {
					checkProgress(t, cloud, in, g, c.progress(in.ID, g.Name, "RegionId", in.RegionID))
				}
			}
		}
	})
}

func checkProgress(t *testing.T, cloud *sim.Cloud, in sim.Instance, g sim.Group, got progress) {
	t.Helper()
	now := time.Now().UnixMilli()
	p := got.ConsumerProgress
	if len(p.TopicList.TopicList) != len(g.Subscriptions) {
		t.Fatalf("%s: %d topics", g.Name, len(p.TopicList.TopicList))
	}
	var group int64
	for _, topic := range p.TopicList.TopicList {
		var sum int64
		for _, o := range topic.OffsetList.OffsetList {
			diff := o.BrokerOffset - o.ConsumerOffset
			messages, seconds, ok := cloud.TrueLag("demo", in.ID, g.Name, topic.Topic, int(o.Partition))
			if !ok || messages != diff || diff < 0 || o.Accumulate != diff || o.ConsumerOffset < 0 {
				t.Fatalf("%s on %s: %+v, true lag %d", g.Name, topic.Topic, o, messages)
			}
			if (seconds == 0) != (messages == 0) || seconds < 0 {
				t.Fatalf("%s on %s: %d messages are %v s", g.Name, topic.Topic, messages, seconds)
			}
			// The oldest unconsumed message is younger than the last consumed one.
			if o.ConsumerOffset > 0 && messages > 0 && float64(now-o.LastTimestamp)/1000 < seconds-0.002 {
				t.Fatalf("%s on %s: %+v: %v s behind at %d", g.Name, topic.Topic, o, seconds, now)
			}
			sum += diff
		}
		if sum != topic.TotalDiff {
			t.Fatalf("%s on %s: %d, partitions %d", g.Name, topic.Topic, topic.TotalDiff, sum)
		}
		group += sum
	}
	if group != p.TotalDiff {
		t.Fatalf("%s: %d, topics %d", g.Name, p.TotalDiff, group)
	}
}

// What the group of each one-scene story looks like over its period.
func TestScenes(t *testing.T) {
	t.Parallel()
	type moment struct {
		at      time.Duration
		seconds float64 // of lag on partition 2 of orders, give or take commits
		members bool
		gen     int64 // of the last rebalance; 0 none
	}
	for name, moments := range map[string][]moment{
		"calm": {{10 * time.Second, 3, true, 0}, {9 * time.Minute, 3, true, 0}},
		"stall": {
			{10 * time.Second, 3, true, 0},
			{200 * time.Second, 180, true, 0},
			{260 * time.Second, 90, true, 0},
			{330 * time.Second, 3, true, 0},
			{800 * time.Second, 180, true, 0},
		},
		"stop": {
			{10 * time.Second, 3, true, 0},
			{140 * time.Second, 120, false, 1000},
			{270 * time.Second, 220, true, 1001},
			{500 * time.Second, 3, true, 1001},
			{640 * time.Second, 20, false, 1002},
		},
		"rewind": {
			{25 * time.Second, 3, true, 0},
			{36 * time.Second, 1780, true, 1000},
			{210 * time.Second, 900, true, 1000},
			{400 * time.Second, 3, true, 1000},
		},
		"catchup": {{6 * time.Second, 3560, true, 1000}, {240 * time.Second, 1800, true, 1000}, {490 * time.Second, 3, true, 1000}},
		"slow":    {{60 * time.Second, 48, true, 0}, {300 * time.Second, 240, true, 0}, {485 * time.Second, 3, true, 0}},
		"stuck":   {{10 * time.Second, 3, true, 0}, {320 * time.Second, 300, true, 0}, {450 * time.Second, 3, true, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud, c := unlimited(t, sim.Options{Story: name})
				start := time.Now()
				for _, m := range moments {
					time.Sleep(time.Until(start.Add(m.at)))
					got := c.progress(stage, "billing").ConsumerProgress
					_, seconds, ok := cloud.TrueLag("demo", stage, "billing", "orders", 2)
					if !ok || math.Abs(seconds-m.seconds) > 30 || m.seconds < 5 && seconds > 7 {
						t.Errorf("at %v: %v s behind, want %v", m.at, seconds, m.seconds)
					}
					owner := got.TopicList.TopicList[0].OffsetList.OffsetList[2].MemberId
					if (owner != "") != m.members || (got.State == "EMPTY") == m.members {
						t.Errorf("at %v: member %q, state %s", m.at, owner, got.State)
					}
					var gen int64
					if list := got.RebalanceInfoList.RebalanceInfoList; len(list) > 0 {
						gen = list[0].Generation
					}
					if gen != m.gen {
						t.Errorf("at %v: generation %d, want %d", m.at, gen, m.gen)
					}
					if _, other, _ := cloud.TrueLag("demo", stage, "shipping", "orders", 2); other > 7 {
						t.Errorf("at %v: the healthy group is %v s behind", m.at, other)
					}
				}
			})
		})
	}
}

// In the demo lag moves visibly within two minutes.
func TestLivelyMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{})
		c.progress(trade, "payment-settlement")
		before := make(map[string]int64)
		groups := []string{"payment-settlement", "risk-control", "search-indexer", "data-warehouse", "shipment-tracker"}
		for _, g := range groups {
			before[g] = c.progress(trade, g).ConsumerProgress.TotalDiff
		}
		time.Sleep(2 * time.Minute)
		for _, g := range groups {
			if got := c.progress(trade, g).ConsumerProgress.TotalDiff; got < before[g]+150 {
				t.Errorf("%s: lag %d, then %d", g, before[g], got)
			}
		}
	})
}

// An abandoned subscription has offsets, no owner and a lag that grows.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{})
		const group = "legacy-importer"
		first := c.progress(trade, group).ConsumerProgress.TopicList.TopicList[1]
		time.Sleep(time.Hour)
		then := c.progress(trade, group).ConsumerProgress.TopicList.TopicList
		if then[1].Topic != "refunds" || then[1].TotalDiff < first.TotalDiff+3600 || then[1].LastTimestamp != first.LastTimestamp {
			t.Errorf("got %+v, then %+v", first, then[1])
		}
		if then[1].OffsetList.OffsetList[0].MemberId != "" || then[0].OffsetList.OffsetList[0].MemberId == "" {
			t.Error("the owner of what is read owns what is not")
		}
		if then[2].TotalDiff != 0 {
			t.Errorf("lag %d on a topic that is not produced to", then[2].TotalDiff)
		}
	})
}

// A topic that is not produced to any more drains as retention passes.
func TestRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{})
		if s := c.status(trade, "legacy-orders").TopicStatus; s.TotalCount == 0 || s.LastTimeStamp == 0 {
			t.Errorf("at first: %+v", s)
		}
		time.Sleep(30 * time.Hour) // 50 since its last message, retention is 48
		if s := c.status(trade, "legacy-orders").TopicStatus; s.TotalCount != 0 || s.LastTimeStamp == 0 {
			t.Errorf("drained: %+v", s)
		}
	})
}

// A topic of a world keeps messages as long as its own settings say.
func TestOwnRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		world := &sim.World{Accounts: []sim.Account{{Instances: []sim.Instance{{ID: "i", Topics: []sim.Topic{
			{Name: "hour", Rate: 1, Config: map[string]string{"retention.ms": "3600000"}},
			{Name: "day", Rate: 1, Config: map[string]string{"retention.hours": "24"}},
			{Name: "default", Rate: 1},
		}}}}}}
		_, c := unlimited(t, sim.Options{World: world})
		for topic, hours := range map[string]float64{"hour": 1, "day": 24, "default": 72} {
			if got := float64(c.status("i", topic).TopicStatus.TotalCount) / 3600; math.Abs(got-hours) > 0.05 {
				t.Errorf("%s: messages of %.2f hours, want %v", topic, got, hours)
			}
		}
	})
}

// HideLastTimestamp hides every timestamp, but not from the old edition.
func TestHideLastTimestamp(t *testing.T) {
	t.Parallel()
	for edition, hidden := range map[sim.Edition]bool{sim.EditionCurrent: true, sim.Edition2022: false} {
		_, c := unlimited(t, sim.Options{Story: "calm", Edition: edition})
		p := c.progress(stage, "billing", "HideLastTimestamp", "true").ConsumerProgress
		topic := p.TopicList.TopicList[0]
		for _, at := range []int64{p.LastTimestamp, topic.LastTimestamp, topic.OffsetList.OffsetList[1].LastTimestamp} {
			if (at == -1) != hidden {
				t.Errorf("edition %d: %d", edition, at)
			}
		}
	}
}

// The broker's offset may have been read earlier than the group's.
func TestBrokerLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{Story: "calm", BrokerLag: time.Minute})
		if got := c.progress(stage, "billing").ConsumerProgress.TotalDiff; got >= 0 {
			t.Errorf("got %d", got)
		}
	})
}

// Groups can be held, released and moved at run time.
func TestSteering(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{Story: "calm"})
		billing := sim.Ref{Account: "demo", Instance: stage, Group: "billing"}
		lag := func(topic string) float64 {
			_, seconds, _ := cloud.TrueLag("demo", stage, "billing", topic, 0)
			return seconds
		}
		expect := func(when, topic string, want float64) {
			t.Helper()
			if got := lag(topic); math.Abs(got-want) > 8 {
				t.Errorf("%s: %s %v s behind, want %v", when, topic, got, want)
			}
		}
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		orders := billing
		orders.Topic = "orders"
		do(cloud.Pause(orders))
		time.Sleep(10 * time.Minute)
		expect("paused", "orders", 600)
		expect("not paused", "invoices", 4)
		do(cloud.Resume(orders, 1))
		time.Sleep(10 * time.Minute)
		expect("as fast as production", "orders", 600)
		do(cloud.Resume(orders, 3))
		time.Sleep(2 * time.Minute)
		expect("three times as fast", "orders", 360)
		time.Sleep(10 * time.Minute)
		expect("caught up", "orders", 4)
		do(cloud.Seek(billing, time.Hour, 1))
		expect("moved back", "orders", 3600)
		expect("moved back", "invoices", 3600)
		do(cloud.Seek(billing, 0, 0))
		expect("moved to the end", "orders", 0)
		time.Sleep(time.Minute)
		expect("and held", "orders", 60)
		do(cloud.Resume(billing, 10))
		time.Sleep(time.Minute)
		expect("released", "orders", 4)

		do(cloud.SetMembers(billing, 0))
		if got := c.progress(stage, "billing").ConsumerProgress; got.State != "EMPTY" {
			t.Errorf("state %s", got.State)
		}
		do(cloud.SetMembers(billing, 5))
		if got := c.progress(stage, "billing").ConsumerProgress; got.State != "PREPARING_REBALANCE" || len(got.RebalanceInfoList.RebalanceInfoList) != 2 {
			t.Errorf("state %s, %+v", got.State, got.RebalanceInfoList)
		}
		time.Sleep(5 * time.Second)
		if got := c.progress(stage, "billing").ConsumerProgress; got.State != "STABLE" {
			t.Errorf("state %s", got.State)
		}
		for _, ref := range []sim.Ref{{}, {Account: "demo"}, {Account: "demo", Instance: stage}, {Account: "demo", Instance: stage, Group: "x"}} {
			if err := cloud.Pause(ref); !errors.Is(err, sim.ErrNotFound) {
				t.Errorf("%+v: %v", ref, err)
			}
		}
	})
}

// A topic that gets partitions keeps the offsets of the old ones and starts
// the new ones at zero.
func TestAddPartitions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{Story: "calm"})
		time.Sleep(time.Minute)
		before := c.status(stage, "orders")
		if err := cloud.AddPartitions(sim.Ref{Account: "demo", Instance: stage, Topic: "orders"}, 4); err != nil {
			t.Fatal(err)
		}
		for p, o := range c.status(stage, "orders").TopicStatus.OffsetTable.OffsetTable {
			switch {
			case p < 6 && o.MaxOffset != before.TopicStatus.OffsetTable.OffsetTable[p].MaxOffset:
				t.Errorf("partition %d: %+v", p, o)
			case p >= 6 && (o.MaxOffset != 0 || o.LastUpdateTimestamp != 0):
				t.Errorf("partition %d: %+v", p, o)
			}
		}
		for range 10 {
			time.Sleep(time.Minute)
			checkProgress(t, cloud, cloud.World().Accounts[0].Instances[0], cloud.World().Accounts[0].Instances[0].Groups[0], c.progress(stage, "billing"))
		}
		after := c.status(stage, "orders").TopicStatus
		var grown int64
		for p, o := range after.OffsetTable.OffsetTable {
			grown += o.MaxOffset
			if p < 6 {
				grown -= before.TopicStatus.OffsetTable.OffsetTable[p].MaxOffset
			} else if o.MaxOffset < 1000 || time.Now().UnixMilli()-o.LastUpdateTimestamp > 2000 {
				t.Errorf("partition %d: %+v", p, o)
			}
		}
		if len(after.OffsetTable.OffsetTable) != 10 || math.Abs(float64(grown)-50*600) > 20 {
			t.Errorf("%d partitions, %d messages in ten minutes", len(after.OffsetTable.OffsetTable), grown)
		}
	})
}

// Things appear and vanish.
func TestEditing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{Story: "calm"})
		time.Sleep(time.Hour)
		in := sim.Ref{Account: "demo", Instance: stage}
		for _, err := range []error{
			cloud.AddTopic(in, sim.Topic{Name: "new", Rate: 10, Partitions: 1}),
			cloud.AddGroup(in, sim.Group{Name: "reader", Subscriptions: []sim.Subscription{{Topic: "new"}}}),
			cloud.AddInstance("demo", sim.Instance{ID: "second", RegionID: "cn-shanghai"}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if s := c.status(stage, "new").TopicStatus; s.TotalCount != 0 {
			t.Errorf("a new topic has %d messages", s.TotalCount)
		}
		time.Sleep(10 * time.Minute)
		if s := c.status(stage, "new").TopicStatus; s.TotalCount < 5900 || s.TotalCount > 6100 {
			t.Errorf("after ten minutes it has %d", s.TotalCount)
		}
		topic, group := in, in
		topic.Topic, group.Group = "new", "reader"
		if err := errors.Join(cloud.Remove(topic), cloud.SetStatus(sim.Ref{Account: "demo", Instance: "second"}, 15)); err != nil {
			t.Fatal(err)
		}
		if p := c.progress(stage, "reader").ConsumerProgress; len(p.TopicList.TopicList) != 0 {
			t.Errorf("progress on a topic that is gone: %+v", p)
		}
		if err := errors.Join(cloud.Remove(group), cloud.Remove(in)); err != nil {
			t.Fatal(err)
		}
		for _, ref := range []sim.Ref{topic, group, in} {
			if err := cloud.Remove(ref); !errors.Is(err, sim.ErrNotFound) {
				t.Errorf("%+v removed twice: %v", ref, err)
			}
		}
		w := cloud.World()
		if len(w.Accounts[0].Instances) != 1 || w.Accounts[0].Instances[0].ID != "second" || w.Accounts[0].Instances[0].Status != 15 {
			t.Errorf("left: %+v", w)
		}
	})
}

// An instance expires in front of everybody.
func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{Story: "expiring"})
		for _, want := range []struct {
			after         time.Duration
			service, view int64
		}{{0, 5, 4}, {4 * 24 * time.Hour, 5, 4}, {25 * time.Hour, 15, 5}} {
			time.Sleep(want.after)
			var got struct {
				InstanceList struct {
					InstanceVO []struct{ ServiceStatus, ViewInstanceStatusCode int64 }
				}
			}
			c.get(&got, "GetInstanceList")
			if vo := got.InstanceList.InstanceVO[0]; vo.ServiceStatus != want.service || vo.ViewInstanceStatusCode != want.view {
				t.Errorf("got %+v, want %+v", vo, want)
			}
		}
	})
}

// Storms throttle some calls, some of the time.
func TestStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{Story: "storm"})
		for range 600 {
			c.call("GetConsumerProgress", "InstanceId", stage, "ConsumerId", "billing")
			time.Sleep(time.Second)
		}
		if got := cloud.Calls(sim.Match{}); got.Calls != 600 || got.Throttled < 200 || got.Throttled > 280 {
			t.Errorf("got %+v", got)
		}
	})
}

// Worlds that contradict themselves are refused with their place.
func TestBadWorlds(t *testing.T) {
	t.Parallel()
	in := func(in sim.Instance) sim.Options {
		return sim.Options{World: &sim.World{Accounts: []sim.Account{{Name: "a", Instances: []sim.Instance{in}}}}}
	}
	for want, o := range map[string]sim.Options{
		`sim: no such story: "sad"`:                                                                              {Story: "sad"},
		`sim: the world has no account to give keys to`:                                                          {World: &sim.World{}},
		`sim: account a: instance "": the id must be given and unique`:                                           in(sim.Instance{}),
		`sim: account a: instance i: no such region: "moon"`:                                                     in(sim.Instance{ID: "i", RegionID: "moon"}),
		`sim: account a: instance i: topic "": the name must be given and unique`:                                in(sim.Instance{ID: "i", Topics: []sim.Topic{{}}}),
		`sim: account a: instance i: topic t: negative partitions, rate or time`:                                 in(sim.Instance{ID: "i", Topics: []sim.Topic{{Name: "t", Rate: -1}}}),
		`sim: account a: instance i: consumer group "": the name must be given and unique`:                       in(sim.Instance{ID: "i", Groups: []sim.Group{{}}}),
		`sim: account a: instance i: consumer group g: negative members or time`:                                 in(sim.Instance{ID: "i", Groups: []sim.Group{{Name: "g", Members: -1}}}),
		`sim: account a: instance i: consumer group g: no such topic: "t"`:                                       in(sim.Instance{ID: "i", Groups: []sim.Group{{Name: "g", Subscriptions: []sim.Subscription{{Topic: "t"}}}}}),
		`sim: account a: instance i: consumer group g: a rate of members is not negative and goes with no scene`: in(sim.Instance{ID: "i", Groups: []sim.Group{{Name: "g", MemberRate: 1, Scene: sim.Stop(0, 1, 1)}}}),
		`sim: account a: instance i: consumer group g: members with a rate read steady topics only, not t`: in(sim.Instance{
			ID: "i", Topics: []sim.Topic{{Name: "t"}}, Groups: []sim.Group{{Name: "g", MemberRate: 1, Subscriptions: []sim.Subscription{{Topic: "t"}}}},
		}),
		`sim: account a: instance i: consumer group g: ParseAddr("x"): unable to parse IP`: in(sim.Instance{ID: "i", Groups: []sim.Group{{Name: "g", Address: "x"}}}),
		`sim: account a: listed twice`:           {World: &sim.World{Accounts: []sim.Account{{Name: "a"}, {Name: "a"}}}},
		`sim: account b: access key k is in use`: {World: &sim.World{Accounts: []sim.Account{{Name: "a", Keys: []sim.Key{{ID: "k"}}}, {Name: "b", Keys: []sim.Key{{ID: "k"}}}}}},
	} {
		if _, err := sim.New(o); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, name := range sim.Stories() {
		if _, err := sim.New(sim.Options{Story: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
