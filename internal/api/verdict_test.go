package api_test

import (
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// furnished is a world in which every mutation below can be carried out.
func furnished() *sim.World {
	return &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{
		{
			ID: "alikafka_post-1", RegionID: "cn-hangzhou", PaidType: 1, DeployType: 4, EipMax: 5, OldMinor: true,
			Config:    map[string]string{"enable.acl": "true"},
			Allowed:   []sim.AllowedIPs{{PortRange: "9092/9092", IPs: []string{"10.0.0.0/8"}}},
			SaslUsers: []sim.SaslUser{{Username: "alice", Password: "hunter2"}},
			ACLs:      []sim.ACL{{Username: "alice", ResourceType: "Topic", ResourceName: "orders", Operation: "Write"}},
			Tags:      []sim.Tag{{Key: "team", Value: "red"}},
			Topics:    []sim.Topic{{Name: "orders", Partitions: 6, Rate: 1}, {Name: "state", Partitions: 3, Local: true}},
			Groups:    []sim.Group{{Name: "nightly", Offline: true, Subscriptions: []sim.Subscription{{Topic: "orders"}}}},
		},
		{ID: "alikafka_pre-1", RegionID: "cn-hangzhou"},
		{ID: "alikafka_post-bought", RegionID: "cn-hangzhou", PaidType: 1, Status: sim.Undeployed},
		{ID: "alikafka_post-vacant", RegionID: "cn-hangzhou", PaidType: 1},
		{ID: "alikafka_post-released", RegionID: "cn-hangzhou", PaidType: 1, Status: 10},
		{ID: "alikafka_post-stopped", RegionID: "cn-hangzhou", PaidType: 1, Status: sim.Stopped},
		{
			ID: "alikafka_serverless-1", RegionID: "cn-hangzhou", PaidType: 3, Series: "v3", Version: "3.3.1",
			Rules: []sim.ScalingRule{{
				Name: "nights", Schedule: "repeat", Repeat: "Weekly", Days: []string{"Monday"}, Zone: "GMT+8", Lasts: time.Hour,
				First: time.Date(2000, 1, 1, 20, 0, 0, 0, time.UTC), ReservedPublish: 120, ReservedSubscribe: 90,
			}},
		},
	}}}}
}

// mutations is one good request of every action that changes something.
func mutations() []any {
	const region, id = "cn-hangzhou", "alikafka_post-1"
	return []any{
		api.CreatePostPayOrder{RegionID: region, TopicQuota: 50, DiskType: "0", DiskSize: 500, DeployType: 5, IoMaxSpec: "alikafka.hw.3xlarge"},
		api.CreatePrePayOrder{RegionID: region, TopicQuota: 50, DiskType: "1", DiskSize: 900, DeployType: 4, IoMax: 20, EipMax: new(3), Duration: 3},
		api.CreatePostPayInstance{RegionID: region, DeployType: 5, DiskSize: 500, PartitionNum: 50, IoMaxSpec: "alikafka.hw.2xlarge"},
		api.CreatePrePayInstance{RegionID: region, DeployType: 5, DiskSize: 500, PartitionNum: 50, IoMaxSpec: "alikafka.hw.2xlarge"},
		api.UpgradePostPayOrder{RegionID: region, InstanceID: id, DiskSize: 1200, TopicQuota: 80, IoMaxSpec: "alikafka.hw.6xlarge", EipModel: new(true), EipMax: new(9)},
		api.UpgradePrePayOrder{RegionID: region, InstanceID: "alikafka_pre-1", DiskSize: 1200, TopicQuota: 80, IoMax: 40},
		api.DowngradePostPayOrder{RegionID: region, InstanceID: id, DiskSize: 500},
		api.DowngradePrePayOrder{RegionID: region, InstanceID: "alikafka_pre-1", TopicQuota: 30},
		api.ConvertPostPayOrder{RegionID: region, InstanceID: id, Duration: 24},
		api.StartInstance{
			RegionID: region, InstanceID: "alikafka_post-bought", VpcID: "vpc-1", VSwitchID: "vsw-1", DeployModule: "vpc", Name: "fresh",
			Config: map[string]string{"kafka.log.retention.hours": "33"},
		},
		api.ModifyInstanceName{RegionID: region, InstanceID: id, InstanceName: "renamed"},
		api.UpdateInstanceConfig{RegionID: region, InstanceID: id, Config: map[string]string{"kafka.log.retention.hours": "48"}},
		api.UpgradeInstanceVersion{RegionID: region, InstanceID: id, TargetVersion: "2.6.2"},
		api.StopInstance{RegionID: region, InstanceID: id},
		api.ReopenInstance{RegionID: region, InstanceID: "alikafka_post-stopped"},
		api.ReleaseInstance{RegionID: region, InstanceID: "alikafka_post-vacant"},
		api.DeleteInstance{RegionID: region, InstanceID: "alikafka_post-released"},
		api.EnableAutoTopicCreation{RegionID: region, InstanceID: id, Operate: "enable"},
		api.EnableAutoGroupCreation{RegionID: region, InstanceID: id, Enable: new(true)},
		api.ChangeResourceGroup{RegionID: region, ResourceID: id, NewResourceGroupID: "rg-other"},
		api.FailoverTest{RegionID: region, InstanceID: id},
		api.CreateScheduledScalingRule{
			RegionID: region, InstanceID: "alikafka_serverless-1", RuleName: "sale", ScheduleType: "at", TimeZone: "GMT+8",
			FirstScheduledTime: 946771200000, DurationMinutes: 60, ReservedPubFlow: new(200), ReservedSubFlow: new(200),
		},
		api.ModifyScheduledScalingRule{RegionID: region, InstanceID: "alikafka_serverless-1", RuleName: "nights", Enable: new(true)},
		api.DeleteScheduledScalingRule{RegionID: region, InstanceID: "alikafka_serverless-1", RuleName: "nights"},
		api.UpdateAllowedIp{RegionID: region, InstanceID: id, UpdateType: "add", PortRange: "9092/9092", AllowedListType: "vpc", AllowedListIP: "172.16.0.0/12"},
		api.CreateSaslUser{RegionID: region, InstanceID: id, Username: "bob", Password: secret.New("hunter3"), Type: "scram"},
		api.DeleteSaslUser{RegionID: region, InstanceID: id, Username: "alice"},
		api.CreateAcl{
			RegionID: region, InstanceID: id, Username: "alice", ACLResourceType: "Group", ACLResourceName: "nightly",
			ACLResourcePatternType: "LITERAL", ACLOperationType: "Read",
		},
		api.DeleteAcl{
			RegionID: region, InstanceID: id, Username: "alice", ACLResourceType: "Topic", ACLResourceName: "orders",
			ACLResourcePatternType: "LITERAL", ACLOperationType: "Write",
		},
		api.CreateTopic{RegionID: region, InstanceID: id, Topic: "fresh", Remark: "fresh", PartitionNum: 4, Tags: []api.Tag{{Key: "op", Value: "1"}}},
		api.DeleteTopic{RegionID: region, InstanceID: id, Topic: "orders"},
		api.ModifyPartitionNum{RegionID: region, InstanceID: id, Topic: "orders", AddPartitionNum: 6},
		api.ModifyTopicRemark{RegionID: region, InstanceID: id, Topic: "orders", Remark: "other"},
		api.UpdateTopicConfig{RegionID: region, InstanceID: id, Topic: "state", Config: "retention.ms", Value: "7200000"},
		api.CreateConsumerGroup{RegionID: region, InstanceID: id, ConsumerID: "fresh"},
		api.DeleteConsumerGroup{RegionID: region, InstanceID: id, ConsumerID: "nightly"},
		api.UpdateConsumerOffset{RegionID: region, InstanceID: id, ConsumerID: "nightly", Topic: new("orders"), Time: new(int64(-2))},
		api.TagResources{RegionID: region, ResourceType: "TOPIC", ResourceIDs: []string{"Kafka_" + id + "_orders"}, Tags: []api.Tag{{Key: "k", Value: "v"}}},
		api.UntagResources{RegionID: region, ResourceType: "INSTANCE", ResourceIDs: []string{id}, TagKeys: []string{"team"}},
	}
}

// faults are what can befall a mutation, and the verdict that is due.
var faults = map[string]struct {
	fault    sim.Fault
	verdict  api.Outcome
	effects  int // that the cloud counts in the end
	attempts int // 0: one
}{
	"none":                         {sim.Fault{Kind: sim.Slow}, api.OutcomeDone, 1, 0},
	"throttled, once":              {sim.Fault{Kind: sim.Refuse, Code: "Throttling.User", Times: 1}, api.OutcomeDone, 1, 2},
	"throttled, always":            {sim.Fault{Kind: sim.Refuse, Code: "Throttling.User"}, api.OutcomeNotDone, 0, 4},
	"flow control":                 {sim.Fault{Kind: sim.Refuse, Code: "ONS_SYSTEM_FLOW_CONTROL"}, api.OutcomeNotDone, 0, 4},
	"no permission":                {sim.Fault{Kind: sim.Refuse, Code: "NoPermission", Status: http.StatusForbidden}, api.OutcomeNotDone, 0, 0},
	"a state that forbids it":      {sim.Fault{Kind: sim.Refuse, Code: "BIZ_INSTANCE_STATUS_ERROR"}, api.OutcomeNotDone, 0, 0},
	"no money":                     {sim.Fault{Kind: sim.Refuse, Code: "InsufficientBalance"}, api.OutcomeNotDone, 0, 0},
	"a nonce that was used":        {sim.Fault{Kind: sim.Refuse, Code: "SignatureNonceUsed"}, api.OutcomeUnknown, 0, 0},
	"an unknown code":              {sim.Fault{Kind: sim.Refuse, Code: "BIZ_BRAND_NEW"}, api.OutcomeUnknown, 0, 0},
	"400 for a failed server":      {sim.Fault{Kind: sim.Refuse, Code: "ONS_SYSTEM_ERROR"}, api.OutcomeUnknown, 0, 0},
	"the same, after it was done":  {sim.Fault{Kind: sim.Refuse, Code: "ONS_SYSTEM_ERROR", Executed: true}, api.OutcomeUnknown, 1, 0},
	"500 before it was done":       {sim.Fault{Kind: sim.Refuse}, api.OutcomeUnknown, 0, 0},
	"500 after it was done":        {sim.Fault{Kind: sim.Refuse, Executed: true}, api.OutcomeUnknown, 1, 0},
	"500, done a minute later":     {sim.Fault{Kind: sim.Refuse, ApplyAfter: time.Minute}, api.OutcomeUnknown, 1, 0},
	"503":                          {sim.Fault{Kind: sim.Refuse, Code: "ServiceUnavailable"}, api.OutcomeUnknown, 0, 0},
	"200 without success":          {sim.Fault{Kind: sim.Unsuccessful, Code: "400"}, api.OutcomeUnknown, 0, 0},
	"200 without success, done":    {sim.Fault{Kind: sim.Unsuccessful, Code: "ONS_SYSTEM_ERROR", Executed: true}, api.OutcomeUnknown, 1, 0},
	"200 without permission":       {sim.Fault{Kind: sim.Unsuccessful, Code: "NoPermission"}, api.OutcomeNotDone, 0, 0},
	"reset before it was done":     {sim.Fault{Kind: sim.Reset}, api.OutcomeUnknown, 0, 0},
	"reset after it was done":      {sim.Fault{Kind: sim.Reset, Executed: true}, api.OutcomeUnknown, 1, 0},
	"no answer, not done":          {sim.Fault{Kind: sim.Hang}, api.OutcomeUnknown, 0, 0},
	"no answer, done":              {sim.Fault{Kind: sim.Hang, Executed: true}, api.OutcomeUnknown, 1, 0},
	"no answer, done later":        {sim.Fault{Kind: sim.Hang, ApplyAfter: 5 * time.Minute}, api.OutcomeUnknown, 1, 0},
	"slow, but in time":            {sim.Fault{Kind: sim.Slow, Latency: 31 * time.Second}, api.OutcomeDone, 1, 0},
	"an answer that is too late":   {sim.Fault{Kind: sim.Slow, AnswerAfter: time.Minute}, api.OutcomeUnknown, 1, 0},
	"done later, answered at once": {sim.Fault{Kind: sim.Slow, ApplyAfter: 5 * time.Minute}, api.OutcomeDone, 1, 0},
	"a proxy's page, not done":     {sim.Fault{Kind: sim.Gateway}, api.OutcomeUnknown, 0, 0},
	"a proxy's page, done":         {sim.Fault{Kind: sim.Gateway, Status: http.StatusGatewayTimeout, Executed: true}, api.OutcomeUnknown, 1, 0},
	"half a body":                  {sim.Fault{Kind: sim.Truncate}, api.OutcomeUnknown, 1, 0},
	"a redirect":                   {sim.Fault{Kind: sim.Redirect}, api.OutcomeUnknown, 0, 0},
	"the other format":             {sim.Fault{Kind: sim.Garble}, api.OutcomeDone, 1, 0},
}

// TestVerdictsAgreeWithTheCloud lets every fault befall every mutation: what
// the client says of it is what the cloud counts, and where that cannot be
// known it says so. Nothing is ever done twice.
func TestVerdictsAgreeWithTheCloud(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, q := range mutations() {
		action := reflect.TypeOf(q).Name()
		tried[action] = true
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			for name, f := range faults {
				synctest.Test(t, func(t *testing.T) {
					world := cloud(t, sim.Options{World: furnished()})
					world.SetFault(sim.Match{Action: action}, f.fault)
					c, attempts := client(t, world, nil)
					err := api.CallForTest(t.Context(), c, q)
					time.Sleep(time.Hour) // what is put off is done by then
					if o := api.OutcomeOf(err); o != f.verdict {
						t.Errorf("%s: verdict %s, want %s: %v", name, o, f.verdict, err)
					}
					if n := len(world.Effects(sim.Match{Action: action})); n != f.effects {
						t.Errorf("%s: done %d times, want %d: %v", name, n, f.effects, err)
					}
					if n := len(*attempts); n != max(f.attempts, 1) {
						t.Errorf("%s: %d attempts", name, n)
					}
				})
			}
		})
	}
	for _, a := range api.Actions() {
		if tried[a.Name] != (a.Effect != api.Read) {
			t.Errorf("%s (%s) is tried: %t", a.Name, a.Effect, tried[a.Name])
		}
	}
}

// TestEveryReadIsAnswered makes every read of the same world, in both shapes
// of its lists.
func TestEveryReadIsAnswered(t *testing.T) {
	t.Parallel()
	const region, id = "cn-hangzhou", "alikafka_post-1"
	reads := []any{
		api.GetInstanceList{RegionID: region},
		api.GetAllInstanceIdList{RegionID: region},
		api.GetQuotaTip{RegionID: region, InstanceID: id},
		api.GetKafkaClientIp{RegionID: region, InstanceID: id, Type: "byTopic", Topic: "orders", StartTime: 946684000000, EndTime: 946684800000},
		api.GetRiskList{RegionID: region, InstanceID: id, PageSize: 10},
		api.GetAutoScalingConfiguration{RegionID: region, InstanceID: "alikafka_serverless-1"},
		api.GetAllowedIpList{RegionID: region, InstanceID: id},
		api.DescribeSaslUsers{RegionID: region, InstanceID: id},
		api.DescribeAcls{RegionID: region, InstanceID: id, Username: "alice", ACLResourceType: "Topic", ACLResourceName: "orders"},
		api.DescribeAclResourceName{RegionID: region, InstanceID: id, ACLResourceType: "Topic", ACLResourcePatternType: "LITERAL"},
		api.GetTopicList{RegionID: region, InstanceID: id},
		api.GetTopicStatus{RegionID: region, InstanceID: id, Topic: "orders"},
		api.GetTopicSubscribeStatus{RegionID: region, InstanceID: id, Topic: "orders"},
		api.QueryMessage{RegionID: region, InstanceID: id, Topic: "orders", QueryType: "byTimestamp", BeginTime: 946684000000},
		api.GetConsumerList{RegionID: region, InstanceID: id},
		api.GetConsumerProgress{RegionID: region, InstanceID: id, ConsumerID: "nightly", HideLastTimestamp: true},
		api.ListRebalanceInfo{RegionID: region, InstanceID: id, ConsumerID: "nightly"},
		api.ListTagResources{RegionID: region, ResourceType: "INSTANCE", ResourceIDs: []string{id}},
	}
	if n := len(reads) + len(mutations()); n != len(api.Actions()) {
		t.Errorf("%d of %d actions are tried", n, len(api.Actions()))
	}
	for _, o := range []sim.Options{{}, {Lists: sim.ListsSampled, Strings: true}} {
		synctest.Test(t, func(t *testing.T) {
			o.World = furnished()
			c, attempts := client(t, cloud(t, o), nil)
			for _, q := range reads {
				if err := api.CallForTest(t.Context(), c, q); err != nil {
					t.Error(err)
				}
			}
			if len(*attempts) != len(reads) {
				t.Errorf("%d attempts at %d reads", len(*attempts), len(reads))
			}
		})
	}
}
