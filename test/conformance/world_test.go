package conformance_test

import (
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

const region = "cn-hangzhou"

// The access keys of the world: a lasting one, and a temporary one with its
// security token.
var (
	key       = sim.Key{ID: "LTAI-lasting", Secret: "lasting-secret"}
	temporary = sim.Key{ID: "STS.temporary", Secret: "temporary-secret", Token: "CAIS token/+=&%"}
)

const (
	subscription = "alikafka_pre-cn-conformance1"
	payAsYouGo   = "alikafka_post-cn-conformance2"
	serverless   = "alikafka_serverless-cn-conformance3"
	confluent    = "alikafka_confluent-cn-conformance4"
)

// world is what the SDKs find. Nothing is produced any more, so that offsets
// stand still while two answers are compared.
func world() *sim.World {
	quiet := sim.Topic{
		Name: "orders", Partitions: 6, Rate: 50, Shape: sim.Steady, Quiet: 2 * time.Hour, Remark: `订单 <&> "quoted" ~ * +`,
		Tags: []sim.Tag{{Key: "team", Value: "trade"}, {Key: "stage", Value: ""}, {Key: "中文", Value: "a b&c"}},
	}
	a := sim.Account{Name: "acme", Keys: []sim.Key{key, temporary}}
	a.Instances = []sim.Instance{
		{
			ID: subscription, Name: "main", DeployType: 4, EipMax: 3, OldMinor: true, SecurityGroup: "sg-1", KMSKeyID: "kms-1",
			Config:    map[string]string{"enable.acl": "true"},
			Allowed:   []sim.AllowedIPs{{PortRange: "9092/9092", IPs: []string{"192.168.0.0/16", "10.0.0.1"}}, {PortRange: "9094/9094", IPs: []string{"10.0.0.0/8"}}, {Internet: true, PortRange: "9093/9093", IPs: []string{"0.0.0.0/0"}}},
			SaslUsers: []sim.SaslUser{{Username: "reader", Password: "p<&>\"1"}, {Username: "writer", Password: "p2", Type: "scram"}},
			ACLs: []sim.ACL{
				{Username: "reader", ResourceType: "Topic", ResourceName: "orders", Operation: "Read"},
				{Username: "reader", ResourceType: "Topic", ResourceName: "orders", Operation: "Describe"},
				{Username: "reader", ResourceType: "Group", ResourceName: "billing", Operation: "Read"},
			},
			Tags: []sim.Tag{{Key: "team", Value: "trade"}, {Key: "env", Value: "prod"}},
			Topics: []sim.Topic{
				quiet,
				{Name: "refunds", Partitions: 3, Local: true, Compact: true, MinISR: 2, Rate: 7, Shape: sim.Steady, Quiet: time.Hour},
				{Name: "empty", Partitions: 12, AutoCreated: true, Tags: []sim.Tag{{Key: "team", Value: "trade"}}},
				{Name: "my.topic", Partitions: 1, WithoutRegion: true},
			},
			Groups: []sim.Group{
				{Name: "billing", Members: 3, Subscriptions: []sim.Subscription{{Topic: "orders"}, {Topic: "refunds"}}, Tags: []sim.Tag{{Key: "team", Value: "money"}}},
				{Name: "audit", Offline: true, Remark: "nachts & sonntags", AutoCreated: true, Subscriptions: []sim.Subscription{{Topic: "orders"}}},
				{Name: "idle", Offline: true},
			},
		},
		{ID: payAsYouGo, Name: "second", PaidType: 1, DiskType: 1, IoMax: 30, AutoTopics: true, Groups: []sim.Group{{Name: "only"}}},
		{
			ID: serverless, Name: "third", PaidType: 3, Series: "v3", Version: "3.3.1", SpecType: "serverless",
			ReservedPublish: 60, ReservedSubscribe: 90, Config: map[string]string{"enable.acl": "true"},
			SaslUsers: []sim.SaslUser{{Username: "scram", Password: "p3", Type: "scram", Mechanism: "SCRAM-SHA-256"}},
			Topics:    []sim.Topic{{Name: "events", Partitions: 4}},
			Rules: []sim.ScalingRule{{
				Name: "mornings", Schedule: "repeat", Repeat: "Weekly", Days: []string{"Monday", "Friday"}, Zone: "GMT+8",
				First: time.Now().Add(24 * time.Hour).Truncate(time.Second), Lasts: time.Hour, ReservedPublish: 100, ReservedSubscribe: 150, Enabled: true,
			}},
		},
		{ID: confluent, Name: "fourth", PaidType: 4, Series: "confluent", Version: "7.4.0", Confluent: map[string]int64{"KafkaCU": 4, "KafkaStorage": 800, "KafkaReplica": 3}},
		{ID: "alikafka_pre-cn-conformance5", Name: "elsewhere", RegionID: "cn-beijing"},
	}
	return &sim.World{Accounts: []sim.Account{a}}
}

func options() sim.Options {
	delays := sim.Instantly()
	delays.Release = time.Hour
	return sim.Options{Seed: 7, World: world(), Limits: sim.Limits{Default: -1, PerSourceIP: -1}, Delays: delays, TagPage: 2}
}
