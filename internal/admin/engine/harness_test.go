package engine_test

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal/journaltest"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

const region = "cn-hangzhou"

// The instances of the world.
const (
	post     = "alikafka_post-cn-acting000001"
	pre      = "alikafka_pre-cn-acting0000002"
	ordered  = "alikafka_post-cn-ordered00003"
	empty    = "alikafka_post-cn-empty0000004"
	released = "alikafka_post-cn-released0005"
)

var (
	alice = engine.Actor{Principal: "alice", Kind: engine.Person}
	bob   = engine.Actor{Principal: "bob", Kind: engine.Person}
	carol = engine.Actor{Principal: "carol", Kind: engine.Person}
	hook  = engine.Actor{Principal: "alertmanager", Kind: engine.Webhook}
)

// world is small, and has something for every action.
func world() *sim.World {
	return &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{
		{
			ID: post, Name: "acting", RegionID: region, PaidType: 1, Config: map[string]string{"enable.acl": "true"},
			Allowed:   []sim.AllowedIPs{{PortRange: "9092/9092", IPs: []string{"10.1.0.0/16", "192.168.7.0/24"}}, {PortRange: "9094/9094", IPs: []string{"10.2.0.0/16"}}},
			SaslUsers: []sim.SaslUser{{Username: "erin", Password: "erins-password"}},
			ACLs:      []sim.ACL{{Username: "erin", ResourceType: "Topic", ResourceName: "orders", Operation: "Read"}},
			Tags:      []sim.Tag{{Key: "team", Value: "payments"}},
			Topics:    []sim.Topic{{Name: "orders", Partitions: 6, Rate: 5}, {Name: "unused", Partitions: 3}, {Name: "compacted", Partitions: 3, Local: true, Compact: true}},
			Groups:    []sim.Group{{Name: "billing", Subscriptions: []sim.Subscription{{Topic: "orders"}}}, {Name: "gone", Offline: true}},
		},
		{ID: pre, RegionID: region},
		{ID: ordered, RegionID: region, PaidType: 1, Status: sim.Undeployed},
		{ID: empty, RegionID: region, PaidType: 1},
		{ID: released, RegionID: region, PaidType: 1, Status: 15},
	}}}}
}

// only leaves one instance in the world: where lists of instances are read again
// and again, most of the time went into the others.
func only(o *sim.Options, id string) {
	main := &o.World.Accounts[0]
	main.Instances = slices.DeleteFunc(main.Instances, func(in sim.Instance) bool { return in.ID != id })
}

// inventory is what a collector would know of the world, read a moment ago.
type inventory struct {
	mu     sync.Mutex
	age    time.Duration
	change func(*collector.Instance)
}

func (v *inventory) set(age time.Duration, change func(*collector.Instance)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.age, v.change = age, change
}

func (v *inventory) Snapshot() *collector.Snapshot {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := time.Now().Add(-v.age)
	s := &collector.Snapshot{At: time.Now()}
	for _, in := range world().Accounts[0].Instances {
		i := &collector.Instance{Account: "main", RegionID: in.RegionID, ID: in.ID}
		i.Info.At, i.TopicList.At, i.GroupList.At = at, at, at
		for _, t := range in.Topics {
			i.Topics = append(i.Topics, topic(t, at))
		}
		for _, g := range in.Groups {
			i.Groups = append(i.Groups, group(g, at))
		}
		if v.change != nil {
			v.change(i)
		}
		s.Instances = append(s.Instances, i)
	}
	return s
}

func topic(t sim.Topic, at time.Time) *collector.Topic {
	k := &collector.Topic{}
	k.Info = collector.Section[api.Topic]{At: at, Data: api.Topic{Topic: t.Name, PartitionNum: int64(t.Partitions), CompactTopic: t.Compact}}
	k.Status.At = at
	if t.Rate > 0 {
		k.Status.Data = collector.TopicOffsets{LastMessage: at.UnixMilli(), Partitions: []collector.PartitionOffsets{{Newest: 100}}}
	}
	return k
}

func group(g sim.Group, at time.Time) *collector.ConsumerGroup {
	k := &collector.ConsumerGroup{}
	k.Info = collector.Section[api.ConsumerGroup]{At: at, Data: api.ConsumerGroup{ConsumerID: g.Name}}
	k.Progress.At, k.Progress.Data.MembersKnown = at, true
	if !g.Offline {
		k.Progress.Data.Members = 2
	}
	for _, s := range g.Subscriptions {
		k.Progress.Data.Topics = append(k.Progress.Data.Topics, collector.GroupTopic{Topic: s.Topic})
	}
	return k
}

type fixed api.Key

func (k fixed) Key(context.Context) (api.Key, error) { return api.Key(k), nil }

// lab is a cloud and an engine that acts on it. The engine can crash and start
// again; the cloud and the disk stay.
type lab struct {
	t         *testing.T
	cloud     *sim.Cloud
	disk      *journaltest.Disk
	inventory *inventory
	config    engine.Config
	dir       string
	transport http.RoundTripper
	wrap      func(http.RoundTripper) http.RoundTripper // around the cloud; nil: nothing
	options   func(*engine.Options)
	metrics   *engine.Metrics

	accounts map[string]engine.Account
	engine   *engine.Engine
	stop     func()
}

// allowed are the settings under which every action may be run.
func allowed() engine.Config {
	c := engine.DefaultConfig()
	c.Guards.Effects = []string{"Write", "Disrupt", "Secure", "Destroy", "Bill"}
	c.Guards.Partitions.Topics, _ = collector.NewRegexp("orders|compacted")
	c.Secrets = map[string]string{"password": "unused"}
	return c
}

func newLab(t *testing.T, change func(*lab, *sim.Options)) *lab {
	t.Helper()
	l := &lab{t: t, disk: journaltest.New(), inventory: &inventory{}, config: allowed(), dir: "/no/such/storage", metrics: engine.NewMetrics()}
	o := sim.Options{World: world(), Limits: sim.Limits{Default: -1, PerSourceIP: -1}, Strict: true}
	if change != nil {
		change(l, &o)
	}
	var err error
	if l.cloud, err = sim.New(o); err != nil {
		t.Fatal(err)
	}
	l.transport = l.cloud
	if l.wrap != nil {
		l.transport = l.wrap(l.cloud)
	}
	return l
}

// start opens the engine and runs it.
func (l *lab) start() {
	l.t.Helper()
	if err := l.open(); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) open() error {
	client, err := api.NewClient(api.Options{
		Account: "main", Credentials: fixed{ID: "testid", Secret: secret.New("testsecret")}, Transport: l.transport,
		Limiter: api.NewLimiter(api.RateLimits{Share: 1, Scope: "account", Default: 10_000, PerSourceIP: 10_000}, api.NewSourceLimit(10_000)),
	})
	if err != nil {
		return err
	}
	l.accounts = map[string]engine.Account{"main": {Client: client}}
	o := engine.Options{
		Accounts: l.accounts, Inventory: l.inventory, Config: l.config, Dir: l.dir,
		Logger: slog.New(slog.DiscardHandler), Metrics: l.metrics, FS: l.disk,
		Secret: func(name string) (secret.String, error) {
			if name != "password" {
				return secret.String{}, &engine.UnknownError{What: "secret", Name: name}
			}
			return secret.New("canary-hunter2"), nil
		},
	}
	if l.options != nil {
		l.options(&o)
	}
	e, err := engine.Open(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.Run(ctx)
	}()
	l.engine = e
	l.stop = func() {
		cancel()
		<-done
		_ = e.Close() // requests that are still under way must not write once the machine is down
	}
	return nil
}

// do asks for an operation and fails the test when that is an error.
func (l *lab) do(q engine.Request) engine.Run {
	l.t.Helper()
	r, err := l.engine.Do(l.t.Context(), q)
	if err != nil {
		l.t.Fatalf("%s: %v", q.Action, err)
	}
	return r
}

// approve brings all the people that a run waits for.
func (l *lab) approve(r engine.Run) engine.Run {
	l.t.Helper()
	for _, who := range []engine.Actor{bob, carol} {
		if r.State != engine.StatePending || who == r.Actor {
			continue
		}
		var err error
		if r, err = l.engine.Approve(l.t.Context(), r.ID, who, r.Plan.Hash); err != nil {
			l.t.Fatalf("%s: %v", r.Action, err)
		}
	}
	return r
}

// end waits until a run is over.
func (l *lab) end(id string) engine.Run {
	l.t.Helper()
	r, err := l.engine.Wait(l.t.Context(), id)
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// effects returns what the cloud did for an action.
func (l *lab) effects(action string) []sim.Effect { return l.cloud.Effects(sim.Match{Action: action}) }

// step is an action that can be run on the world.
type step struct {
	name   string // of the case
	action string
	params map[string]string
	refs   map[string]string
}

func (s step) request(key string) engine.Request {
	return engine.Request{
		Key: key, Actor: alice, Action: s.action, Params: maps.Clone(s.params), SecretRefs: maps.Clone(s.refs), Reason: "test",
	}
}

func on(instance string, more ...string) map[string]string {
	m := map[string]string{"InstanceId": instance}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

// steps are the 24 documented actions that change something, each as it can be
// run on the world.
func steps() []step {
	order := map[string]string{"RegionId": region, "TopicQuota": "50", "DiskType": "0", "DiskSize": "900", "DeployType": "5", "IoMax": "20"}
	acl := []string{"Username", "erin", "AclResourceType", "Topic", "AclResourcePatternType", "LITERAL"}
	tags := func(more ...string) map[string]string {
		m := on("", more...)
		delete(m, "InstanceId")
		m["ResourceType"], m["ResourceId.1"] = "INSTANCE", post
		return m
	}
	all := []step{
		{action: "CreatePostPayOrder", params: order},
		{action: "CreatePrePayOrder", params: order},
		{action: "StartInstance", params: on(ordered, "VpcId", "vpc-1", "VSwitchId", "vsw-1", "DeployModule", "vpc")},
		{action: "UpgradePostPayOrder", params: on(post, "DiskSize", "1000", "TopicQuota", "60", "IoMax", "30")},
		{action: "UpgradePrePayOrder", params: on(pre, "DiskSize", "1000", "TopicQuota", "60", "IoMaxSpec", "alikafka.hw.3xlarge")},
		{action: "ConvertPostPayOrder", params: on(post, "Duration", "1")},
		{action: "ModifyInstanceName", params: on(post, "InstanceName", "renamed")},
		{action: "ReleaseInstance", params: on(empty)},
		{action: "DeleteInstance", params: on(released)},
		{action: "UpdateAllowedIp", params: on(post, "UpdateType", "add", "AllowedListType", "vpc", "PortRange", "9092/9092", "AllowedListIp", "10.9.8.0/24,10.9.9.1")},
		{action: "UpdateInstanceConfig", params: on(post, "Config", `{"kafka.log.retention.hours":"96"}`)},
		{action: "UpgradeInstanceVersion", params: on(post, "TargetVersion", "2.6.2")},
		{action: "CreateTopic", params: on(post, "Topic", "fresh", "Remark", "made-by-a-test", "PartitionNum", "6")},
		{action: "DeleteTopic", params: on(post, "Topic", "unused")},
		{action: "ModifyPartitionNum", params: on(post, "Topic", "orders", "TargetPartitionNum", "12")},
		{action: "ModifyTopicRemark", params: on(post, "Topic", "orders", "Remark", "the-orders")},
		{action: "CreateConsumerGroup", params: on(post, "ConsumerId", "fresh")},
		{action: "DeleteConsumerGroup", params: on(post, "ConsumerId", "gone")},
		{action: "TagResources", params: tags("Tag.1.Key", "incident", "Tag.1.Value", "4711")},
		{action: "UntagResources", params: tags("TagKey.1", "team")},
		{action: "CreateSaslUser", params: on(post, "Username", "frank"), refs: map[string]string{"Password": "password"}},
		{action: "DeleteSaslUser", params: on(post, "Username", "erin")},
		{action: "CreateAcl", params: on(post, append(acl, "AclResourceName", "unused", "AclOperationType", "Write")...)},
		{action: "DeleteAcl", params: on(post, append(acl, "AclResourceName", "orders", "AclOperationType", "Read")...)},
	}
	for i := range all {
		all[i].name = all[i].action
	}
	return all
}

func stepOf(action string) step {
	all := steps()
	i := slices.IndexFunc(all, func(s step) bool { return s.action == action })
	if i < 0 {
		panic("no step for " + action)
	}
	return all[i]
}

func mustRegexp(expr string) collector.Regexp {
	re, err := collector.NewRegexp(expr)
	if err != nil {
		panic(err)
	}
	return re
}
