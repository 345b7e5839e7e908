package api

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The rules that parameters must obey together. Each names the parameter to
// change.

const (
	maxTags      = 20
	maxTagLength = 128 // characters of a key or a value
)

// tags judges every tag of a request. In a read they are filters: an empty key
// matches every key, but then there is no value to match.
func (v *values) tags() {
	filter := v.action.Effect == Read
	for n := 1; ; n++ {
		key, value := "Tag."+strconv.Itoa(n)+".Key", "Tag."+strconv.Itoa(n)+".Value"
		if !v.has(key) && !v.has(value) {
			break
		}
		if n > maxTags {
			v.bad("Tag", "may be given %d times", maxTags)
			break
		}
		switch {
		case v.params[key] != "":
			v.tagText(key)
		case !filter:
			v.bad(key, "must not be empty")
		case v.params[value] != "":
			v.bad(value, "must be empty, as the key is")
		}
		v.tagText(value)
	}
	for n := 1; v.has("TagKey." + strconv.Itoa(n)); n++ {
		if n > maxTags {
			v.bad("TagKey", "may be given %d times", maxTags)
			break
		}
		if key := "TagKey." + strconv.Itoa(n); v.params[key] == "" {
			v.bad(key, "must not be empty")
		} else {
			v.tagText(key)
		}
	}
}

func (v *values) tagText(name string) {
	text := v.params[name]
	if n := utf8.RuneCountInString(text); n > maxTagLength {
		v.bad(name, "must have at most %d characters, not %d", maxTagLength, n)
	}
	for _, prefix := range []string{"aliyun", "acs:"} {
		if strings.HasPrefix(strings.ToLower(text), prefix) {
			v.bad(name, "must not begin with %s", prefix)
		}
	}
	for _, part := range []string{"http://", "https://"} {
		if strings.Contains(strings.ToLower(text), part) {
			v.bad(name, "must not contain %s", part)
		}
	}
}

// sizeOfOrder: what an order must say of the instance. The documents of 2022
// require it always; serverless and Confluent instances, which came later, have
// sizes of their own.
func sizeOfOrder(v *values, required ...string) {
	paid := v.params["PaidType"]
	if paid == "3" || paid == "4" || v.has("ServerlessConfig") || v.has("ConfluentConfig") {
		return
	}
	for _, name := range required {
		if !v.has(name) {
			v.bad(name, "is required, but for serverless and Confluent instances")
		}
	}
	if !v.has("TopicQuota") && !v.has("PartitionNum") {
		v.bad("TopicQuota", "is required (or PartitionNum), but for serverless and Confluent instances")
	}
	if !v.has("IoMax") && !v.has("IoMaxSpec") {
		v.bad("IoMaxSpec", "is required (or IoMax, which it wins over)")
	}
}

func newOrder(v *values) {
	sizeOfOrder(v, "DiskType", "DiskSize", "DeployType")
	if v.params["DeployType"] == "4" && v.integer("EipMax") <= 0 {
		v.bad("EipMax", "must be above 0 where DeployType is 4 (internet and VPC)")
	}
}

func upgrade(v *values) {
	sizeOfOrder(v, "DiskSize")
	internet(v)
}

// internet: a bandwidth where there is access, none where there is not.
func internet(v *values) {
	switch eip := v.integer("EipMax"); {
	case v.params["EipModel"] == "true" && eip <= 0:
		v.bad("EipMax", "must be above 0 where EipModel is true")
	case v.params["EipModel"] == "false" && eip > 0:
		v.bad("EipMax", "must be 0 where EipModel is false")
	}
}

func start(v *values) {
	inner := v.params["IsEipInner"]
	if module := v.params["DeployModule"]; module == "vpc" && inner == "true" || module == "eip" && inner == "false" {
		v.bad("IsEipInner", "must be true where DeployModule is eip and false where it is vpc")
	}
	if v.params["IsSetUserAndPassword"] == "true" {
		for _, name := range []string{"Username", "Password"} {
			if v.params[name] == "" {
				v.bad(name, "is required where IsSetUserAndPassword is true")
			}
		}
	}
	instanceConfig(v)
}

// instanceConfig judges Config of the actions that configure an instance, and
// returns it.
func instanceConfig(v *values) map[string]string {
	config := v.object("Config", []Param{
		{Name: "enable.acl", Type: "boolean"},
		{Name: "enable.vpc_sasl_ssl", Type: "boolean"},
		number("kafka.log.retention.hours", 24, 480),
		number("kafka.message.max.bytes", 1<<20, 10<<20),
	})
	if config["enable.vpc_sasl_ssl"] == "true" && config["enable.acl"] == "false" {
		v.bad("Config", "key enable.vpc_sasl_ssl needs enable.acl")
	}
	return config
}

func updateInstanceConfig(v *values) {
	if len(instanceConfig(v)) == 0 {
		v.bad("Config", "sets nothing")
	}
}

// object returns the JSON object in a parameter, all of whose keys must be
// among those given.
func (v *values) object(name string, keys []Param) map[string]string {
	var object map[string]string
	if json.Unmarshal([]byte(v.params[name]), &object) != nil {
		return nil // it is absent, or was refused before
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		i := slices.Index(names, key)
		if i < 0 {
			v.bad(name, "has a key that is not known: %q%s", key, DidYouMean(key, names))
			continue
		}
		for _, reason := range keys[i].faults(object[key]) {
			v.bad(name, "key %s %s", key, reason)
		}
	}
	return object
}

func createTopic(v *values) {
	if v.params["LocalTopic"] != "true" {
		for _, name := range []string{"CompactTopic", "ReplicationFactor", "MinInsyncReplicas", "Config"} {
			if v.has(name) && v.params[name] != "false" {
				v.bad(name, "needs LocalTopic=true")
			}
		}
	}
	const most = 3
	config := v.object("Config", []Param{number("replications", 1, most)})
	replicas, are := int64(most), "at most "
	if n := v.integer("ReplicationFactor"); n > 0 {
		replicas, are = n, ""
	}
	if n, err := strconv.ParseInt(config["replications"], 10, 64); err == nil {
		replicas, are = n, ""
	}
	if v.integer("MinInsyncReplicas") >= replicas {
		v.bad("MinInsyncReplicas", "must be below the number of replicas, which is %s%d", are, replicas)
	}
}

// updateTopicConfig judges the value by its key.
func updateTopicConfig(v *values) {
	p := Param{Type: "integer", Min: new(int64(1))}
	switch v.params["Config"] {
	case "replications":
		p = number("", 1, 3)
	case "message.timestamp.type":
		p = Param{Type: "string", In: []string{"CreateTime", "LogAppendTime"}}
	}
	for _, reason := range p.faults(v.params["Value"]) {
		v.bad("Value", "%s where Config is %s", reason, v.params["Config"])
	}
}

func createGroup(v *values) {
	if !strings.ContainsFunc(v.params["ConsumerId"], func(r rune) bool { return r != '-' && r != '_' }) {
		v.bad("ConsumerId", "must have at least one letter or digit")
	}
}

// resetOffset: either a time or offsets, and offsets only of one topic.
func resetOffset(v *values) {
	if v.params["ResetType"] != "offset" {
		if !v.has("Time") {
			v.bad("Time", "is required unless ResetType is offset")
		}
		if v.has("Offsets") {
			v.bad("Offsets", "needs ResetType=offset")
		}
		return
	}
	if v.has("Time") {
		v.bad("Time", "must not be given where ResetType is offset")
	}
	if v.params["Topic"] == "" {
		v.bad("Topic", "must not be empty where ResetType is offset")
	}
	var offsets []PartitionOffset
	if json.Unmarshal([]byte(v.params["Offsets"]), &offsets) != nil || len(offsets) == 0 {
		v.bad("Offsets", "is required where ResetType is offset")
	}
	seen := map[int32]bool{}
	for _, o := range offsets {
		switch {
		case o.Partition < 0 || o.Offset < 0:
			v.bad("Offsets", "must not be below 0")
		case seen[o.Partition]:
			v.bad("Offsets", "names partition %d twice", o.Partition)
		}
		seen[o.Partition] = true
	}
}

func updateAllowedIP(v *values) {
	network, port := "vpc", v.params["PortRange"]
	if port == "9093/9093" {
		network = "internet"
	}
	if network != v.params["AllowedListType"] {
		v.bad("AllowedListType", "must be %s for port range %s", network, port)
	}
	entries := strings.Split(v.params["AllowedListIp"], ",")
	deleting := v.params["UpdateType"] == "delete"
	if deleting && len(entries) > 1 {
		v.bad("AllowedListIp", "must be one entry: a call deletes one")
	}
	seen := map[string]bool{}
	for _, entry := range entries {
		v.allowedIP(entry, deleting)
		if seen[entry] {
			v.bad("AllowedListIp", "names %q twice", entry)
		}
		seen[entry] = true
	}
}

// allowedIP judges one entry: an address or a block. A block to be deleted may
// have bits behind its prefix, as whoever added it may have written it so.
func (v *values) allowedIP(entry string, deleting bool) {
	if _, err := netip.ParseAddr(entry); err == nil && !strings.Contains(entry, "%") {
		return
	}
	block, err := netip.ParsePrefix(entry)
	switch {
	case err != nil:
		v.bad("AllowedListIp", "must be addresses or CIDR blocks, separated by commas, not %q", shorten(entry))
	case !deleting && block != block.Masked():
		v.bad("AllowedListIp", "has bits behind the prefix: %s is %s", entry, block.Masked())
	}
}

func untag(v *values) {
	if v.params["All"] == "true" {
		v.bad("All", "is refused: one call would remove every tag; name them in TagKey")
	}
	if !v.has("TagKey.1") {
		v.bad("TagKey.N", "is required")
	}
}

func listTags(v *values) {
	if !v.has("ResourceId.1") && !v.has("Tag.1.Key") {
		v.bad("ResourceId.N", "is required (or Tag)")
	}
}

func autoTopics(v *values) {
	if v.params["Operate"] == "updatePartition" && !v.has("PartitionNum") {
		v.bad("PartitionNum", "is required where Operate is updatePartition")
	}
}

func scalingRule(v *values) {
	repeat := v.params["ScheduleType"] == "repeat"
	switch {
	case repeat && !v.has("RepeatType"):
		v.bad("RepeatType", "is required where ScheduleType is repeat")
	case !repeat && v.has("RepeatType"):
		v.bad("RepeatType", "needs ScheduleType=repeat")
	}
	if v.params["RepeatType"] == "Weekly" && !v.has("WeeklyTypes") {
		v.bad("WeeklyTypes", "is required where RepeatType is Weekly")
	}
}

func queryMessage(v *values) {
	needed := []string{"BeginTime"}
	if v.params["QueryType"] == "byOffset" {
		needed = []string{"Partition", "Offset"}
	}
	for _, name := range needed {
		if !v.has(name) {
			v.bad(name, "is required where QueryType is %s", v.params["QueryType"])
		}
	}
}

func clientIP(v *values) {
	const hour = 3_600_000
	if d := v.integer("EndTime") - v.integer("StartTime"); d <= 0 || d > hour {
		v.bad("EndTime", "must be after StartTime, by an hour at most")
	}
	for kind, name := range map[string]string{"byTopic": "Topic", "byGroup": "Group"} {
		if v.params["Type"] == kind && v.params[name] == "" {
			v.bad(name, "is required where Type is %s", kind)
		}
	}
}

func number(name string, least, most int64) Param {
	return Param{Name: name, Type: "integer", Min: &least, Max: &most}
}

// integer returns the number of a parameter that was found to be one, 0 where
// it was not sent.
func (v *values) integer(name string) int64 {
	n, _ := strconv.ParseInt(v.params[name], 10, 64)
	return n
}
