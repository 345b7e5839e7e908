package sim

import "time"

// lively is the world of the demo. All of its scenes begin within the first
// two minutes and come again every ten.
func lively() World {
	return World{Accounts: []Account{{
		Name:      "demo",
		Instances: []Instance{trade(), logs(), shanghai()},
		RabbitMQ: []RabbitMQ{
			{ID: "amqp-cn-7pp2n4kd1c09", Name: "notify-prod", RegionID: "cn-hangzhou"},
			{ID: "amqp-cn-7pp2n4kd1c10", Name: "通知-测试", RegionID: "cn-hangzhou"},
		},
	}}}
}

// trade is a production instance that shows what can go wrong with groups.
func trade() Instance {
	return Instance{
		ID: "alikafka_pre-cn-zvp2n4kd1001", Name: "交易核心-生产", RegionID: "cn-hangzhou",
		SpecType: "professional", DeployType: 4, DiskType: 1, DiskSize: 3600, IoMax: 60, EipMax: 20,
		TopicLimit: 60, ExpiresIn: 220 * day, Retention: 48 * time.Hour,
		Config: map[string]string{"enable.acl": "true", "enable.vpc_sasl_ssl": "true", "kafka.message.max.bytes": "6291456"},
		Tags:   []Tag{{"team", "trade"}, {"env", "prod"}},
		Allowed: []AllowedIPs{
			{Internet: true, PortRange: "9093/9093", IPs: []string{"203.0.113.0/24"}},
			{PortRange: "9092/9092", IPs: []string{"192.168.0.0/16"}},
			{PortRange: "9094/9094", IPs: []string{"192.168.0.0/16", "172.16.0.0/12"}},
		},
		SaslUsers: []SaslUser{
			{Username: "order-service", Password: "0rder-Service!pass", Type: "plain"},
			{Username: "risk-reader", Password: "r1sk-Reader!pass", Type: "scram"},
		},
		ACLs: []ACL{
			{Username: "order-service", ResourceType: "Topic", ResourceName: "orders", Operation: "Write"},
			{Username: "risk-reader", ResourceType: "Topic", ResourceName: "orders", Operation: "Read"},
			{Username: "risk-reader", ResourceType: "Group", ResourceName: "risk-control", Operation: "Read"},
		},
		Topics: tradeTopics(),
		Groups: tradeGroups(),
	}
}

func tradeTopics() []Topic {
	return []Topic{
		{Name: "orders", Partitions: 24, Rate: 180, Remark: "订单事件", Tags: []Tag{{"team", "trade"}}},
		{Name: "payments", Partitions: 12, Rate: 65, Remark: "支付结果", Tags: []Tag{{"team", "payment"}}},
		{Name: "refunds", Partitions: 6, Rate: 2, Remark: "退款"},
		{Name: "inventory", Partitions: 12, Rate: 40, Shape: Steady, Remark: "库存变更"},
		{Name: "shipment.status", Partitions: 6, Rate: 12, Remark: "name with a dot"},
		{Name: "coupons", Partitions: 3, Rate: 6, Shape: Bursts, Period: 5 * time.Minute},
		{Name: "audit-log", Partitions: 3, Rate: 1, Remark: "nobody reads it"},
		{Name: "app-KSTREAM-AGGREGATE-STATE-STORE-0000000003-changelog", Partitions: 6, Rate: 9, Compact: true, Local: true, AutoCreated: true},
		{Name: "app-KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition", Partitions: 6, Rate: 9, AutoCreated: true},
		{Name: "legacy-orders", Partitions: 6, Rate: 0.4, Quiet: 20 * time.Hour, Age: 200 * day, Remark: "已下线"},
	}
}

func tradeGroups() []Group {
	return []Group{
		{
			Name: "order-fulfilment", Remark: "healthy", Members: 4, Tags: []Tag{{"team", "trade"}},
			Subscriptions: []Subscription{{Topic: "orders"}, {Topic: "inventory"}},
		},
		{
			Name: "payment-settlement", Remark: "stalls, then catches up", Members: 3, Tags: []Tag{{"team", "payment"}},
			Subscriptions: []Subscription{{Topic: "payments"}},
			Scene:         Stall(20*time.Second, 3*time.Minute, 2*time.Minute),
		},
		{
			Name: "risk-control", Remark: "goes away and comes back", Members: 6, Tags: []Tag{{"team", "risk"}},
			Subscriptions: []Subscription{{Topic: "orders"}, {Topic: "payments"}},
			Scene:         Stop(45*time.Second, 4*time.Minute, 150*time.Second),
		},
		{
			Name: "search-indexer", Remark: "rewinds by half an hour", Members: 2,
			Subscriptions: []Subscription{{Topic: "orders"}},
			Scene:         Rewind(70*time.Second, 30*time.Minute, 6*time.Minute),
		},
		{
			Name: "data-warehouse", Remark: "too slow for the peak", Members: 2,
			Subscriptions: []Subscription{{Topic: "orders"}, {Topic: "refunds"}, {Topic: "coupons"}},
			Scene:         Sway(5*time.Second, 5*time.Minute, 4*time.Minute, 3*time.Minute),
		},
		{
			Name: "shipment-tracker", Remark: "one partition is stuck", Members: 3,
			Subscriptions: []Subscription{{Topic: "shipment.status"}},
			Scene:         stuck(2, 30*time.Second, 6*time.Minute, time.Minute),
		},
		{
			Name: "app", Remark: "Kafka Streams", Members: 2, AutoCreated: true,
			Subscriptions: []Subscription{{Topic: "app-KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition"}, {Topic: "coupons"}},
		},
		{
			Name: "legacy-importer", Remark: "left its topic long ago", Members: 1,
			Subscriptions: []Subscription{{Topic: "inventory"}, {Topic: "refunds", Left: 30 * time.Hour}, {Topic: "legacy-orders"}},
		},
	}
}

// logs is an instance with trouble of its own: nearly full, about to expire
// and open to the world.
func logs() Instance {
	return Instance{
		ID: "alikafka_pre-cn-zvp2n4kd1002", Name: "log-collection", RegionID: "cn-hangzhou",
		SpecType: "normal", DeployType: 4, DiskSize: 900, IoMax: 30, EipMax: 5, TopicLimit: 7, PartitionLimit: 70, GroupLimit: 6,
		ExpiresIn: 5 * day, Retention: 24 * time.Hour,
		Tags: []Tag{{"team", "platform"}, {"env", "prod"}},
		Allowed: []AllowedIPs{
			openToAll(),
			{PortRange: "9092/9092", IPs: []string{"10.0.0.0/8"}},
		},
		Topics: []Topic{
			{Name: "nginx-access", Partitions: 24, Rate: 600, Tags: []Tag{{"team", "platform"}}},
			{Name: "app-log", Partitions: 12, Rate: 240},
			{Name: "slow-sql", Partitions: 3, Rate: 1.5, Shape: Intermittent, Period: 2 * time.Minute},
			{Name: "trace_spans", Partitions: 12, Rate: 90, Shape: Bursts},
			{Name: "debug", Partitions: 6},
			{Name: "k8s-events", Partitions: 3, Rate: 3},
		},
		Groups: []Group{
			{Name: "logstash", Members: 6, Subscriptions: []Subscription{{Topic: "nginx-access"}, {Topic: "app-log"}}},
			{Name: "sql-advisor", Subscriptions: []Subscription{{Topic: "slow-sql"}}},
			{Name: "tracing", Members: 3, Subscriptions: []Subscription{{Topic: "trace_spans", Delay: 2 * time.Second}}},
			{Name: "debug-viewer", Remark: "idle", Members: 1, Subscriptions: []Subscription{{Topic: "debug"}}},
			{Name: "console-test", Remark: "abandoned", Offline: true, Subscriptions: []Subscription{{Topic: "app-log", Left: 9 * time.Hour}}},
		},
	}
}

// shanghai is a small pay-as-you-go instance in a second region.
func shanghai() Instance {
	return Instance{
		ID: "alikafka_post-cn-i7m2n4kd2001", Name: "iot-gateway", RegionID: "cn-shanghai",
		PaidType: 1, SpecType: "professional", Version: "2.6.2", DiskSize: 500, IoMax: 20,
		Tags:    []Tag{{"team", "iot"}, {"env", "test"}},
		Allowed: []AllowedIPs{{PortRange: "9092/9092", IPs: []string{"192.168.8.0/24"}}},
		Topics: []Topic{
			{Name: "device-telemetry", Partitions: 12, Rate: 120},
			{Name: "device-commands", Partitions: 3, Rate: 0.5, Shape: Intermittent},
			{Name: "my.topic", Partitions: 3, Rate: 4},
		},
		Groups: []Group{
			{Name: "telemetry-writer", Members: 3, Subscriptions: []Subscription{{Topic: "device-telemetry"}}},
			{Name: "command-ack", Members: 1, Subscriptions: []Subscription{{Topic: "device-commands"}, {Topic: "my.topic"}}},
		},
	}
}
