package sim

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The state is the world at work: the structs of world.go with their defaults
// filled in, indexed. It is guarded by Cloud.mu.

type account struct {
	Account

	instances []*instance
	past      []view // what reads may still show, oldest first
}

type instance struct {
	Instance

	topics  []*topic
	groups  []*group
	byTopic map[string]*topic
	byGroup map[string]*group

	view     int64           // ViewInstanceStatusCode, or derived
	task     int             // counts what was done to it, so that work knows that it was overtaken
	busy     string          // kind of the work that goes on
	creating map[string]bool // topics that are not listed yet
	pending  int64           // their partitions
	former   map[string]int  // partitions of topics that were deleted
}

type topic struct {
	Topic

	curve     curve
	eras      []era
	retention time.Duration
	floor     []int64 // lowest offsets when retention was last changed: what is deleted stays so
	gaps      []Span  // when its producers were cut off; the last may go on to never
	out       cut
	listed    bool // the whitelist has let its producers in
	deleting  bool
}

type group struct {
	Group

	subscriptions []*subscription
	moments       []rebalance   // of one period of the scene
	happened      []rebalance   // besides, by time
	forgotten     int64         // of those
	phase         time.Duration // of its commits
	clients       []client
	first         netip.Addr // of the members, where the world says so
	out           cut
	listed        bool // the whitelist has let its members in
}

type subscription struct {
	Subscription

	topic *topic
	bends map[int]*bend // by partition
	paces []pace        // of members with a rate
}

// client is a member of a group.
type client struct{ id, member, ip string }

// build makes the state of a world.
func (c *Cloud) build(w World) error {
	for i := range w.Accounts {
		a := &account{Account: w.Accounts[i]}
		if a.Name == "" {
			a.Name = "account-" + itoa(i+1)
		}
		if c.account(a.Name) != nil {
			return fmt.Errorf("account %s: listed twice", a.Name)
		}
		c.accounts = append(c.accounts, a)
		for _, key := range a.Keys {
			if c.keys[key.ID] != nil {
				return fmt.Errorf("account %s: access key %s is in use", a.Name, key.ID)
			}
			c.keys[key.ID] = &credential{Key: key, account: a}
		}
		for _, in := range a.Account.Instances {
			if err := c.addInstance(a, in, 0); err != nil {
				return fmt.Errorf("account %s: %w", a.Name, err)
			}
		}
	}
	return nil
}

func (c *Cloud) account(name string) *account {
	for _, a := range c.accounts {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// instance returns an instance of the account; nil when it has none of that id.
func (a *account) instance(id string) *instance {
	i := slices.IndexFunc(a.instances, func(in *instance) bool { return in.ID == id })
	if i < 0 {
		return nil
	}
	return a.instances[i]
}

// addInstance makes an instance at a time since the start of the cloud; ages
// are turned to count from that start.
func (c *Cloud) addInstance(a *account, w Instance, now time.Duration) error {
	in := &instance{
		Instance: w, byTopic: make(map[string]*topic), byGroup: make(map[string]*group),
		creating: make(map[string]bool), former: make(map[string]int),
	}
	in.fill()
	in.Age -= now
	in.ExpiresIn += now
	if in.ID == "" || c.owners[in.ID] != nil {
		return fmt.Errorf("instance %q: the id must be given and unique", in.ID)
	}
	if !regionKnown(in.RegionID) {
		return fmt.Errorf("instance %s: no such region: %q", in.ID, in.RegionID)
	}
	for _, t := range w.Topics {
		orElse(&t.Age, 30*day)
		if err := c.addTopic(in, t, now); err != nil {
			return fmt.Errorf("instance %s: %w", in.ID, err)
		}
	}
	for _, g := range w.Groups {
		orElse(&g.Age, 30*day)
		if err := c.addGroup(in, g, now); err != nil {
			return fmt.Errorf("instance %s: %w", in.ID, err)
		}
	}
	if in.view == viewStopped {
		in.stop(now)
	}
	c.owners[in.ID] = a
	a.instances = append(a.instances, in)
	return nil
}

func orElse[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

func (in *instance) fill() {
	orElse(&in.RegionID, "cn-hangzhou")
	orElse(&in.Name, in.ID)
	orElse(&in.OrderID, orderNumber(in.ID))
	orElse(&in.ResourceGroupID, "rg-acfm"+digits(in.ID, 10))
	orElse(&in.Series, "v2")
	orElse(&in.SpecType, "professional")
	orElse(&in.Version, "2.2.0")
	orElse(&in.DeployType, 5)
	orElse(&in.DiskSize, 900)
	orElse(&in.IoMax, 20)
	orElse(&in.TopicLimit, 50)
	orElse(&in.PartitionLimit, 1100)
	orElse(&in.GroupLimit, 200)
	orElse(&in.Age, 400*day)
	orElse(&in.ExpiresIn, 300*day)
	orElse(&in.Retention, 72*time.Hour)
	orElse(&in.AutoPartitions, 12)
	in.Rules, in.SaslUsers, in.ACLs = slices.Clone(in.Rules), slices.Clone(in.SaslUsers), slices.Clone(in.ACLs)
	for i := range in.Rules {
		orElse(&in.Rules[i].ID, int64(i)+1)
	}
	for i := range in.SaslUsers {
		orElse(&in.SaslUsers[i].Type, "plain")
	}
	for i := range in.ACLs {
		acl := &in.ACLs[i]
		orElse(&acl.Pattern, "LITERAL")
		orElse(&acl.Host, "*")
		orElse(&acl.Permission, "ALLOW")
	}
	in.view = derived
	switch in.Status {
	case 0:
		in.Status = inService
	case Undeployed:
		in.Status = 0
		return
	case Stopped:
		in.Status, in.view = expired, viewStopped
	}
	orElse(&in.VpcID, "vpc-bp1"+digits(in.ID+"vpc", 18))
	orElse(&in.VSwitchID, "vsw-bp1"+digits(in.ID+"vsw", 18))
	orElse(&in.ZoneID, "zone"+in.zone())
}

// Values of ServiceStatus and ViewInstanceStatusCode.
const (
	inService = 5
	released  = 10
	expired   = 15 // or stopped

	viewStopped   = 3
	viewStopping  = 21
	viewStarting  = 22
	viewReleasing = 23
)

func (c *Cloud) addTopic(in *instance, w Topic, now time.Duration) error {
	if w.Name == "" || in.byTopic[w.Name] != nil {
		return fmt.Errorf("topic %q: the name must be given and unique", w.Name)
	}
	orElse(&w.Partitions, 12)
	orElse(&w.Replicas, 3)
	orElse(&w.PortRange, plaintext)
	if w.Partitions < 1 || w.Rate < 0 || w.Age < 0 || w.Quiet < 0 || w.Period < 0 {
		return fmt.Errorf("topic %s: negative partitions, rate or time", w.Name)
	}
	w.Age -= now
	t := &topic{Topic: w, curve: newCurve(w), retention: in.retentionOf(w)}
	t.eras = []era{c.firstEra(in.ID, t)}
	in.topics = append(in.topics, t)
	in.byTopic[w.Name] = t
	return nil
}

// firstEra gives each partition a slightly different share of the messages,
// and a fraction of one that keeps the partitions out of step.
func (c *Cloud) firstEra(instance string, t *topic) era {
	e := era{from: -t.Age, base: make([]float64, t.Partitions)}
	for p := range e.base {
		e.base[p] = c.roll(hash(t.Name, "/", instance), uint64(p))
	}
	e.weight = c.weights(instance, t)
	return e
}

// weights returns the share of each partition.
func (c *Cloud) weights(instance string, t *topic) []float64 {
	ws := make([]float64, t.Partitions)
	var sum float64
	for p := range ws {
		ws[p] = 0.85 + 0.3*c.roll(hash(instance, "/", t.Name), uint64(p))
		sum += ws[p]
	}
	for p := range ws {
		ws[p] /= sum
	}
	return ws
}

func (c *Cloud) addGroup(in *instance, w Group, now time.Duration) error {
	if w.Name == "" || in.byGroup[w.Name] != nil {
		return fmt.Errorf("consumer group %q: the name must be given and unique", w.Name)
	}
	if w.Scene.Period < 0 || w.CommitEvery < 0 || w.Members < 0 {
		return fmt.Errorf("consumer group %s: negative members or time", w.Name)
	}
	orElse(&w.Members, 2)
	orElse(&w.PortRange, plaintext)
	orElse(&w.CommitEvery, 5*time.Second)
	w.Age -= now
	g := &group{Group: w, moments: w.Scene.moments()}
	id := hash(in.ID, "/", w.Name)
	g.phase = time.Duration(c.roll(id, 0) * float64(w.CommitEvery))
	for _, s := range w.Subscriptions {
		t := in.byTopic[s.Topic]
		if t == nil {
			return fmt.Errorf("consumer group %s: no such topic: %q", w.Name, s.Topic)
		}
		g.subscriptions = append(g.subscriptions, newSubscription(s, t))
	}
	if w.Address != "" {
		ip, err := netip.ParseAddr(w.Address)
		if err != nil {
			return fmt.Errorf("consumer group %s: %w", w.Name, err)
		}
		g.first = ip
	}
	g.clients = g.members(in.ID, w.Members)
	if w.MemberRate != 0 {
		if err := g.bounded(); err != nil {
			return err
		}
		g.repace(now)
	}
	if g.Offline {
		for _, s := range g.subscriptions {
			g.await(s, 0, now)
		}
	}
	if g.listed = g.first.IsValid(); g.listed && !covers(in.allowed(false, g.PortRange), g.first) {
		g.cutOff(byWhitelist, now)
	}
	in.groups = append(in.groups, g)
	in.byGroup[w.Name] = g
	return nil
}

func newSubscription(w Subscription, t *topic) *subscription {
	orElse(&w.Delay, 200*time.Millisecond)
	return &subscription{Subscription: w, topic: t, bends: make(map[int]*bend)}
}

// address returns where the n-th client of a group or a topic lives.
func address(instance, name string, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{192, 168, byte(hash(instance, "/", name) % 200), byte(10 + n%200)})
}

// address returns where the n-th member of the group lives.
func (g *group) address(instance string, n int) netip.Addr {
	if !g.first.IsValid() {
		return address(instance, g.Name, n)
	}
	ip := g.first
	for range n {
		ip = ip.Next()
	}
	return ip
}

// members returns the first n members of a group.
func (g *group) members(instance string, n int) []client {
	cs := make([]client, n)
	for i := range cs {
		id := g.Name + "-consumer-" + itoa(i+1)
		cs[i] = client{id: id, member: id + "-" + digits(instance+id, 8), ip: g.address(instance, i).String()}
	}
	return cs
}

// status returns ServiceStatus and ViewInstanceStatusCode at that time since
// the start. A subscription that ran out is expired, one that is about to is
// shown so by the newer field only.
func (in *instance) status(t time.Duration) (service, view int64) {
	service = in.Status
	if service == inService && in.PaidType == 0 && t >= in.ExpiresIn {
		service = expired
	}
	if in.view != derived {
		return service, in.view
	}
	switch service {
	case 0, 1:
		view = service
	case 3:
		view = viewStarting
	case 2:
		view = 1
	case 6, 7, 8:
		view = map[int64]int64{6: 8, 7: 2, 8: 7}[service]
	case 10:
		view = 6
	case 15:
		view = 5
	case 30:
		view = 30
	default:
		view = 2
		if in.PaidType == 0 && in.ExpiresIn-t < 7*day {
			view = 4
		}
	}
	return service, view
}

// config returns AllConfig: JSON with strings for values.
func (in *instance) config() string {
	all := map[string]string{
		"enable.acl":                "false",
		"enable.vpc_sasl_ssl":       "false",
		"kafka.log.retention.hours": itoa(int(in.Retention / time.Hour)),
		"kafka.message.max.bytes":   "1048576",
	}
	maps.Copy(all, in.Config)
	text, _ := json.Marshal(all) //nolint:errchkjson // a map of strings does not fail
	return string(text)
}

// partitions returns how many partitions all topics have together.
func (in *instance) partitions() int64 {
	var n int64
	for _, t := range in.topics {
		n += int64(t.Partitions)
	}
	return n
}

// endpoints returns n broker addresses of one kind.
func (in *instance) endpoints(suffix string, port int) string {
	host := strings.ReplaceAll(in.ID, "_", "-")
	var b strings.Builder
	for i := range 3 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s-%d%s.alikafka.aliyuncs.com:%d", host, i+1, suffix, port)
	}
	return b.String()
}

// addresses is endpoints by number.
func (in *instance) addresses(internet bool, port int) string {
	h := hash(in.ID)
	net := fmt.Sprintf("192.168.%d", h%250)
	if internet {
		net = "203.0.113"
	}
	n := 10 + int(h>>8%200)
	return fmt.Sprintf("%s.%d:%d,%s.%d:%d,%s.%d:%d", net, n, port, net, n+1, port, net, n+2, port)
}

func itoa(n int) string { return strconv.Itoa(n) }

// hash spreads strings over 64 bits, the same in every process.
func hash(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p)) // never fails
	}
	return mix(h.Sum64())
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// roll returns a number from 0 to below 1 that depends on the seed, on what it
// is for and on n.
func (c *Cloud) roll(what, n uint64) float64 {
	return float64(mix(c.opts.Seed^mix(what^mix(n)))>>11) / (1 << 53)
}

// digits returns n letters and digits made from s.
func digits(s string, n int) string {
	const set = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i, h := 0, hash(s); i < n; i, h = i+1, mix(h) {
		b[i] = set[h%uint64(len(set))]
	}
	return string(b)
}

// zone returns the letter of the instance's availability zone.
func (in *instance) zone() string { return string(rune('f' + hash(in.ID)%6)) }
