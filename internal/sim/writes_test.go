package sim_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/golden"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// The instances of stocked.
const (
	main    = "alikafka_post-cn-main0001"
	paid    = "alikafka_pre-cn-paid0001"
	bought  = "alikafka_post-cn-bought01"
	vacant  = "alikafka_post-cn-vacant01"
	gone    = "alikafka_post-cn-gone0001"
	stopped = "alikafka_post-cn-stopped1"
	flex    = "alikafka_serverless-cn-flex0001"
)

// stocked is a world in which every action has something to act on.
func stocked() *sim.World {
	return &sim.World{Accounts: []sim.Account{{Name: "own", Instances: []sim.Instance{
		{
			ID: main, PaidType: 1, DeployType: 4, EipMax: 5, OldMinor: true,
			Config: map[string]string{"enable.acl": "true"},
			Allowed: []sim.AllowedIPs{
				{PortRange: "9092/9092", IPs: []string{"192.168.0.0/16", "10.0.0.0/8"}},
				{Internet: true, PortRange: "9093/9093", IPs: []string{"203.0.113.0/24"}},
			},
			SaslUsers: []sim.SaslUser{{Username: "writer", Password: "s3cret-of-writer"}},
			ACLs:      []sim.ACL{{Username: "writer", ResourceType: "Topic", ResourceName: "orders", Operation: "Write"}},
			Tags:      []sim.Tag{{Key: "team", Value: "trade"}},
			Topics: []sim.Topic{
				{Name: "orders", Partitions: 6, Rate: 20, Tags: []sim.Tag{{Key: "k", Value: "v"}}},
				{Name: "state", Partitions: 3, Rate: 5, Local: true},
			},
			Groups: []sim.Group{
				{
					Name: "billing", Subscriptions: []sim.Subscription{{Topic: "orders"}, {Topic: "state"}},
					Scene: sim.Scene{Rebalances: []time.Duration{0}},
				},
				{Name: "nightly", Offline: true, Subscriptions: []sim.Subscription{{Topic: "orders"}}},
			},
		},
		{ID: paid, Topics: []sim.Topic{{Name: "orders"}}},
		{ID: bought, PaidType: 1, Status: sim.Undeployed},
		{ID: vacant, PaidType: 1},
		{ID: gone, PaidType: 1, Status: 10},
		{ID: stopped, PaidType: 1, Status: sim.Stopped},
		{
			ID: flex, PaidType: 3, Series: "v3", Version: "3.3.1",
			Rules: []sim.ScalingRule{{
				Name: "nights", Schedule: "repeat", Repeat: "Weekly", Days: []string{"Monday"},
				First: time.Date(2000, 1, 1, 20, 0, 0, 0, time.UTC), Zone: "GMT+8", Lasts: time.Hour, ReservedPublish: 120, ReservedSubscribe: 90,
			}},
		},
	}}}}
}

// newReads are the reads that are not in everyRead, on stocked at the start of
// a synctest bubble.
var newReads = [][]string{
	{"GetTopicSubscribeStatus", "InstanceId", main, "Topic", "orders"},
	{"QueryMessage", "InstanceId", main, "Topic", "orders", "QueryType", "byOffset", "Partition", "1", "Offset", "8000000"},
	{"GetKafkaClientIp", "InstanceId", main, "Type", "byInstance", "StartTime", "946684000000", "EndTime", "946684800000"},
	{"ListRebalanceInfo", "InstanceId", main, "ConsumerId", "billing"},
	{"GetRiskList", "InstanceId", main},
	{"DescribeAclResourceName", "InstanceId", main, "AclResourceType", "Topic", "AclResourcePatternType", "LITERAL"},
	{"GetAutoScalingConfiguration", "InstanceId", flex},
}

// everyWrite is one good call of every action that changes something, on
// stocked at the start of a synctest bubble.
var everyWrite = [][]string{
	{"CreatePostPayOrder", "TopicQuota", "50", "DiskType", "0", "DiskSize", "500", "DeployType", "5", "IoMaxSpec", "alikafka.hw.3xlarge", "Tag.1.Key", "op", "Tag.1.Value", "1"},
	{"CreatePrePayOrder", "TopicQuota", "50", "DiskType", "1", "DiskSize", "900", "DeployType", "4", "IoMax", "20", "EipMax", "3", "Duration", "3"},
	{"CreatePostPayInstance", "DeployType", "5", "DiskSize", "500", "PartitionNum", "50", "IoMaxSpec", "alikafka.hw.2xlarge"},
	{"CreatePrePayInstance", "DeployType", "5", "DiskSize", "500", "PartitionNum", "50", "IoMaxSpec", "alikafka.hw.2xlarge"},
	{"StartInstance", "InstanceId", bought, "VpcId", "vpc-1", "VSwitchId", "vsw-1", "DeployModule", "vpc", "Name", "fresh", "ZoneId", "cn-hangzhou-k", "Config", `{"kafka.log.retention.hours":"33"}`},
	{"UpgradePostPayOrder", "InstanceId", main, "DiskSize", "1200", "TopicQuota", "80", "IoMaxSpec", "alikafka.hw.6xlarge", "EipModel", "true", "EipMax", "9"},
	{"UpgradePrePayOrder", "InstanceId", paid, "DiskSize", "1200", "TopicQuota", "80", "IoMax", "40"},
	{"DowngradePostPayOrder", "InstanceId", main, "DiskSize", "500"},
	{"DowngradePrePayOrder", "InstanceId", paid, "TopicQuota", "30"},
	{"ConvertPostPayOrder", "InstanceId", main, "Duration", "24"},
	{"ModifyInstanceName", "InstanceId", main, "InstanceName", "renamed"},
	{"ReleaseInstance", "InstanceId", vacant},
	{"DeleteInstance", "InstanceId", gone},
	{"StopInstance", "InstanceId", main},
	{"ReopenInstance", "InstanceId", stopped},
	{"FailoverTest", "InstanceId", main},
	{"ChangeResourceGroup", "ResourceId", main, "NewResourceGroupId", "rg-other"},
	{"UpdateAllowedIp", "InstanceId", main, "UpdateType", "add", "PortRange", "9092/9092", "AllowedListType", "vpc", "AllowedListIp", "172.16.0.0/12"},
	{"UpdateInstanceConfig", "InstanceId", main, "Config", `{"kafka.log.retention.hours":"48","kafka.message.max.bytes":2097152}`},
	{"UpgradeInstanceVersion", "InstanceId", main, "TargetVersion", "2.6.2"},
	{"EnableAutoTopicCreation", "InstanceId", main, "Operate", "enable"},
	{"EnableAutoGroupCreation", "InstanceId", main, "Enable", "true"},
	{"CreateScheduledScalingRule", "InstanceId", flex, "RuleName", "sale", "ScheduleType", "at", "FirstScheduledTime", "946771200000", "DurationMinutes", "60", "ReservedPubFlow", "200", "ReservedSubFlow", "200", "TimeZone", "GMT+8"},
	{"ModifyScheduledScalingRule", "InstanceId", flex, "RuleName", "nights", "Enable", "true"},
	{"DeleteScheduledScalingRule", "InstanceId", flex, "RuleName", "nights"},
	{"CreateTopic", "InstanceId", main, "Topic", "fresh", "Remark", "fresh", "PartitionNum", "4", "Tag.1.Key", "op", "Tag.1.Value", "1"},
	{"DeleteTopic", "InstanceId", main, "Topic", "orders"},
	{"ModifyPartitionNum", "InstanceId", main, "Topic", "orders", "AddPartitionNum", "6"},
	{"ModifyTopicRemark", "InstanceId", main, "Topic", "orders", "Remark", "other"},
	{"UpdateTopicConfig", "InstanceId", main, "Topic", "state", "Config", "retention.ms", "Value", "7200000"},
	{"CreateConsumerGroup", "InstanceId", main, "ConsumerId", "fresh", "Remark", "new"},
	{"DeleteConsumerGroup", "InstanceId", main, "ConsumerId", "nightly"},
	{"UpdateConsumerOffset", "InstanceId", main, "ConsumerId", "nightly", "Topic", "orders", "ResetType", "timestamp", "Time", "-2"},
	{"TagResources", "ResourceType", "Topic", "ResourceId.1", "Kafka_" + main + "_orders", "ResourceId.2", "Kafka_" + main + "_state", "Tag.1.Key", "k", "Tag.1.Value", "new"},
	{"UntagResources", "ResourceType", "INSTANCE", "ResourceId.1", main, "TagKey.1", "team"},
	{"CreateSaslUser", "InstanceId", main, "Username", "reader", "Password", "s3cret-of-reader", "Type", "scram"},
	{"DeleteSaslUser", "InstanceId", main, "Username", "writer"},
	{"CreateAcl", "InstanceId", main, "Username", "writer", "AclResourceType", "Group", "AclResourceName", "billing", "AclResourcePatternType", "LITERAL", "AclOperationType", "Read"},
	{"DeleteAcl", "InstanceId", main, "Username", "writer", "AclResourceType", "Topic", "AclResourceName", "orders", "AclResourcePatternType", "LITERAL", "AclOperationType", "Write"},
}

// invisible are the actions whose effect is not in what World returns.
var invisible = []string{"FailoverTest", "UpdateConsumerOffset"}

// Every action of the table is tried by the tests that try them all.
func TestEveryActionIsTried(t *testing.T) {
	t.Parallel()
	var tried []string
	for _, call := range slices.Concat(everyRead, newReads) {
		tried = append(tried, call[0])
		if row, ok := api.Lookup(call[0]); !ok || row.Effect != api.Read {
			t.Errorf("%s is no read", call[0])
		}
	}
	for _, call := range everyWrite {
		tried = append(tried, call[0])
		if row, ok := api.Lookup(call[0]); !ok || row.Effect == api.Read {
			t.Errorf("%s changes nothing", call[0])
		}
	}
	slices.Sort(tried)
	if !slices.Equal(tried, sim.Operations()) {
		t.Errorf("tried %v", tried)
	}
}

// inventory is the state of a cloud as text, without what time changes.
func inventory(t *testing.T, cloud *sim.Cloud) string {
	t.Helper()
	text, err := json.Marshal(cloud.World())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every write has one effect, at once or when its work is done, which the
// cloud counts under what the call was about and shows without secrets.
func TestEveryWrite(t *testing.T) {
	t.Parallel()
	for _, call := range everyWrite {
		t.Run(call[0], func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud, c := unlimited(t, sim.Options{World: stocked(), Strict: true})
				before := inventory(t, cloud)
				time.Sleep(time.Second)
				start := time.Now()
				status, body := c.call(call[0], call[1:]...)
				if status != http.StatusOK {
					t.Fatalf("%d %s", status, body)
				}
				time.Sleep(48 * time.Hour)
				effects := cloud.Effects(sim.Match{})
				if len(effects) != 1 {
					t.Fatalf("got %+v", effects)
				}
				e := effects[0]
				if e.ID != 1 || !e.At.Equal(start) || !e.Asked.Equal(start) || e.Late || e.Account != "own" || e.Action != call[0] ||
					e.RegionID != "cn-hangzhou" || !strings.Contains(body, e.RequestID) {
					t.Errorf("got %+v", e)
				}
				for i := 1; i < len(call); i += 2 {
					if call[i] == "Password" {
						if v, ok := e.Params["Password"]; ok {
							t.Errorf("shows the password %s", v)
						}
						continue
					}
					if e.Params[call[i]] != call[i+1] {
						t.Errorf("%s is %q", call[i], e.Params[call[i]])
					}
					if got := cloud.Effects(sim.Match{Account: "own", Action: call[0], Params: map[string]string{call[i]: call[i+1]}}); len(got) != 1 {
						t.Errorf("not found by %s", call[i])
					}
				}
				if after := inventory(t, cloud); (after == before) != slices.Contains(invisible, call[0]) || strings.Contains(after, "s3cret") {
					t.Errorf("changed %t: %s", after != before, after)
				}
			})
		})
	}
}

// The answers of all writes and of the reads of today, byte for byte.
func TestShapesOfToday(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file    string
		format  string
		options sim.Options
	}{
		{"today.json", "JSON", sim.Options{}},
		{"today.xml", "XML", sim.Options{}},
		{"today-strings.json", "JSON", sim.Options{Lists: sim.ListsSampled, Strings: true}},
		{"today-bare.json", "JSON", sim.Options{Lists: sim.ListsBare}},
		{"writes-of-2022.xml", "XML", sim.Options{Edition: sim.Edition2022, Lists: sim.ListsSampled}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tt.options.World = stocked()
				var all strings.Builder
				for _, call := range slices.Concat(newReads, everyWrite) {
					c := newClient(t, newCloud(t, tt.options))
					_, body := c.call(call[0], append(slices.Clone(call[1:]), "Format", tt.format)...)
					if tt.format == "XML" {
						if err := xml.Unmarshal([]byte(body), new(struct{})); err != nil {
							t.Errorf("%s: %v", call[0], err)
						}
					} else if !json.Valid([]byte(body)) {
						t.Errorf("%s: not JSON: %s", call[0], body)
					}
					all.WriteString(call[0] + "\n" + body + "\n")
				}
				golden.File(t, "testdata/"+tt.file, all.String())
			})
		})
	}
}

// What the newer actions are not known to, the service of 2022 does not know.
func TestNewerActions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{World: stocked(), Edition: sim.Edition2022})
		var unknown int
		for _, call := range slices.Concat(newReads, everyWrite) {
			if status, body := c.call(call[0], call[1:]...); status == http.StatusNotFound && decodeError(t, body).Code == "InvalidApi.NotFound" {
				unknown++
			}
		}
		if unknown != 22 { // 23 with GetQuotaTip
			t.Errorf("%d", unknown)
		}
	})
}

// mustCall makes a call that must succeed.
func (c *client) mustCall(action string, own ...string) {
	c.t.Helper()
	if status, body := c.call(action, own...); status != http.StatusOK {
		c.t.Fatalf("%s %v: %d %s", action, own, status, body)
	}
}

// mustRefuse makes a call that must be refused with a code.
func (c *client) mustRefuse(want code, action string, own ...string) {
	c.t.Helper()
	if _, body := c.call(action, own...); decodeError(c.t, body).Code != want {
		c.t.Errorf("%s %v: want %s, got %s", action, own, want, body)
	}
}

// many returns name.1 to name.n, with values.
func many(name, suffix, value string, n int) []string {
	var ps []string
	for i := range n {
		ps = append(ps, name+"."+strconv.Itoa(i+1)+suffix, value+strconv.Itoa(i))
	}
	return ps
}
