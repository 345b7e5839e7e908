package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// reader reads what an operation is about to change.
type reader func(context.Context, *subject) (Facts, error)

// wish says what must be read after an operation, from what was read before it.
// It may complete what will be sent. The error is a *api.ParamError, or several
// of them joined.
type wish func(p *planning, pre Facts) (Facts, error)

// operation is a row of the table of what the engine can do.
type operation struct {
	action string // a row of the api's table
	kind   string // of the target
	name   string // the parameter that names the target within the instance
	// needs is what must be read before; otherwise the operation is refused.
	needs Facts
	read  reader
	want  wish
	// blind are parameters whose effect no read shows. They are refused.
	blind []string
	// tagged: the call takes tags, and carries one with the id of the run.
	tagged bool
	// bold: asking for what is there already would do something else. Such a
	// run is refused where others are unchanged.
	bold bool
	// settle is how long the effect may take to show once the cloud has said
	// that it was done.
	settle time.Duration
	// restart is how long it may take until the status of the instance shows
	// that its brokers restart. The desired state counts only when it was read
	// for longer than that.
	restart time.Duration
	// unseen is how long an accepted call may leave no trace. It adds to the
	// quiescence.
	unseen time.Duration

	// For docs/safety.md.
	check   string
	guards  []string // beside those that judge everything
	inverse string
}

const (
	quick = 10 * time.Minute
	slow  = 2 * time.Hour // a rolling restart, a deployment
)

// inService is the status of an instance with which something can be done.
var inService = Facts{"exists": yes, "ServiceStatus": "5"}

// operations is the table: every documented action that changes something and
// has a read that shows it. What is not here is refused.
var operations = []operation{
	{
		action: "CreatePostPayOrder", kind: "order", read: readOrder, want: wantOrder, tagged: true, bold: true,
		settle: time.Hour, unseen: 15 * time.Minute, blind: []string{"ServerlessConfig"},
		check: "one more instance with the run's tag or the answered order", inverse: "ReleaseInstance, DeleteInstance",
	},
	{
		action: "CreatePrePayOrder", kind: "order", read: readOrder, want: wantOrder, tagged: true, bold: true,
		settle: time.Hour, unseen: 15 * time.Minute, blind: []string{"ConfluentConfig"},
		check: "as CreatePostPayOrder", inverse: "none",
	},
	{
		action: "StartInstance", kind: "instance", needs: Facts{"exists": yes, "ServiceStatus": "0"}, settle: slow,
		read: readInstance("CreateTime", "ServiceStatus", "VpcId", "VSwitchId"), want: wantStarted,
		check: "ServiceStatus 5, VpcId and VSwitchId as asked", inverse: "ReleaseInstance",
	},
	{
		action: "UpgradePostPayOrder", kind: "instance", needs: inService, settle: slow, restart: time.Minute, read: readInstance(sizeFacts...), want: wantSize,
		blind: []string{"PartitionNum", "ServerlessConfig"},
		check: "DiskSize, TopicNumLimit, IoMax or IoMaxSpec, SpecType and EipMax as asked, ServiceStatus 5 again", inverse: "none",
	},
	{
		action: "UpgradePrePayOrder", kind: "instance", needs: inService, settle: slow, restart: time.Minute, read: readInstance(sizeFacts...), want: wantSize,
		blind: []string{"PartitionNum", "ConfluentConfig", "PaidType"}, check: "as UpgradePostPayOrder", inverse: "none",
	},
	{
		action: "ConvertPostPayOrder", kind: "instance", needs: Facts{"exists": yes, "ServiceStatus": "5", "PaidType": "1"}, settle: time.Hour,
		read: readInstance("CreateTime", "ServiceStatus", "PaidType"), want: wantFacts(Facts{"PaidType": "0"}), blind: []string{"PaidType"},
		check: "PaidType 0", inverse: "none",
	},
	{
		action: "ModifyInstanceName", kind: "instance", needs: Facts{"exists": yes}, settle: quick,
		read: readInstance("CreateTime", "Name"), want: wantParam("Name", "InstanceName"), check: "Name as asked", inverse: "the old name",
	},
	{
		action: "ReleaseInstance", kind: "instance", needs: Facts{"released": no, "ServiceStatus": "5"}, settle: slow,
		read: readReleased, want: wantFacts(Facts{"released": yes}), blind: []string{"ForceDeleteInstance"},
		check: "ServiceStatus 15 or 10, or absent", guards: []string{guardInUse}, inverse: "none",
	},
	{
		action: "DeleteInstance", kind: "instance", needs: Facts{"exists": yes, "ServiceStatus": "15"}, settle: slow,
		read: readInstance("CreateTime", "ServiceStatus"), want: wantFacts(Facts{"exists": no}),
		check: "absent", guards: []string{guardInUse}, inverse: "none",
	},
	{
		action: "UpdateAllowedIp", kind: "whitelist", needs: nil, settle: quick, read: readWhitelist, want: wantEntries,
		check: "each entry present, or absent, in its port range", guards: []string{guardWhitelist}, inverse: "the opposite UpdateType",
	},
	{
		action: "UpdateInstanceConfig", kind: "instance", needs: inService, settle: slow, restart: time.Minute,
		read: readInstance("CreateTime", "ServiceStatus", configFact), want: wantConfig,
		check: "the keys as asked, all others as before, ServiceStatus 5 again", guards: []string{guardConfigKeys}, inverse: "the old values; deleted messages stay lost",
	},
	{
		action: "UpgradeInstanceVersion", kind: "instance", needs: inService, settle: slow, restart: time.Minute,
		read: readInstance("CreateTime", "ServiceStatus", "Version"), want: wantVersion, bold: true,
		check: "the version as asked, ServiceStatus 5 again; a minor release shows nowhere and is refused", inverse: "none",
	},
	{
		action: "CreateTopic", kind: "topic", name: "Topic", needs: Facts{"exists": no}, settle: quick, tagged: true,
		read: readTopic("CreateTime", "PartitionNum", "Status", opFact), want: wantTopic,
		check: "present, Status 0, at least so many partitions (a name that was used before may have more)", inverse: "DeleteTopic",
	},
	{
		action: "DeleteTopic", kind: "topic", name: "Topic", needs: Facts{"exists": yes}, settle: quick,
		read: readTopic("CreateTime"), want: wantFacts(Facts{"exists": no}),
		check: "absent; a namesake with another CreateTime needs a human", guards: []string{guardProtected, guardInUse}, inverse: "CreateTopic, empty",
	},
	{
		action: "ModifyPartitionNum", kind: "topic", name: "Topic", needs: Facts{"exists": yes}, settle: quick,
		read: readTopic("CreateTime", "PartitionNum"), want: wantPartitions,
		check: "PartitionNum is the target, the CreateTime the same", guards: []string{guardOptIn, guardNeed, guardGrowth}, inverse: "none",
	},
	{
		action: "ModifyTopicRemark", kind: "topic", name: "Topic", needs: Facts{"exists": yes}, settle: quick,
		read: readTopic("CreateTime", "Remark"), want: wantParam("Remark", "Remark"), check: "Remark as asked", inverse: "the old remark",
	},
	{
		action: "CreateConsumerGroup", kind: "consumer_group", name: "ConsumerId", needs: Facts{"exists": no}, settle: quick, tagged: true,
		read: readGroup, want: wantFacts(Facts{"exists": yes}), check: "present", inverse: "DeleteConsumerGroup",
	},
	{
		action: "DeleteConsumerGroup", kind: "consumer_group", name: "ConsumerId", needs: Facts{"exists": yes}, settle: quick,
		read: readGroup, want: wantFacts(Facts{"exists": no}),
		check: "absent", guards: []string{guardProtected, guardInUse}, inverse: "CreateConsumerGroup, without offsets",
	},
	{
		action: "TagResources", kind: "tags", settle: quick, read: readTags, want: wantTags,
		check: "every key with its value on every resource", guards: []string{guardTagPrefix}, inverse: "the old values, or UntagResources",
	},
	{
		action: "UntagResources", kind: "tags", settle: quick, read: readTags, want: wantNoTags,
		check: "none of the keys on any of the resources", guards: []string{guardTagPrefix}, inverse: "TagResources with the old values",
	},
	{
		action: "CreateSaslUser", kind: "sasl_user", name: "Username", needs: Facts{"exists": no}, settle: quick, bold: true,
		read: readUser, want: wantFacts(Facts{"exists": yes}),
		check: "present; one that exists would get another password, which no read shows, and is refused", inverse: "DeleteSaslUser",
	},
	{
		action: "DeleteSaslUser", kind: "sasl_user", name: "Username", needs: Facts{"exists": yes}, settle: quick,
		read: readUser, want: wantFacts(Facts{"exists": no}), check: "absent", inverse: "CreateSaslUser with the password",
	},
	{
		action: "CreateAcl", kind: "acl", name: "Username", settle: quick, read: readACL, want: wantFacts(Facts{"exists": yes}),
		blind: []string{"AclOperationTypes"}, check: "the very entry present", guards: []string{guardACL}, inverse: "DeleteAcl",
	},
	{
		action: "DeleteAcl", kind: "acl", name: "Username", settle: quick, read: readACL, want: wantFacts(Facts{"exists": no}),
		blind: []string{"AclOperationTypes"}, check: "the very entry absent", inverse: "CreateAcl",
	},
}

// operationOf returns the row of an action; nil when there is none.
func operationOf(action string) *operation {
	for i := range operations {
		if operations[i].action == action {
			return &operations[i]
		}
	}
	return nil
}

// wantFacts wishes for the same whatever was asked, and that the target stays
// who it is.
func wantFacts(f Facts) wish {
	return func(_ *planning, pre Facts) (Facts, error) { return f.sameAs(pre), nil }
}

// sameAs adds that the target keeps its CreateTime, unless it is to be gone.
func (f Facts) sameAs(pre Facts) Facts {
	f = maps.Clone(f)
	if created, known := pre["CreateTime"]; known && f["exists"] != no && f["released"] != yes {
		f["CreateTime"] = created
	}
	return f
}

func wantParam(fact, param string) wish {
	return func(p *planning, pre Facts) (Facts, error) { return Facts{fact: p.wire[param]}.sameAs(pre), nil }
}

func wantOrder(*planning, Facts) (Facts, error) { return Facts{"ordered instances": "1"}, nil }

func wantStarted(p *planning, pre Facts) (Facts, error) {
	return Facts{"ServiceStatus": "5", "VpcId": p.wire["VpcId"], "VSwitchId": p.wire["VSwitchId"]}.sameAs(pre), nil
}

// sizeFacts are what upgrades change.
var sizeFacts = []string{"CreateTime", "ServiceStatus", "DiskSize", "IoMax", "IoMaxSpec", "SpecType", "EipMax", "TopicNumLimit"}

// wantSize: nothing becomes smaller.
func wantSize(p *planning, pre Facts) (Facts, error) {
	f := Facts{"ServiceStatus": "5"}
	for param, fact := range map[string]string{"DiskSize": "DiskSize", "IoMax": "IoMax", "EipMax": "EipMax", "TopicQuota": "TopicNumLimit"} {
		asked, ok := p.wire[param]
		if !ok || param == "IoMax" && p.wire["IoMaxSpec"] != "" {
			continue // the class counts more
		}
		a, err := strconv.ParseInt(asked, 10, 64)
		if err != nil {
			return nil, p.bad(param, "must be a whole number")
		}
		if b, _ := strconv.ParseInt(pre[fact], 10, 64); a < b {
			return nil, p.bad(param, "must not be below the present %s, as %d is", pre[fact], a)
		}
		f[fact] = asked
	}
	if spec := p.wire["IoMaxSpec"]; spec != "" {
		if pre["IoMaxSpec"] == "" {
			return nil, p.bad("IoMaxSpec", "is not shown by this instance, so that nothing could confirm it; give IoMax")
		}
		f["IoMaxSpec"] = spec
	}
	if spec := p.wire["SpecType"]; spec != "" {
		f["SpecType"] = spec
	}
	return f.sameAs(pre), nil
}

func wantEntries(p *planning, _ Facts) (Facts, error) {
	f := Facts{}
	for _, entry := range entries(p.wire) {
		f[entryFact(p.wire, entry)] = map[string]string{"add": present, "delete": absent}[p.wire["UpdateType"]]
	}
	return f, nil
}

// wantConfig: what is not asked for stays as it is.
func wantConfig(p *planning, pre Facts) (Facts, error) {
	var asked map[string]string
	if err := json.Unmarshal([]byte(p.wire["Config"]), &asked); err != nil {
		return nil, p.bad("Config", "must be an object of strings")
	}
	f := pre.only(configFact)
	for key, value := range asked {
		f[configFact+key] = value
	}
	f["ServiceStatus"] = "5"
	return f.sameAs(pre), nil
}

func wantVersion(p *planning, pre Facts) (Facts, error) {
	to := p.wire["TargetVersion"]
	if to == pre["Version"] { // the call would install a minor release, which no read shows
		p.needs["Version"] = "another version than " + to
	}
	return Facts{"Version": to, "ServiceStatus": "5"}.sameAs(pre), nil
}

func wantTopic(p *planning, _ Facts) (Facts, error) {
	return Facts{"exists": yes, "Status": "0", "PartitionNum": ">=" + orDefault(p.wire["PartitionNum"], "1")}, nil
}

// wantPartitions turns the target, which is absolute, into the increment that
// is sent, and which is right only as long as the pre-state holds.
func wantPartitions(p *planning, pre Facts) (Facts, error) {
	now, err := strconv.Atoi(pre["PartitionNum"])
	if pre["exists"] != yes {
		now = 1 // refused in a moment
	} else if err != nil {
		return nil, fmt.Errorf("PartitionNum of topic %s is %q", p.target.Name, pre["PartitionNum"])
	}
	target, given := p.extra[TargetPartitions]
	if !given {
		add, _ := strconv.Atoi(p.wire["AddPartitionNum"]) // judged before
		expected, _ := strconv.Atoi(p.extra[expectedPartitions])
		target = strconv.Itoa(expected + add)
	}
	if expected := p.extra[expectedPartitions]; expected != "" {
		p.needs["PartitionNum"] = expected
	}
	n, err := strconv.Atoi(target)
	switch {
	case err != nil || n < 1 || n > 360:
		return nil, p.bad(TargetPartitions, "must be from 1 to 360, not %q", target)
	case n < now && pre["exists"] == yes && given:
		return nil, p.bad(TargetPartitions, "must not be below the present %d: partitions cannot be removed", now)
	}
	p.wire["AddPartitionNum"] = strconv.Itoa(n - now)
	return Facts{"PartitionNum": target}.sameAs(pre), nil
}

func wantTags(p *planning, _ Facts) (Facts, error) {
	f := Facts{}
	for n, key := range list(p.wire, "Tag.", ".Key") {
		for _, id := range list(p.wire, "ResourceId.", "") {
			f[tagFact(id, key)] = strconv.Quote(p.wire["Tag."+strconv.Itoa(n+1)+".Value"])
		}
	}
	return f, nil
}

func wantNoTags(_ *planning, pre Facts) (Facts, error) {
	f := Facts{}
	for name := range pre {
		f[name] = absent
	}
	return f, nil
}

// bad is a parameter that was refused.
func (p *planning) bad(param, reason string, args ...any) error {
	return &api.ParamError{Action: p.req.Action, Param: param, Reason: fmt.Sprintf(reason, args...)}
}

// addTag puts the run's tag behind those that the caller gave.
func addTag(params map[string]string, run string) {
	n := strconv.Itoa(len(list(params, "Tag.", ".Key")) + 1)
	params["Tag."+n+".Key"], params["Tag."+n+".Value"] = opTag, run
}

// ofInstance reports whether a resource id is that of an instance, or of
// something in it: Kafka_<instance>_<name>.
func ofInstance(resource, instance string) bool {
	return resource == instance || strings.HasPrefix(resource, "Kafka_"+instance+"_")
}
