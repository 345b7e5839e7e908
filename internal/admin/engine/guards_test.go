package engine_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// refusal is a request that a guard must refuse, and the world in which it
// does.
type refusal struct {
	guard   string
	name    string
	request engine.Request
	lab     func(*lab, *sim.Options)
	before  func(*lab) // once the engine runs
	message string     // part of what is said
}

// TestAStopThatCouldNotBeRecordedIsRecordedWhenItIsSaidAgain: until then it
// would not outlast the process, though who says it again is told that it holds.
func TestAStopThatCouldNotBeRecordedIsRecordedWhenItIsSaidAgain(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		l.disk.Limit(0)
		if err := l.engine.SetKillSwitch(l.t.Context(), hook, true, "stop"); err == nil || !l.engine.KillSwitch().Stopped {
			l.t.Errorf("on a full disk: %v, %+v", err, l.engine.KillSwitch())
		}
		l.disk.Limit(-1)
		time.Sleep(proved)
		if err := l.engine.SetKillSwitch(l.t.Context(), hook, true, "stop"); err != nil {
			l.t.Error(err)
		}
		l.stop()
		l.start()
		if !l.engine.KillSwitch().Stopped {
			l.t.Error("after a restart it acts again")
		}
	})
}

func by(who engine.Actor, s step) engine.Request {
	q := s.request("")
	q.Actor = who
	return q
}

// forGroup is what an alert of a consumer group asks for.
func forGroup(s step, group string) engine.Request {
	q := by(hook, s)
	q.Alert = map[string]string{"consumer_group": group}
	return q
}

// with returns the step with other parameters.
func (s step) with(more ...string) step {
	p := maps.Clone(s.params)
	for i := 0; i+1 < len(more); i += 2 {
		p[more[i]] = more[i+1]
	}
	s.params = p
	return s
}

func guardsOf(change func(*engine.Guards)) func(*lab, *sim.Options) {
	return func(l *lab, _ *sim.Options) { change(&l.config.Guards) }
}

func seen(change func(*collector.Instance)) func(*lab) {
	return func(l *lab) { l.inventory.set(0, change) }
}

// done runs steps to their end first.
func done(steps ...step) func(*lab) {
	return func(l *lab) {
		for _, s := range steps {
			r := l.end(l.approve(l.do(s.request("before-" + s.action))).ID)
			if r.State != engine.StateApplied {
				l.t.Fatalf("%s before: %s %s", s.action, r.State, r.Why)
			}
		}
	}
}

func refusals() []refusal {
	orders := stepOf("ModifyPartitionNum")
	entry := stepOf("UpdateAllowedIp")
	config := stepOf("UpdateInstanceConfig")
	acl := stepOf("CreateAcl")
	unused := stepOf("DeleteTopic")
	gone := stepOf("DeleteConsumerGroup")
	tag := stepOf("TagResources")
	last := entry.with("PortRange", "9094/9094", "UpdateType", "delete", "AllowedListIp", "10.2.0.0/16")
	idle := func(name string, change func(*collector.Topic)) func(*lab) {
		return seen(func(i *collector.Instance) {
			for _, t := range i.Topics {
				if t.Name() == name {
					change(t)
				}
			}
		})
	}
	group := func(change func(*collector.ConsumerGroup)) func(*lab) {
		return seen(func(i *collector.Instance) {
			for _, g := range i.Groups {
				if g.Name() == "gone" {
					change(g)
				}
			}
		})
	}
	return []refusal{
		{guard: "kill_switch", name: "api", request: by(alice, orders), before: func(l *lab) {
			if err := l.engine.SetKillSwitch(l.t.Context(), hook, true, "drill"); err != nil {
				l.t.Fatal(err)
			}
		}, message: "api (alertmanager: drill)"},
		{guard: "kill_switch", name: "file", request: by(alice, orders), lab: func(l *lab, _ *sim.Options) { l.dir = l.t.TempDir() }, before: func(l *lab) {
			if err := os.WriteFile(filepath.Join(l.dir, engine.KillFile), nil, 0o600); err != nil {
				l.t.Fatal(err)
			}
		}, message: "file (kill-switch in the storage path)"},
		{guard: "kill_switch", name: "environment", request: by(alice, orders), lab: func(l *lab, _ *sim.Options) {
			l.options = func(o *engine.Options) { o.StoppedByEnvironment = true }
		}, message: "environment"},
		{guard: "breaker", name: "a run needs a human", request: by(alice, orders), before: needsHuman, message: "needs a human"},
		{guard: "breaker", name: "two failures", request: by(alice, orders), before: func(l *lab) {
			l.cloud.SetFault(sim.Match{Action: "ModifyTopicRemark"}, sim.Fault{Kind: sim.Refuse, Code: "BIZ_TOPIC_STATUS_ERROR"})
			for _, key := range []string{"a", "b"} {
				if r := l.end(l.do(stepOf("ModifyTopicRemark").request(key)).ID); r.State != engine.StateNotApplied {
					l.t.Fatalf("%s %s", r.State, r.Why)
				}
				time.Sleep(6 * time.Minute)
			}
		}, message: "2 failures"},
		{guard: "confirming_read", name: "a parameter that no read shows", request: by(alice, stepOf("UpgradePostPayOrder").with("PartitionNum", "50")), message: "PartitionNum"},
		{guard: "confirming_read", name: "machines freed at once", request: by(alice, stepOf("ReleaseInstance").with("ForceDeleteInstance", "true")), message: "ForceDeleteInstance"},
		{guard: "allow_list", name: "money by default", request: by(alice, stepOf("CreatePostPayOrder")), lab: guardsOf(func(g *engine.Guards) { *g = engine.DefaultConfig().Guards }), message: "Bill"},
		{guard: "allow_list", name: "a denied action", request: by(alice, orders), lab: guardsOf(func(g *engine.Guards) { g.Deny = []string{"ModifyPartitionNum"} })},
		{
			guard: "allow_list", name: "a worse effect than the action's", request: by(alice, config.with("Config", `{"kafka.log.retention.hours":"24"}`)),
			lab: guardsOf(func(g *engine.Guards) { g.Effects = []string{"Write", "Disrupt", "Secure"} }), message: "Destroy",
		},
		{guard: "effect_class", name: "a webhook deletes", request: by(hook, unused)},
		{guard: "effect_class", name: "a webhook takes from the whitelist", request: by(hook, entry.with("UpdateType", "delete", "AllowedListIp", "192.168.7.0/24"))},
		{guard: "effect_class", name: "a webhook lowers the retention", request: by(hook, config.with("Config", `{"kafka.log.retention.hours":"24"}`)), message: "raise"},
		{guard: "effect_class", name: "a webhook sets another key", request: by(hook, config.with("Config", `{"kafka.message.max.bytes":"2097152"}`))},
		{guard: "stale_data", name: "an old poll", request: by(alice, orders), before: func(l *lab) { l.inventory.set(16*time.Minute, nil) }, message: "16m0s old"},
		{guard: "stale_data", name: "never polled", request: by(alice, orders), before: idle("orders", func(t *collector.Topic) { t.Info.At = time.Time{} })},
		{guard: "state", name: "no such topic", message: "topic nosuch does not exist", request: by(alice, orders.with("Topic", "nosuch")), lab: guardsOf(func(g *engine.Guards) { g.Partitions.Topics, _ = collector.NewRegexp(".*") })},
		{guard: "state", name: "not in service", request: by(alice, config.with("InstanceId", ordered)), message: "ServiceStatus"},
		{guard: "state", name: "a user who exists", request: by(alice, stepOf("CreateSaslUser").with("Username", "erin")), message: "sasl_user erin exists already"},
		{guard: "state", name: "another number of partitions than expected", message: "must be 5", request: func() engine.Request {
			q := by(alice, orders.with("AddPartitionNum", "2", "ExpectedPartitionNum", "5"))
			delete(q.Params, "TargetPartitionNum")
			return q
		}()},
		{guard: "state", name: "a minor release", request: by(alice, stepOf("UpgradeInstanceVersion").with("TargetVersion", "2.2.0"))},
		{guard: "in_flight", name: "the same topic", request: by(alice, stepOf("ModifyTopicRemark")), before: func(l *lab) {
			l.cloud.SetFault(sim.Match{Action: "ModifyPartitionNum"}, sim.Fault{Latency: 30 * time.Second})
			l.do(orders.request("slow"))
			time.Sleep(time.Second)
		}},
		{guard: "in_flight", name: "a topic of an instance that restarts", request: by(alice, orders), before: func(l *lab) {
			l.approve(l.do(config.request("slow")))
			time.Sleep(time.Second)
		}},
		{guard: "in_flight", name: "an instance with a busy topic", request: by(alice, stepOf("ModifyInstanceName")), before: func(l *lab) {
			l.cloud.SetFault(sim.Match{Action: "ModifyPartitionNum"}, sim.Fault{Latency: 30 * time.Second})
			l.do(orders.request("slow"))
			time.Sleep(time.Second)
		}},
		{guard: "cool_down", name: "a remark again", request: by(alice, stepOf("ModifyTopicRemark").with("Remark", "again")), before: done(stepOf("ModifyTopicRemark"))},
		{guard: "cool_down", name: "partitions within a day", request: by(alice, orders.with("TargetPartitionNum", "20")), before: func(l *lab) {
			done(orders)(l)
			time.Sleep(23 * time.Hour)
		}},
		{guard: "hourly_cap", name: "one an hour", request: by(alice, tag), lab: guardsOf(func(g *engine.Guards) { g.HourlyCap = 1 }), before: done(orders)},
		{guard: "daily_cap", name: "one a day", request: by(alice, tag), lab: guardsOf(func(g *engine.Guards) { g.DailyCap = 1 }), before: func(l *lab) {
			done(orders)(l)
			time.Sleep(23 * time.Hour)
		}},
		{guard: "bill_cap", name: "a second order", request: by(alice, stepOf("CreatePrePayOrder")), before: done(stepOf("CreatePostPayOrder"))},
		{guard: "storm", name: "many alerts", request: func() engine.Request { q := by(hook, orders); q.Firing = 6; return q }(), message: "6 targets"},
		{guard: "storm", name: "some were left out", request: func() engine.Request { q := by(hook, orders); q.Truncated = true; return q }()},
		{guard: "storm", name: "many requests", request: by(hook, orders), before: func(l *lab) {
			for _, name := range []string{"a-1", "a-2", "a-3", "a-4", "a-5"} {
				q := by(hook, stepOf("CreateConsumerGroup").with("ConsumerId", name))
				q.Key = name
				l.end(l.do(q).ID)
			}
		}},
		{guard: "partition_opt_in", name: "a topic that was not", request: by(alice, orders), lab: guardsOf(func(g *engine.Guards) { *g = engine.DefaultConfig().Guards })},
		{guard: "partition_need", name: "members are missing", request: forGroup(orders, "billing"), message: "2 members for 6 partitions"},
		{guard: "partition_need", name: "a dead group", request: forGroup(orders, "gone"), message: "no members"},
		{guard: "partition_need", name: "a group that is not known", request: forGroup(orders, "strange"), message: "not read yet"},
		{guard: "partition_need", name: "members that the service does not tell", request: forGroup(orders, "billing"), message: "does not tell", before: seen(func(i *collector.Instance) {
			for _, g := range i.Groups {
				g.Progress.Data.MembersKnown = false
			}
		})},
		{guard: "partition_growth", name: "more than double", request: by(alice, orders.with("TargetPartitionNum", "13")), message: "2 times"},
		{guard: "partition_growth", name: "more than the total", request: by(alice, orders), lab: guardsOf(func(g *engine.Guards) { g.Partitions.MaxTotal = 11 })},
		{guard: "partition_growth", name: "a compacted topic", request: by(alice, orders.with("Topic", "compacted", "TargetPartitionNum", "4")), message: "compacted"},
		{guard: "partition_growth", name: "more than the instance has left", request: by(alice, orders), message: "only 5", before: seen(func(i *collector.Instance) {
			left := int64(5)
			i.Quota.At = time.Now()
			i.Quota.Data.QuotaData.PartitionLeft = &left
		})},
		{guard: "whitelist", name: "everybody", request: by(alice, entry.with("AllowedListIp", "0.0.0.0/0")), message: "everybody"},
		{guard: "whitelist", name: "everybody of the newer kind", request: by(alice, entry.with("AllowedListIp", "::/0")), message: "everybody"},
		{guard: "whitelist", name: "too wide", request: by(alice, entry.with("AllowedListIp", "10.9.8.0/24,10.8.0.0/16")), message: "10.8.0.0/16"},
		{guard: "whitelist", name: "not in an allowed block", request: by(alice, entry), lab: guardsOf(func(g *engine.Guards) { g.Whitelist.Allowed = []string{"172.16.0.0/12"} })},
		{guard: "whitelist", name: "a webhook without approved blocks", request: by(hook, entry)},
		{guard: "whitelist", name: "the last entry", request: by(alice, last), message: "last entry"},
		{guard: "config_keys", name: "a key that is not allowed", request: by(alice, config.with("Config", `{"enable.acl":"false"}`)), message: "enable.acl"},
		{guard: "protected_name", name: "an internal topic", request: by(alice, unused.with("Topic", "__offsets")), lab: func(_ *lab, o *sim.Options) {
			in := &o.World.Accounts[0].Instances[0]
			in.Topics = append(in.Topics, sim.Topic{Name: "__offsets", Partitions: 1})
		}},
		{guard: "delete_in_use", name: "a recent message", request: by(alice, unused.with("Topic", "orders")), message: "last message"},
		{guard: "delete_in_use", name: "messages left", request: by(alice, unused), message: "100 messages", before: idle("unused", func(t *collector.Topic) {
			t.Status.Data.Partitions = []collector.PartitionOffsets{{Oldest: 5, Newest: 105}}
		})},
		{guard: "delete_in_use", name: "a subscriber", request: by(alice, unused), message: "billing", before: seen(func(i *collector.Instance) {
			for _, g := range i.Groups {
				g.Progress.Data.Topics = []collector.GroupTopic{{Topic: "unused"}}
			}
		})},
		{guard: "delete_in_use", name: "never sampled", request: by(alice, unused), before: idle("unused", func(t *collector.Topic) { t.Status.At = time.Time{} })},
		{guard: "delete_in_use", name: "members", request: by(alice, gone), before: group(func(g *collector.ConsumerGroup) { g.Progress.Data.Members = 1 })},
		{guard: "delete_in_use", name: "a group that goes on", request: by(alice, gone), before: group(func(g *collector.ConsumerGroup) {
			g.Progress.Data.Topics = []collector.GroupTopic{{Topic: "orders", Consumed: collector.Rate{PerSecond: 1, Known: true}}}
		})},
		{guard: "delete_in_use", name: "a released instance with a topic that is used", request: by(alice, stepOf("DeleteInstance")), before: seen(func(i *collector.Instance) {
			if i.ID == released {
				i.Topics = append(i.Topics, topic(sim.Topic{Name: "left", Rate: 1}, time.Now()))
			}
		})},
		{guard: "effect_class", name: "a webhook gives an increment", message: "AddPartitionNum", request: func() engine.Request {
			q := by(hook, orders.with("AddPartitionNum", "2", "ExpectedPartitionNum", "6"))
			delete(q.Params, "TargetPartitionNum")
			return q
		}()},
		{guard: "delete_in_use", name: "offsets of an hour ago", request: by(alice, unused), message: "1h0m0s ago", before: idle("unused", func(t *collector.Topic) {
			t.Status.At = t.Status.At.Add(-time.Hour)
		})},
		{guard: "delete_in_use", name: "a group whose subscriptions are not known", request: by(alice, unused), message: "group gone were not read yet", before: group(func(g *collector.ConsumerGroup) {
			g.Progress.At = time.Time{}
		})},
		{guard: "delete_in_use", name: "a group that is not watched", request: by(alice, unused), message: "1 consumer groups", before: seen(func(i *collector.Instance) {
			i.GroupList.Data = len(i.Groups) + 1
		})},
		{guard: "delete_in_use", name: "groups that were never listed", request: by(alice, unused), message: "were not read yet", before: seen(func(i *collector.Instance) {
			i.GroupList.At = time.Time{}
		})},
		{guard: "delete_in_use", name: "progress of an hour ago", request: by(alice, gone), message: "1h0m0s ago", before: group(func(g *collector.ConsumerGroup) {
			g.Progress.At = g.Progress.At.Add(-time.Hour)
		})},
		{guard: "delete_in_use", name: "an instance whose topics were never listed", request: by(alice, stepOf("ReleaseInstance")), message: "were not read yet", before: seen(func(i *collector.Instance) {
			i.TopicList.At = time.Time{}
		})},
		{guard: "delete_in_use", name: "an instance with a topic that is not watched", request: by(alice, stepOf("ReleaseInstance")), message: "1 of its topics", before: seen(func(i *collector.Instance) {
			i.TopicList.Data.Topics = int64(len(i.Topics)) + 1
		})},
		{guard: "tag_prefix", name: "a webhook opts in", request: by(hook, tag.with("Tag.1.Key", "alikafka-exporter-scale", "Tag.1.Value", "true")), message: "opts topics in"},
		{guard: "tag_prefix", name: "a webhook's topic that is opted in", request: by(hook, stepOf("CreateTopic").with("Tag.1.Key", "alikafka-exporter-scale", "Tag.1.Value", "true")), message: "opts topics in"},
		{guard: "tag_prefix", name: "a topic with a forged run", request: by(alice, stepOf("CreateTopic").with("Tag.1.Key", "alikafka-exporter-op", "Tag.1.Value", "forged"))},
		{guard: "tag_prefix", name: "a webhook's tag", request: by(hook, tag), message: "alikafka-exporter"},
		{guard: "tag_prefix", name: "a run's tag", request: by(alice, tag.with("Tag.1.Key", "alikafka-exporter-op"))},
		{guard: "acl", name: "all users", request: by(alice, acl.with("Username", "*"))},
		{guard: "acl", name: "all resources", request: by(alice, acl.with("AclResourceName", "*"))},
		{guard: "acl", name: "the cluster", request: by(alice, acl.with("AclResourceType", "Cluster", "AclOperationType", "IdempotentWrite"))},
		{guard: "acl", name: "a short prefix", request: by(alice, acl.with("AclResourcePatternType", "PREFIXED", "AclResourceName", "ord"))},
		{guard: "acl", name: "one that denies", request: by(alice, acl.with("AclPermissionType", "DENY"))},
	}
}

// needsHuman makes a run that is neither done nor not done: the topic is
// deleted, and another of the same name is there.
func needsHuman(l *lab) {
	l.t.Helper()
	l.cloud.SetFault(sim.Match{Action: "DeleteTopic"}, sim.Fault{Kind: sim.Reset})
	r := l.approve(l.do(stepOf("DeleteTopic").request("namesake")))
	time.Sleep(time.Minute)
	ref := sim.Ref{Account: "main", Instance: post, Topic: "unused"}
	if err := l.cloud.Remove(ref); err != nil {
		l.t.Fatal(err)
	}
	if err := l.cloud.AddTopic(sim.Ref{Account: "main", Instance: post}, sim.Topic{Name: "unused", Age: time.Second}); err != nil {
		l.t.Fatal(err)
	}
	if r = l.end(r.ID); r.State != engine.StateNeedsHuman {
		l.t.Fatalf("%s %s", r.State, r.Why)
	}
}

func TestEachGuardRefuses(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, c := range refusals() {
		tried[c.guard] = true
		t.Run(c.guard+"/"+strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, c.lab)
				l.start()
				defer func() { l.stop() }()
				if c.before != nil {
					c.before(l)
				}
				effects, own, counted := len(l.cloud.Effects(sim.Match{})), len(l.effects(c.request.Action)), refusalsOf(t, l, c.guard)
				c.request.Key = "refused"
				r := l.do(c.request)
				if r.State != engine.StateRefused || !refusedBy(r, c.guard) {
					t.Fatalf("%s, verdicts %+v", r.State, r.Verdicts)
				}
				i := slices.IndexFunc(r.Verdicts, func(v engine.Verdict) bool { return v.Guard == c.guard })
				if c.message != "" && !strings.Contains(r.Verdicts[i].Message, c.message) {
					t.Errorf("said %q", r.Verdicts[i].Message)
				}
				if got := refusalsOf(t, l, c.guard); got != counted+1 {
					t.Errorf("counted %v refusals, not 1", got-counted)
				}
				time.Sleep(time.Minute)
				if n := len(l.effects(c.request.Action)) - own; n > 0 {
					t.Errorf("%d effects of a refused run", n)
				}
				// What is in flight may take effect meanwhile. It is another action.
				if n := len(l.cloud.Effects(sim.Match{})) - effects; n > 0 && c.guard != "in_flight" {
					t.Errorf("%d effects", n)
				}
			})
		})
	}
	for _, g := range engine.GuardRows() {
		if !tried[g.Name] {
			t.Errorf("no case for guard %s", g.Name)
		}
	}
}

// refusalsOf returns the counter of a guard.
func refusalsOf(t *testing.T, l *lab, guard string) float64 {
	t.Helper()
	return sample(t, l, "alikafka_guard_refusals_total", guard)
}

func TestEachActionIsRefusedWhenAGuardSaysSo(t *testing.T) {
	t.Parallel()
	for _, s := range steps() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, func(l *lab, _ *sim.Options) { l.config.Guards.Deny = []string{s.action} })
				l.start()
				defer func() { l.stop() }()
				r := l.do(s.request("1"))
				if r.State != engine.StateRefused || !refusedBy(r, "allow_list") {
					t.Errorf("%s, verdicts %+v", r.State, r.Verdicts)
				}
				time.Sleep(time.Hour)
				if n := len(l.cloud.Effects(sim.Match{})); n > 0 {
					t.Errorf("%d effects", n)
				}
			})
		})
	}
}

func TestAKillSwitchThatComesLateHoldsTheCallBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		l.start()
		defer func() { l.stop() }()
		// The read before the call is slow; meanwhile somebody stops everything.
		l.cloud.SetFault(sim.Match{Action: "GetTopicList"}, sim.Fault{Latency: 5 * time.Second})
		r := l.do(stepOf("ModifyPartitionNum").request("1"))
		time.Sleep(time.Second)
		if err := l.engine.SetKillSwitch(t.Context(), hook, true, "stop"); err != nil {
			t.Fatal(err)
		}
		r = l.end(r.ID)
		if r.State != engine.StateRefused || !refusedBy(r, "kill_switch") || len(l.effects("ModifyPartitionNum")) > 0 {
			t.Errorf("%s %s, %d effects", r.State, r.Why, len(l.effects("ModifyPartitionNum")))
		}
		if err := l.engine.SetKillSwitch(t.Context(), hook, false, "go on"); !errors.Is(err, engine.ErrNotAPerson) {
			t.Errorf("a webhook restarts: %v", err)
		}
	})
}

func TestConfigurationIsValidated(t *testing.T) {
	t.Parallel()
	if err := engine.DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	c := engine.DefaultConfig()
	c.Quiescence = model.Duration(15 * time.Minute)
	c.ApprovalExpiry = 0
	c.Secrets = map[string]string{"empty": ""}
	g := &c.Guards
	g.Effects, g.Actions, g.Deny = []string{"Read"}, []string{"ModifyPartitionNun"}, []string{"GetTopicList"}
	g.HourlyCap, g.DailyCap, g.BillCap, g.MaxAge = 0, 0, -1, 0
	g.Partitions.MaxFactor, g.Partitions.MaxTotal = 1, 361
	g.Whitelist = engine.Whitelist{MinPrefixV4: 0, MinPrefixV6: 129, Allowed: []string{"10.0.0.0", "10.0.0.1/8"}}
	g.Storm, g.Breaker, g.Delete.Idle = engine.Storm{}, engine.Breaker{}, 0
	err := c.Validate()
	for _, path := range []string{
		"quiescence", "approval_expiry", "secrets.empty", "guards.effects[0]", "guards.actions[0]", "guards.deny[0]", "guards.hourly_cap",
		"guards.daily_cap", "guards.bill_cap", "guards.max_age", "guards.partitions.max_factor", "guards.partitions.max_total",
		"guards.whitelist.min_prefix_v4", "guards.whitelist.min_prefix_v6", "guards.whitelist.allowed[0]", "guards.whitelist.allowed[1]",
		"guards.storm.targets", "guards.storm.window", "guards.breaker.failures", "guards.breaker.window", "guards.delete.idle",
	} {
		if !mentions(err, path) {
			t.Errorf("nothing is said about %s", path)
		}
	}
}

// mentions reports whether one of the joined errors is about a path.
func mentions(err error, path string) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.ContainsFunc(joined.Unwrap(), func(err error) bool { return mentions(err, path) })
	}
	var field *api.FieldError
	return errors.As(err, &field) && field.Path == path
}
