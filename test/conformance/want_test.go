package conformance_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// What typed answers must hold follows from the world here, by rules that
// know nothing of the simulator's own.

func num[N ~int | ~int64](n N) string { return strconv.FormatInt(int64(n), 10) }

// add puts values below a prefix.
func (l leaves) add(prefix string, more leaves) {
	for path, value := range more {
		l[join(prefix, path)] = value
	}
}

func at(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// millis is a time since the start of the cloud on the wire, give or take the
// fraction of a millisecond.
func (s *session) millis(since time.Duration) string {
	return "~" + num(s.start.Add(since).UnixMilli())
}

func tagsWant(tags []sim.Tag) leaves {
	l := make(leaves)
	for i, tag := range tags {
		l[at("Tags.TagVO", i)+".Key"] = tag.Key
		l[at("Tags.TagVO", i)+".Value"] = tag.Value
	}
	return l
}

// notWorld are the fields of an instance that no state stands behind.
const notWorld = `Endpoint$|EndPoint$|\.IoMaxRead$|\.IoMaxWrite$|\.RecommendedPartitionCount$`

func (s *session) instanceWant(in sim.Instance) leaves {
	var partitions int
	for _, t := range in.Topics {
		partitions += t.Partitions
	}
	view, ok := s.views[in.ID]
	if !ok {
		view = map[int64]string{0: "0", 5: "2", 10: "6", 15: "5"}[in.Status]
	}
	l := leaves{
		"InstanceId": in.ID, "Name": in.Name, "RegionId": in.RegionID, "ServiceStatus": num(in.Status),
		"ViewInstanceStatusCode": view, "SpecType": in.SpecType, "PaidType": num(in.PaidType),
		"DeployType": num(in.DeployType), "DiskType": num(in.DiskType), "DiskSize": num(in.DiskSize),
		"IoMax": num(in.IoMax), "IoMaxSpec": fmt.Sprintf("alikafka.hw.%dxlarge", max(2, in.IoMax/10)), "EipMax": num(in.EipMax),
		"MsgRetain": num(int64(in.Retention / time.Hour)), "TopicNumLimit": num(in.TopicLimit),
		"CreateTime": s.millis(-in.Age), "ExpiredTime": s.millis(in.ExpiresIn),
		"VpcId": in.VpcID, "VSwitchId": in.VSwitchID, "ZoneId": in.ZoneID, "SecurityGroup": in.SecurityGroup,
		"KmsKeyId": in.KMSKeyID, "AllConfig": allConfig(in), "UsedTopicCount": num(len(in.Topics)),
		"UsedPartitionCount": num(partitions), "UsedGroupCount": num(len(in.Groups)),
		"ReservedPublishCapacity": num(in.ReservedPublish), "ReservedSubscribeCapacity": num(in.ReservedSubscribe),
		"ResourceGroupId": in.ResourceGroupID, "Series": in.Series, "DefaultPartitionNum": num(in.AutoPartitions),
		"AutoCreateTopicEnable":                              strconv.FormatBool(in.AutoTopics),
		"AutoCreateGroupEnable":                              strconv.FormatBool(in.AutoGroups),
		"UpgradeServiceDetailInfo.Current2OpenSourceVersion": in.Version,
	}
	if in.VSwitchID != "" {
		l["VSwitchIds.VSwitchIds[0]"] = in.VSwitchID
	}
	if len(in.ZoneID) > 4 {
		l["StandardZoneId"] = in.RegionID + "-" + in.ZoneID[4:]
	}
	for component, size := range in.Confluent {
		l["ConfluentConfig."+component] = num(size)
	}
	l.add("", tagsWant(in.Tags))
	return l
}

func allConfig(in sim.Instance) string {
	all := map[string]string{
		"enable.acl": "false", "enable.vpc_sasl_ssl": "false", "kafka.message.max.bytes": "1048576",
		"kafka.log.retention.hours": num(int64(in.Retention / time.Hour)),
	}
	maps.Copy(all, in.Config)
	text, _ := json.Marshal(all) //nolint:errchkjson // a map of strings does not fail
	return string(text)
}

func (s *session) topicWant(in sim.Instance, t sim.Topic) leaves {
	config := map[string]any{"replication-factor": t.Replicas}
	if t.MinISR > 0 {
		config["min.insync.replicas"] = t.MinISR
	}
	for key, value := range t.Config {
		config[key] = value
	}
	text, _ := json.Marshal(config) //nolint:errchkjson // strings and numbers do not fail
	l := leaves{
		"Topic": t.Name, "InstanceId": in.ID, "RegionId": in.RegionID, "Status": "0", "StatusName": "服务中",
		"PartitionNum": num(t.Partitions), "CompactTopic": strconv.FormatBool(t.Compact), "LocalTopic": strconv.FormatBool(t.Local),
		"Remark": t.Remark, "CreateTime": s.millis(-t.Age), "AutoCreate": strconv.FormatBool(t.AutoCreated), "TopicConfig": string(text),
	}
	if t.WithoutRegion {
		delete(l, "RegionId")
	}
	l.add("", tagsWant(t.Tags))
	return l
}

func (s *session) groupWant(in sim.Instance, g sim.Group) leaves {
	l := leaves{
		"ConsumerId": g.Name, "InstanceId": in.ID, "RegionId": in.RegionID, "Remark": g.Remark,
		"CreateTime": s.millis(-g.Age), "AutomaticallyCreatedGroup": strconv.FormatBool(g.AutoCreated),
	}
	l.add("", tagsWant(g.Tags))
	return l
}

func allowedWant(in sim.Instance) leaves {
	l := leaves{"DeployType": num(in.DeployType)}
	n := make(map[string]int)
	for _, a := range in.Allowed {
		list := map[bool]string{true: "InternetList", false: "VpcList"}[a.Internet]
		l[at(list, n[list])+".PortRange"] = a.PortRange
		for i, ip := range a.IPs {
			l[at(at(list, n[list])+".AllowedIpList", i)] = ip
		}
		n[list]++
	}
	return l
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func usersWant(in sim.Instance) leaves {
	l := make(leaves)
	for i, u := range in.SaslUsers {
		l.add(at("SaslUserList.SaslUserVO", i), leaves{
			"Username": u.Username, "Password": u.Password, "Type": or(u.Type, "plain"), "Mechanism": u.Mechanism,
		})
	}
	return l
}

// aclsWant are the entries of a user on a resource.
func aclsWant(in sim.Instance, user, kind, name string) leaves {
	l := make(leaves)
	n := 0
	for _, a := range in.ACLs {
		if a.Username != user || a.ResourceType != kind || a.ResourceName != name {
			continue
		}
		l.add(at("KafkaAclList.KafkaAclVO", n), leaves{
			"Username": a.Username, "AclResourceType": a.ResourceType, "AclResourceName": a.ResourceName,
			"AclResourcePatternType": or(a.Pattern, "LITERAL"), "AclOperationType": a.Operation,
			"Host": or(a.Host, "*"), "AclPermissionType": or(a.Permission, "ALLOW"),
		})
		n++
	}
	return l
}

func quotaWant(in sim.Instance) leaves {
	var partitions int64
	for _, t := range in.Topics {
		partitions += int64(t.Partitions)
	}
	topics, groups := int64(len(in.Topics)), int64(len(in.Groups))
	return leaves{
		"TopicQuota": num(in.TopicLimit), "TopicNumOfBuy": num(in.TopicLimit), "TopicUsed": num(topics), "TopicLeft": num(in.TopicLimit - topics),
		"PartitionQuota": num(in.PartitionLimit), "PartitionUsed": num(partitions), "PartitionLeft": num(in.PartitionLimit - partitions),
		"GroupUsed": num(groups), "GroupLeft": num(in.GroupLimit - groups),
	}
}

func rulesWant(in sim.Instance) leaves {
	l := make(leaves)
	for i, r := range in.Rules {
		path := at("Data.ScheduledScalingRules.ScheduledScalingRules", i)
		l.add(path, leaves{
			"RuleId": num(r.ID), "RuleName": r.Name, "ScheduleType": r.Schedule, "RepeatType": r.Repeat,
			"FirstScheduledTime": "~" + num(r.First.UnixMilli()), "TimeZone": r.Zone, "DurationMinutes": num(int64(r.Lasts / time.Minute)),
			"ReservedPubFlow": num(r.ReservedPublish), "ReservedSubFlow": num(r.ReservedSubscribe), "Enable": strconv.FormatBool(r.Enabled),
		})
		for j, day := range r.Days {
			l[at(path+".WeeklyTypes.WeeklyTypes", j)] = day
		}
	}
	return l
}
