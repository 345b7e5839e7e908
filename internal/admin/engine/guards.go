package engine

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

// The names of the guards: values of the guard label, and of Verdict.Guard.
const (
	guardKillSwitch = "kill_switch"
	guardBreaker    = "breaker"
	guardConfirm    = "confirming_read"
	guardAllowList  = "allow_list"
	guardEffect     = "effect_class"
	guardStale      = "stale_data"
	guardState      = "state"
	guardInFlight   = "in_flight"
	guardCoolDown   = "cool_down"
	guardHourly     = "hourly_cap"
	guardDaily      = "daily_cap"
	guardBill       = "bill_cap"
	guardStorm      = "storm"
	guardOptIn      = "partition_opt_in"
	guardGrowth     = "partition_growth"
	guardNeed       = "partition_need"
	guardWhitelist  = "whitelist"
	guardConfigKeys = "config_keys"
	guardProtected  = "protected_name"
	guardInUse      = "delete_in_use"
	guardTagPrefix  = "tag_prefix"
	guardACL        = "acl"
)

// guard is a row of the table of guards. It is asked about every plan for which
// applies is true.
type guard struct {
	name    string
	about   string // for docs/safety.md
	applies func(*planning) bool
	judge   func(*planning) Verdict
	// again: it is asked once more, with what is known and configured then, when
	// the last person approves and right before each attempt of the call.
	again bool
}

// guards is the table, in the order in which they are asked. All of them are,
// so that a refusal says everything at once.
var guards = []guard{
	{guardKillSwitch, "No source says stop: not the API, not the file, not the environment.", always, killSwitchGuard, true},
	{guardBreaker, "There were few failures lately and no run needs a human. Once it is open, a person closes it.", always, breakerGuard, true},
	{guardConfirm, "The action has a read that shows its effect, and every parameter is among what it shows.", always, confirmGuard, true},
	{guardAllowList, "The effect or the action is allowed by configuration, and not denied.", always, allowListGuard, true},
	{guardEffect, "A webhook asks for an action of the column Webhook; of whitelists, it only adds; of configurations, it only raises the retention.", byWebhook, effectGuard, true},
	{guardStale, "The collector has polled the target lately.", onInstance, staleGuard, true},
	{guardState, "What was read of the target allows the operation.", hasOperation, stateGuard, false},
	{guardInFlight, "No other operation is under way on the same object; on an instance, none within it.", hasOperation, inFlightGuard, false},
	{guardCoolDown, "The same action was not run on the same target a moment ago.", hasOperation, coolDownGuard, false},
	{guardHourly, "The account had fewer runs within an hour.", always, capGuard(guardHourly, time.Hour, func(g Guards) int { return g.HourlyCap }), false},
	{guardDaily, "The account had fewer runs within a day.", always, capGuard(guardDaily, 24*time.Hour, func(g Guards) int { return g.DailyCap }), false},
	{guardBill, "The account had fewer runs that cost money within a day.", costs, capGuard(guardBill, 24*time.Hour, func(g Guards) int { return g.BillCap }), false},
	{guardStorm, "Webhooks did not ask for too many targets at once, nor leave any out.", byWebhook, stormGuard, false},
	{guardOptIn, "The topic was opted in, by configuration or by a tag.", of("ModifyPartitionNum"), optInGuard, true},
	{guardNeed, "The consumer group that an alert names has a member for every partition: else it is not for want of partitions that it lags.", of("ModifyPartitionNum"), needGuard, true},
	{guardGrowth, "The step and the total are within limits, and within what the instance has left.", of("ModifyPartitionNum"), growthGuard, true},
	{guardWhitelist, "Entries are narrow, and in the blocks that are allowed; the last entry of a port range stays.", of("UpdateAllowedIp"), whitelistGuard, true},
	{guardConfigKeys, "Only these keys are set.", of("UpdateInstanceConfig"), configKeysGuard, true},
	{guardProtected, "The name is not protected.", of("DeleteTopic", "DeleteConsumerGroup"), protectedGuard, true},
	{
		guardInUse, "Our own samples show no recent message, no message left, no subscriber and no member.",
		of("DeleteTopic", "DeleteConsumerGroup", "ReleaseInstance", "DeleteInstance"), inUseGuard, true,
	},
	{guardTagPrefix, "Webhooks set and remove tags with their own prefix only, and not the one that opts topics in; nobody those that name a run.", ofTags, tagPrefixGuard, true},
	{guardACL, "No entry for all users or all resources, for the cluster, for a short prefix, or that denies.", of("CreateAcl"), aclGuard, true},
}

func always(*planning) bool         { return true }
func byWebhook(p *planning) bool    { return p.req.Actor.Kind == Webhook }
func hasOperation(p *planning) bool { return p.op != nil && p.pre != nil }
func onInstance(p *planning) bool   { return p.target.InstanceID != "" }
func costs(p *planning) bool        { return p.effect == api.Bill }

func of(actions ...string) func(*planning) bool {
	return func(p *planning) bool { return hasOperation(p) && slices.Contains(actions, p.req.Action) }
}

// ofTags: the caller names tags.
func ofTags(p *planning) bool { return hasOperation(p) && len(tagKeys(p.req.Params)) > 0 }

// verdict says what a guard allows and what it found.
func verdict(name string, ok bool, limit, value, format string, args ...any) Verdict {
	v := Verdict{Guard: name, OK: ok, Limit: limit, Value: value}
	if !ok {
		v.Message = fmt.Sprintf(format, args...)
	}
	return v
}

func killSwitchGuard(p *planning) Verdict {
	k := p.engine.killState()
	return verdict(guardKillSwitch, !k.Stopped, "no source says stop", strings.Join(k.Sources, ", "), "acting is stopped by %s", k.words())
}

func breakerGuard(p *planning) Verdict {
	b := p.config.Guards.Breaker
	open := p.engine.openSince()
	return verdict(guardBreaker, open == "", fmt.Sprintf("fewer than %d failures in %s, no run that needs a human", b.Failures, b.Window), open, "the breaker is open: %s", open)
}

func confirmGuard(p *planning) Verdict {
	if p.op == nil {
		return verdict(guardConfirm, false, "an action with a confirming read", p.req.Action, "no read shows what %s does", p.req.Action)
	}
	for _, name := range p.op.blind {
		if v, given := p.wire[name]; given && v != "false" {
			return verdict(guardConfirm, false, "parameters whose effect can be read", name, "no read shows what parameter %s does", name)
		}
	}
	return verdict(guardConfirm, true, "an action with a confirming read", p.row.Confirm, "")
}

func allowListGuard(p *planning) Verdict {
	g := p.config.Guards
	ok := !slices.Contains(g.Deny, p.req.Action) && (slices.Contains(g.Actions, p.req.Action) || slices.Contains(g.Effects, p.effect.String()))
	limit := "effects " + strings.Join(g.Effects, ", ")
	if len(g.Actions) > 0 {
		limit += "; actions " + strings.Join(g.Actions, ", ")
	}
	if len(g.Deny) > 0 {
		limit += "; not " + strings.Join(g.Deny, ", ")
	}
	return verdict(guardAllowList, ok, limit, p.req.Action+" ("+p.effect.String()+")", "the configuration does not allow %s, whose effect is %s", p.req.Action, p.effect)
}

// effectGuard asks the table of what webhooks may start; what it cannot know is
// whether a retention grows.
func effectGuard(p *planning) Verdict {
	const limit = "what webhooks may do"
	if refused := WebhookRefusal(p.req.Action, p.req.Params); refused != nil {
		return verdict(guardEffect, false, limit, p.req.Action, "%s", refused)
	}
	if p.req.Action == "UpdateInstanceConfig" && p.shrinksRetention() {
		return verdict(guardEffect, false, limit, p.req.Action, "a webhook may raise the retention and nothing else: from %s to %s hours is no raise",
			orDefault(p.pre[configFact+retentionKey], "unknown"), p.desired[configFact+retentionKey])
	}
	return verdict(guardEffect, true, limit, p.req.Action, "")
}

func staleGuard(p *planning) Verdict {
	most := time.Duration(p.config.Guards.MaxAge)
	age := p.now.Sub(p.polled)
	if p.polled.IsZero() {
		return verdict(guardStale, false, most.String(), "never", "%s was never polled", p.target.Kind)
	}
	age = max(age, 0).Truncate(time.Second)
	return verdict(guardStale, age <= most, most.String(), age.String(), "the last poll of the target is %s old, more than max_age %s", age, p.config.Guards.MaxAge)
}

func stateGuard(p *planning) Verdict {
	for _, name := range sortedKeys(p.needs) {
		if !(Facts{name: p.needs[name]}).matches(p.pre) {
			limit, value := name+" "+p.needs[name], name+" "+orDefault(p.pre[name], "(none)")
			if name == "exists" {
				is := map[string]string{no: "does not exist", yes: "exists already"}[p.pre[name]]
				return verdict(guardState, false, limit, value, "%s %s %s", p.target.Kind, orDefault(p.target.Name, p.target.InstanceID), is)
			}
			return verdict(guardState, false, limit, value, "%s is %s, must be %s", name, orDefault(p.pre[name], "unknown"), p.needs[name])
		}
	}
	return verdict(guardState, true, p.needs.String(), "", "")
}

func inFlightGuard(p *planning) Verdict {
	other := p.engine.holder(p.target, p.id)
	return verdict(guardInFlight, other == "", "1", other, "run %s is under way", other)
}

// coolDownGuard counts from the last call that was sent. A clock that went
// backwards makes it wait, not hurry.
func coolDownGuard(p *planning) Verdict {
	d := time.Duration(p.config.Guards.CoolDown)
	if p.req.Action == "ModifyPartitionNum" {
		d = time.Duration(p.config.Guards.Partitions.CoolDown)
	}
	last := p.engine.lastCall(p.req.Action, p.target)
	if last.IsZero() {
		return verdict(guardCoolDown, true, d.String(), "never", "")
	}
	age := p.now.Sub(last)
	return verdict(guardCoolDown, age >= d, d.String(), age.Truncate(time.Second).String(), "the same was done %s ago, the cool-down is %s", age.Truncate(time.Second), model.Duration(d))
}

func capGuard(name string, window time.Duration, limit func(Guards) int) func(*planning) Verdict {
	return func(p *planning) Verdict {
		n := p.engine.started(p.target.Account, p.now.Add(-window), name == guardBill)
		most := limit(p.config.Guards)
		return verdict(name, n < most, strconv.Itoa(most), strconv.Itoa(n), "%d runs within %s, the limit is %d", n, model.Duration(window), most)
	}
}

func stormGuard(p *planning) Verdict {
	s := p.config.Guards.Storm
	n := p.engine.webhookTargets(p.now.Add(-time.Duration(s.Window)), p.target)
	n = max(n, p.req.Firing)
	value := strconv.Itoa(n)
	if p.req.Truncated {
		return verdict(guardStorm, false, strconv.Itoa(s.Targets), value+" or more", "the delivery left alerts out: how many fire is not known")
	}
	return verdict(guardStorm, n <= s.Targets, strconv.Itoa(s.Targets), value, "%d targets within %s, more than %d: too much is wrong at once", n, s.Window, s.Targets)
}

func optInGuard(p *planning) Verdict {
	g := p.config.Guards.Partitions
	ok := g.Topics.Match(p.target.Name)
	if t := p.topic; t != nil && g.Tag != "" {
		ok = ok || slices.Contains(t.Info.Data.Tags, api.Tag{Key: g.Tag, Value: "true"})
	}
	return verdict(guardOptIn, ok, fmt.Sprintf("topics %q, or tag %s=true", g.Topics, g.Tag), p.target.Name,
		"topic %s was not opted in: partitions cannot be removed, and keys move to other partitions", p.target.Name)
}

// needGuard keeps partitions, which stay for good, from groups that they would
// not help: a dead one, and one of which members are missing.
func needGuard(p *planning) Verdict {
	const limit = "a member for every partition"
	name := p.req.Alert["consumer_group"]
	if name == "" {
		return verdict(guardNeed, true, limit, "no alert of a consumer group", "")
	}
	var g *collector.ConsumerGroup
	if p.instance != nil {
		i := slices.IndexFunc(p.instance.Groups, func(g *collector.ConsumerGroup) bool { return g.Name() == name })
		if i >= 0 {
			g = p.instance.Groups[i]
		}
	}
	if g == nil {
		return verdict(guardNeed, false, limit, "unknown", "the progress of consumer group %s was not read yet", name)
	}
	switch why := p.unsampled("the members of consumer group "+name, g.Progress.At); {
	case why != "":
		return verdict(guardNeed, false, limit, "unknown", "%s", why)
	case !g.Progress.Data.MembersKnown:
		return verdict(guardNeed, false, limit, "unknown", "the service does not tell the members of consumer group %s", name)
	}
	members := g.Progress.Data.Members
	partitions, _ := strconv.Atoi(p.pre["PartitionNum"])
	value := fmt.Sprintf("%d members, %d partitions", members, partitions)
	if members == 0 {
		return verdict(guardNeed, false, limit, value, "consumer group %s has no members: no number of partitions helps it", name)
	}
	return verdict(guardNeed, members >= partitions, limit, value, "consumer group %s has %d members for %d partitions: more partitions do not help it", name, members, partitions)
}

func growthGuard(p *planning) Verdict {
	g := p.config.Guards.Partitions
	before, _ := strconv.Atoi(p.pre["PartitionNum"])
	after, _ := strconv.Atoi(p.desired["PartitionNum"])
	limit := fmt.Sprintf("x%v, %d in total", g.MaxFactor, g.MaxTotal)
	value := fmt.Sprintf("%d to %d", before, after)
	switch {
	case after > g.MaxTotal:
		return verdict(guardGrowth, false, limit, value, "%d partitions are more than %d", after, g.MaxTotal)
	case float64(after) > g.MaxFactor*float64(before):
		return verdict(guardGrowth, false, limit, value, "%d partitions are more than %v times the present %d", after, g.MaxFactor, before)
	case p.topic != nil && p.topic.Info.Data.CompactTopic:
		return verdict(guardGrowth, false, limit, value, "the topic is compacted: its keys would be in two partitions")
	}
	if p.instance != nil && !p.instance.Quota.At.IsZero() {
		if left := p.instance.Quota.Data.QuotaData.PartitionLeft; left != nil && int64(after-before) > *left {
			return verdict(guardGrowth, false, fmt.Sprintf("%d left on the instance", *left), value, "the instance has only %d partitions left", *left)
		}
	}
	return verdict(guardGrowth, true, limit, value, "")
}

func whitelistGuard(p *planning) Verdict {
	g := p.config.Guards.Whitelist
	if p.wire["UpdateType"] == "delete" {
		// What is not in the list leaves it as it is.
		last := p.pre[otherEntries] == no
		return verdict(guardWhitelist, !last, "one entry stays", p.wire["AllowedListIp"], "it is the last entry of port range %s: nobody could connect", p.wire["PortRange"])
	}
	limit := fmt.Sprintf("/%d, IPv6 /%d", g.MinPrefixV4, g.MinPrefixV6)
	if len(g.Allowed) > 0 {
		limit += " in " + strings.Join(g.Allowed, ", ")
	}
	for _, entry := range entries(p.wire) {
		b, err := netip.ParsePrefix(block(entry))
		least := g.MinPrefixV4
		if err == nil && b.Addr().Unmap().Is6() {
			least = g.MinPrefixV6
		}
		switch {
		case err != nil || b.Addr().Is4In6():
			return verdict(guardWhitelist, false, limit, entry, "%q is not a block", entry)
		case b.Bits() == 0:
			return verdict(guardWhitelist, false, limit, entry, "%s is everybody", entry)
		case b.Bits() < least:
			return verdict(guardWhitelist, false, limit, entry, "%s is wider than /%d", entry, least)
		case len(g.Allowed) == 0 && p.req.Actor.Kind == Webhook:
			return verdict(guardWhitelist, false, "blocks in guards.whitelist.allowed", entry, "no block is approved for webhooks")
		case len(g.Allowed) > 0 && !within(b, g.Allowed):
			return verdict(guardWhitelist, false, limit, entry, "%s is in none of the allowed blocks", entry)
		}
	}
	return verdict(guardWhitelist, true, limit, p.wire["AllowedListIp"], "")
}

func within(b netip.Prefix, allowed []string) bool {
	return slices.ContainsFunc(allowed, func(s string) bool {
		a, err := netip.ParsePrefix(s)
		return err == nil && a.Bits() <= b.Bits() && a.Contains(b.Addr())
	})
}

func configKeysGuard(p *planning) Verdict {
	var asked map[string]string
	_ = json.Unmarshal([]byte(p.wire["Config"]), &asked) // judged before
	keys := p.config.Guards.ConfigKeys
	for _, key := range sortedKeys(asked) {
		if !slices.Contains(keys, key) {
			return verdict(guardConfigKeys, false, strings.Join(keys, ", "), key, "the configuration does not allow key %s", key)
		}
	}
	return verdict(guardConfigKeys, true, strings.Join(keys, ", "), strings.Join(sortedKeys(asked), ", "), "")
}

func protectedGuard(p *planning) Verdict {
	re := p.config.Guards.Delete.Protected
	return verdict(guardProtected, !re.Match(p.target.Name), "not "+re.String(), p.target.Name, "%s is a protected name", p.target.Name)
}

// tagPrefixGuard looks at what the caller gave: the run's own tag is in what is
// sent.
func tagPrefixGuard(p *planning) Verdict {
	prefix, optIn := p.config.Guards.TagPrefix, p.config.Guards.Partitions.Tag
	keys := tagKeys(p.req.Params)
	for _, key := range keys {
		switch webhook := p.req.Actor.Kind == Webhook; {
		case key == opTag:
			return verdict(guardTagPrefix, false, "not "+opTag, key, "tag %s says which run made an object", opTag)
		case webhook && (prefix == "" || !strings.HasPrefix(key, prefix)):
			return verdict(guardTagPrefix, false, prefix, key, "a webhook may change tags that begin with %q only", prefix)
		case webhook && key == optIn:
			return verdict(guardTagPrefix, false, "not "+optIn, key, "tag %s opts topics in, which is for people to do", optIn)
		}
	}
	return verdict(guardTagPrefix, true, prefix, strings.Join(keys, ", "), "")
}

// shortestPrefix is how many characters an ACL for a prefix must name.
const shortestPrefix = 4

func aclGuard(p *planning) Verdict {
	const limit = "one user, one resource or a prefix of 4 characters, ALLOW"
	name := p.wire["AclResourceName"]
	switch {
	case p.wire["Username"] == "*":
		return verdict(guardACL, false, limit, "Username *", "the entry is for all users")
	case name == "*":
		return verdict(guardACL, false, limit, "AclResourceName *", "the entry is for all resources")
	case p.wire["AclResourceType"] == "Cluster":
		return verdict(guardACL, false, limit, "Cluster", "the entry is for the whole cluster")
	case p.wire["AclResourcePatternType"] == "PREFIXED" && len(name) < shortestPrefix:
		return verdict(guardACL, false, limit, name, "prefix %q has fewer than %d characters", name, shortestPrefix)
	case strings.EqualFold(p.wire["AclPermissionType"], "DENY"):
		return verdict(guardACL, false, limit, "DENY", "an entry that denies can lock others out")
	}
	return verdict(guardACL, true, limit, name, "")
}

// inUseGuard trusts our own samples only: what was not sampled lately counts as
// used.
func inUseGuard(p *planning) Verdict {
	limit := "idle for " + p.config.Guards.Delete.Idle.String() + ", empty, not consumed, by samples of the last " + p.sampled().String()
	var why string
	switch {
	case p.instance == nil:
		why = "nothing is known of the instance"
	case p.target.Kind == "topic":
		why = p.topicInUse(p.topic)
	case p.target.Kind == "consumer_group":
		why = p.groupInUse(p.group)
	case p.req.Action == "ReleaseInstance":
		why = p.instanceInUse()
	default: // a released one is polled no more: what is left of it counts
		why = p.anyTopicInUse()
	}
	return verdict(guardInUse, why == "", limit, why, "%s", why)
}

// sampled is how old samples of what is idle may be. It is read as seldom as the
// collector's max_age lets it, whose default is that of the guard.
func (p *planning) sampled() model.Duration { return 2 * p.config.Guards.MaxAge }

// unsampled says why samples of a time prove nothing; empty: they do. Released
// instances are not sampled any more.
func (p *planning) unsampled(what string, at time.Time) string {
	age := p.now.Sub(at)
	switch {
	case at.IsZero():
		return what + " were not read yet"
	case age > time.Duration(p.sampled()) && p.req.Action != "DeleteInstance":
		return fmt.Sprintf("%s were read %s ago, more than %s", what, age.Truncate(time.Second), p.sampled())
	}
	return ""
}

func (p *planning) instanceInUse() string {
	i := p.instance
	if why := p.unsampled("the topics of the instance", i.TopicList.At); why != "" {
		return why
	}
	if n := int(i.TopicList.Data.Topics) - len(i.Topics); n > 0 {
		return fmt.Sprintf("%d of its topics are not watched", n)
	}
	return p.anyTopicInUse()
}

func (p *planning) anyTopicInUse() string {
	for _, t := range p.instance.Topics {
		if why := p.topicInUse(t); why != "" {
			return why
		}
	}
	return ""
}

func (p *planning) topicInUse(t *collector.Topic) string {
	if t == nil {
		return "its offsets were not read yet"
	}
	if why := p.unsampled("the offsets of topic "+t.Name(), t.Status.At); why != "" {
		return why
	}
	left := int64(0)
	for _, o := range t.Status.Data.Partitions {
		left += max(0, o.Newest-o.Oldest)
	}
	last := time.UnixMilli(t.Status.Data.LastMessage)
	switch {
	case t.Status.Data.LastMessage > 0 && last.After(p.now.Add(-time.Duration(p.config.Guards.Delete.Idle))):
		return fmt.Sprintf("topic %s: last message at %s", t.Name(), last.UTC().Format(time.RFC3339))
	case left > 0:
		return fmt.Sprintf("topic %s holds %d messages", t.Name(), left)
	case t.Produced.Known && t.Produced.PerSecond > 0:
		return fmt.Sprintf("topic %s is produced to", t.Name())
	}
	return p.subscribed(t.Name())
}

// subscribed says which group consumes a topic, or why that is not known.
func (p *planning) subscribed(topic string) string {
	i := p.instance
	if p.req.Action != "DeleteInstance" {
		if why := p.unsampled("the consumer groups of the instance", i.GroupList.At); why != "" {
			return why
		}
		if n := i.GroupList.Data - len(i.Groups); n > 0 {
			return fmt.Sprintf("%d consumer groups of the instance are not watched, and may consume topic %s", n, topic)
		}
	}
	for _, g := range i.Groups {
		for _, t := range g.Progress.Data.Topics {
			if t.Topic == topic {
				return fmt.Sprintf("topic %s is subscribed to by group %s", topic, g.Name())
			}
		}
		if why := p.unsampled("the subscriptions of group "+g.Name(), g.Progress.At); why != "" {
			return why
		}
	}
	return ""
}

func (p *planning) groupInUse(g *collector.ConsumerGroup) string {
	if g == nil {
		return "its progress was not read yet"
	}
	if why := p.unsampled("members and progress of group "+g.Name(), g.Progress.At); why != "" {
		return why
	}
	if g.Progress.Data.Members > 0 {
		return fmt.Sprintf("group %s has %d members", g.Name(), g.Progress.Data.Members)
	}
	for _, t := range g.Progress.Data.Topics {
		switch {
		case !g.Progress.Data.MembersKnown && !t.Consumed.Known:
			return fmt.Sprintf("group %s: whether it consumes topic %s is not known yet", g.Name(), t.Topic)
		case t.Consumed.Known && t.Consumed.PerSecond != 0:
			return fmt.Sprintf("group %s consumes topic %s", g.Name(), t.Topic)
		}
	}
	return ""
}

// retentionKey is the key of the configuration whose decrease deletes
// messages.
const retentionKey = "kafka.log.retention.hours"

// shrinksRetention reports whether a configuration keeps messages for a shorter
// time than now, or for one that cannot be compared.
func (p *planning) shrinksRetention() bool {
	after, asked := p.desired[configFact+retentionKey]
	before := p.pre[configFact+retentionKey]
	if !asked || after == before {
		return false
	}
	a, err := strconv.Atoi(after)
	b, err2 := strconv.Atoi(before)
	return err != nil || err2 != nil || a < b
}
