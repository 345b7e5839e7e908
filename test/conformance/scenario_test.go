package conformance_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// run is the scenario: every read, then a life of instances, after each
// mutation of which the reads are compared again.
func (s *session) run(before, after time.Time) {
	s.began(before, after)
	ref := sim.Ref{Account: "acme", Instance: subscription, Group: "billing"}
	if err := s.cloud.SetMembers(ref, 2); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cloud.Seek(ref, 3*time.Hour, 0); err != nil {
		s.t.Fatal(err)
	}
	// What was deleted stays so when messages are kept longer: from here on the
	// lowest offsets stand still, too.
	s.mutate("UpdateInstanceConfig", params{"InstanceId": subscription, "Config": `{"kafka.log.retention.hours":"96","kafka.message.max.bytes":"2097152"}`},
		on(subscription, func(in *sim.Instance) {
			in.Retention = 96 * time.Hour
			in.Config = setting(in.Config, "kafka.message.max.bytes", "2097152")
		}))
	s.reads()
	s.topics()
	s.groups()
	s.access()
	s.tags()
	s.settings()
	s.scaling()
	s.life()
	s.sizes()
	s.everyAction()
}

func (s *session) reads() {
	s.readInstances()
	s.readTopics(subscription)
	for _, name := range []string{"orders", "refunds", "empty", "my.topic"} {
		s.readTopic(subscription, name)
	}
	s.readGroups(subscription)
	for _, name := range []string{"billing", "audit", "idle"} {
		s.readProgress(subscription, name)
	}
	s.readACLs(subscription, "reader", "Topic", "orders")
	s.readACLs(subscription, "writer", "Topic", "orders")
	team := []map[string]string{{"Key": "team"}}
	s.readTags("INSTANCE", params{"Tag": team})
	s.readTags("TOPIC", params{"Tag": team})
	s.readTags("CONSUMERGROUP", params{"Tag": team})
	s.readTags("TOPIC", params{"ResourceId": []string{"Kafka_" + subscription + "_orders", "Kafka_" + subscription + "_empty"}})
	s.readInsight()
	s.readRefusals()
}

// on changes one instance of a wanted world.
func on(id string, change func(in *sim.Instance)) func(a *sim.Account) {
	return func(a *sim.Account) {
		for i := range a.Instances {
			if a.Instances[i].ID == id {
				change(&a.Instances[i])
			}
		}
	}
}

// onTopic changes one topic of a wanted world.
func onTopic(id, name string, change func(t *sim.Topic)) func(a *sim.Account) {
	return on(id, func(in *sim.Instance) {
		for i := range in.Topics {
			if in.Topics[i].Name == name {
				change(&in.Topics[i])
			}
		}
	})
}

// setting returns a copy of a configuration with one entry changed.
func setting(config map[string]string, key, value string) map[string]string {
	config = maps.Clone(config)
	if config == nil {
		config = make(map[string]string)
	}
	config[key] = value
	return config
}

func (s *session) topics() {
	made := sim.Topic{
		Name: "made", Remark: "made-here", Partitions: 24, Replicas: 3, MinISR: 2, Local: true, Compact: true,
		PortRange: "9092/9092", Tags: []sim.Tag{{Key: "team", Value: "trade"}},
	}
	s.mutate("CreateTopic", params{
		"InstanceId": subscription, "Topic": "made", "Remark": "made-here", "PartitionNum": "24", "LocalTopic": "true",
		"CompactTopic": "true", "ReplicationFactor": "3", "MinInsyncReplicas": "2", "Tag": []map[string]string{{"Key": "team", "Value": "trade"}},
	}, on(subscription, func(in *sim.Instance) {
		made.Age = s.instance(subscription).Topics[len(in.Topics)].Age
		in.Topics = append(in.Topics, made)
	}))
	if age := made.Age; age > 0 || age < -time.Since(s.start) {
		s.fail("CreateTopic: the topic is %s old at the start of the cloud", age)
	}
	s.readTopics(subscription)
	s.mutate("ModifyPartitionNum", params{"InstanceId": subscription, "Topic": "made", "AddPartitionNum": "6"},
		onTopic(subscription, "made", func(t *sim.Topic) { t.Partitions = 30 }))
	s.mutate("ModifyTopicRemark", params{"InstanceId": subscription, "Topic": "made", "Remark": "still-here"},
		onTopic(subscription, "made", func(t *sim.Topic) { t.Remark = "still-here" }))
	s.mutate("UpdateTopicConfig", params{"InstanceId": subscription, "Topic": "made", "Config": "retention.ms", "Value": "7200000"},
		onTopic(subscription, "made", func(t *sim.Topic) { t.Config = map[string]string{"retention.ms": "7200000"} }))
	s.readTopic(subscription, "made")
	s.mutate("DeleteTopic", params{"InstanceId": subscription, "Topic": "made"},
		on(subscription, func(in *sim.Instance) { in.Topics = in.Topics[:len(in.Topics)-1] }))
	s.readTopics(subscription)
}

func (s *session) groups() {
	p := params{"InstanceId": subscription, "ConsumerId": "made"}
	s.mutate("CreateConsumerGroup", params{
		"InstanceId": subscription, "ConsumerId": "made", "Remark": "by <an> SDK", "Tag": []map[string]string{{"Key": "k", "Value": "v"}},
	}, on(subscription, func(in *sim.Instance) {
		now := s.instance(subscription)
		in.Groups = append(in.Groups, sim.Group{
			Name: "made", Remark: "by <an> SDK", Age: now.Groups[len(in.Groups)].Age, PortRange: "9092/9092",
			Tags: []sim.Tag{{Key: "k", Value: "v"}}, Members: 1, Offline: true, CommitEvery: 5 * time.Second,
		})
	}))
	s.readGroups(subscription)
	orders := func(a *sim.Account) {
		on(subscription, func(in *sim.Instance) {
			in.Groups[3].Subscriptions = []sim.Subscription{{Topic: "orders", Delay: 200 * time.Millisecond}}
		})(a)
	}
	offset := params{"InstanceId": subscription, "ConsumerId": "made", "Topic": "orders", "ResetType": "timestamp"}
	status := s.read("GetTopicStatus", params{"InstanceId": subscription, "Topic": "orders"})
	row := at("TopicStatus.OffsetTable.OffsetTable", 1)
	low, high := status[row+".MinOffset"], status[row+".MaxOffset"]
	for _, step := range []struct {
		set  params
		want string
	}{
		{params{"Time": "-2"}, low},
		{params{"Time": "-1"}, high},
		{params{"Time": num(time.Now().Add(-24 * 400 * time.Hour).UnixMilli())}, low},
		{params{"ResetType": "offset", "Offsets": []map[string]string{{"Partition": "1", "Offset": num(whole(low) + 5)}}}, num(whole(low) + 5)},
	} {
		set := maps.Clone(offset)
		maps.Copy(set, step.set)
		s.mutate("UpdateConsumerOffset", set, orders)
		held := s.readProgress(subscription, "made")
		if got := held["ConsumerProgress.TopicList.TopicList[0].OffsetList.OffsetList[1].ConsumerOffset"]; got != step.want {
			s.fail("UpdateConsumerOffset %v: the offset is %s, not %s", set, got, step.want)
		}
	}
	s.readTopic(subscription, "orders")
	s.refuse("DeleteConsumerGroup", params{"InstanceId": subscription, "ConsumerId": "billing"}, "BIZ_CONSUMER_GROUP_ACTIVE_ERROR")
	s.mutate("DeleteConsumerGroup", p, on(subscription, func(in *sim.Instance) { in.Groups = in.Groups[:3] }))
	s.readGroups(subscription)
}

func (s *session) access() {
	in := params{"InstanceId": subscription, "PortRange": "9092/9092", "AllowedListType": "vpc"}
	allow := func(id, ports string, ips ...string) func(a *sim.Account) {
		return on(id, func(in *sim.Instance) {
			in.Allowed = slices.Clone(in.Allowed)
			for i := range in.Allowed {
				if in.Allowed[i].PortRange == ports {
					in.Allowed[i].IPs = ips
				}
			}
		})
	}
	with := func(more params) params {
		p := maps.Clone(in)
		maps.Copy(p, more)
		return p
	}
	s.mutate("UpdateAllowedIp", with(params{"UpdateType": "add", "AllowedListIp": "172.16.0.0/12,172.31.0.7"}),
		allow(subscription, "9092/9092", "192.168.0.0/16", "10.0.0.1", "172.16.0.0/12", "172.31.0.7"))
	s.readSettings(subscription)
	s.mutate("UpdateAllowedIp", with(params{"UpdateType": "delete", "AllowedListIp": "10.0.0.1"}),
		allow(subscription, "9092/9092", "192.168.0.0/16", "172.16.0.0/12", "172.31.0.7"))
	s.mutate("UpdateAllowedIp", with(params{"PortRange": "9093/9093", "AllowedListType": "internet", "UpdateType": "delete", "AllowedListIp": "0.0.0.0/0"}),
		allow(subscription, "9093/9093"))
	s.readSettings(subscription)

	user := params{"InstanceId": subscription, "Username": "made", "Password": "p<4>&"}
	users := func(change func([]sim.SaslUser) []sim.SaslUser) func(a *sim.Account) {
		return on(subscription, func(in *sim.Instance) { in.SaslUsers = change(slices.Clone(in.SaslUsers)) })
	}
	s.mutate("CreateSaslUser", user, users(func(u []sim.SaslUser) []sim.SaslUser {
		return append(u, sim.SaslUser{Username: "made", Password: "p<4>&", Type: "plain"})
	}))
	user["Password"] = "p5"
	s.mutate("CreateSaslUser", user, users(func(u []sim.SaslUser) []sim.SaslUser { u[2].Password = "p5"; return u }))
	s.readSettings(subscription)
	s.acls()
	s.mutate("DeleteSaslUser", params{"InstanceId": subscription, "Username": "made", "Type": "plain"},
		users(func(u []sim.SaslUser) []sim.SaslUser { return u[:2] }))
	s.readSettings(subscription)
	if s.sdk.knows("DeleteSaslUser", "Mechanism") {
		s.readSettings(serverless)
		s.mutate("DeleteSaslUser", params{"InstanceId": serverless, "Username": "scram", "Type": "scram", "Mechanism": "SCRAM-SHA-256"},
			on(serverless, func(in *sim.Instance) { in.SaslUsers = nil }))
	}
}

func (s *session) acls() {
	entry := params{
		"InstanceId": subscription, "Username": "made", "AclResourceType": "Topic", "AclResourceName": "refunds",
		"AclResourcePatternType": "LITERAL", "AclOperationType": "Write",
	}
	made := sim.ACL{
		Username: "made", ResourceType: "Topic", ResourceName: "refunds", Pattern: "LITERAL", Operation: "Write", Host: "*", Permission: "ALLOW",
	}
	acls := func(list ...sim.ACL) func(a *sim.Account) {
		return on(subscription, func(in *sim.Instance) { in.ACLs = append(slices.Clone(in.ACLs[:3]), list...) })
	}
	s.mutate("CreateAcl", entry, acls(made))
	s.mutate("CreateAcl", entry, acls(made)) // the entries are a set
	s.readACLs(subscription, "made", "Topic", "refunds")
	s.mutate("DeleteAcl", entry, acls())
	s.readACLs(subscription, "made", "Topic", "refunds")
}

func (s *session) tags() {
	id := "Kafka_" + subscription + "_refunds"
	set := func(tags ...sim.Tag) func(a *sim.Account) {
		return onTopic(subscription, "refunds", func(t *sim.Topic) { t.Tags = tags })
	}
	tag := func(pairs ...string) []map[string]string {
		var list []map[string]string
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, map[string]string{"Key": pairs[i], "Value": pairs[i+1]})
		}
		return list
	}
	on := params{"ResourceType": "TOPIC", "ResourceId": []string{id}}
	with := func(name string, value any) params {
		p := maps.Clone(on)
		p[name] = value
		return p
	}
	s.mutate("TagResources", with("Tag", tag("a", "1", "b", "二 & 2")), set(sim.Tag{Key: "a", Value: "1"}, sim.Tag{Key: "b", Value: "二 & 2"}))
	s.readTags("TOPIC", params{"ResourceId": []string{id}})
	s.mutate("TagResources", with("Tag", tag("a", "3")), set(sim.Tag{Key: "b", Value: "二 & 2"}, sim.Tag{Key: "a", Value: "3"}))
	s.mutate("UntagResources", with("TagKey", []string{"b", "c"}), set(sim.Tag{Key: "a", Value: "3"}))
	s.readTags("TOPIC", params{"ResourceId": []string{id}})
	s.mutate("UntagResources", with("All", "true"), set())
	s.readTags("TOPIC", params{"ResourceId": []string{id}})
	s.readTopic(subscription, "refunds")

	groups := params{
		"ResourceType": "CONSUMERGROUP", "ResourceId": []string{"Kafka_" + subscription + "_billing", "Kafka_" + subscription + "_idle"},
	}
	groups["Tag"] = tag("both", "yes")
	s.mutate("TagResources", groups, func(a *sim.Account) {
		g := a.Instances[0].Groups
		g[0].Tags = append(slices.Clone(g[0].Tags), sim.Tag{Key: "both", Value: "yes"})
		g[2].Tags = []sim.Tag{{Key: "both", Value: "yes"}}
	})
	s.readGroups(subscription)
}

func (s *session) settings() {
	s.mutate("UpgradeInstanceVersion", params{"InstanceId": subscription, "TargetVersion": "2.6.2"},
		on(subscription, func(in *sim.Instance) { in.Version, in.OldMinor = "2.6.2", false }))
	s.mutate("ModifyInstanceName", params{"InstanceId": subscription, "InstanceName": "renamed_1"},
		on(subscription, func(in *sim.Instance) { in.Name = "renamed_1" }))
	s.mutate("EnableAutoTopicCreation", params{"InstanceId": subscription, "Operate": "enable"},
		on(subscription, func(in *sim.Instance) { in.AutoTopics = true }))
	s.mutate("EnableAutoTopicCreation", params{"InstanceId": subscription, "Operate": "updatePartition", "PartitionNum": "9"},
		on(subscription, func(in *sim.Instance) { in.AutoPartitions = 9 }))
	s.mutate("EnableAutoGroupCreation", params{"InstanceId": subscription, "Enable": "true"},
		on(subscription, func(in *sim.Instance) { in.AutoGroups = true }))
	s.mutate("ChangeResourceGroup", params{"ResourceId": subscription, "NewResourceGroupId": "rg-new"},
		on(subscription, func(in *sim.Instance) { in.ResourceGroupID = "rg-new" }))
	s.allInstances()
	if s.can("FailoverTest") {
		s.mutate("FailoverTest", params{"InstanceId": subscription}, func(*sim.Account) {})
		s.readProgress(subscription, "billing")
	}
}

func (s *session) scaling() {
	if !s.can("CreateScheduledScalingRule") {
		return
	}
	first := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	rules := func(change func([]sim.ScalingRule) []sim.ScalingRule) func(a *sim.Account) {
		return on(serverless, func(in *sim.Instance) { in.Rules = change(slices.Clone(in.Rules)) })
	}
	s.mutate("CreateScheduledScalingRule", params{
		"InstanceId": serverless, "RuleName": "once", "ScheduleType": "repeat", "RepeatType": "Weekly", "WeeklyTypes": []string{"Sunday"},
		"FirstScheduledTime": num(first.UnixMilli()), "TimeZone": "GMT+8", "DurationMinutes": "90", "ReservedPubFlow": "200", "ReservedSubFlow": "300", "Enable": "true",
	}, rules(func(r []sim.ScalingRule) []sim.ScalingRule {
		return append(r, sim.ScalingRule{
			ID: 2, Name: "once", Schedule: "repeat", Repeat: "Weekly", Days: []string{"Sunday"}, First: first, Zone: "GMT+8",
			Lasts: 90 * time.Minute, ReservedPublish: 200, ReservedSubscribe: 300, Enabled: true,
		})
	}))
	s.readRules()
	s.mutate("ModifyScheduledScalingRule", params{"InstanceId": serverless, "RuleName": "once", "Enable": "false"},
		rules(func(r []sim.ScalingRule) []sim.ScalingRule { r[1].Enabled = false; return r }))
	s.readRules()
	s.mutate("DeleteScheduledScalingRule", params{"InstanceId": serverless, "RuleName": "once"},
		rules(func(r []sim.ScalingRule) []sim.ScalingRule { return r[:1] }))
	s.readRules()
}

// life takes instances from order to deletion.
func (s *session) life() {
	size := params{"DiskType": "1", "DiskSize": "600", "TopicQuota": "60", "DeployType": "5", "SpecType": "normal", "IoMaxSpec": "alikafka.hw.3xlarge"}
	bought := s.buy("CreatePostPayOrder", size, sim.Instance{PaidType: 1, DiskType: 1, DiskSize: 600, TopicLimit: 60, IoMax: 30, DeployType: 5})
	s.refuse("GetTopicList", params{"InstanceId": bought}, "BIZ_INSTANCE_STATUS_ERROR")
	s.deploy(bought)
	upgrade := params{"InstanceId": bought, "DiskSize": "900", "TopicQuota": "70", "IoMax": "40", "SpecType": "professional"}
	s.mutate("UpgradePostPayOrder", upgrade, on(bought, func(in *sim.Instance) {
		in.DiskSize, in.TopicLimit, in.IoMax, in.SpecType, in.GroupLimit = 900, 70, 40, "professional", 140
	}))
	s.stop(bought)
	s.mutate("ReleaseInstance", params{"InstanceId": bought}, on(bought, func(in *sim.Instance) { in.Status = 15 }))
	s.views[bought] = "23"
	s.allInstances()
	s.remove(bought)

	size["Duration"] = "2"
	bought = s.buy("CreatePrePayOrder", size, sim.Instance{PaidType: 0, DiskType: 1, DiskSize: 600, TopicLimit: 60, IoMax: 30, DeployType: 5})
	s.deploy(bought)
	upgrade["InstanceId"] = bought
	held := s.mutate("UpgradePrePayOrder", upgrade, on(bought, func(in *sim.Instance) {
		in.DiskSize, in.TopicLimit, in.IoMax, in.SpecType, in.GroupLimit = 900, 70, 40, "professional", 140
	}))
	s.ordered("UpgradePrePayOrder", held)
	s.downgrade(bought, "DowngradePrePayOrder")
	s.convert()
}

// buy orders an instance, which nobody has deployed yet, and returns its id.
func (s *session) buy(action string, p params, want sim.Instance) string {
	p = maps.Clone(p)
	if strings.HasSuffix(action, "Instance") {
		delete(p, "TopicQuota")
	}
	p["Tag"] = []map[string]string{{"Key": "bought", "Value": "yes"}}
	p["ResourceGroupId"] = "rg-buy"
	var got sim.Instance
	held := s.mutate(action, p, func(a *sim.Account) {
		have := s.cloud.World().Accounts[0].Instances
		got = have[len(have)-1]
		want.ID, want.Name, want.RegionID, want.OrderID, want.Age, want.ExpiresIn = got.ID, got.ID, region, got.OrderID, got.Age, got.ExpiresIn
		want.Tags, want.ResourceGroupID = []sim.Tag{{Key: "bought", Value: "yes"}}, "rg-buy"
		want.Version, want.Series, want.SpecType, want.Retention = or(want.Version, "2.2.0"), or(want.Series, "v2"), or(want.SpecType, "normal"), 72*time.Hour
		want.PartitionLimit, want.AutoPartitions = 1000+want.PartitionLimit, 12
		if want.GroupLimit == 0 {
			want.GroupLimit = 2 * want.TopicLimit
		}
		a.Instances = append(a.Instances, want)
	})
	if strings.HasSuffix(action, "Instance") && (held["Data.InstanceId"] != got.ID || held["Data.OrderId"] != got.OrderID) {
		s.fail("%s: the answer names %s and order %s, bought was %s and order %s", action, held["Data.InstanceId"], held["Data.OrderId"], got.ID, got.OrderID)
	}
	if strings.HasSuffix(action, "Order") && held["OrderId"] != got.OrderID {
		s.fail("%s: the answer names order %s, it was %s", action, held["OrderId"], got.OrderID)
	}
	if paid := (got.ExpiresIn + got.Age).Hours() / 24; want.PaidType == 0 && p["Duration"] == "2" && (paid < 59 || paid > 62.1) {
		s.fail("%s: two months have %.1f days", action, paid)
	}
	s.instances(params{"OrderId": got.OrderID}, func(in sim.Instance) bool { return in.ID == got.ID })
	return got.ID
}

func (s *session) ordered(action string, held leaves) {
	if s.sdk.fields(action).has("OrderId") && whole(held["OrderId"]) < 1e14 {
		s.fail("%s: OrderId is %q", action, held["OrderId"])
	}
}

func (s *session) deploy(id string) {
	s.mutate("StartInstance", params{
		"InstanceId": id, "VpcId": "vpc-1", "VSwitchId": "vsw-1", "ZoneId": "cn-hangzhou-h", "DeployModule": "vpc", "Name": "made-" + id[len(id)-6:],
		"ServiceVersion": "2.2.0", "SecurityGroup": "sg-9", "Config": `{"kafka.log.retention.hours":"33"}`, "KMSKeyId": "kms-9",
	}, on(id, func(in *sim.Instance) {
		in.VpcID, in.VSwitchID, in.ZoneID, in.SecurityGroup, in.KMSKeyID = "vpc-1", "vsw-1", "zoneh", "sg-9", "kms-9"
		in.Name, in.Status, in.Retention = "made-"+id[len(id)-6:], 5, 33*time.Hour
		in.Config = map[string]string{}
	}))
	s.allInstances()
	s.refuse("StartInstance", params{"InstanceId": id, "VpcId": "vpc-1", "VSwitchId": "vsw-1", "DeployModule": "vpc"}, "INSTANCE_STATUS_NOT_WAIT_DEPLOY")
}

func (s *session) stop(id string) {
	s.mutate("StopInstance", params{"InstanceId": id}, on(id, func(in *sim.Instance) { in.Status = 15 }))
	s.views[id] = "3"
	s.allInstances()
	s.mutate("ReopenInstance", params{"InstanceId": id}, on(id, func(in *sim.Instance) { in.Status = 5 }))
	delete(s.views, id)
	s.allInstances()
}

func (s *session) remove(id string) {
	s.mutate("DeleteInstance", params{"InstanceId": id}, func(a *sim.Account) {
		a.Instances = slices.DeleteFunc(slices.Clone(a.Instances), func(in sim.Instance) bool { return in.ID == id })
	})
	delete(s.views, id)
	s.allInstances()
	s.refuse("DeleteInstance", params{"InstanceId": id}, "BIZ_INSTANCE_NOT_FOUND")
}

func (s *session) downgrade(id, action string) {
	if s.can(action) {
		held := s.mutate(action, params{"InstanceId": id, "DiskSize": "500", "IoMaxSpec": "alikafka.hw.2xlarge"},
			on(id, func(in *sim.Instance) { in.DiskSize, in.IoMax = 500, 20 }))
		s.ordered(action, held)
	}
}

func (s *session) convert() {
	s.downgrade(payAsYouGo, "DowngradePostPayOrder")
	held := s.mutate("ConvertPostPayOrder", params{"InstanceId": payAsYouGo, "Duration": "1"}, on(payAsYouGo, func(in *sim.Instance) {
		in.PaidType, in.ExpiresIn = 0, s.instance(payAsYouGo).ExpiresIn
	}))
	s.ordered("ConvertPostPayOrder", held)
	s.allInstances()
}

// sizes orders the newer kinds of instances.
func (s *session) sizes() {
	confluentSize := map[string]string{"KafkaCU": "4", "KafkaStorage": "800", "KafkaReplica": "3"}
	order := params{"PaidType": "4", "DeployType": "5", "Duration": "1", "ConfluentConfig": confluentSize}
	want := sim.Instance{
		PaidType: 4, DeployType: 5, Series: "confluent", Version: "7.4.0", Confluent: map[string]int64{"KafkaCU": 4, "KafkaStorage": 800, "KafkaReplica": 3},
		DiskSize: 900, TopicLimit: 50, IoMax: 20, GroupLimit: 200,
	}
	if s.can("CreatePrePayInstance") {
		s.buy("CreatePrePayInstance", order, want)
	}
	s.buy("CreatePrePayOrder", order, want)
	maps.Copy(order, params{"DiskType": "0", "DiskSize": "800", "TopicQuota": "50"})
	want.DiskSize, want.TopicLimit = 800, 50
	s.buy("CreatePrePayOrder", order, want)
	if s.can("CreatePostPayInstance") {
		s.buy("CreatePostPayInstance", params{
			"PaidType": "3", "DeployType": "5", "ServerlessConfig": map[string]string{"ReservedPublishCapacity": "60", "ReservedSubscribeCapacity": "80"},
		}, sim.Instance{
			PaidType: 3, DeployType: 5, Series: "v3", Version: "3.3.1", SpecType: "serverless", ReservedPublish: 60, ReservedSubscribe: 80,
			DiskSize: 900, TopicLimit: 50, IoMax: 20, GroupLimit: 200,
		})
	}
}

// beyond are actions of the Node SDK that the simulated cloud does not have.
var beyond = map[string]params{
	"AddUserDefinedSg":    {"InstanceId": subscription, "SgIdList": []string{"sg-1"}},
	"BatchDeleteTopics":   {"InstanceId": subscription, "Topics": []string{"empty"}},
	"DeleteUserDefinedSg": {"InstanceId": subscription, "SgIdList": []string{"sg-1"}},
	"ModifyUserDefinedSg": {"InstanceId": subscription, "SgIdList": []string{"sg-1"}},
}

// everyAction fails for an action of the SDK that was not driven.
func (s *session) everyAction() {
	for _, action := range s.sdk.actions() {
		if p, ok := beyond[action]; ok && !slices.Contains(sim.Operations(), action) {
			s.refuse(action, p, "InvalidApi.NotFound")
			s.beyond[action] = true
			continue
		}
		if !s.ran[action] {
			s.fail("%s of the SDK was not driven", action)
		}
	}
}
