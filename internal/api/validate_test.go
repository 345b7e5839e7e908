package api_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// unreachable is a transport that nothing may reach.
type unreachable struct{ t *testing.T }

func (u unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	u.t.Error("a request reached the wire")
	return nil, errors.New("unreachable")
}

// valid are requests to be spoilt: parameters by action, separated by blanks.
var valid = map[string]string{
	"CreatePostPayOrder":         "TopicQuota=50 DiskType=0 DiskSize=500 DeployType=5 IoMaxSpec=alikafka.hw.2xlarge",
	"CreatePrePayOrder":          "TopicQuota=50 DiskType=0 DiskSize=500 DeployType=5 IoMax=20",
	"CreatePostPayInstance":      "DeployType=5",
	"CreatePrePayInstance":       "Duration=1",
	"UpgradePostPayOrder":        "InstanceId=i TopicQuota=50 DiskSize=500 IoMaxSpec=alikafka.hw.2xlarge",
	"UpgradePrePayOrder":         "InstanceId=i TopicQuota=50 DiskSize=500 IoMax=20",
	"DowngradePostPayOrder":      "InstanceId=i",
	"DowngradePrePayOrder":       "InstanceId=i",
	"ConvertPostPayOrder":        "InstanceId=i",
	"StartInstance":              "InstanceId=i VpcId=v VSwitchId=w DeployModule=vpc",
	"ModifyInstanceName":         "InstanceId=i InstanceName=dev-test",
	"UpdateInstanceConfig":       `InstanceId=i Config={"enable.acl":"true"}`,
	"UpgradeInstanceVersion":     "InstanceId=i TargetVersion=2.2.0",
	"UpdateAllowedIp":            "InstanceId=i UpdateType=add PortRange=9092/9092 AllowedListType=vpc AllowedListIp=10.0.0.0/8",
	"CreateTopic":                "InstanceId=i Topic=orders Remark=orders",
	"DeleteTopic":                "InstanceId=i Topic=orders",
	"ModifyPartitionNum":         "InstanceId=i Topic=orders AddPartitionNum=6",
	"ModifyTopicRemark":          "InstanceId=i Topic=orders Remark=orders",
	"UpdateTopicConfig":          "InstanceId=i Topic=orders Config=retention.ms Value=86400000",
	"CreateConsumerGroup":        "InstanceId=i ConsumerId=billing",
	"UpdateConsumerOffset":       "InstanceId=i ConsumerId=billing Topic=orders Time=-1",
	"CreateSaslUser":             "InstanceId=i Username=alice Password=hunter2",
	"DeleteSaslUser":             "InstanceId=i Username=alice",
	"CreateAcl":                  "InstanceId=i Username=alice AclResourceType=Topic AclResourceName=orders AclResourcePatternType=LITERAL AclOperationType=Read",
	"TagResources":               "ResourceType=INSTANCE ResourceId.1=i Tag.1.Key=team Tag.1.Value=red",
	"UntagResources":             "ResourceType=INSTANCE ResourceId.1=i TagKey.1=team",
	"ListTagResources":           "ResourceType=instance ResourceId.1=i",
	"GetInstanceList":            "Tag.1.Key=team",
	"GetTopicList":               "InstanceId=i CurrentPage=1",
	"EnableAutoTopicCreation":    "InstanceId=i Operate=enable",
	"EnableAutoGroupCreation":    "InstanceId=i Enable=true",
	"CreateScheduledScalingRule": "InstanceId=i RuleName=r ScheduleType=at TimeZone=GMT+8 FirstScheduledTime=1714467540000 DurationMinutes=60 ReservedPubFlow=120 ReservedSubFlow=0",
	"QueryMessage":               "InstanceId=i Topic=orders QueryType=byOffset Partition=0 Offset=0",
	"GetKafkaClientIp":           "InstanceId=i Type=byInstance StartTime=1716343501000 EndTime=1716343502000",
}

// paramsOf returns the valid request of an action with some changes to it:
// Name=value sets, -Name takes away.
func paramsOf(action string, changes ...string) map[string]string {
	params := map[string]string{"RegionId": "cn-hangzhou"}
	for _, change := range append(strings.Fields(valid[action]), changes...) {
		name, value, set := strings.Cut(change, "=")
		if set {
			params[name] = value
		} else {
			delete(params, strings.TrimPrefix(name, "-"))
		}
	}
	return params
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

// bad are requests that must not be sent, and why.
var bad = map[string][]struct {
	change string // of the valid request; several separated by blanks
	want   string // without the name of the action
}{
	"CreatePostPayOrder": {
		{"-RegionId", "RegionId is required"},
		{"-DiskSize", "DiskSize is required, but for serverless and Confluent instances"},
		{"-DiskType", "DiskType is required, but for serverless and Confluent instances"},
		{"-DeployType", "DeployType is required"},
		{"-TopicQuota", "TopicQuota is required (or PartitionNum), but for serverless and Confluent instances"},
		{"-TopicQuota PaidType=1", "TopicQuota is required (or PartitionNum), but for serverless and Confluent instances"},
		{"TopicQuota=many", `TopicQuota must be a whole number, not "many"`},
		{"TopicQuota=0", `TopicQuota must be at least 1, not "0"`},
		{"DiskType=2", `DiskType must be one of 0, 1, not "2"`},
		{"DiskSize=-1", `DiskSize must be at least 1, not "-1"`},
		{"DeployType=3", `DeployType must be one of 4, 5, not "3"`},
		{"DeployType=4", "EipMax must be above 0 where DeployType is 4 (internet and VPC)"},
		{"DeployType=4 EipMax=0", "EipMax must be above 0 where DeployType is 4 (internet and VPC)"},
		{"EipMax=-1", `EipMax must be at least 0, not "-1"`},
		{"SpecType=huge", `SpecType must be one of normal, professional, professionalForHighRead, not "huge"`},
		{"-IoMaxSpec", "IoMaxSpec is required (or IoMax, which it wins over)"},
		{"PaidType=2", `PaidType must be one of 0, 1, 3, 4, not "2"`},
		{"PartitionNum=0", `PartitionNum must be at least 1, not "0"`},
		{"ServerlessConfig=60", "ServerlessConfig must hold an object, not a number"},
		{`ServerlessConfig={"ReservedPublishCapacity":"60"}`, "ServerlessConfig must hold a number as ReservedPublishCapacity, not a string"},
		{`ServerlessConfig={"Reserved":60}`, `ServerlessConfig has a key that is not known: "Reserved"`},
		{`ServerlessConfig={}{}`, `ServerlessConfig must be one JSON value`},
		{`ServerlessConfig={"reservedPublishCapacity":60}`, `ServerlessConfig has a key that is not known: "reservedPublishCapacity"; did you mean "ReservedPublishCapacity"?`},
		{`ServerlessConfig={"ReservedPublishCapacity":60,"ReservedPublishCapacity":6}`, `ServerlessConfig has the key "ReservedPublishCapacity" twice`},
		{"Tag.1.Key=aliyun", "Tag.1.Key must not begin with aliyun"},
		{"Tag.1.Key=Aliyun", "Tag.1.Key must not begin with aliyun"},
		{"Tag.1.Value=red", "Tag.1.Key must not be empty"},
		{"ClientToken=x", "ClientToken is no parameter of it"},
	},
	"CreatePrePayOrder": {
		{"-DiskSize", "DiskSize is required, but for serverless and Confluent instances"},
		{"-DeployType PaidType=0", "DeployType is required, but for serverless and Confluent instances"},
		{"-TopicQuota", "TopicQuota is required (or PartitionNum), but for serverless and Confluent instances"},
		{"-IoMax", "IoMaxSpec is required (or IoMax, which it wins over)"},
		{"DeployType=4", "EipMax must be above 0 where DeployType is 4 (internet and VPC)"},
		{"Duration=13", `Duration must be one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 24, 36, not "13"`},
		{"ConfluentConfig=x", "ConfluentConfig must be JSON"},
	},
	"CreatePostPayInstance": {{"-DeployType", "DeployType is required"}},
	"CreatePrePayInstance":  {{"Duration=0", `Duration must be one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 24, 36, not "0"`}},
	"UpgradePostPayOrder": {
		{"-DiskSize", "DiskSize is required, but for serverless and Confluent instances"},
		{"-TopicQuota", "TopicQuota is required (or PartitionNum), but for serverless and Confluent instances"},
		{"-IoMaxSpec", "IoMaxSpec is required (or IoMax, which it wins over)"},
		{"EipModel=true", "EipMax must be above 0 where EipModel is true"},
		{"EipModel=true EipMax=0", "EipMax must be above 0 where EipModel is true"},
		{"EipModel=false EipMax=3", "EipMax must be 0 where EipModel is false"},
		{"EipModel=yes", `EipModel must be true or false, not "yes"`},
	},
	"UpgradePrePayOrder": {
		{"-DiskSize", "DiskSize is required, but for serverless and Confluent instances"},
		{"-TopicQuota", "TopicQuota is required (or PartitionNum), but for serverless and Confluent instances"},
		{"-IoMax", "IoMaxSpec is required (or IoMax, which it wins over)"},
		{"EipModel=true", "EipMax must be above 0 where EipModel is true"},
		{"EipModel=false EipMax=3", "EipMax must be 0 where EipModel is false"},
	},
	"DowngradePostPayOrder": {{"EipModel=false EipMax=3", "EipMax must be 0 where EipModel is false"}},
	"DowngradePrePayOrder":  {{"EipModel=true", "EipMax must be above 0 where EipModel is true"}},
	"ConvertPostPayOrder":   {{"Duration=48", `Duration must be one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 24, 36, not "48"`}},
	"StartInstance": {
		{"DeployModule=both", `DeployModule must be one of vpc, eip, not "both"`},
		{"IsEipInner=true", "IsEipInner must be true where DeployModule is eip and false where it is vpc"},
		{"DeployModule=eip IsEipInner=false", "IsEipInner must be true where DeployModule is eip and false where it is vpc"},
		{"IsSetUserAndPassword=true Username=alice", "Password is required where IsSetUserAndPassword is true"},
		{"IsSetUserAndPassword=true Password=hunter2", "Username is required where IsSetUserAndPassword is true"},
		{"Name=ab", "Name must have 3 to 64 characters, not 2"},
		{"ServiceVersion=two", `ServiceVersion must be a version such as 2.2.0, not "two"`},
		{`Config={"kafka.log.retention.hours":"12"}`, `Config key kafka.log.retention.hours must be from 24 to 480, not "12"`},
		{`SelectedZones=["zonel"]`, "SelectedZones must hold an array, not a string"},
		{"VSwitchIds.2=x", "VSwitchIds.1 is missing: the numbers of a list start at 1 and leave no gap"},
	},
	"ModifyInstanceName": {
		{"InstanceName=ab", "InstanceName must have 3 to 64 characters, not 2"},
		{"InstanceName=" + repeat("a", 65), "InstanceName must have 3 to 64 characters, not 65"},
		{"InstanceName=a.b", `InstanceName may consist of letters, digits, - and _ only, not "a.b"`},
		{"InstanceName=", "InstanceName must not be empty"},
	},
	"UpdateInstanceConfig": {
		{"-Config", "Config is required"},
		{"Config={}", "Config sets nothing"},
		{"Config=null", "Config must not hold null"},
		{`Config={"enable.acl":null}`, "Config must not hold null"},
		{"Config=hours", "Config must be JSON"},
		{`Config=["hours"]`, "Config must hold an object, not an array"},
		{`Config={"kafka.log.retention.hours":33}`, "Config must hold a string, not a number"},
		{`Config={"enable.acl":"true","enable.acl":"false"}`, `Config has the key "enable.acl" twice`},
		{`Config={"kafka.log.retention.hours":"23"}`, `Config key kafka.log.retention.hours must be from 24 to 480, not "23"`},
		{`Config={"kafka.log.retention.hours":"481"}`, `Config key kafka.log.retention.hours must be from 24 to 480, not "481"`},
		{`Config={"kafka.log.retention.hours":""}`, "Config key kafka.log.retention.hours must not be empty"},
		{`Config={"kafka.message.max.bytes":"1048575"}`, `Config key kafka.message.max.bytes must be from 1048576 to 10485760, not "1048575"`},
		{`Config={"kafka.message.max.bytes":"10485761"}`, `Config key kafka.message.max.bytes must be from 1048576 to 10485760, not "10485761"`},
		{`Config={"enable.acl":"on"}`, `Config key enable.acl must be true or false, not "on"`},
		{`Config={"enable.vpc_sasl_ssl":"1"}`, `Config key enable.vpc_sasl_ssl must be true or false, not "1"`},
		{`Config={"enable.vpc_sasl_ssl":"true","enable.acl":"false"}`, "Config key enable.vpc_sasl_ssl needs enable.acl"},
		{`Config={"kafka.log.retention.hour":"33"}`, `Config has a key that is not known: "kafka.log.retention.hour"; did you mean "kafka.log.retention.hours"?`},
	},
	"UpgradeInstanceVersion": {{"TargetVersion=latest", `TargetVersion must be a version such as 2.2.0, not "latest"`}},
	"UpdateAllowedIp": {
		{"UpdateType=remove", `UpdateType must be one of add, delete, not "remove"`},
		{"PortRange=9096/9096", `PortRange must be one of 9092/9092, 9093/9093, 9094/9094, 9095/9095, not "9096/9096"`},
		{"PortRange=9093/9093", "AllowedListType must be internet for port range 9093/9093"},
		{"PortRange=9095/9095 AllowedListType=internet", "AllowedListType must be vpc for port range 9095/9095"},
		{"AllowedListIp=10.0.0.0/33", `AllowedListIp must be addresses or CIDR blocks, separated by commas, not "10.0.0.0/33"`},
		{"AllowedListIp=everywhere", `AllowedListIp must be addresses or CIDR blocks, separated by commas, not "everywhere"`},
		{"AllowedListIp=10.0.0.1,", `AllowedListIp must be addresses or CIDR blocks, separated by commas, not ""`},
		{"AllowedListIp=fe80::1%eth0", `AllowedListIp must be addresses or CIDR blocks, separated by commas, not "fe80::1%eth0"`},
		{"AllowedListIp=10.1.2.3/8", "AllowedListIp has bits behind the prefix: 10.1.2.3/8 is 10.0.0.0/8"},
		{"AllowedListIp=10.0.0.1,10.0.0.1", `AllowedListIp names "10.0.0.1" twice`},
		{"UpdateType=delete AllowedListIp=10.0.0.1,10.0.0.2", "AllowedListIp must be one entry: a call deletes one"},
	},
	"CreateTopic": {
		{"-Remark", "Remark is required"},
		{"Topic=ab", "Topic must have 3 to 64 characters, not 2"},
		{"Topic=" + repeat("a", 65), "Topic must have 3 to 64 characters, not 65"},
		{"Topic=my.topic", `Topic may consist of letters, digits, - and _ only, not "my.topic"`},
		{"Topic=gr\u00f6\u00dfe", "Topic may consist of letters, digits, - and _ only, not \"gr\u00f6\u00dfe\""},
		{"Remark=x", "Remark must have 3 to 64 characters, not 1"},
		{"PartitionNum=0", `PartitionNum must be from 1 to 360, not "0"`},
		{"PartitionNum=361", `PartitionNum must be from 1 to 360, not "361"`},
		{"CompactTopic=true", "CompactTopic needs LocalTopic=true"},
		{"ReplicationFactor=3", "ReplicationFactor needs LocalTopic=true"},
		{"MinInsyncReplicas=1 LocalTopic=false", "MinInsyncReplicas needs LocalTopic=true"},
		{`Config={"replications":"3"}`, "Config needs LocalTopic=true"},
		{`LocalTopic=true Config={"replications":"4"}`, `Config key replications must be from 1 to 3, not "4"`},
		{`LocalTopic=true Config={"retention.ms":"4"}`, `Config has a key that is not known: "retention.ms"`},
		{"LocalTopic=true ReplicationFactor=4", `ReplicationFactor must be from 1 to 3, not "4"`},
		{"LocalTopic=true MinInsyncReplicas=3", "MinInsyncReplicas must be below the number of replicas, which is at most 3"},
		{"LocalTopic=true ReplicationFactor=2 MinInsyncReplicas=2", "MinInsyncReplicas must be below the number of replicas, which is 2"},
		{`LocalTopic=true ReplicationFactor=3 MinInsyncReplicas=1 Config={"replications":"1"}`, "MinInsyncReplicas must be below the number of replicas, which is 1"},
		{"Tag.1.Key=acs:x", "Tag.1.Key must not begin with acs:"},
		{"Topc=orders", `Topc is no parameter of it; did you mean "Topic"?`},
	},
	"ModifyPartitionNum": {
		{"AddPartitionNum=0", `AddPartitionNum must be from 1 to 359, not "0"`},
		{"AddPartitionNum=360", `AddPartitionNum must be from 1 to 359, not "360"`},
	},
	"ModifyTopicRemark": {{"Remark=my topic", `Remark may consist of letters, digits, - and _ only, not "my topic"`}},
	"UpdateTopicConfig": {
		{"Config=cleanup.policy", `Config must be one of retention.ms, retention.hours, max.message.bytes, replications, message.timestamp.type, message.timestamp.difference.max.ms, not "cleanup.policy"`},
		{"Value=long", `Value must be a whole number, not "long" where Config is retention.ms`},
		{"Value=0", `Value must be at least 1, not "0" where Config is retention.ms`},
		{"Config=replications Value=4", `Value must be from 1 to 3, not "4" where Config is replications`},
		{"Config=message.timestamp.type Value=Now", `Value must be one of CreateTime, LogAppendTime, not "Now" where Config is message.timestamp.type`},
	},
	"CreateConsumerGroup": {
		{"ConsumerId=ab", "ConsumerId must have 3 to 128 characters, not 2"},
		{"ConsumerId=" + repeat("a", 129), "ConsumerId must have 3 to 128 characters, not 129"},
		{"ConsumerId=a:b", `ConsumerId may consist of letters, digits, - and _ only, not "a:b"`},
		{"ConsumerId=-_-", "ConsumerId must have at least one letter or digit"},
	},
	"UpdateConsumerOffset": {
		{"-Topic", "Topic is required"},
		{"-Time", "Time is required unless ResetType is offset"},
		{"Time=-3", `Time must be at least -2, not "-3"`},
		{`Offsets=[{"Partition":0,"Offset":1}]`, "Offsets needs ResetType=offset"},
		{`ResetType=offset Offsets=[{"Partition":0,"Offset":1}]`, "Time must not be given where ResetType is offset"},
		{"ResetType=offset -Time", "Offsets is required where ResetType is offset"},
		{"ResetType=offset -Time Offsets=[]", "Offsets is required where ResetType is offset"},
		{`ResetType=offset -Time Topic= Offsets=[{"Partition":0,"Offset":1}]`, "Topic must not be empty where ResetType is offset"},
		{`ResetType=offset -Time Offsets=[{"Partition":0,"Offset":-1}]`, "Offsets must not be below 0"},
		{`ResetType=offset -Time Offsets=[{"Partition":0,"Offset":1},{"Partition":0,"Offset":2}]`, "Offsets names partition 0 twice"},
		{`ResetType=offset -Time Offsets=[{"partition":0,"Skip":1}]`, `Offsets has a key that is not known: "Skip"`},
		{`ResetType=offset -Time Offsets=[{"partition":0,"Offset":1}]`, `Offsets has a key that is not known: "partition"; did you mean "Partition"?`},
		{"ResetType=offset -Time Offsets=[null]", "Offsets must not hold null"},
		{`ResetType=offset -Time Offsets=[{"Partition":1}]`, `Offsets lacks the key "Offset"`},
		{`ResetType=offset -Time Offsets=[{"Partition":0,"Offset":1},{"Offset":1}]`, `Offsets lacks the key "Partition"`},
		{"ResetType=earliest", `ResetType must be one of timestamp, offset, not "earliest"`},
	},
	"CreateSaslUser": {
		{"-Password", "Password is required"},
		{"Password=", "Password must not be empty"},
		{"Type=oauth", `Type must be one of plain, scram, not "oauth"`},
		{"Mechanism=MD5", `Mechanism must be one of SCRAM-SHA-256, SCRAM-SHA-512, not "MD5"`},
	},
	"DeleteSaslUser": {{"Type=PLAIN", `Type must be one of plain, scram, not "PLAIN"`}},
	"CreateAcl": {
		{"AclResourceType=Broker", `AclResourceType must be one of Topic, Group, Cluster, TransactionalId, not "Broker"`},
		{"AclResourcePatternType=REGEX", `AclResourcePatternType must be one of LITERAL, PREFIXED, not "REGEX"`},
		{"AclOperationType=Alter", `AclOperationType must be one of Write, Read, Describe, IdempotentWrite, not "Alter"`},
		{"AclPermissionType=MAYBE", `AclPermissionType must be one of ALLOW, DENY, not "MAYBE"`},
	},
	"TagResources": {
		{"ResourceType=BROKER", `ResourceType must be one of INSTANCE, TOPIC, CONSUMERGROUP, not "BROKER"`},
		{"-ResourceId.1", "ResourceId.N is required"},
		{"-Tag.1.Key -Tag.1.Value", "Tag.N.Key is required"},
		{"Tag.1.Key=", "Tag.1.Key must not be empty"},
		{"Tag.1.Key=" + repeat("\u00e9", 129), "Tag.1.Key must have at most 128 characters, not 129"},
		{"Tag.1.Value=" + repeat("a", 129), "Tag.1.Value must have at most 128 characters, not 129"},
		{"Tag.1.Key=aliyunx", "Tag.1.Key must not begin with aliyun"},
		{"Tag.1.Value=acs:x", "Tag.1.Value must not begin with acs:"},
		{"Tag.1.Key=ahttp://b", "Tag.1.Key must not contain http://"},
		{"Tag.1.Value=https://b", "Tag.1.Value must not contain https://"},
		{"Tag.3.Key=a", "Tag.2 is missing: the numbers of a list start at 1 and leave no gap"},
		{"Tag.01.Key=a", `Tag.01.Key is no parameter of it; did you mean "Tag.N.Key"?`},
		{numbered("Tag.%d.Key", 21), "Tag may be given 20 times"},
	},
	"UntagResources": {
		{"-TagKey.1", "TagKey.N is required"},
		{"All=true", "All is refused: one call would remove every tag; name them in TagKey"},
		{"TagKey.1=", "TagKey.1 must not be empty"},
		{"TagKey.1=aliyun", "TagKey.1 must not begin with aliyun"},
		{numbered("TagKey.%d", 21), "TagKey may be given 20 times"},
	},
	"ListTagResources": {
		{"-ResourceId.1", "ResourceId.N is required (or Tag)"},
		{"Tag.1.Key= Tag.1.Value=red", "Tag.1.Value must be empty, as the key is"},
	},
	"GetInstanceList": {
		{"Tag.1.Key= Tag.1.Value=red", "Tag.1.Value must be empty, as the key is"},
		{"Series=v1", `Series must be one of v2, v3, confluent, not "v1"`},
	},
	"GetTopicList": {{"CurrentPage=0", `CurrentPage must be at least 1, not "0"`}},
	"EnableAutoTopicCreation": {
		{"Operate=on", `Operate must be one of enable, disable, updatePartition, not "on"`},
		{"Operate=updatePartition", "PartitionNum is required where Operate is updatePartition"},
		{"Operate=updatePartition PartitionNum=361", `PartitionNum must be from 1 to 360, not "361"`},
	},
	"EnableAutoGroupCreation": {{"-Enable", "Enable is required"}},
	"CreateScheduledScalingRule": {
		{"DurationMinutes=14", `DurationMinutes must be at least 15, not "14"`},
		{"ScheduleType=repeat", "RepeatType is required where ScheduleType is repeat"},
		{"RepeatType=Daily", "RepeatType needs ScheduleType=repeat"},
		{"ScheduleType=repeat RepeatType=Weekly", "WeeklyTypes is required where RepeatType is Weekly"},
		{"ScheduleType=repeat RepeatType=Weekly WeeklyTypes=Monday", "WeeklyTypes must be JSON"},
		{"ReservedPubFlow=-1", `ReservedPubFlow must be at least 0, not "-1"`},
	},
	"QueryMessage": {
		{"-Offset", "Offset is required where QueryType is byOffset"},
		{"-Partition", "Partition is required where QueryType is byOffset"},
		{"QueryType=byTimestamp", "BeginTime is required where QueryType is byTimestamp"},
		{"QueryType=byKey", `QueryType must be one of byOffset, byTimestamp, not "byKey"`},
	},
	"GetKafkaClientIp": {
		{"EndTime=1716343501000", "EndTime must be after StartTime, by an hour at most"},
		{"EndTime=1716347101001", "EndTime must be after StartTime, by an hour at most"},
		{"Type=byTopic", "Topic is required where Type is byTopic"},
		{"Type=byGroup", "Group is required where Type is byGroup"},
	},
}

// numbered returns n list parameters.
func numbered(pattern string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" " + strings.Replace(pattern, "%d", strconv.Itoa(i+1), 1) + "=a")
	}
	return strings.TrimSpace(b.String())
}

func TestBadRequestsDoNotReachTheWire(t *testing.T) {
	t.Parallel()
	for action, cases := range bad {
		for _, tc := range cases {
			changes := strings.Fields(tc.change)
			if strings.HasPrefix(tc.change, "Remark=my ") {
				changes = []string{tc.change} // its blank is the point
			}
			t.Run(action+" "+shortened(tc.change), func(t *testing.T) {
				t.Parallel()
				c, attempts := client(t, unreachable{t}, nil)
				params := paramsOf(action, changes...)
				_, err := c.Do(t.Context(), api.Raw{Action: action, RegionID: "cn-hangzhou", Params: params})
				if err == nil || err.Error() != action+": "+tc.want {
					t.Errorf("got  %v\nwant %s: %s", err, action, tc.want)
				}
				var refused *api.ParamError
				if !errors.As(err, &refused) || refused.Action != action || !strings.HasPrefix(tc.want, refused.Param+" "+refused.Reason) {
					t.Errorf("refused as %+v", refused)
				}
				if again := api.Validate(action, params); again == nil || again.Error() != err.Error() {
					t.Errorf("judged as %v", again)
				}
				if o := api.OutcomeOf(err); o != api.OutcomeNotDone {
					t.Errorf("outcome %s", o)
				}
				if len(*attempts) > 0 {
					t.Error("it was attempted")
				}
			})
		}
	}
}

func shortened(s string) string { return s[:min(len(s), 60)] }

func TestGoodRequestsAreNotRefused(t *testing.T) {
	t.Parallel()
	for action := range valid {
		if err := api.Validate(action, paramsOf(action)); err != nil {
			t.Errorf("%v", err)
		}
	}
	for action, changes := range map[string][]string{
		// Names that the cloud lists may be addressed, however they look.
		"DeleteTopic":        {"Topic=my.topic", "Topic=a", "Topic=" + repeat("a", 249), "Topic=app-KSTREAM-AGGREGATE:0"},
		"ModifyPartitionNum": {"Topic=__consumer.offsets", "AddPartitionNum=359"},
		"CreateTopic": {
			"PartitionNum=360", "CompactTopic=false", "Topic=abc", "Topic=" + repeat("a", 64),
			`LocalTopic=true ReplicationFactor=3 MinInsyncReplicas=2 CompactTopic=true`, `LocalTopic=true Config={"replications":"3"} MinInsyncReplicas=2 ReplicationFactor=1`,
			numbered("Tag.%d.Key", 20),
		},
		"CreateConsumerGroup": {"ConsumerId=" + repeat("a", 128), "ConsumerId=-a-"},
		"CreatePostPayOrder": {
			"DeployType=4 EipMax=3", `PaidType=3 ServerlessConfig={"ReservedPublishCapacity":60,"ReservedSubscribeCapacity":50}`,
			"-TopicQuota PartitionNum=50", "PaidType=3 -TopicQuota -DiskType -DiskSize -IoMaxSpec",
		},
		"CreatePrePayOrder": {
			"PaidType=4 -TopicQuota -DiskType -DiskSize -DeployType -IoMax", `ConfluentConfig={"KafkaCU":4} -TopicQuota -DiskType -DiskSize -DeployType -IoMax`,
		},
		"UpgradePrePayOrder":  {`ConfluentConfig={"KafkaCU":8} -TopicQuota -DiskSize -IoMax`, "-TopicQuota PartitionNum=50"},
		"UpgradePostPayOrder": {`ServerlessConfig={"ReservedPublishCapacity":80} -TopicQuota -DiskSize -IoMaxSpec`, "EipModel=false EipMax=0", "EipModel=false", "EipModel=true EipMax=1", "EipMax=3"},
		"UpdateInstanceConfig": {
			`Config={"enable.vpc_sasl_ssl":"true","enable.acl":"true","kafka.log.retention.hours":"480","kafka.message.max.bytes":"10485760"}`,
			`Config={"enable.vpc_sasl_ssl":"true"}`, `Config={"kafka.log.retention.hours":"24","kafka.message.max.bytes":"1048576"}`,
		},
		"UpdateAllowedIp": {
			"AllowedListIp=0.0.0.0/0", "AllowedListIp=10.0.0.1,10.0.0.0/24,2001:db8::/32", "PortRange=9093/9093 AllowedListType=internet",
			"PortRange=9094/9094", "UpdateType=delete AllowedListIp=10.1.2.3/8",
		},
		"UpgradeInstanceVersion": {"TargetVersion=0.10.2", "TargetVersion=3.3.1"},
		"UpdateConsumerOffset": {
			"Topic= Time=-2", "Time=0", `ResetType=offset -Time Offsets=[{"Partition":0,"Offset":0},{"Partition":1,"Offset":9}]`,
		},
		"TagResources":     {"ResourceType=Topic", "Tag.1.Value=", "-Tag.1.Value", "Tag.1.Key=" + repeat("\u00e9", 128)},
		"UntagResources":   {"All=false"},
		"ListTagResources": {"-ResourceId.1 Tag.1.Key=team", "Tag.1.Key="},
		"CreateScheduledScalingRule": {
			`ScheduleType=repeat RepeatType=Weekly WeeklyTypes=["Monday"]`, "ScheduleType=repeat RepeatType=Daily",
		},
		"StartInstance":     {"DeployModule=eip IsEipInner=true IsSetUserAndPassword=true Username=a Password=b", `SelectedZones=[["zonel"],["zonek"]]`},
		"UpdateTopicConfig": {"Config=message.timestamp.type Value=LogAppendTime"},
	} {
		for _, change := range changes {
			if err := api.Validate(action, paramsOf(action, strings.Fields(change)...)); err != nil {
				t.Errorf("%s: %v", change, err)
			}
		}
	}
	if err := api.Validate("GetTopicsList", nil); err == nil || err.Error() != "unknown action GetTopicsList" {
		t.Errorf("got %v", err)
	}
}

// TestEveryConstraintIsKept breaks every constraint of every parameter.
func TestEveryConstraintIsKept(t *testing.T) {
	t.Parallel()
	for _, q := range requests {
		action := reflect.TypeOf(q).Name()
		a, _ := api.Lookup(action)
		good, err := api.WireForTest(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range a.Params {
			name := strings.Replace(p.Name, ".N", ".1", 1)
			for _, value := range breaches(p) {
				params := maps.Clone(good)
				params[name] = value
				if err := fmt.Sprint(api.Validate(action, params)); !strings.Contains(err, action+": "+name+" ") {
					t.Errorf("%s: %s=%q: %s", action, name, shortened(value), err)
				}
			}
		}
	}
}

func breaches(p api.Param) (values []string) {
	if p.Required && p.Name != "Topic" { // every topic, in UpdateConsumerOffset
		values = append(values, "")
	}
	switch p.Type {
	case "integer":
		values = append(values, "many", "1.5", "9223372036854775808")
		if p.Min != nil {
			values = append(values, strconv.FormatInt(*p.Min-1, 10))
		}
		if p.Max != nil {
			values = append(values, strconv.FormatInt(*p.Max+1, 10))
		}
	case "boolean":
		values = append(values, "", "True", "1")
	case "json":
		values = append(values, "{", "1", "{}{}")
	}
	if p.In != nil {
		values = append(values, "", "nonsense")
	}
	if p.MaxLength > 0 {
		values = append(values, strings.Repeat("a", p.MinLength-1), strings.Repeat("a", p.MaxLength+1), "a b c")
	}
	return values
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	err := api.Validate("CreateTopic", map[string]string{"InstanceId": "i", "Topic": "a b", "PartitionNum": "0"})
	want := `CreateTopic: PartitionNum must be from 1 to 360, not "0"
CreateTopic: Topic may consist of letters, digits, - and _ only, not "a b"
CreateTopic: RegionId is required
CreateTopic: Remark is required`
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestMistakesComeInOneOrder(t *testing.T) {
	t.Parallel()
	params := map[string]string{"RegionId": "cn-hangzhou", "ResourceType": "TOPIC", "ResourceId.2": "r", "Tag.2.Key": "k"}
	first := api.Validate("TagResources", params)
	for range 50 { // maps are walked in another order each time
		if again := api.Validate("TagResources", params); first == nil || again.Error() != first.Error() {
			t.Fatalf("%v\nand then\n%v", first, again)
		}
	}
}

// A secret that breaks every rule is still not repeated.
func TestRefusalsDoNotRepeatSecrets(t *testing.T) {
	t.Parallel()
	const canary = "canary-hunter2"
	for _, a := range api.Actions() {
		params := map[string]string{}
		for _, p := range a.Params {
			if p.Secret {
				params[strings.Replace(p.Name, ".N", ".1", 1)] = canary
				params[p.Name+".x"] = canary
				params["x"+p.Name] = canary
			}
		}
		if err := api.Validate(a.Name, params); err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%v", err)
		}
	}
	_, err := api.EncodeForTest(api.CreateSaslUser{Password: secret.New(canary)})
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("got %v", err)
	}
}

// Nothing but a request that is good may be typed.
func TestTypedRequestsAreJudgedAsWell(t *testing.T) {
	t.Parallel()
	c, _ := client(t, unreachable{t}, nil)
	_, err := api.Call(t.Context(), c, api.CreateTopic{RegionID: "cn-hangzhou", InstanceID: "i", Topic: "my.topic", Remark: "remark"})
	if err == nil || err.Error() != `CreateTopic: Topic may consist of letters, digits, - and _ only, not "my.topic"` {
		t.Errorf("got %v", err)
	}
}

// FuzzValidate looks for parameters that make the judge panic, and for
// refusals that do not say which parameter it is.
func FuzzValidate(f *testing.F) {
	for action, cases := range bad {
		for _, tc := range cases {
			name, value, _ := strings.Cut(tc.change, "=")
			f.Add(action, name, value)
		}
	}
	f.Fuzz(func(t *testing.T, action, name, value string) {
		if _, ok := api.Lookup(action); !ok {
			t.Skip()
		}
		params := maps.Clone(paramsOf(action))
		params[name] = value
		err := api.Validate(action, params)
		if err == nil {
			return
		}
		var refused *api.ParamError
		if !errors.As(err, &refused) || refused.Action != action || refused.Param == "" && name != "" {
			t.Errorf("refused as %#v", err)
		}
	})
}
