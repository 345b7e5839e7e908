package api

// Requests and replies of what costs money: instances ordered, resized and
// converted. Sizes of upgrades and downgrades are absolute. No action takes a
// client token, so that an order sent twice may be placed twice.

// Order is the reply of an order. OrderID is empty where the action does not
// answer one; GetInstanceList finds the instance of an order by it.
type Order struct {
	RequestID string `json:"RequestId"`
	OrderID   string `json:"OrderId"`
}

// ServerlessConfig is the throughput that a serverless instance reserves, in
// MB/s.
type ServerlessConfig struct {
	ReservedPublishCapacity   int64 `json:"ReservedPublishCapacity,omitempty"`
	ReservedSubscribeCapacity int64 `json:"ReservedSubscribeCapacity,omitempty"`
}

// ConfluentConfig sizes the components of a Confluent instance: CPU cores
// (CU), replicas, and disks in GB.
type ConfluentConfig struct {
	KafkaCU               int64 `json:"KafkaCU,omitempty"`
	KafkaReplica          int64 `json:"KafkaReplica,omitempty"`
	KafkaStorage          int64 `json:"KafkaStorage,omitempty"`
	ZooKeeperCU           int64 `json:"ZooKeeperCU,omitempty"`
	ZooKeeperReplica      int64 `json:"ZooKeeperReplica,omitempty"`
	ZooKeeperStorage      int64 `json:"ZooKeeperStorage,omitempty"`
	ControlCenterCU       int64 `json:"ControlCenterCU,omitempty"`
	ControlCenterReplica  int64 `json:"ControlCenterReplica,omitempty"`
	ControlCenterStorage  int64 `json:"ControlCenterStorage,omitempty"`
	SchemaRegistryCU      int64 `json:"SchemaRegistryCU,omitempty"`
	SchemaRegistryReplica int64 `json:"SchemaRegistryReplica,omitempty"`
	ConnectCU             int64 `json:"ConnectCU,omitempty"`
	ConnectReplica        int64 `json:"ConnectReplica,omitempty"`
	KsqlCU                int64 `json:"KsqlCU,omitempty"`
	KsqlReplica           int64 `json:"KsqlReplica,omitempty"`
	KsqlStorage           int64 `json:"KsqlStorage,omitempty"`
	KafkaRestProxyCU      int64 `json:"KafkaRestProxyCU,omitempty"`
	KafkaRestProxyReplica int64 `json:"KafkaRestProxyReplica,omitempty"`
}

// CreatePostPayOrder orders a pay-as-you-go instance; StartInstance deploys
// it. Its sizes must be given, but not those of a serverless one. IoMax or
// IoMaxSpec will do, of which IoMaxSpec wins, and PartitionNum for TopicQuota.
type CreatePostPayOrder struct {
	Returns[Order]
	RegionID         string            `q:"RegionId,required"`
	TopicQuota       int               `q:"TopicQuota,range=1.."`
	DiskType         string            `q:"DiskType,in=0|1"` // 0 efficient cloud disk, 1 SSD
	DiskSize         int               `q:"DiskSize,range=1.."`
	DeployType       int               `q:"DeployType,required,in=4|5"` // 4 internet and VPC, 5 VPC
	IoMax            int               `q:"IoMax,range=1.."`
	IoMaxSpec        string            `q:"IoMaxSpec"`
	EipMax           *int              `q:"EipMax,range=0.."`
	SpecType         string            `q:"SpecType,in=normal|professional|professionalForHighRead"`
	PaidType         *int              `q:"PaidType,in=0|1|3|4"`
	PartitionNum     int               `q:"PartitionNum,range=1.."`
	ResourceGroupID  string            `q:"ResourceGroupId"`
	ServerlessConfig *ServerlessConfig `q:"ServerlessConfig,json"`
	Tags             []Tag             `q:"Tag"`
}

// CreatePrePayOrder orders a subscription, renewed automatically; it is
// CreatePostPayOrder otherwise. A Confluent instance has sizes of its own.
type CreatePrePayOrder struct {
	Returns[Order]
	RegionID        string           `q:"RegionId,required"`
	TopicQuota      int              `q:"TopicQuota,range=1.."`
	DiskType        string           `q:"DiskType,in=0|1"`
	DiskSize        int              `q:"DiskSize,range=1.."`
	DeployType      int              `q:"DeployType,in=4|5"`
	IoMax           int              `q:"IoMax,range=1.."`
	IoMaxSpec       string           `q:"IoMaxSpec"`
	EipMax          *int             `q:"EipMax,range=0.."`
	SpecType        string           `q:"SpecType,in=normal|professional|professionalForHighRead"`
	PaidType        *int             `q:"PaidType,in=0|1|3|4"`
	PartitionNum    int              `q:"PartitionNum,range=1.."`
	Duration        int              `q:"Duration,months"`
	ResourceGroupID string           `q:"ResourceGroupId"`
	ConfluentConfig *ConfluentConfig `q:"ConfluentConfig,json"`
	Tags            []Tag            `q:"Tag"`
}

// CreatePostPayInstance is the newer form of CreatePostPayOrder.
type CreatePostPayInstance struct {
	Returns[InstanceOrder]
	RegionID         string            `q:"RegionId,required"`
	DeployType       int               `q:"DeployType,required,in=4|5"`
	DiskType         string            `q:"DiskType,in=0|1"`
	DiskSize         int               `q:"DiskSize,range=1.."`
	IoMaxSpec        string            `q:"IoMaxSpec"`
	EipMax           *int              `q:"EipMax,range=0.."`
	SpecType         string            `q:"SpecType"`
	PaidType         *int              `q:"PaidType,in=0|1|3|4"`
	PartitionNum     int               `q:"PartitionNum,range=1.."`
	ResourceGroupID  string            `q:"ResourceGroupId"`
	ServerlessConfig *ServerlessConfig `q:"ServerlessConfig,json"`
	Tags             []Tag             `q:"Tag"`
}

// CreatePrePayInstance is the newer form of CreatePrePayOrder.
type CreatePrePayInstance struct {
	Returns[InstanceOrder]
	RegionID        string           `q:"RegionId,required"`
	DeployType      int              `q:"DeployType,in=4|5"`
	DiskType        string           `q:"DiskType,in=0|1"`
	DiskSize        int              `q:"DiskSize,range=1.."`
	IoMaxSpec       string           `q:"IoMaxSpec"`
	EipMax          *int             `q:"EipMax,range=0.."`
	SpecType        string           `q:"SpecType"`
	PaidType        *int             `q:"PaidType,in=0|1|3|4"`
	PartitionNum    int              `q:"PartitionNum,range=1.."`
	Duration        int              `q:"Duration,months"`
	ResourceGroupID string           `q:"ResourceGroupId"`
	ConfluentConfig *ConfluentConfig `q:"ConfluentConfig,json"`
	Tags            []Tag            `q:"Tag"`
}

// InstanceOrder is the reply of the newer orders, which answer the id of the
// instance at once.
type InstanceOrder struct {
	RequestID string `json:"RequestId"`
	Data      struct {
		InstanceID string `json:"InstanceId"`
		OrderID    string `json:"OrderId"`
	} `json:"Data"`
}

// UpgradePostPayOrder resizes a pay-as-you-go instance. No size may be below
// the present one.
type UpgradePostPayOrder struct {
	Returns[Order]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	DiskSize   int    `q:"DiskSize,range=1.."`
	TopicQuota int    `q:"TopicQuota,range=1.."`
	IoMax      int    `q:"IoMax,range=1.."`
	IoMaxSpec  string `q:"IoMaxSpec"`
	SpecType   string `q:"SpecType,in=normal|professional|professionalForHighRead"`
	// EipModel says whether the instance is open to the internet: true needs
	// an EipMax above 0, false one of 0.
	EipModel         *bool             `q:"EipModel"`
	EipMax           *int              `q:"EipMax,range=0.."`
	PartitionNum     int               `q:"PartitionNum,range=1.."`
	ServerlessConfig *ServerlessConfig `q:"ServerlessConfig,json"`
}

// UpgradePrePayOrder resizes a subscription; it is UpgradePostPayOrder
// otherwise.
type UpgradePrePayOrder struct {
	Returns[Order]
	RegionID        string           `q:"RegionId,required"`
	InstanceID      string           `q:"InstanceId,required"`
	DiskSize        int              `q:"DiskSize,range=1.."`
	TopicQuota      int              `q:"TopicQuota,range=1.."`
	IoMax           int              `q:"IoMax,range=1.."`
	IoMaxSpec       string           `q:"IoMaxSpec"`
	SpecType        string           `q:"SpecType,in=normal|professional|professionalForHighRead"`
	EipModel        *bool            `q:"EipModel"`
	EipMax          *int             `q:"EipMax,range=0.."`
	PaidType        *int             `q:"PaidType,in=0|1|3|4"`
	PartitionNum    int              `q:"PartitionNum,range=1.."`
	ConfluentConfig *ConfluentConfig `q:"ConfluentConfig,json"`
}

// DowngradePostPayOrder makes a pay-as-you-go instance smaller.
type DowngradePostPayOrder struct {
	Returns[Order]
	RegionID         string            `q:"RegionId,required"`
	InstanceID       string            `q:"InstanceId,required"`
	DiskSize         int               `q:"DiskSize,range=1.."`
	TopicQuota       int               `q:"TopicQuota,range=1.."`
	IoMax            int               `q:"IoMax,range=1.."`
	IoMaxSpec        string            `q:"IoMaxSpec"`
	SpecType         string            `q:"SpecType"`
	EipModel         *bool             `q:"EipModel"`
	EipMax           *int              `q:"EipMax,range=0.."`
	PartitionNum     int               `q:"PartitionNum,range=1.."`
	ServerlessConfig *ServerlessConfig `q:"ServerlessConfig,json"`
}

// DowngradePrePayOrder makes a subscription smaller.
type DowngradePrePayOrder struct {
	Returns[Order]
	RegionID        string           `q:"RegionId,required"`
	InstanceID      string           `q:"InstanceId,required"`
	DiskSize        int              `q:"DiskSize,range=1.."`
	TopicQuota      int              `q:"TopicQuota,range=1.."`
	IoMax           int              `q:"IoMax,range=1.."`
	IoMaxSpec       string           `q:"IoMaxSpec"`
	SpecType        string           `q:"SpecType"`
	EipModel        *bool            `q:"EipModel"`
	EipMax          *int             `q:"EipMax,range=0.."`
	PaidType        *int             `q:"PaidType,in=0|1|3|4"`
	PartitionNum    int              `q:"PartitionNum,range=1.."`
	ConfluentConfig *ConfluentConfig `q:"ConfluentConfig,json"`
}

// ConvertPostPayOrder makes a pay-as-you-go instance a subscription. There is
// no way back.
type ConvertPostPayOrder struct {
	Returns[Order]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	Duration   int    `q:"Duration,months"`
	PaidType   *int   `q:"PaidType,in=0|1|3|4"`
}
