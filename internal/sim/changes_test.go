package sim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// topicVO is what the tests read of a topic.
type topicVO struct {
	Topic, Remark, TopicConfig string
	PartitionNum, CreateTime   int64
	LocalTopic, CompactTopic   bool
	Tags                       struct{ TagVO []struct{ Key, Value string } }
}

// topic returns a topic as it is listed, nil when it is not.
func (c *client) topic(instance, name string) *topicVO {
	c.t.Helper()
	var got struct{ TopicList struct{ TopicVO []topicVO } }
	c.get(&got, "GetTopicList", "InstanceId", instance, "Topic", name)
	if len(got.TopicList.TopicVO) == 1 {
		return &got.TopicList.TopicVO[0]
	}
	return nil
}

// quota returns what GetQuotaTip says of topics, partitions and groups.
func (c *client) quota(instance string) string {
	c.t.Helper()
	var got struct {
		QuotaData struct{ TopicUsed, TopicLeft, PartitionUsed, PartitionLeft, GroupUsed, GroupLeft int }
	}
	c.get(&got, "GetQuotaTip", "InstanceId", instance)
	return fmt.Sprint(got.QuotaData)
}

// Topics appear and vanish a little after their calls.
func TestLifeOfATopic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{World: stocked()})
		in := []string{"InstanceId", main}
		with := func(more ...string) []string { return slices.Concat(in, more) }
		create := with("Topic", "fresh", "Remark", "first", "PartitionNum", "4", "Tag.1.Key", "op", "Tag.1.Value", "7")
		before := c.quota(main)
		asked := time.Now().UnixMilli()
		c.mustCall("CreateTopic", create...)
		if got := c.topic(main, "fresh"); got != nil {
			t.Errorf("listed at once: %+v", got)
		}
		c.mustRefuse("BIZ_TOPIC_NOT_FOUND", "GetTopicStatus", with("Topic", "fresh")...)
		c.mustRefuse("BIZ_TOPIC_EXISTED", "CreateTopic", create...)
		c.mustRefuse("BIZ_TOPIC_STATUS_ERROR", "DeleteTopic", with("Topic", "fresh")...)
		time.Sleep(3 * time.Second)
		got := c.topic(main, "fresh")
		if got == nil || got.PartitionNum != 4 || got.Remark != "first" || got.CreateTime != asked || got.TopicConfig != `{"replication-factor":3}` ||
			!slices.Equal(got.Tags.TagVO, []struct{ Key, Value string }{{"op", "7"}}) {
			t.Errorf("got %+v", got)
		}
		if s := c.status(main, "fresh"); len(s.TopicStatus.OffsetTable.OffsetTable) != 4 || s.sum() != 0 {
			t.Errorf("got %+v", s)
		}
		if before != "{2 48 9 1091 2 198}" || c.quota(main) != "{3 47 13 1087 2 198}" {
			t.Errorf("quota %s, then %s", before, c.quota(main))
		}
		c.mustRefuse("BIZ_TOPIC_EXISTED", "CreateTopic", create...)
		c.mustCall("ModifyPartitionNum", with("Topic", "fresh", "AddPartitionNum", "3")...)
		c.mustCall("ModifyPartitionNum", with("Topic", "fresh", "AddPartitionNum", "3")...)
		if got := c.topic(main, "fresh"); got.PartitionNum != 10 {
			t.Errorf("it adds: %+v", got)
		}
		c.mustCall("ModifyTopicRemark", with("Topic", "fresh", "Remark", strings.Repeat("r", 70))...)
		if got := c.topic(main, "fresh"); got.Remark != strings.Repeat("r", 64) {
			t.Errorf("remark %s", got.Remark)
		}
		c.mustCall("ModifyTopicRemark", with("Topic", "fresh")...)
		if got := c.topic(main, "fresh"); got.Remark != "" {
			t.Errorf("remark %s", got.Remark)
		}

		c.mustCall("DeleteTopic", with("Topic", "fresh")...)
		for _, action := range []string{"DeleteTopic", "ModifyTopicRemark"} {
			c.mustRefuse("AsyncTask.DeleteTopic", action, with("Topic", "fresh")...)
		}
		c.mustRefuse("AsyncTask.DeleteTopic", "CreateTopic", create...)
		time.Sleep(7 * time.Second)
		if c.topic(main, "fresh") == nil {
			t.Error("gone too early")
		}
		time.Sleep(2 * time.Second)
		if c.topic(main, "fresh") != nil || c.quota(main) != before {
			t.Errorf("still there: %s", c.quota(main))
		}
		c.mustRefuse("BIZ_TOPIC_NOT_FOUND", "DeleteTopic", with("Topic", "fresh")...)
		c.mustCall("CreateTopic", create...)
		time.Sleep(3 * time.Second)
		if got := c.topic(main, "fresh"); got.PartitionNum != 4 || got.CreateTime == asked {
			t.Errorf("created again: %+v", got)
		}
	})
}

// Names that are too long are cut without a word.
func TestCutNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{World: stocked(), Delays: sim.Instantly()})
		long := strings.Repeat("n", 200)
		c.mustCall("CreateTopic", "InstanceId", main, "Topic", long, "Remark", "abc")
		if c.topic(main, long) != nil || c.topic(main, long[:64]) == nil {
			t.Error("the topic is not cut at 64")
		}
		c.mustRefuse("BIZ_TOPIC_EXISTED", "CreateTopic", "InstanceId", main, "Topic", long[:64], "Remark", "abc")
		c.mustCall("CreateConsumerGroup", "InstanceId", main, "ConsumerId", long)
		c.mustRefuse("BIZ_SUBSCRIPTION_EXISTED", "CreateConsumerGroup", "InstanceId", main, "ConsumerId", long[:128])
		c.mustRefuse("BIZ_SUBSCRIPTION_NOT_FOUND", "GetConsumerProgress", "InstanceId", main, "ConsumerId", long)
		if got := c.progress(main, long[:128]).ConsumerProgress; got.State != "EMPTY" || len(got.TopicList.TopicList) != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

// A topic that is created again has its former size, if the switch says so.
func TestFormerSize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{World: stocked(), Delays: sim.Instantly(), FormerSize: true})
		c.mustCall("DeleteTopic", "InstanceId", main, "Topic", "orders")
		c.mustCall("CreateTopic", "InstanceId", main, "Topic", "orders", "Remark", "abc", "PartitionNum", "2")
		if got := c.topic(main, "orders"); got.PartitionNum != 6 {
			t.Errorf("got %+v", got)
		}
		if got := c.progress(main, "billing").ConsumerProgress; len(got.TopicList.TopicList) != 1 {
			t.Errorf("offsets outlive their topic: %+v", got)
		}
	})
}

// Quotas, of the instance and of a topic.
func TestQuotas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := stocked()
		full := &w.Accounts[0].Instances[0]
		full.TopicLimit, full.PartitionLimit, full.GroupLimit = 4, 20, 3
		_, c := unlimited(t, sim.Options{World: w})
		in := []string{"InstanceId", main}
		with := func(more ...string) []string { return slices.Concat(in, more) }
		c.mustRefuse("BIZ_TOPIC_PARTITION_NUM_EXCEED", "CreateTopic", with("Topic", "big", "Remark", "abc", "PartitionNum", "12")...)
		c.mustCall("CreateTopic", with("Topic", "abc", "Remark", "abc", "PartitionNum", "8")...)
		c.mustRefuse("BIZ_TOPIC_PARTITION_NUM_EXCEED", "ModifyPartitionNum", with("Topic", "orders", "AddPartitionNum", "4")...)
		c.mustCall("ModifyPartitionNum", with("Topic", "orders", "AddPartitionNum", "2")...)
		c.mustCall("CreateTopic", with("Topic", "abd", "Remark", "abc", "PartitionNum", "1")...)
		c.mustRefuse("BIZ_TOPIC_TOO_MUCH", "CreateTopic", with("Topic", "abe", "Remark", "abc", "PartitionNum", "1")...)
		time.Sleep(time.Minute)
		c.mustRefuse("BIZ_TOPIC_TOO_MUCH", "CreateTopic", with("Topic", "abe", "Remark", "abc", "PartitionNum", "1")...)
		c.mustCall("CreateConsumerGroup", with("ConsumerId", "third")...)
		c.mustRefuse("BIZ_SUBSCRIPTION_TOO_MUCH", "CreateConsumerGroup", with("ConsumerId", "fourth")...)
		c.mustRefuse("BIZ_TOPIC_PARTITION_NUM_EXCEED", "ModifyPartitionNum", "InstanceId", paid, "Topic", "orders", "AddPartitionNum", "349")
		c.mustCall("ModifyPartitionNum", "InstanceId", paid, "Topic", "orders", "AddPartitionNum", "348")
		c.mustRefuse("BIZ.LIMIT.QUOTA.DOWN.2", "DowngradePostPayOrder", with("TopicQuota", "3")...)
	})
}

// Settings of topics; a shorter retention deletes for good.
func TestTopicConfig(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{World: stocked()})
		set := func(key, value string) {
			t.Helper()
			c.mustCall("UpdateTopicConfig", "InstanceId", main, "Topic", "state", "Config", key, "Value", value)
		}
		oldest := func(topic string) int64 {
			return c.status(main, topic).TopicStatus.OffsetTable.OffsetTable[0].MinOffset
		}
		whole := oldest("state")
		set("retention.ms", "7200000")
		short := oldest("state")
		set("retention.ms", "259200000")
		if again := oldest("state"); short <= whole || again != short {
			t.Errorf("oldest %d, then %d, then %d", whole, short, again)
		}
		set("replications", "2")
		set("message.timestamp.type", "LogAppendTime")
		c.mustCall("UpdateTopicConfig", "InstanceId", main, "Topic", "state", "Config", "skipConfig", "Value", "skipValue", "Configs", `{"max.message.bytes":"2048"}`)
		want := `{"max.message.bytes":"2048","message.timestamp.type":"LogAppendTime","replication-factor":2,"retention.ms":"259200000"}`
		if got := c.topic(main, "state"); got.TopicConfig != want {
			t.Errorf("got %s", got.TopicConfig)
		}
		for _, bad := range [][2]string{{"retention.ms", "1"}, {"retention.hours", "24"}, {"cleanup.policy", "compact"}, {"message.timestamp.type", "Never"}, {"replications", "4"}} {
			c.mustRefuse("BIZ_FIELD_CHECK_INVALID", "UpdateTopicConfig", "InstanceId", main, "Topic", "state", "Config", bad[0], "Value", bad[1])
		}
		c.mustRefuse("NotSupport", "UpdateTopicConfig", "InstanceId", main, "Topic", "orders", "Config", "retention.ms", "Value", "7200000")

		// The instance's own retention is for topics without one.
		first, own := oldest("orders"), oldest("state")
		c.mustCall("UpdateInstanceConfig", "InstanceId", main, "Config", `{"kafka.log.retention.hours":"24"}`)
		if oldest("orders") <= first || oldest("state") != own {
			t.Errorf("orders from %d to %d, state from %d to %d", first, oldest("orders"), own, oldest("state"))
		}
	})
}

// Groups are deleted and moved only without members.
func TestOffsets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{World: stocked()})
		time.Sleep(time.Minute)
		ref := sim.Ref{Account: "own", Instance: main, Group: "billing"}
		move := func(more ...string) []string {
			return append([]string{"InstanceId", main, "ConsumerId", "billing"}, more...)
		}
		c.mustRefuse("BIZ_CONSUMER_GROUP_ACTIVE_ERROR", "DeleteConsumerGroup", "InstanceId", main, "ConsumerId", "billing")
		c.mustRefuse("BIZ_CONSUMER_GROUP_ACTIVE_ERROR", "UpdateConsumerOffset", move("Topic", "orders", "Time", "-1")...)
		if err := cloud.SetMembers(ref, 0); err != nil {
			t.Fatal(err)
		}
		if err := cloud.Pause(ref); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		lags := func() (orders, state int64) {
			for _, topic := range c.progress(main, "billing").ConsumerProgress.TopicList.TopicList {
				if topic.Topic == "orders" {
					orders = topic.TotalDiff
				} else {
					state = topic.TotalDiff
				}
			}
			return orders, state
		}
		near := func(name string, got, want int64) {
			t.Helper()
			if got < want*9/10-20 || got > want*11/10+20 {
				t.Errorf("%s: %d, want about %d", name, got, want)
			}
		}
		orders, state := lags()
		near("an hour of orders", orders, 72000)
		near("an hour of state", state, 18000)

		c.mustCall("UpdateConsumerOffset", move("Topic", "orders", "ResetType", "timestamp", "Time", "-1")...)
		if orders, _ = lags(); orders != 0 {
			t.Errorf("latest: %d", orders)
		}
		time.Sleep(10 * time.Minute)
		orders, state = lags()
		near("stays there", orders, 12000)
		near("the other topic stood still", state, 21000)
		c.mustCall("UpdateConsumerOffset", move("Topic", "orders", "Time", "-2")...)
		orders, _ = lags()
		near("earliest", orders, 72*3600*20)
		c.mustCall("UpdateConsumerOffset", move("Topic", "", "Time", strconv.FormatInt(time.Now().Add(-30*time.Minute).UnixMilli(), 10))...)
		orders, state = lags()
		near("half an hour ago", orders, 36000)
		near("all topics", state, 9000)

		offset := c.status(main, "orders").TopicStatus.OffsetTable.OffsetTable[2].MaxOffset - 7
		c.mustCall("UpdateConsumerOffset", move("Topic", "orders", "ResetType", "offset",
			"Offsets", fmt.Sprintf(`[{"Partition":"2","Offset":"%d"},{"Partition":3,"Offset":0}]`, offset))...)
		at := c.progress(main, "billing").ConsumerProgress.TopicList.TopicList[0].OffsetList.OffsetList
		if at[2].ConsumerOffset != offset || at[3].ConsumerOffset != c.status(main, "orders").TopicStatus.OffsetTable.OffsetTable[3].MinOffset {
			t.Errorf("given offsets: %+v", at[2:4])
		}
		for _, bad := range []string{"", "[]", "x", `[{"Partition":6,"Offset":1}]`, `[{"Partition":-1,"Offset":1}]`, `[{"Partition":0}]`} {
			if status, body := c.call("UpdateConsumerOffset", move("Topic", "orders", "ResetType", "offset", "Offsets", bad)...); status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", bad, status, body)
			}
		}
		c.mustRefuse("MissingParameter", "UpdateConsumerOffset", move("Topic", "-", "Time", "-1")...)
		c.mustRefuse("MissingParameter", "UpdateConsumerOffset", move("Topic", "orders")...)

		c.mustCall("UpdateConsumerOffset", move("Topic", "orders", "Time", strconv.FormatInt(time.Now().Add(-30*time.Minute).UnixMilli(), 10))...)

		// Members that come back go on from there, as fast as they can.
		if err := cloud.SetMembers(ref, 3); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if orders, state = lags(); orders > 20000 || state > 5000 {
			t.Errorf("catching up: %d, %d", orders, state)
		}
		time.Sleep(30 * time.Minute)
		if orders, state = lags(); orders > 200 || state > 50 {
			t.Errorf("caught up: %d, %d", orders, state)
		}

		// A topic that the group has never read.
		c.mustCall("CreateConsumerGroup", "InstanceId", main, "ConsumerId", "newcomer")
		c.mustCall("UpdateConsumerOffset", "InstanceId", main, "ConsumerId", "newcomer", "Topic", "orders", "Time", "-1")
		if got := c.progress(main, "newcomer").ConsumerProgress; len(got.TopicList.TopicList) != 1 || got.TotalDiff != 0 {
			t.Errorf("newcomer: %+v", got)
		}
		c.mustCall("DeleteConsumerGroup", "InstanceId", main, "ConsumerId", "newcomer")
		c.mustCall("CreateConsumerGroup", "InstanceId", main, "ConsumerId", "newcomer")
		if got := c.progress(main, "newcomer").ConsumerProgress; len(got.TopicList.TopicList) != 0 {
			t.Errorf("offsets outlive their group: %+v", got)
		}
	})
}

// A group without members stands still, on new partitions too and whatever the
// whitelist says, until it has some.
func TestGroupsWithoutMembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{World: stocked()})
		lag := func() int64 { return c.progress(main, "nightly").ConsumerProgress.TotalDiff }
		near := func(name string, want int64) {
			t.Helper()
			if got := lag(); got < want*9/10 || got > want*11/10 {
				t.Errorf("%s: %d behind, want about %d", name, got, want)
			}
		}
		whitelist := func(kind string) {
			t.Helper()
			c.mustCall("UpdateAllowedIp", "InstanceId", main, "UpdateType", kind, "PortRange", "9092/9092", "AllowedListType", "vpc", "AllowedListIp", "192.168.0.0/16")
		}
		reset := func(to string) {
			t.Helper()
			c.mustCall("UpdateConsumerOffset", "InstanceId", main, "ConsumerId", "nightly", "Topic", "orders", "Time", to)
		}
		time.Sleep(time.Hour)
		near("from the start", 72_000)
		c.mustCall("ModifyPartitionNum", "InstanceId", main, "Topic", "orders", "AddPartitionNum", "6")
		time.Sleep(time.Hour)
		near("on new partitions", 144_000)

		// Nothing is produced while the whitelist is without them.
		whitelist("delete")
		reset("-1")
		whitelist("add")
		time.Sleep(time.Hour)
		near("moved to the latest while it was cut off", 72_000)
		reset("-1")
		whitelist("delete")
		if err := cloud.SetMembers(sim.Ref{Account: "own", Instance: main, Group: "nightly"}, 2); err != nil {
			t.Fatal(err)
		}
		whitelist("add")
		time.Sleep(10 * time.Minute)
		if got := lag(); got > 200 {
			t.Errorf("members that came while it was cut off: %d behind", got)
		}
	})
}

// A scene that sends members away lets them come back to where the group was
// moved meanwhile.
func TestOffsetsInAScene(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		time string
		back int64 // lag when the members are back
	}{
		"latest": {"-1", 12000}, "an hour ago": {strconv.FormatInt(time.Date(1999, 12, 31, 23, 1, 0, 0, time.UTC).UnixMilli(), 10), 84000},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := stocked()
			w.Accounts[0].Instances[0].Groups[0].Scene = sim.Stop(30*time.Second, 10*time.Minute, 30*time.Minute)
			w.Accounts[0].Instances[0].Groups[0].Scene.Period = 2 * time.Hour
			_, c := unlimited(t, sim.Options{World: w})
			time.Sleep(time.Minute)
			c.mustCall("UpdateConsumerOffset", "InstanceId", main, "ConsumerId", "billing", "Topic", "orders", "Time", tt.time)
			time.Sleep(9*time.Minute + 35*time.Second)
			lag := c.progress(main, "billing").ConsumerProgress.TopicList.TopicList[0].TotalDiff
			if lag < tt.back*9/10 || lag > tt.back*11/10 {
				t.Errorf("%s: %d behind", name, lag)
			}
			time.Sleep(90 * time.Minute)
			if got := c.progress(main, "billing").ConsumerProgress.TotalDiff; got > 300 {
				t.Errorf("%s: %d behind at the end", name, got)
			}
		})
	}
}

// Whoever loses the last entry of the whitelist that lets him in is cut off,
// and comes back with it.
func TestWhitelist(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{World: stocked()})
		change := func(kind, ports, ips string) []string {
			list := "vpc"
			if ports == "9093/9093" {
				list = "internet"
			}
			return []string{"InstanceId", main, "UpdateType", kind, "PortRange", ports, "AllowedListType", list, "AllowedListIp", ips}
		}
		grew := func(wait time.Duration) (messages, lag int64) {
			before := c.status(main, "orders").sum()
			time.Sleep(wait)
			return c.status(main, "orders").sum() - before, c.progress(main, "billing").ConsumerProgress.TotalDiff
		}
		allowed := func() string {
			var got struct {
				AllowedList struct {
					VpcList, InternetList []struct {
						PortRange     string
						AllowedIpList []string
					}
				}
			}
			c.get(&got, "GetAllowedIpList", "InstanceId", main)
			return fmt.Sprint(got.AllowedList.VpcList, got.AllowedList.InternetList)
		}
		time.Sleep(time.Minute)
		c.mustCall("UpdateAllowedIp", change("delete", "9092/9092", "10.0.0.0/8")...)
		if n, _ := grew(time.Minute); n < 700 {
			t.Errorf("the entry of somebody else: %d messages", n)
		}
		c.mustCall("UpdateAllowedIp", change("delete", "9092/9092", "192.168.0.0/16")...)
		if n, _ := grew(10 * time.Minute); n != 0 {
			t.Errorf("cut off: %d messages", n)
		}
		if got := c.progress(main, "billing").ConsumerProgress; got.State != "EMPTY" || got.TotalDiff > 200 {
			t.Errorf("cut off: %s, %d behind", got.State, got.TotalDiff)
		}
		if got := allowed(); got != "[{9092/9092 []}] [{9093/9093 [203.0.113.0/24]}]" {
			t.Errorf("got %s", got)
		}
		c.mustCall("UpdateAllowedIp", change("add", "9092/9092", "172.16.0.0/12")...)
		if n, _ := grew(time.Minute); n != 0 {
			t.Errorf("an entry for somebody else: %d messages", n)
		}
		c.mustCall("UpdateAllowedIp", change("add", "9092/9092", "192.168.0.0/17,192.168.128.0/17")...)
		if n, lag := grew(2 * time.Minute); n < 1500 || n > 3500 || lag > 300 {
			t.Errorf("let in: %d messages, %d behind", n, lag)
		}
		if got := allowed(); got != "[{9092/9092 [172.16.0.0/12 192.168.0.0/17 192.168.128.0/17]}] [{9093/9093 [203.0.113.0/24]}]" {
			t.Errorf("got %s", got)
		}
		// A group that was paused before it was cut off is paused after.
		ref := sim.Ref{Account: "own", Instance: main, Group: "billing", Topic: "orders"}
		if err := cloud.Pause(ref); err != nil {
			t.Fatal(err)
		}
		c.mustCall("UpdateAllowedIp", change("delete", "9092/9092", "192.168.0.0/17")...)
		c.mustCall("UpdateAllowedIp", change("delete", "9092/9092", "192.168.128.0/17")...)
		time.Sleep(time.Minute)
		c.mustCall("UpdateAllowedIp", change("add", "9092/9092", "192.168.0.0/16")...)
		time.Sleep(10 * time.Minute)
		if lag := c.progress(main, "billing").ConsumerProgress.TopicList.TopicList[0].TotalDiff; lag < 9000 {
			t.Errorf("not paused any more: %d behind", lag)
		}

		var ips []string
		for i := range 100 {
			ips = append(ips, "198.51.100."+strconv.Itoa(i))
		}
		c.mustRefuse("WHITE.IPLIST.OVERLONG.ERROR", "UpdateAllowedIp", change("add", "9092/9092", strings.Join(ips, ","))...)
		c.mustRefuse("WHITE.IP.ALREADY.EXISTS.ERROR", "UpdateAllowedIp", change("add", "9092/9092", "192.168.0.0/16")...)
		c.mustRefuse("WHITE.PARAM.ERROR", "UpdateAllowedIp", change("delete", "9092/9092", "192.168.0.0/15")...)
		c.mustRefuse("WHITE.PARAM.ERROR", "UpdateAllowedIp", change("delete", "9092/9092", "192.168.0.0/16,172.16.0.0/12")...)
		c.mustRefuse("WHITE.PARAM.ERROR", "UpdateAllowedIp", append(change("add", "9092/9092", "1.2.3.4"), "AllowedListType", "internet")...)
		c.mustRefuse("WHITE.PARAM.ERROR", "UpdateAllowedIp", change("add", "9999/9999", "1.2.3.4")...)
		for _, bad := range []string{"1.2.3", "1.2.3.4/33", "example.com", ",", "::/129"} {
			c.mustRefuse("WHITE.IP.ILLEGAL.ERROR", "UpdateAllowedIp", change("add", "9092/9092", bad)...)
		}
		c.mustRefuse("InvalidParameter", "UpdateAllowedIp", change("replace", "9092/9092", "1.2.3.4")...)
		c.mustRefuse("BIZ.LIMIT.PUBNETWORK", "UpdateAllowedIp", append(change("add", "9093/9093", "1.2.3.4"), "InstanceId", vacant)...)
		c.mustCall("UpdateAllowedIp", change("add", "9095/9095", "1.2.3.4")...)
	})
}

// Tags by resource id, which says nothing of the kind of resource.
func TestTagging(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := stocked()
		w.Accounts[0].Instances[0].Groups = append(w.Accounts[0].Instances[0].Groups, sim.Group{Name: "orders"})
		_, c := unlimited(t, sim.Options{World: w})
		id := "Kafka_" + main + "_orders"
		tags := func(kind, id string) string {
			var got struct {
				TagResources struct {
					TagResource []struct{ TagKey, TagValue string }
				}
			}
			c.get(&got, "ListTagResources", "ResourceType", kind, "ResourceId.1", id)
			return fmt.Sprint(got.TagResources.TagResource)
		}
		c.mustCall("TagResources", "ResourceType", "topic", "ResourceId.1", id, "Tag.1.Key", "k", "Tag.1.Value", "new", "Tag.2.Key", "empty")
		c.mustCall("TagResources", "ResourceType", "ConsumerGroup", "ResourceId.1", id, "Tag.1.Key", "of", "Tag.1.Value", "group")
		c.mustCall("TagResources", "ResourceType", "INSTANCE", "ResourceId.1", main, "ResourceId.2", vacant, "Tag.1.Key", "x", "Tag.1.Value", "y")
		for _, tt := range [][3]string{
			{"TOPIC", id, "[{k new} {empty }]"},
			{"CONSUMERGROUP", id, "[{of group}]"},
			{"INSTANCE", main, "[{team trade} {x y}]"},
			{"INSTANCE", vacant, "[{x y}]"},
		} {
			if got := tags(tt[0], tt[1]); got != tt[2] {
				t.Errorf("%s %s: got %s", tt[0], tt[1], got)
			}
		}
		c.mustCall("UntagResources", "ResourceType", "TOPIC", "ResourceId.1", id)
		c.mustCall("UntagResources", "ResourceType", "TOPIC", "ResourceId.1", id, "All", "true", "TagKey.1", "k")
		if got := tags("TOPIC", id); got != "[{empty }]" {
			t.Errorf("without one: %s", got)
		}
		c.mustCall("UntagResources", "ResourceType", "TOPIC", "ResourceId.1", id, "All", "true")
		if got := tags("TOPIC", id); got != "[]" {
			t.Errorf("without any: %s", got)
		}
		one := []string{"ResourceType", "INSTANCE", "ResourceId.1", main}
		with := func(more ...string) []string { return slices.Concat(one, more) }
		c.mustRefuse("BIZ_TAG_RESOURCE_NOT_EXIST", "TagResources", "ResourceType", "TOPIC", "ResourceId.1", id, "ResourceId.2", "nope", "Tag.1.Key", "a")
		c.mustRefuse("MissingParameter", "TagResources", one...)
		c.mustRefuse("InvalidParameter", "TagResources", with("ResourceType", "BROKER", "Tag.1.Key", "a")...)
		c.mustRefuse("BIZ_TAG_DUPLICATE_TAG_KEY", "TagResources", with("Tag.1.Key", "a", "Tag.2.Key", "a")...)
		for _, bad := range []string{"aliyun:x", "acs:x", "see http://x", strings.Repeat("k", 129)} {
			c.mustRefuse("BIZ_TAG_TAGKEY_NOT_VALID", "TagResources", with("Tag.1.Key", bad)...)
			c.mustRefuse("BIZ_TAG_TAGVALUE_NOT_VALID", "TagResources", with("Tag.1.Key", "a", "Tag.1.Value", bad)...)
		}
		c.mustRefuse("BIZ_TAG_REQUEST_TAG_NUM_EXCEED", "TagResources", with(many("Tag", ".Key", "k", 21)...)...)
		c.mustRefuse("BIZ_TAG_REQUEST_TAG_NUM_EXCEED", "UntagResources", with(many("TagKey", "", "k", 21)...)...)
		c.mustRefuse("BIZ_TAG_TAG_NUM_EXCEED", "TagResources", with(many("Tag", ".Key", "k", 19)...)...)
		c.mustRefuse("BIZ_TAG_REQUEST_RESOURCE_NUM_EXCEED", "TagResources", append(many("ResourceId", "", "r", 51), "ResourceType", "TOPIC", "Tag.1.Key", "a")...)
	})
}

// Users are upserted; entries of ACLs are a set.
func TestAccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{World: stocked()})
		users := func(in string) string {
			var got struct {
				SaslUserList struct {
					SaslUserVO []struct{ Username, Password, Type, Mechanism string }
				}
			}
			c.get(&got, "DescribeSaslUsers", "InstanceId", in)
			return fmt.Sprint(got.SaslUserList.SaslUserVO)
		}
		user := func(in, name, password string, more ...string) []string {
			return append([]string{"InstanceId", in, "Username", name, "Password", password}, more...)
		}
		c.mustCall("CreateSaslUser", user(main, "writer", "changed")...)
		c.mustCall("CreateSaslUser", user(main, "writer", "other", "Type", "scram")...)
		if got := users(main); got != "[{writer changed plain } {writer other scram }]" {
			t.Errorf("got %s", got)
		}
		c.mustCall("DeleteSaslUser", user(main, "writer", "-")...)
		c.mustRefuse("BIZ_SASL_USER_NOT_EXIST", "DeleteSaslUser", user(main, "writer", "-")...)
		if got := users(main); got != "[{writer other scram }]" {
			t.Errorf("got %s", got)
		}
		c.mustCall("CreateSaslUser", user(flex, "u", "p", "Type", "scram")...)
		c.mustCall("CreateSaslUser", user(flex, "u", "q", "Type", "scram", "Mechanism", "SCRAM-SHA-256")...)
		c.mustCall("DeleteSaslUser", user(flex, "u", "-", "Type", "scram")...)
		if got := users(flex); got != "[{u q scram SCRAM-SHA-256}]" {
			t.Errorf("got %s", got)
		}
		for i := range 99 {
			c.mustCall("CreateSaslUser", user(main, "u"+strconv.Itoa(i), "p")...)
		}
		c.mustRefuse("BIZ_SASL_USER_NUM_EXCEED", "CreateSaslUser", user(main, "more", "p")...)

		entry := func(kind, name, operation string, more ...string) []string {
			return append([]string{
				"InstanceId", main, "Username", "writer", "AclResourceType", kind, "AclResourceName", name,
				"AclResourcePatternType", "LITERAL", "AclOperationType", operation,
			}, more...)
		}
		entries := func(kind, name, pattern string) int {
			var got struct {
				KafkaAclList struct{ KafkaAclVO []struct{} }
			}
			c.get(&got, "DescribeAcls", "InstanceId", main, "Username", "writer", "AclResourceType", kind, "AclResourceName", name, "AclResourcePatternType", pattern)
			return len(got.KafkaAclList.KafkaAclVO)
		}
		for _, e := range [][]string{
			entry("Topic", "orders", "Read"), entry("Topic", "orders", "Read"), entry("topic", "orders", "write"), entry("Group", "billing", "Read"),
			entry("Topic", "ord", "Read", "AclResourcePatternType", "PREFIXED"), entry("Topic", "*", "Read"), entry("Topic", "orders", "Read", "Username", "*"),
			entry("Cluster", "*", "IdempotentWrite"), entry("TransactionalId", "*", "Describe"),
		} {
			c.mustCall("CreateAcl", e...)
		}
		got := [...]int{
			entries("Topic", "orders", "LITERAL"), entries("Group", "billing", "LITERAL"), entries("Topic", "ord", "PREFIXED"), entries("Cluster", "*", ""),
		}
		if got != [...]int{2, 1, 1, 1} {
			t.Errorf("got %v", got)
		}
		var names struct {
			Data struct {
				Data []string `json:"data"`
			}
		}
		c.get(&names, "DescribeAclResourceName", "InstanceId", main, "AclResourceType", "Topic", "AclResourcePatternType", "LITERAL")
		if !slices.Equal(names.Data.Data, []string{"*", "orders"}) {
			t.Errorf("got %v", names)
		}
		c.mustCall("DeleteAcl", entry("Topic", "orders", "Write")...)
		c.mustCall("DeleteAcl", entry("Topic", "orders", "Write")...)
		if got := entries("Topic", "orders", ""); got != 1 {
			t.Errorf("%d left", got)
		}
		c.mustRefuse("BIZ_SASL_USER_NOT_EXIST", "CreateAcl", entry("Topic", "orders", "Read", "Username", "nobody")...)
		c.mustRefuse("BIZ_TOPIC_NOT_FOUND", "CreateAcl", entry("Topic", "nope", "Read")...)
		c.mustRefuse("BIZ_SUBSCRIPTION_NOT_FOUND", "CreateAcl", entry("Group", "nope", "Read")...)
		c.mustRefuse("InvalidParameter", "CreateAcl", entry("Broker", "orders", "Read")...)
		c.mustRefuse("InvalidParameter", "CreateAcl", entry("Topic", "orders", "Delete")...)
		c.mustRefuse("BIZ_ACL_NOT_ENABLED", "CreateAcl", entry("Topic", "orders", "Read", "InstanceId", vacant)...)
	})
}

// What is changed shows in reads only after the lag, at once in some of them.
func TestReadLag(t *testing.T) {
	t.Parallel()
	for _, fresh := range []float64{0, 0.5} {
		synctest.Test(t, func(t *testing.T) {
			_, c := unlimited(t, sim.Options{World: stocked(), ReadLag: 10 * time.Second, FreshReads: fresh, Delays: sim.Instantly()})
			seen := func() string {
				var tags []string
				for _, tag := range c.one(main).Tags.TagVO {
					tags = append(tags, tag.Value)
				}
				topics := "no topic"
				if vo := c.topic(main, "fresh"); vo != nil {
					topics = strconv.Itoa(int(vo.PartitionNum))
				}
				return c.one(main).Name + " " + strings.Join(tags, ",") + " " + topics
			}
			steps := []struct {
				do   func()
				want string
			}{
				{func() { c.mustCall("ModifyInstanceName", "InstanceId", main, "InstanceName", "one") }, main + " trade no topic"},
				{func() {
					c.mustCall("TagResources", "ResourceType", "INSTANCE", "ResourceId.1", main, "Tag.1.Key", "k", "Tag.1.Value", "v")
				}, "one trade no topic"},
				{func() { c.mustCall("CreateTopic", "InstanceId", main, "Topic", "fresh", "Remark", "abc") }, "one trade,v no topic"},
				{func() { c.mustCall("ModifyPartitionNum", "InstanceId", main, "Topic", "fresh", "AddPartitionNum", "1") }, "one trade,v 12"},
				{func() { c.mustCall("DeleteTopic", "InstanceId", main, "Topic", "fresh") }, "one trade,v 13"},
				{func() {}, "one trade,v no topic"},
			}
			var stale, ahead int
			for i, s := range steps {
				s.do() // writes see what is, whatever reads show
				for range 9 {
					time.Sleep(time.Second)
					if seen() == s.want {
						stale++
					} else {
						ahead++
					}
				}
				time.Sleep(5 * time.Second)
				if next := steps[min(i+1, len(steps)-1)].want; seen() != next {
					t.Errorf("step %d: %s, want %s", i, seen(), next)
				}
			}
			if fresh == 0 && ahead > 0 || fresh > 0 && (ahead < 10 || stale < 10) {
				t.Errorf("fresh %v: %d stale, %d not", fresh, stale, ahead)
			}
			c.mustCall("ReleaseInstance", "InstanceId", vacant)
			c.mustCall("DeleteInstance", "InstanceId", vacant)
			if fresh == 0 && c.one(vacant).ServiceStatus != 5 {
				t.Error("gone at once")
			}
			time.Sleep(11 * time.Second)
			if c.one(vacant) != nil {
				t.Error("still there")
			}
		})
	}
}
