package sim_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// goodWrite returns the parameters of an action from everyWrite with some
// changed.
func goodWrite(t *testing.T, action string, changed ...string) []string {
	t.Helper()
	for _, call := range everyWrite {
		if call[0] == action {
			return append(slices.Clone(call[1:]), changed...)
		}
	}
	t.Fatalf("%s is not in everyWrite", action)
	return nil
}

// What the service does not take, with the code that it refuses it by. Every
// refusal leaves everything as it was.
func TestBadValues(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", 30)
	for _, tt := range []struct {
		action string
		params []string
		code   code
	}{
		{"CreatePostPayOrder", []string{"RegionId", "cn-nowhere"}, "InvalidParameter"},
		{"CreatePostPayOrder", []string{"DiskType", "2"}, "InvalidParameter"},
		{"CreatePostPayOrder", []string{"DiskSize", "big"}, "InvalidParameter"},
		{"CreatePostPayOrder", []string{"DiskSize", long}, "InvalidParameter"},
		{"CreatePostPayOrder", []string{"DeployType", "6"}, "InvalidParameter"},
		{"CreatePostPayOrder", []string{"DeployType", "4"}, "MissingParameter"}, // EipMax
		{"CreatePostPayOrder", []string{"IoMaxSpec", "-"}, "MissingParameter"},
		{"CreatePostPayOrder", []string{"DiskType", "-"}, "MissingParameter"},
		{"CreatePostPayOrder", []string{"DiskSize", "-"}, "MissingParameter"},
		{"CreatePostPayOrder", []string{"TopicQuota", "-"}, "MissingParameter"},
		{"CreatePrePayOrder", []string{"DiskType", "-"}, "MissingParameter"},
		{"CreatePrePayOrder", []string{"DeployType", "-"}, "MissingParameter"},
		{"CreatePrePayOrder", []string{"DeployType", "-", "PaidType", "3"}, "InvalidParameter"},
		{"CreatePostPayOrder", []string{"IoMaxSpec", "alikafka.hw.xlarge"}, "InvalidParameter"},
		{"CreatePostPayOrder", []string{"SpecType", "premium"}, "InvalidParameter"},
		{"CreatePostPayOrder", []string{"PaidType", "0"}, "InvalidParameter"},
		{"CreatePostPayOrder", []string{"Tag.1.Key", "acs:op"}, "BIZ_TAG_TAGKEY_NOT_VALID"},
		{"CreatePrePayOrder", []string{"Duration", "13"}, "InvalidParameter"},
		{"CreatePrePayOrder", []string{"ConfluentConfig", "[]"}, "InvalidParameter"},
		{"CreatePostPayInstance", []string{"PartitionNum", "-"}, "MissingParameter"},
		{"CreatePostPayInstance", []string{"DiskSize", "-"}, "MissingParameter"},
		{"CreatePostPayInstance", []string{"PaidType", "3", "ServerlessConfig", `{"ReservedPublishCapacity":"x"}`}, "InvalidParameter"},
		{"StartInstance", []string{"InstanceId", "alikafka_post-cn-none"}, "BIZ_INSTANCE_NOT_FOUND"},
		{"StartInstance", []string{"InstanceId", main}, "INSTANCE_STATUS_NOT_WAIT_DEPLOY"},
		{"StartInstance", []string{"DeployModule", "eip"}, "DeployType.NotSupport"},
		{"StartInstance", []string{"IsEipInner", "true"}, "DeployType.NotSupport"},
		{"StartInstance", []string{"IsEipInner", "maybe"}, "InvalidParameter"},
		{"StartInstance", []string{"Name", "a b"}, "BIZ_FIELD_CHECK_INVALID"},
		{"StartInstance", []string{"Name", main}, "INVALID_PARAMETER_DATA_ALREADY_EXIST"},
		{"StartInstance", []string{"ServiceVersion", "1.0"}, "InvalidParameter"},
		{"StartInstance", []string{"Config", "{"}, "InvalidParameter"},
		{"StartInstance", []string{"IsSetUserAndPassword", "true"}, "InvalidParameter"},
		{"UpgradePostPayOrder", []string{"DiskSize", "899"}, "BIZ.LIMIT.QUOTA.DOWN"},
		{"UpgradePostPayOrder", []string{"TopicQuota", "49"}, "BIZ.LIMIT.QUOTA.DOWN"},
		{"UpgradePostPayOrder", []string{"IoMaxSpec", "alikafka.hw.1xlarge"}, "BIZ.LIMIT.QUOTA.DOWN"},
		{"UpgradePostPayOrder", []string{"IoMaxSpec", "-"}, "MissingParameter"},
		{"UpgradePostPayOrder", []string{"DiskSize", "-"}, "MissingParameter"},
		{"UpgradePostPayOrder", []string{"TopicQuota", "-"}, "MissingParameter"},
		{"UpgradePrePayOrder", []string{"TopicQuota", "-"}, "MissingParameter"},
		{"UpgradePostPayOrder", []string{"SpecType", "normal"}, "BIZ.LIMIT.QUOTA.DOWN.1"},
		{"UpgradePostPayOrder", []string{"EipMax", "4"}, "BIZ.LIMIT.QUOTA.DOWN"},
		{"UpgradePostPayOrder", []string{"EipModel", "false"}, "BIZ.LIMIT.PUBNETWORK"},
		{"UpgradePostPayOrder", []string{"InstanceId", bought}, "BIZ_INSTANCE_STATUS_ERROR"},
		{"DowngradePostPayOrder", []string{"DiskSize", "901"}, "BIZ.LIMIT.QUOTA.DOWN"},
		{"ConvertPostPayOrder", []string{"Duration", "0"}, "InvalidParameter"},
		{"ModifyInstanceName", []string{"InstanceName", "ab"}, "BIZ_FIELD_CHECK_INVALID"},
		{"ModifyInstanceName", []string{"InstanceName", "名字很好"}, "BIZ_FIELD_CHECK_INVALID"},
		{"ModifyInstanceName", []string{"InstanceId", gone}, "BIZ_INSTANCE_STATUS_ERROR"},
		{"ReleaseInstance", []string{"ForceDeleteInstance", "yes"}, "InvalidParameter"},
		{"ReleaseInstance", []string{"InstanceId", gone}, "BIZ_INSTANCE_STATUS_ERROR"},
		{"ReopenInstance", []string{"InstanceId", main}, "BIZ_INSTANCE_STATUS_ERROR"},
		{"FailoverTest", []string{"InstanceId", "-"}, "MissingParameter"},
		{"FailoverTest", []string{"Configs", "x"}, "InvalidParameter"},
		{"ChangeResourceGroup", []string{"NewResourceGroupId", "other"}, "InvalidParameter"},
		{"UpdateInstanceConfig", []string{"Config", "not JSON"}, "InvalidParameter"},
		{"UpdateInstanceConfig", []string{"Config", `{"kafka.log.retention.hours":{}}`}, "InvalidParameter"},
		{"UpdateInstanceConfig", []string{"Config", `{"kafka.log.retention.hours":"23"}`}, "BIZ_FIELD_CHECK_INVALID"},
		{"UpdateInstanceConfig", []string{"Config", `{"kafka.log.retention.hours":"481"}`}, "BIZ_FIELD_CHECK_INVALID"},
		{"UpdateInstanceConfig", []string{"Config", `{"kafka.message.max.bytes":"1048575"}`}, "BIZ_FIELD_CHECK_INVALID"},
		{"UpdateInstanceConfig", []string{"Config", `{"log.retention.ms":"1"}`}, "BIZ_FIELD_CHECK_INVALID"},
		{"UpdateInstanceConfig", []string{"Config", `{"enable.acl":"perhaps"}`}, "BIZ_FIELD_CHECK_INVALID"},
		{"UpdateInstanceConfig", []string{"Config", `{"enable.acl":false,"enable.vpc_sasl_ssl":true}`}, "BIZ_ACL_NOT_ENABLED"},
		{"UpgradeInstanceVersion", []string{"TargetVersion", "0.10.2"}, "InvalidParameter.VersionNotSupport"},
		{"UpgradeInstanceVersion", []string{"TargetVersion", "9.9"}, "InvalidParameter.VersionNotSupport"},
		{"EnableAutoTopicCreation", []string{"Operate", "-"}, "MissingParameter"},
		{"EnableAutoTopicCreation", []string{"Operate", "toggle"}, "InvalidParameter"},
		{"EnableAutoTopicCreation", []string{"Operate", "updatePartition"}, "MissingParameter"},
		{"EnableAutoTopicCreation", []string{"Operate", "updatePartition", "PartitionNum", "361"}, "InvalidParameter"},
		{"EnableAutoGroupCreation", []string{"Enable", "1"}, "InvalidParameter"},
		{"CreateScheduledScalingRule", []string{"ScheduleType", "cron"}, "InvalidParameter"},
		{"CreateScheduledScalingRule", []string{"TimeZone", "Asia/Shanghai"}, "InvalidParameter"},
		{"CreateScheduledScalingRule", []string{"WeeklyTypes", "Monday"}, "InvalidParameter"},
		{"CreateScheduledScalingRule", []string{"FirstScheduledTime", "soon"}, "InvalidParameter"},
		{"CreateTopic", []string{"Topic", "my.topic"}, "BIZ_FIELD_CHECK_INVALID"},
		{"CreateTopic", []string{"Topic", "ab"}, "BIZ_FIELD_CHECK_INVALID"},
		{"CreateTopic", []string{"Topic", "___"}, "BIZ_FIELD_CHECK_INVALID"},
		{"CreateTopic", []string{"Remark", "a remark"}, "BIZ_FIELD_CHECK_INVALID"},
		{"CreateTopic", []string{"PartitionNum", "0"}, "InvalidParameter"},
		{"CreateTopic", []string{"PartitionNum", "361"}, "InvalidParameter"},
		{"CreateTopic", []string{"PartitionNum", "6.0"}, "InvalidParameter"},
		{"CreateTopic", []string{"CompactTopic", "true"}, "BIZ_TOPIC_COMPACT_TOPIC_NOT_SUPPORT"},
		{"CreateTopic", []string{"ReplicationFactor", "2"}, "InvalidParameter"},
		{"CreateTopic", []string{"LocalTopic", "true", "MinInsyncReplicas", "3"}, "InvalidParameter"},
		{"CreateTopic", []string{"LocalTopic", "true", "Config", `{"replications":4}`}, "BIZ_FIELD_CHECK_INVALID"},
		{"CreateTopic", []string{"LocalTopic", "true", "Config", `{"retention":4}`}, "BIZ_FIELD_CHECK_INVALID"},
		{"CreateTopic", []string{"Topic", "orders"}, "BIZ_TOPIC_EXISTED"},
		{"CreateTopic", []string{"InstanceId", stopped}, "BIZ_INSTANCE_STATUS_ERROR"},
		{"DeleteTopic", []string{"Topic", "nope"}, "BIZ_TOPIC_NOT_FOUND"},
		{"ModifyPartitionNum", []string{"AddPartitionNum", "0"}, "InvalidParameter"},
		{"ModifyPartitionNum", []string{"AddPartitionNum", "-6"}, "InvalidParameter"},
		{"ModifyPartitionNum", []string{"AddPartitionNum", "355"}, "BIZ_TOPIC_PARTITION_NUM_EXCEED"},
		{"ModifyTopicRemark", []string{"Remark", "ab"}, "BIZ_FIELD_CHECK_INVALID"},
		{"CreateConsumerGroup", []string{"ConsumerId", "ab"}, "BIZ_FIELD_CHECK_INVALID"},
		{"CreateConsumerGroup", []string{"ConsumerId", "billing"}, "BIZ_SUBSCRIPTION_EXISTED"},
		{"DeleteConsumerGroup", []string{"ConsumerId", "nope"}, "BIZ_SUBSCRIPTION_NOT_FOUND"},
		{"UpdateConsumerOffset", []string{"ConsumerId", "nope"}, "BIZ_SUBSCRIPTION_NOT_FOUND"},
		{"UpdateConsumerOffset", []string{"Topic", "nope"}, "BIZ_TOPIC_NOT_FOUND"},
		{"UpdateConsumerOffset", []string{"ResetType", "sometimes"}, "InvalidParameter"},
		{"UpdateConsumerOffset", []string{"Time", "-3"}, "InvalidParameter"},
		{"UpdateConsumerOffset", []string{"ResetType", "offset", "Topic", "", "Offsets", `[{"Partition":0,"Offset":1}]`}, "MissingParameter"},
		{"CreateSaslUser", []string{"Type", "oauth"}, "InvalidParameter"},
		{"UntagResources", []string{"All", "every"}, "InvalidParameter"},
	} {
		t.Run(tt.action+" "+strings.Join(tt.params, " "), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud, c := unlimited(t, sim.Options{World: stocked()})
				before := inventory(t, cloud)
				c.mustRefuse(tt.code, tt.action, goodWrite(t, tt.action, tt.params...)...)
				if got := cloud.Effects(sim.Match{}); got != nil || inventory(t, cloud) != before {
					t.Errorf("changed: %+v", got)
				}
			})
		})
	}
}

// What is allowed although it is not plain.
func TestGoodValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		action string
		params []string
	}{
		{"CreatePostPayInstance", []string{"PaidType", "3", "DiskSize", "-", "IoMaxSpec", "-", "ServerlessConfig", `{"ReservedPublishCapacity":60,"ReservedSubscribeCapacity":"50"}`}},
		{"CreatePrePayOrder", []string{"PaidType", "4", "ConfluentConfig", `{"KafkaCU":4}`}},
		{"CreatePrePayOrder", []string{"PaidType", "4", "TopicQuota", "-", "DiskType", "-", "DiskSize", "-", "DeployType", "-", "IoMax", "-", "EipMax", "-"}},
		{"CreatePostPayOrder", []string{"PaidType", "3", "TopicQuota", "-", "DiskType", "-", "DiskSize", "-", "IoMaxSpec", "-"}},
		{"CreatePostPayOrder", []string{"TopicQuota", "-", "PartitionNum", "100"}},
		{"UpgradePostPayOrder", []string{"TopicQuota", "-", "PartitionNum", "1000"}},
		{"CreatePrePayOrder", []string{"PaidType", "4", "ConfluentConfig.KafkaCU", "4"}}, // as older SDKs send it
		{"CreatePrePayOrder", []string{"IoMaxSpec", "alikafka.hw.12xlarge"}},             // counts more than IoMax
		{"CreateTopic", []string{"LocalTopic", "true", "CompactTopic", "true", "ReplicationFactor", "3", "MinInsyncReplicas", "2"}},
		{"CreateTopic", []string{"LocalTopic", "true", "Config", `{"replications":2}`, "PartitionNum", "-"}},
		{"UpgradeInstanceVersion", []string{"TargetVersion", "2.2.0"}}, // its newest minor release
		{"StartInstance", []string{"VSwitchId", "vsw-1", "VSwitchIds.1", "vsw-2", "CrossZone", "false", "SelectedZones", `[["k"],["l"]]`}},
		{"ReleaseInstance", []string{"InstanceId", stopped}},
		{"ReleaseInstance", []string{"InstanceId", bought}},
		{"DowngradePostPayOrder", []string{"EipModel", "false", "EipMax", "0"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			strict := !slices.Contains(tt.params, "ConfluentConfig.KafkaCU")
			cloud, c := unlimited(t, sim.Options{World: stocked(), Strict: strict})
			c.mustCall(tt.action, goodWrite(t, tt.action, tt.params...)...)
			if got := cloud.Effects(sim.Match{}); len(got) != 1 {
				t.Errorf("%s %v: got %+v", tt.action, tt.params, got)
			}
		})
	}
}

// The cloud refuses exactly what the table of package api calls required.
func TestRequiredParametersOfWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{World: stocked()})
		before := inventory(t, cloud)
		for _, call := range slices.Concat(newReads, everyWrite) {
			row, _ := api.Lookup(call[0])
			for _, p := range row.Params {
				name := strings.Replace(p.Name, ".N", ".1", 1)
				if p.Required {
					c.mustRefuse("MissingParameter", call[0], append(slices.Clone(call[1:]), name, "-")...)
				}
			}
		}
		if inventory(t, cloud) != before {
			t.Error("something was changed")
		}
	})
}

// A policy can deny writes, and a foreign instance cannot be changed.
func TestWritesThatAreForbidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := stocked()
		w.Accounts[0].Keys = []sim.Key{{ID: "testid", Secret: "testsecret", Deny: []string{"DeleteTopic"}}}
		w.Accounts = append(w.Accounts, sim.Account{Name: "other", Keys: []sim.Key{{ID: "otherid", Secret: "othersecret"}}})
		cloud, c := unlimited(t, sim.Options{World: w})
		c.mustRefuse("Forbidden.RAM", "DeleteTopic", goodWrite(t, "DeleteTopic")...)
		c.id, c.secret = "otherid", "othersecret"
		for _, call := range everyWrite {
			if status, body := c.call(call[0], call[1:]...); slices.Contains(call, main) && call[0] != "UntagResources" &&
				(status != http.StatusForbidden || decodeError(t, body).Code != "AUTH_RESOURCE_OWNER_ERROR") {
				t.Errorf("%s: %s", call[0], body)
			}
		}
		if got := cloud.Effects(sim.Match{Account: "own"}); got != nil {
			t.Errorf("got %+v", got)
		}
	})
}
