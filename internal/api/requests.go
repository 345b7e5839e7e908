package api

// Requests and replies of the read actions. Field meaning follows the API
// reference of 2019-09-16; where it gives no unit, the comment says who does.
// Times are Unix milliseconds; 0 or -1 means there is none.

// Tag is a key and a value on an instance, a topic or a group.
type Tag struct {
	Key   string `q:"Key" json:"Key"`
	Value string `q:"Value" json:"Value"`
}

// GetInstanceList returns every instance of a region; it has no pages.
type GetInstanceList struct {
	Returns[InstanceList]
	RegionID        string   `q:"RegionId,required"`
	OrderID         string   `q:"OrderId"`
	InstanceIDs     []string `q:"InstanceId"`
	Tags            []Tag    `q:"Tag"`
	ResourceGroupID string   `q:"ResourceGroupId"`
	Series          string   `q:"Series"`
}

// InstanceList is the reply of GetInstanceList.
type InstanceList struct {
	Instances []Instance `json:"InstanceList"`
}

// Instance is an ApsaraMQ for Kafka instance as GetInstanceList shows it.
// Pointers are fields that older or other editions of the service leave out.
type Instance struct {
	InstanceID    string `json:"InstanceId"`
	Name          string `json:"Name"`
	RegionID      string `json:"RegionId"`
	ZoneID        string `json:"ZoneId"`
	VpcID         string `json:"VpcId"`
	VSwitchID     string `json:"VSwitchId"`
	SecurityGroup string `json:"SecurityGroup"`

	ServiceStatus          *int64 `json:"ServiceStatus"`          // see StatusName
	ViewInstanceStatusCode *int64 `json:"ViewInstanceStatusCode"` // newer vocabulary: 5 means expired here
	SpecType               string `json:"SpecType"`               // normal, professional, professionalForHighRead, …
	DeployType             *int64 `json:"DeployType"`             // 4 internet and VPC, 5 VPC
	PaidType               *int64 `json:"PaidType"`               // 0 subscription, 1 pay-as-you-go, 3 serverless, 4 Confluent
	DiskType               *int64 `json:"DiskType"`               // 0 efficient cloud disk, 1 SSD
	DiskSize               *int64 `json:"DiskSize"`               // GB (SDK)
	IoMax                  *int64 `json:"IoMax"`                  // MB/s of business traffic, read and write each
	IoMaxSpec              string `json:"IoMaxSpec"`
	EipMax                 *int64 `json:"EipMax"`    // Mbit/s of internet bandwidth
	MsgRetain              *int64 `json:"MsgRetain"` // hours
	TopicNumLimit          *int64 `json:"TopicNumLimit"`
	UsedTopicCount         *int64 `json:"UsedTopicCount"`
	UsedPartitionCount     *int64 `json:"UsedPartitionCount"`
	UsedGroupCount         *int64 `json:"UsedGroupCount"`
	CreateTime             int64  `json:"CreateTime"`
	ExpiredTime            int64  `json:"ExpiredTime"`

	// AllConfig is the instance's configuration: JSON inside a string, in the
	// documents' samples escaped twice. Config decodes it.
	AllConfig string `json:"AllConfig"`

	EndPoint           string `json:"EndPoint"`
	SslEndPoint        string `json:"SslEndPoint"`
	DomainEndpoint     string `json:"DomainEndpoint"`
	SslDomainEndpoint  string `json:"SslDomainEndpoint"`
	SaslDomainEndpoint string `json:"SaslDomainEndpoint"`

	Tags    []Tag `json:"Tags"`
	Upgrade struct {
		Version string `json:"Current2OpenSourceVersion"`
	} `json:"UpgradeServiceDetailInfo"`
}

// GetAllInstanceIdList returns the ids of all instances of the account in all
// regions. RegionID is reserved but required.
type GetAllInstanceIdList struct {
	Returns[InstanceIDs]
	RegionID string `q:"RegionId,required"`
}

// InstanceIDs is the reply of GetAllInstanceIdList: ids by region.
type InstanceIDs struct {
	ByRegion map[string][]string `json:"InstanceIds"`
}

// GetAllowedIpList returns the whole IP whitelist of an instance.
type GetAllowedIpList struct {
	Returns[AllowedIPs]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
}

// AllowedIPs is the reply of GetAllowedIpList.
type AllowedIPs struct {
	AllowedList struct {
		DeployType int64          `json:"DeployType"`
		Internet   []AllowedPorts `json:"InternetList"`
		VPC        []AllowedPorts `json:"VpcList"`
	} `json:"AllowedList"`
}

// AllowedPorts are the whitelist entries of one port range, such as
// "9092/9092".
type AllowedPorts struct {
	PortRange string   `json:"PortRange"`
	IPs       []string `json:"AllowedIpList"`
}

// GetQuotaTip returns what of the quotas of an instance is used and left. It
// is not in the 2022 reference; the shape is that of the official SDK.
type GetQuotaTip struct {
	Returns[Quota]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
}

// Quota is the reply of GetQuotaTip. A nil field was not answered.
type Quota struct {
	QuotaData struct {
		TopicQuota     *int64 `json:"TopicQuota"`
		TopicUsed      *int64 `json:"TopicUsed"`
		TopicLeft      *int64 `json:"TopicLeft"`
		PartitionQuota *int64 `json:"PartitionQuota"`
		PartitionUsed  *int64 `json:"PartitionUsed"`
		PartitionLeft  *int64 `json:"PartitionLeft"`
		GroupUsed      *int64 `json:"GroupUsed"`
		GroupLeft      *int64 `json:"GroupLeft"`
	} `json:"QuotaData"`
}

// GetTopicList returns a page of topics; ListTopics returns them all.
type GetTopicList struct {
	Returns[TopicList]
	RegionID    string `q:"RegionId"`
	InstanceID  string `q:"InstanceId,required"`
	CurrentPage int    `q:"CurrentPage"` // from 1
	PageSize    int    `q:"PageSize"`
	Topic       string `q:"Topic"`
}

// TopicList is one page of the reply of GetTopicList. Total counts the topics
// of all pages.
type TopicList struct {
	CurrentPage int     `json:"CurrentPage"`
	PageSize    int     `json:"PageSize"`
	Total       *int    `json:"Total"`
	Topics      []Topic `json:"TopicList"`
}

// Topic is a topic as GetTopicList shows it. RegionID can be empty on
// serverless instances.
type Topic struct {
	Topic        string `json:"Topic"`
	InstanceID   string `json:"InstanceId"`
	RegionID     string `json:"RegionId"`
	Status       *int64 `json:"Status"` // 0 in service, 1 frozen, 2 paused (2018 page)
	StatusName   string `json:"StatusName"`
	PartitionNum int64  `json:"PartitionNum"`
	CompactTopic bool   `json:"CompactTopic"`
	LocalTopic   bool   `json:"LocalTopic"`
	Remark       string `json:"Remark"`
	CreateTime   int64  `json:"CreateTime"`
	Tags         []Tag  `json:"Tags"`
}

// GetTopicStatus returns the offsets of all partitions of a topic.
type GetTopicStatus struct {
	Returns[TopicStatus]
	RegionID   string `q:"RegionId"`
	InstanceID string `q:"InstanceId,required"`
	Topic      string `q:"Topic,required"`
}

// TopicStatus is the reply of GetTopicStatus.
type TopicStatus struct {
	TopicStatus struct {
		TotalCount    int64          `json:"TotalCount"`    // messages now in the topic
		LastTimeStamp int64          `json:"LastTimeStamp"` // last message; sic, see TopicProgress
		Offsets       []TopicOffsets `json:"OffsetTable"`
	} `json:"TopicStatus"`
}

// TopicOffsets are the offsets of one partition: 48 bytes. MaxOffset is the log
// end: the offset that the next message gets.
type TopicOffsets struct {
	Partition           int32  `json:"Partition"`
	Topic               string `json:"Topic"`
	MinOffset           int64  `json:"MinOffset"`
	MaxOffset           int64  `json:"MaxOffset"`
	LastUpdateTimestamp int64  `json:"LastUpdateTimestamp"`
}

// GetConsumerList returns the consumer groups of an instance. It had no pages
// until 2024; ListConsumerGroups follows Total when it is answered.
type GetConsumerList struct {
	Returns[ConsumerList]
	RegionID    string `q:"RegionId,required"`
	InstanceID  string `q:"InstanceId,required"`
	ConsumerID  string `q:"ConsumerId"`
	CurrentPage int    `q:"CurrentPage"` // from 1
	PageSize    int    `q:"PageSize"`
}

// ConsumerList is one page of the reply of GetConsumerList. Total is nil
// where the service does not page; the answer is complete then.
type ConsumerList struct {
	CurrentPage int             `json:"CurrentPage"`
	PageSize    int             `json:"PageSize"`
	Total       *int            `json:"Total"`
	Groups      []ConsumerGroup `json:"ConsumerList"`
}

// ConsumerGroup is a consumer group as GetConsumerList shows it.
type ConsumerGroup struct {
	ConsumerID string `json:"ConsumerId"`
	InstanceID string `json:"InstanceId"`
	RegionID   string `json:"RegionId"`
	Remark     string `json:"Remark"`
	CreateTime int64  `json:"CreateTime"`
	Tags       []Tag  `json:"Tags"`
}

// GetConsumerProgress returns committed and newest offsets of everything that
// a group consumes.
type GetConsumerProgress struct {
	Returns[ConsumerProgress]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	ConsumerID string `q:"ConsumerId,required"`
	// HideLastTimestamp spares the service an expensive look-up; every
	// LastTimestamp then reads -1.
	HideLastTimestamp bool `q:"HideLastTimestamp"`
}

// ConsumerProgress is the reply of GetConsumerProgress.
type ConsumerProgress struct {
	Progress struct {
		TotalDiff     int64           `json:"TotalDiff"` // lag of the group, messages
		LastTimestamp int64           `json:"LastTimestamp"`
		State         *string         `json:"state"` // newer editions only
		Topics        []TopicProgress `json:"TopicList"`
		Rebalances    []Rebalance     `json:"RebalanceInfoList"`
	} `json:"ConsumerProgress"`
}

// TopicProgress is a group's progress on one topic.
type TopicProgress struct {
	Topic         string            `json:"Topic"`
	TotalDiff     int64             `json:"TotalDiff"`
	LastTimestamp int64             `json:"LastTimestamp"`
	Offsets       []ConsumerOffsets `json:"OffsetList"`
}

// ConsumerOffsets is a group's progress on one partition: 80 bytes, and the
// strings, of which equal ones share their text. ConsumerOffset is the
// committed offset, BrokerOffset the log end at the same moment, LastTimestamp
// the time at which the last consumed message was produced.
type ConsumerOffsets struct {
	Partition      int32  `json:"Partition"`
	ConsumerOffset int64  `json:"ConsumerOffset"`
	BrokerOffset   int64  `json:"BrokerOffset"`
	LastTimestamp  int64  `json:"LastTimestamp"`
	MemberID       string `json:"MemberId"` // empty where no member owns the partition, or the edition does not tell
	ClientID       string `json:"ClientId"`
	ClientIP       string `json:"ClientIp"`
}

// Rebalance is one rebalance of a group. LastRebalanceTimestamp is documented
// as milliseconds and exemplified in seconds.
type Rebalance struct {
	Generation             int64  `json:"Generation"`
	GroupID                string `json:"GroupId"`
	LastRebalanceTimestamp int64  `json:"LastRebalanceTimestamp"`
	RebalanceTimeConsuming int64  `json:"RebalanceTimeConsuming"` // milliseconds
	RebalanceSuccess       bool   `json:"RebalanceSuccess"`
	Reason                 string `json:"Reason"`
}

// ListTagResources returns a page of tags; ListTags returns them all. Either
// ResourceIDs or Tags must be given.
type ListTagResources struct {
	Returns[TagResources]
	RegionID     string   `q:"RegionId,required"`
	ResourceType string   `q:"ResourceType,required"` // INSTANCE, TOPIC or CONSUMERGROUP
	ResourceIDs  []string `q:"ResourceId"`
	Tags         []Tag    `q:"Tag"`
	NextToken    string   `q:"NextToken"`
}

// TagResources is one page of the reply of ListTagResources. An empty
// NextToken marks the last page.
type TagResources struct {
	NextToken string        `json:"NextToken"`
	Resources []TagResource `json:"TagResources"`
}

// TagResource is one tag of one resource. ResourceType is answered in the
// form ALIYUN::ALIKAFKA::INSTANCE.
type TagResource struct {
	ResourceID   string `json:"ResourceId"`
	ResourceType string `json:"ResourceType"`
	TagKey       string `json:"TagKey"`
	TagValue     string `json:"TagValue"`
}

// DescribeSaslUsers returns the SASL users of an instance. The service
// answers their passwords, too; there is no field to hold them.
type DescribeSaslUsers struct {
	Returns[SaslUsers]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
}

// SaslUsers is the reply of DescribeSaslUsers.
type SaslUsers struct {
	Users []SaslUser `json:"SaslUserList"`
}

// SaslUser is a SASL user; Type is plain or scram.
type SaslUser struct {
	Username  string `json:"Username"`
	Type      string `json:"Type"`
	Mechanism string `json:"Mechanism"` // serverless only
}

// DescribeAcls returns the ACL entries of one user on one resource; there is
// no call that lists them all.
type DescribeAcls struct {
	Returns[ACLs]
	RegionID               string `q:"RegionId,required"`
	InstanceID             string `q:"InstanceId,required"`
	Username               string `q:"Username,required"`
	ACLResourceType        string `q:"AclResourceType,required"` // Topic, Group, Cluster or TransactionalId
	ACLResourceName        string `q:"AclResourceName,required"`
	ACLResourcePatternType string `q:"AclResourcePatternType"` // LITERAL or PREFIXED
}

// ACLs is the reply of DescribeAcls.
type ACLs struct {
	ACLs []ACL `json:"KafkaAclList"`
}

// ACL is one entry. Newer editions answer types in upper case.
type ACL struct {
	Username               string `json:"Username"`
	Host                   string `json:"Host"`
	ACLResourceType        string `json:"AclResourceType"`
	ACLResourceName        string `json:"AclResourceName"`
	ACLResourcePatternType string `json:"AclResourcePatternType"`
	ACLOperationType       string `json:"AclOperationType"`
	ACLPermissionType      string `json:"AclPermissionType"`
}
