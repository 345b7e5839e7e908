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
	// again: it is asked once more right before the call is sent.
	again bool
}

// guards is the table, in the order in which they are asked. All of them are,
// so that a refusal says everything at once.
var guards = []guard{
	{guardKillSwitch, "No source says stop: not the API, not the file, not the environment.", always, killSwitchGuard, true},
	{guardBreaker, "There were few failures lately and no run needs a human. Once it is open, a person closes it.", always, breakerGuard, true},
	{guardConfirm, "The action has a read that shows its effect, and every parameter is among what it shows.", always, confirmGuard, false},
	{guardAllowList, "The effect or the action is allowed by configuration, and not denied.", always, allowListGuard, false},
	{guardEffect, "A webhook asks for an action of the column Webhook; of whitelists, it only adds; of configurations, it only raises the retention.", byWebhook, effectGuard, false},
	{guardStale, "The collector has polled the target lately.", onInstance, staleGuard, false},
	{guardState, "What was read of the target allows the operation.", hasOperation, stateGuard, false},
	{guardInFlight, "No other operation is under way on the same object; on an instance, none within it.", hasOperation, inFlightGuard, false},
	{guardCoolDown, "The same action was not run on the same target a moment ago.", hasOperation, coolDownGuard, false},
	{guardHourly, "The account had fewer runs within an hour.", always, capGuard(guardHourly, time.Hour, func(g Guards) int { return g.HourlyCap }), false},
	{guardDaily, "The account had fewer runs within a day.", always, capGuard(guardDaily, 24*time.Hour, func(g Guards) int { return g.DailyCap }), false},
	{guardBill, "The account had fewer runs that cost money within a day.", costs, capGuard(guardBill, 24*time.Hour, func(g Guards) int { return g.BillCap }), false},
	{guardStorm, "Webhooks did not ask for too many targets at once, nor leave any out.", byWebhook, stormGuard, false},
	{guardOptIn, "The topic was opted in, by configuration or by a tag.", of("ModifyPartitionNum"), optInGuard, false},
	{guardGrowth, "The step and the total are within limits, and within what the instance has left.", of("ModifyPartitionNum"), growthGuard, false},
	{guardWhitelist, "Entries are narrow, and in the blocks that are allowed; the last entry of a port range stays.", of("UpdateAllowedIp"), whitelistGuard, false},
	{guardConfigKeys, "Only these keys are set.", of("UpdateInstanceConfig"), configKeysGuard, false},
	{guardProtected, "The name is not protected.", of("DeleteTopic", "DeleteConsumerGroup"), protectedGuard, false},
	{
		guardInUse, "Our own samples show no recent message, no message left, no subscriber and no member.",
		of("DeleteTopic", "DeleteConsumerGroup", "ReleaseInstance", "DeleteInstance"), inUseGuard, false,
	},
	{guardTagPrefix, "Webhooks set and remove tags with their own prefix only; nobody those that name a run.", of("TagResources", "UntagResources"), tagPrefixGuard, false},
	{guardACL, "No entry for all users or all resources, for the cluster, for a short prefix, or that denies.", of("CreateAcl"), aclGuard, false},
}

func always(*planning) bool         { return true }
func byWebhook(p *planning) bool    { return p.req.Actor.Kind == Webhook }
func hasOperation(p *planning) bool { return p.op != nil && p.pre != nil }
func onInstance(p *planning) bool   { return p.target.InstanceID != "" }
func costs(p *planning) bool        { return p.effect == api.Bill }

func of(actions ...string) func(*planning) bool {
	return func(p *planning) bool { return hasOperation(p) && slices.Contains(actions, p.req.Action) }
}

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
	return verdict(guardKillSwitch, !k.Stopped, "no source says stop", strings.Join(k.Sources, ", "), "acting is stopped by %s", strings.Join(k.Sources, ", "))
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

// webhookActions are what a webhook may start, whatever its principal holds.
var webhookActions = []string{
	"ModifyPartitionNum", "UpdateAllowedIp", "UpdateInstanceConfig", "TagResources", "UntagResources", "ModifyTopicRemark",
	"CreateTopic", "CreateConsumerGroup",
}

func effectGuard(p *planning) Verdict {
	ok, why := slices.Contains(webhookActions, p.req.Action), "a webhook may not start "+p.req.Action
	switch {
	case !ok:
	case p.req.Action == "UpdateAllowedIp" && p.wire["UpdateType"] != "add":
		ok, why = false, "a webhook may add to a whitelist, not delete from it"
	case p.req.Action == "UpdateInstanceConfig":
		if ok = p.raisesRetentionOnly(); !ok {
			why = "a webhook may raise the retention and nothing else"
		}
	}
	return verdict(guardEffect, ok, "what webhooks may do", p.req.Action, "%s", why)
}

// raisesRetentionOnly reports whether retention is the only key and grows.
func (p *planning) raisesRetentionOnly() bool {
	var asked map[string]string
	if json.Unmarshal([]byte(p.wire["Config"]), &asked) != nil || len(asked) != 1 {
		return false
	}
	return asked[retentionKey] != "" && !p.shrinksRetention()
}

func staleGuard(p *planning) Verdict {
	most := time.Duration(p.config.Guards.MaxAge)
	age := p.now.Sub(p.polled)
	if p.polled.IsZero() {
		return verdict(guardStale, false, most.String(), "never", "%s was never polled", p.target.Kind)
	}
	age = max(age, 0).Truncate(time.Second)
	return verdict(guardStale, age <= most, most.String(), age.String(), "the last poll of the target is %s old", age)
}

func stateGuard(p *planning) Verdict {
	for _, name := range sortedKeys(p.needs) {
		if !(Facts{name: p.needs[name]}).matches(p.pre) {
			return verdict(guardState, false, name+" "+p.needs[name], name+" "+orDefault(p.pre[name], "(none)"),
				"%s is %s, must be %s", name, orDefault(p.pre[name], "unknown"), p.needs[name])
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
	return verdict(guardCoolDown, age >= d, d.String(), age.Truncate(time.Second).String(), "the same was done %s ago", age.Truncate(time.Second))
}

func capGuard(name string, window time.Duration, limit func(Guards) int) func(*planning) Verdict {
	return func(p *planning) Verdict {
		n := p.engine.started(p.target.Account, p.now.Add(-window), name == guardBill)
		most := limit(p.config.Guards)
		return verdict(name, n < most, strconv.Itoa(most), strconv.Itoa(n), "%d runs within %s", n, model.Duration(window))
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
	return verdict(guardStorm, n <= s.Targets, strconv.Itoa(s.Targets), value, "%d targets within %s: too much is wrong at once", n, s.Window)
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

func tagPrefixGuard(p *planning) Verdict {
	prefix := p.config.Guards.TagPrefix
	for _, key := range tagKeys(p.wire) {
		switch {
		case key == opTag:
			return verdict(guardTagPrefix, false, "not "+opTag, key, "tag %s says which run made an object", opTag)
		case p.req.Actor.Kind == Webhook && (prefix == "" || !strings.HasPrefix(key, prefix)):
			return verdict(guardTagPrefix, false, prefix, key, "a webhook may change tags that begin with %q only", prefix)
		}
	}
	return verdict(guardTagPrefix, true, prefix, strings.Join(tagKeys(p.wire), ", "), "")
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

// inUseGuard trusts our own samples only: what was not sampled counts as used.
func inUseGuard(p *planning) Verdict {
	idle := time.Duration(p.config.Guards.Delete.Idle)
	limit := "idle for " + model.Duration(idle).String() + ", empty, not consumed"
	why := ""
	switch {
	case p.instance == nil:
		why = "nothing is known of the instance"
	case p.target.Kind == "topic":
		why = p.topicInUse(p.topic, p.now.Add(-idle))
	case p.target.Kind == "consumer_group":
		why = groupInUse(p.group)
	default:
		for _, t := range p.instance.Topics {
			if why = p.topicInUse(t, p.now.Add(-idle)); why != "" {
				break
			}
		}
	}
	return verdict(guardInUse, why == "", limit, why, "%s", why)
}

func (p *planning) topicInUse(t *collector.Topic, since time.Time) string {
	if t == nil || t.Status.At.IsZero() {
		return "its offsets were not read yet"
	}
	left := int64(0)
	for _, o := range t.Status.Data.Partitions {
		left += max(0, o.Newest-o.Oldest)
	}
	last := time.UnixMilli(t.Status.Data.LastMessage)
	switch {
	case t.Status.Data.LastMessage > 0 && last.After(since):
		return fmt.Sprintf("topic %s: last message at %s", t.Name(), last.UTC().Format(time.RFC3339))
	case left > 0:
		return fmt.Sprintf("topic %s holds %d messages", t.Name(), left)
	case t.Produced.Known && t.Produced.PerSecond > 0:
		return fmt.Sprintf("topic %s is produced to", t.Name())
	}
	for _, g := range p.instance.Groups {
		for _, gt := range g.Progress.Data.Topics {
			if gt.Topic == t.Name() {
				return fmt.Sprintf("topic %s is subscribed to by group %s", t.Name(), g.Name())
			}
		}
	}
	return ""
}

func groupInUse(g *collector.ConsumerGroup) string {
	if g == nil || g.Progress.At.IsZero() {
		return "its progress was not read yet"
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
