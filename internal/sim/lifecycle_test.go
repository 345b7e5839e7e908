package sim_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// instanceVO is what the tests read of an instance.
type instanceVO struct {
	InstanceId, Name, OrderId, VpcId, VSwitchId, ZoneId, SpecType, IoMaxSpec, AllConfig, ResourceGroupId, EndPoint string
	ServiceStatus, ViewInstanceStatusCode, PaidType, DeployType, DiskSize, IoMax, EipMax, TopicNumLimit            int64
	MsgRetain, CreateTime, ExpiredTime, DefaultPartitionNum                                                        int64
	AutoCreateTopicEnable, AutoCreateGroupEnable                                                                   bool
	UpgradeServiceDetailInfo                                                                                       struct{ Current2OpenSourceVersion string }
	Tags                                                                                                           struct {
		TagVO []struct{ Key, Value string }
	}
}

// list returns the instances that GetInstanceList shows.
func (c *client) list(params ...string) []instanceVO {
	c.t.Helper()
	var got struct {
		InstanceList struct{ InstanceVO []instanceVO }
	}
	c.get(&got, "GetInstanceList", params...)
	return got.InstanceList.InstanceVO
}

// one returns the instance of that id, nil when it is not listed.
func (c *client) one(id string) *instanceVO {
	c.t.Helper()
	if found := c.list("InstanceId.1", id); len(found) == 1 {
		return &found[0]
	}
	return nil
}

// statuses waits for so long and returns the statuses that an instance shows
// meanwhile, each with how long it lasted in seconds.
func (c *client) statuses(id string, wait time.Duration) string {
	c.t.Helper()
	var all []string
	var last string
	var since time.Time
	step := 3 * time.Second
	if wait > time.Hour {
		step = 10 * time.Minute
	}
	for end := time.Now().Add(wait); ; time.Sleep(step) {
		now := "gone"
		if vo := c.one(id); vo != nil {
			now = strconv.FormatInt(vo.ServiceStatus, 10) + "/" + strconv.FormatInt(vo.ViewInstanceStatusCode, 10)
		}
		over := !time.Now().Before(end)
		if now != last || over {
			if last != "" {
				all = append(all, last+" "+strconv.Itoa(int(time.Since(since).Seconds())))
			}
			last, since = now, time.Now()
		}
		if over {
			return strings.Join(all, ", ")
		}
	}
}

// An order, from nothing to nothing.
func TestLifeOfAnInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{World: stocked()})
		var order struct{ OrderId string }
		c.get(&order, "CreatePostPayOrder", "TopicQuota", "50", "DiskType", "1", "DiskSize", "500", "DeployType", "4", "EipMax", "3",
			"IoMaxSpec", "alikafka.hw.3xlarge", "SpecType", "professional", "Tag.1.Key", "op", "Tag.1.Value", "42")
		if got := c.list("OrderId", order.OrderId); len(got) != 0 {
			t.Errorf("listed at once: %+v", got)
		}
		time.Sleep(4 * time.Second)
		got := c.list("OrderId", order.OrderId)
		if len(got) != 1 || got[0].ServiceStatus != 0 || got[0].ViewInstanceStatusCode != 0 || got[0].PaidType != 1 || got[0].DiskSize != 500 ||
			got[0].IoMax != 30 || got[0].EipMax != 3 || got[0].TopicNumLimit != 50 || got[0].VpcId != "" || got[0].EndPoint != "" ||
			!slices.Equal(got[0].Tags.TagVO, []struct{ Key, Value string }{{"op", "42"}}) {
			t.Fatalf("got %+v", got)
		}
		id := got[0].InstanceId
		if byTag := c.list("Tag.1.Key", "op", "Tag.1.Value", "42"); len(byTag) != 1 || byTag[0].InstanceId != id || byTag[0].Name != id {
			t.Errorf("by tag: %+v", byTag)
		}
		in := []string{"InstanceId", id}
		with := func(more ...string) []string { return slices.Concat(in, more) }
		c.mustRefuse("BIZ_INSTANCE_STATUS_ERROR", "GetTopicList", in...)
		c.mustRefuse("BIZ_INSTANCE_STATUS_ERROR", "CreateTopic", with("Topic", "abc", "Remark", "abc")...)
		c.mustRefuse("InstanceStatus.NotReleased", "DeleteInstance", in...)

		start := with("VpcId", "vpc-7", "VSwitchId", "vsw-7", "ZoneId", "zonek", "DeployModule", "eip", "IsEipInner", "true", "Name", "shop",
			"ServiceVersion", " 0.10.2", "Config", `{"kafka.log.retention.hours":"33"}`,
			"IsSetUserAndPassword", "true", "Username", "first", "Password", "pass")
		c.mustCall("StartInstance", start...)
		c.mustRefuse("INSTANCE_STATUS_NOT_WAIT_DEPLOY", "StartInstance", start...)
		if got := c.statuses(id, 9*time.Minute); got != "1/1 192, 2/1 144, 3/22 144, 5/2 60" {
			t.Errorf("deployment: %s", got)
		}
		vo := c.one(id)
		if vo.Name != "shop" || vo.VpcId != "vpc-7" || vo.VSwitchId != "vsw-7" || vo.ZoneId != "zonek" || vo.MsgRetain != 33 ||
			vo.UpgradeServiceDetailInfo.Current2OpenSourceVersion != "0.10.2" || vo.EndPoint == "" || !strings.Contains(vo.AllConfig, `hours":"33"`) {
			t.Errorf("deployed: %+v", vo)
		}
		var users struct {
			SaslUserList struct {
				SaslUserVO []struct{ Username, Password string }
			}
		}
		c.get(&users, "DescribeSaslUsers", in...)
		if len(users.SaslUserList.SaslUserVO) != 1 || users.SaslUserList.SaslUserVO[0].Password != "pass" {
			t.Errorf("users: %+v", users)
		}

		c.mustCall("UpdateInstanceConfig", with("Config", `{"kafka.message.max.bytes":"2097152","kafka.log.retention.hours":"48"}`)...)
		if vo := c.one(id); vo.ServiceStatus != 5 || vo.MsgRetain != 48 || !strings.Contains(vo.AllConfig, "2097152") {
			t.Errorf("configured: %+v", vo)
		}
		c.mustRefuse("ScheduledTask.AlreadyHasSameTaskType", "UpdateInstanceConfig", with("Config", `{"kafka.log.retention.hours":"49"}`)...)
		c.mustRefuse("BIZ_INSTANCE_STATUS_ERROR", "UpgradeInstanceVersion", with("TargetVersion", "2.2.0")...)
		c.mustCall("CreateTopic", with("Topic", "early", "Remark", "abc")...) // the status still reads 5
		if got := c.statuses(id, 5*time.Minute); got != "5/2 15, 11/2 240, 5/2 45" {
			t.Errorf("configuration: %s", got)
		}
		c.mustCall("UpgradeInstanceVersion", with("TargetVersion", "2.2.0")...)
		time.Sleep(15 * time.Second)
		c.mustRefuse("BIZ_INSTANCE_STATUS_ERROR", "CreateTopic", with("Topic", "during", "Remark", "abc")...)
		c.mustCall("GetTopicList", in...) // reads go on
		if got := c.statuses(id, 11*time.Minute); got != "8/7 600, 5/2 60" {
			t.Errorf("upgrade: %s", got)
		}
		if got := c.one(id).UpgradeServiceDetailInfo.Current2OpenSourceVersion; got != "2.2.0" {
			t.Errorf("version %s", got)
		}
		c.mustRefuse("ONS_INIT_ENV_ERROR", "UpgradeInstanceVersion", with("TargetVersion", "2.2.0")...)
		c.mustCall("UpgradePostPayOrder", with("DiskSize", "900", "TopicQuota", "60", "IoMax", "60", "EipModel", "true", "EipMax", "9")...)
		if vo := c.one(id); vo.DiskSize != 500 {
			t.Errorf("too early: %+v", vo)
		}
		if got := c.statuses(id, 11*time.Minute); got != "5/2 15, 8/7 600, 5/2 45" {
			t.Errorf("resize: %s", got)
		}
		if vo := c.one(id); vo.DiskSize != 900 || vo.TopicNumLimit != 60 || vo.IoMax != 60 || vo.EipMax != 9 || vo.IoMaxSpec != "alikafka.hw.6xlarge" {
			t.Errorf("resized: %+v", vo)
		}

		c.mustRefuse("BIZ_INSTANCE_RELEASE_EXIST_TOPIC_ERROR", "ReleaseInstance", in...)
		c.mustCall("DeleteTopic", with("Topic", "early")...)
		c.mustCall("CreateConsumerGroup", with("ConsumerId", "left")...)
		time.Sleep(time.Minute)
		c.mustRefuse("BIZ_INSTANCE_RELEASE_EXIST_CONSUMER_GROUP_ERROR", "ReleaseInstance", in...)
		c.mustCall("DeleteConsumerGroup", with("ConsumerId", "left")...)
		c.mustRefuse("BIZ_INSTANCE_RELEASE_LESSHOUR_ERROR", "ReleaseInstance", in...)
		time.Sleep(time.Hour)
		c.mustCall("ReleaseInstance", in...)
		c.mustRefuse("BIZ_INSTANCE_STATUS_ERROR", "ReleaseInstance", in...)
		if got := c.statuses(id, 25*time.Hour); got != "15/23 86400, 10/6 3600" {
			t.Errorf("release: %s", got)
		}
		c.mustCall("DeleteInstance", in...)
		if got := c.one(id); got != nil {
			t.Errorf("deleted: %+v", got)
		}
		c.mustRefuse("BIZ_INSTANCE_NOT_FOUND", "DeleteInstance", in...)
		if got := cloud.Effects(sim.Match{Params: map[string]string{"InstanceId": id}}); len(got) != 10 {
			t.Errorf("%d effects", len(got))
		}
	})
}

// With no delays all of that happens at once.
func TestInstantly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{World: stocked(), Delays: sim.Instantly()})
		var order struct{ Data struct{ InstanceId string } }
		c.get(&order, "CreatePostPayInstance", "DeployType", "5", "DiskSize", "500", "PartitionNum", "50", "IoMaxSpec", "alikafka.hw.2xlarge")
		id := order.Data.InstanceId
		in := []string{"InstanceId", id}
		expect := func(status int64) {
			t.Helper()
			if vo := c.one(id); vo == nil || vo.ServiceStatus != status {
				t.Fatalf("want %d: %+v", status, vo)
			}
		}
		expect(0)
		c.mustCall("StartInstance", append(in, "VpcId", "vpc-7", "VSwitchId", "vsw-7", "DeployModule", "vpc")...)
		expect(5)
		c.mustCall("CreateTopic", append(in, "Topic", "now", "Remark", "abc")...)
		var topics pageOf
		if c.get(&topics, "GetTopicList", in...); topics.Total != 1 {
			t.Errorf("%d topics", topics.Total)
		}
		c.mustCall("UpdateInstanceConfig", append(in, "Config", `{"kafka.log.retention.hours":48}`)...)
		expect(5)
		c.mustCall("DeleteTopic", append(in, "Topic", "now")...)
		c.mustCall("ReleaseInstance", in...)
		expect(10)
		c.mustCall("DeleteInstance", in...)
		if c.one(id) != nil {
			t.Error("still there")
		}
	})
}

// What is paid in advance and what is paid as you go differ in what can be
// done with them.
func TestBilling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{World: stocked()})
		for _, call := range [][]string{
			{"ReleaseInstance"},
			{"StopInstance"},
			{"ConvertPostPayOrder"},
			{"UpgradePostPayOrder", "DiskSize", "2000", "TopicQuota", "90", "IoMax", "90"},
			{"DowngradePostPayOrder", "DiskSize", "500"},
		} {
			c.mustRefuse("BIZ_INSTANCE_PAIDTYPE_NOT_SUPPORT", call[0], append(slices.Clone(call[1:]), "InstanceId", paid)...)
		}
		for _, call := range [][]string{
			{"UpgradePrePayOrder", "DiskSize", "2000", "TopicQuota", "90", "IoMax", "90"},
			{"DowngradePrePayOrder", "DiskSize", "500"},
		} {
			c.mustRefuse("BIZ_INSTANCE_PAIDTYPE_NOT_SUPPORT", call[0], append(slices.Clone(call[1:]), "InstanceId", main)...)
		}
		c.mustCall("ConvertPostPayOrder", "InstanceId", main, "Duration", "2")
		time.Sleep(5 * time.Second)
		if vo := c.one(main); vo.PaidType != 0 || vo.ExpiredTime != time.Date(2000, 3, 1, 0, 0, 3, 0, time.UTC).UnixMilli() {
			t.Errorf("converted: %+v", vo)
		}
		time.Sleep(60 * 24 * time.Hour) // 2000 is a leap year
		if vo := c.one(main); vo.ServiceStatus != 15 || vo.ViewInstanceStatusCode != 5 {
			t.Errorf("expired: %+v", vo)
		}
		c.mustRefuse("BIZ_INSTANCE_STATUS_ERROR", "ModifyTopicRemark", "InstanceId", main, "Topic", "orders")

		order := []string{"TopicQuota", "50", "DiskType", "0", "DiskSize", "500", "DeployType", "5", "IoMaxSpec", "alikafka.hw.3xlarge"}
		if err := cloud.SetBalance("own", 99.5); err != nil {
			t.Fatal(err)
		}
		c.mustRefuse("InsufficientBalance", "CreatePrePayOrder", order...)
		c.mustRefuse("InsufficientBalance", "UpgradePrePayOrder", "InstanceId", paid, "DiskSize", "2000", "TopicQuota", "90", "IoMax", "90")
		if err := cloud.SetBalance("own", 100); err != nil {
			t.Fatal(err)
		}
		c.mustCall("CreatePrePayOrder", order...)
		c.mustCall("CreatePrePayOrder", order...)
		time.Sleep(time.Minute)
		if got := c.list("Tag.1.Key", ""); len(got) != 9 {
			t.Errorf("an order that is placed twice is two orders: %d instances", len(got))
		}
	})
}

// sum returns how many messages the topic ever got.
func (s status) sum() (n int64) {
	for _, o := range s.TopicStatus.OffsetTable.OffsetTable {
		n += o.MaxOffset
	}
	return n
}

// A stopped instance serves nobody until it is reopened.
func TestStopAndReopen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{World: stocked()})
		time.Sleep(time.Minute)
		in := []string{"InstanceId", main}
		before := c.status(main, "orders").sum()
		c.mustRefuse("BIZ_INSTANCE_STATUS_ERROR", "ReopenInstance", in...)
		c.mustCall("StopInstance", in...)
		c.mustRefuse("ScheduledTask.AlreadyHasSameTaskType", "StopInstance", in...)
		if got := c.statuses(main, 10*time.Minute); got != "15/21 60, 15/3 540" {
			t.Errorf("stop: %s", got)
		}
		c.mustRefuse("BIZ_INSTANCE_STATUS_ERROR", "GetConsumerProgress", append(in, "ConsumerId", "billing")...)
		c.mustRefuse("InstanceStatus.NotReleased", "DeleteInstance", in...)
		c.mustCall("ReopenInstance", in...)
		if got := c.statuses(main, 10*time.Minute); got != "3/22 480, 5/2 120" {
			t.Errorf("reopen: %s", got)
		}
		// Ten minutes and eight without production; two with, at 20 a second.
		if got := c.status(main, "orders").sum() - before; got < 2000 || got > 3400 {
			t.Errorf("%d messages meanwhile", got)
		}
		if got := c.progress(main, "billing").ConsumerProgress; got.TotalDiff > 300 || got.State != "STABLE" {
			t.Errorf("got %s, %d behind", got.State, got.TotalDiff)
		}
	})
}

// Instances can be given a status at any time, which ends what is being done.
func TestStatusOverride(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{World: stocked()})
		ref := sim.Ref{Account: "own", Instance: main}
		c.mustCall("UpgradeInstanceVersion", "InstanceId", main, "TargetVersion", "2.6.2")
		time.Sleep(time.Minute)
		for _, tt := range []struct {
			set  int64
			want string
		}{{7, "7/2 7200"}, {sim.Stopped, "15/3 7200"}, {sim.Undeployed, "0/0 7200"}, {5, "5/2 7200"}, {99, "99/2 7200"}} {
			if err := cloud.SetStatus(ref, tt.set); err != nil {
				t.Fatal(err)
			}
			if got := c.statuses(main, 2*time.Hour); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		}
		if got := c.one(main).UpgradeServiceDetailInfo.Current2OpenSourceVersion; got != "2.2.0" {
			t.Errorf("the upgrade went on: %s", got)
		}
		for _, status := range []int64{sim.Stopped, 5} {
			if err := cloud.SetStatus(ref, 5); err != nil {
				t.Fatal(err)
			}
			before := c.status(main, "orders").sum()
			if err := cloud.SetStatus(ref, status); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if err := cloud.SetStatus(ref, 5); err != nil {
				t.Fatal(err)
			}
			if got := c.status(main, "orders").sum() - before; (got > 0) != (status == 5) {
				t.Errorf("status %d: %d messages", status, got)
			}
		}
	})
}

// Settings that are read back as they were set.
func TestSettings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{World: stocked()})
		in := []string{"InstanceId", main}
		with := func(more ...string) []string { return slices.Concat(in, more) }
		long := strings.Repeat("n", 70)
		c.mustCall("ModifyInstanceName", with("InstanceName", long)...)
		c.mustCall("EnableAutoTopicCreation", with("Operate", "enable")...)
		c.mustCall("EnableAutoTopicCreation", with("Operate", "updatePartition", "UpdatePartition", "true", "PartitionNum", "24")...)
		c.mustCall("EnableAutoGroupCreation", with("Enable", "true")...)
		c.mustCall("ChangeResourceGroup", "ResourceId", main, "NewResourceGroupId", "rg-two")
		vo := c.one(main)
		if vo.Name != long[:64] || !vo.AutoCreateTopicEnable || vo.DefaultPartitionNum != 24 || !vo.AutoCreateGroupEnable || vo.ResourceGroupId != "rg-two" {
			t.Errorf("got %+v", vo)
		}
		c.mustCall("EnableAutoTopicCreation", with("Operate", "disable")...)
		c.mustCall("EnableAutoGroupCreation", with("Enable", "false")...)
		if vo := c.one(main); vo.AutoCreateTopicEnable || vo.AutoCreateGroupEnable || vo.DefaultPartitionNum != 24 {
			t.Errorf("got %+v", vo)
		}
		if got := c.list("ResourceGroupId", "rg-two"); len(got) != 1 {
			t.Errorf("by resource group: %+v", got)
		}
	})
}

// Rules of scheduled scaling.
func TestScalingRules(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{World: stocked()})
		rule := func(name string, first time.Time, more ...string) []string {
			return append(more, "InstanceId", flex, "RuleName", name, "FirstScheduledTime", strconv.FormatInt(first.UnixMilli(), 10),
				"ReservedPubFlow", "200", "ReservedSubFlow", "100", "TimeZone", "GMT+8")
		}
		now := time.Now()
		at := []string{"ScheduleType", "at", "DurationMinutes", "60"}
		c.mustCall("CreateScheduledScalingRule", rule("sale", now.Add(40*time.Minute), at...)...)
		c.mustRefuse("ServerlessPlan.NameExist", "CreateScheduledScalingRule", rule("sale", now.Add(4*time.Hour), at...)...)
		c.mustRefuse("ServerlessPlan.IntervalInvalid", "CreateScheduledScalingRule", rule("soon", now.Add(20*time.Minute), at...)...)
		c.mustRefuse("ServerlessPlan.IntervalInvalid", "CreateScheduledScalingRule", rule("close", now.Add(90*time.Minute), at...)...)
		c.mustRefuse("ServerlessPlan.IntervalInvalid", "CreateScheduledScalingRule", rule("short", now.Add(4*time.Hour), "ScheduleType", "at", "DurationMinutes", "14")...)
		c.mustRefuse("MissingParameter", "CreateScheduledScalingRule", rule("never", now, "ScheduleType", "repeat", "DurationMinutes", "15")...)
		c.mustRefuse("MissingParameter", "CreateScheduledScalingRule", rule("never", now, "ScheduleType", "repeat", "RepeatType", "Weekly", "DurationMinutes", "15")...)
		c.mustCall("CreateScheduledScalingRule", rule("weekly", now, "ScheduleType", "repeat", "RepeatType", "Weekly", "WeeklyTypes", `["Monday","Friday"]`,
			"DurationMinutes", "15", "Enable", "false")...)
		names := func() string {
			var got struct {
				Data struct {
					ScheduledScalingRules struct {
						ScheduledScalingRules []struct {
							RuleId      int
							RuleName    string
							Enable      bool
							WeeklyTypes struct{ WeeklyTypes []string }
						}
					}
				}
			}
			c.get(&got, "GetAutoScalingConfiguration", "InstanceId", flex)
			var all []string
			for _, r := range got.Data.ScheduledScalingRules.ScheduledScalingRules {
				all = append(all, strconv.Itoa(r.RuleId)+r.RuleName+strconv.FormatBool(r.Enable)+strings.Join(r.WeeklyTypes.WeeklyTypes, "+"))
			}
			return strings.Join(all, " ")
		}
		if got := names(); got != "1nightsfalseMonday 2saletrue 3weeklyfalseMonday+Friday" {
			t.Errorf("got %s", got)
		}
		c.mustRefuse("ServerlessPlan.NotSupport.StatusEnabled", "DeleteScheduledScalingRule", "InstanceId", flex, "RuleName", "sale")
		c.mustCall("ModifyScheduledScalingRule", "InstanceId", flex, "RuleName", "weekly", "Enable", "true")
		c.mustCall("DeleteScheduledScalingRule", "InstanceId", flex, "RuleName", "nights")
		c.mustRefuse("InvalidParameter.DataNotFound", "ModifyScheduledScalingRule", "InstanceId", flex, "RuleName", "nights", "Enable", "true")
		time.Sleep(2 * time.Hour)
		c.mustCall("DeleteScheduledScalingRule", "InstanceId", flex, "RuleName", "sale") // it is over
		if got := names(); got != "3weeklytrueMonday+Friday" {
			t.Errorf("got %s", got)
		}
		for _, action := range []string{"GetAutoScalingConfiguration", "ModifyScheduledScalingRule", "DeleteScheduledScalingRule"} {
			c.mustRefuse("BIZ_INSTANCE_PAIDTYPE_NOT_SUPPORT", action, "InstanceId", main, "RuleName", "x", "Enable", "true")
		}
	})
}
