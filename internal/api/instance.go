package api

import "github.com/alikafka-exporter/alikafka-exporter/internal/secret"

// Requests and replies about instances. Field meaning, here and in the other
// files of requests, follows the API reference of 2019-09-16; what it does not
// have is from the official SDK. Where a document gives no unit, the comment
// says who does. Times are Unix milliseconds; 0 or -1 means there is none.
//
// A zero field of a request is not sent. Where zero means something to the
// cloud, the field is a pointer.

// Done is the reply of an action that answers nothing but that it was done.
type Done struct {
	RequestID string `json:"RequestId"` // for a support ticket
}

// GetInstanceList returns every instance of a region; it has no pages.
type GetInstanceList struct {
	Returns[InstanceList]
	RegionID        string   `q:"RegionId,required"`
	OrderID         string   `q:"OrderId"`
	InstanceIDs     []string `q:"InstanceId"`
	Tags            []Tag    `q:"Tag"`
	ResourceGroupID string   `q:"ResourceGroupId"`
	Series          string   `q:"Series,in=v2|v3|confluent"`
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

	BackupZoneID    string   `json:"BackupZoneId"`
	StandardZoneID  string   `json:"StandardZoneId"` // in its long form, cn-hangzhou-k
	VSwitchIDs      []string `json:"VSwitchIds"`
	ResourceGroupID string   `json:"ResourceGroupId"`
	KMSKeyID        string   `json:"KmsKeyId"`
	Series          string   `json:"Series"` // v2, v3 or confluent

	ServiceStatus          *int64 `json:"ServiceStatus"`          // see StatusName
	ViewInstanceStatusCode *int64 `json:"ViewInstanceStatusCode"` // newer vocabulary: 5 means expired here
	SpecType               string `json:"SpecType"`               // normal, professional, professionalForHighRead, …
	DeployType             *int64 `json:"DeployType"`             // 4 internet and VPC, 5 VPC
	PaidType               *int64 `json:"PaidType"`               // 0 subscription, 1 pay-as-you-go, 3 serverless, 4 Confluent
	DiskType               *int64 `json:"DiskType"`               // 0 efficient cloud disk, 1 SSD
	DiskSize               *int64 `json:"DiskSize"`               // GB (SDK)
	IoMax                  *int64 `json:"IoMax"`                  // MB/s of business traffic, read and write each
	IoMaxRead              *int64 `json:"IoMaxRead"`              // MB/s by a newer page, Mbit/s by the SDK
	IoMaxWrite             *int64 `json:"IoMaxWrite"`             // as IoMaxRead
	IoMaxSpec              string `json:"IoMaxSpec"`
	EipMax                 *int64 `json:"EipMax"`    // Mbit/s of internet bandwidth
	MsgRetain              *int64 `json:"MsgRetain"` // hours
	TopicNumLimit          *int64 `json:"TopicNumLimit"`
	UsedTopicCount         *int64 `json:"UsedTopicCount"`
	UsedPartitionCount     *int64 `json:"UsedPartitionCount"`
	UsedGroupCount         *int64 `json:"UsedGroupCount"`
	AutoCreateTopicEnable  *bool  `json:"AutoCreateTopicEnable"`
	AutoCreateGroupEnable  *bool  `json:"AutoCreateGroupEnable"`
	DefaultPartitionNum    *int64 `json:"DefaultPartitionNum"` // of topics that are created automatically
	RecommendedPartitions  *int64 `json:"RecommendedPartitionCount"`
	ReservedPublish        *int64 `json:"ReservedPublishCapacity"`   // MB/s
	ReservedSubscribe      *int64 `json:"ReservedSubscribeCapacity"` // MB/s
	ScheduledRetirement    *bool  `json:"ScheduledRetirement"`
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

	SaslEndPoint          string `json:"SaslEndPoint"`
	VpcSaslEndPoint       string `json:"VpcSaslEndPoint"`
	VpcSaslDomainEndpoint string `json:"VpcSaslDomainEndpoint"`

	Confluent           *ConfluentConfig     `json:"ConfluentConfig"`
	ConfluentComponents []ConfluentComponent `json:"ConfluentInstanceComponents"`

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
		// IsPartitionBuy is 1 where partitions are sold, 0 where topics are.
		IsPartitionBuy    *int64 `json:"IsPartitionBuy"`
		PartitionNumOfBuy *int64 `json:"PartitionNumOfBuy"`
		TopicNumOfBuy     *int64 `json:"TopicNumOfBuy"`
	} `json:"QuotaData"`
}

// ConfluentComponent is a part of a Confluent instance.
type ConfluentComponent struct {
	ComponentType string `json:"ComponentType"` // such as CONNECTOR
	DeployModule  string `json:"DeployModule"`  // vpc or eip
	PubEndpoint   string `json:"PubEndpoint"`
	VpcEndpoint   string `json:"VpcEndpoint"`
}

// StartInstance deploys an instance that was ordered; ServiceStatus is 0
// before and 5 once it serves, which takes up to an hour.
type StartInstance struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	VpcID      string `q:"VpcId,required"`
	VSwitchID  string `q:"VSwitchId,required"`
	// DeployModule must fit the instance's DeployType: eip for 4, vpc for 5.
	DeployModule         string            `q:"DeployModule,required,in=vpc|eip"`
	ZoneID               string            `q:"ZoneId"`
	IsEipInner           *bool             `q:"IsEipInner"`
	IsSetUserAndPassword *bool             `q:"IsSetUserAndPassword"`
	Username             string            `q:"Username"`
	Password             secret.String     `q:"Password,secret"`
	Name                 string            `q:"Name,name=3..64"`
	SecurityGroup        string            `q:"SecurityGroup"`
	ServiceVersion       string            `q:"ServiceVersion,version"`
	Config               map[string]string `q:"Config,json"` // the keys of UpdateInstanceConfig
	KMSKeyID             string            `q:"KMSKeyId"`    // encrypts the disks, for good
	CrossZone            *bool             `q:"CrossZone"`   // true by default
	ForceZones           *bool             `q:"IsForceSelectedZones"`
	SelectedZones        [][]string        `q:"SelectedZones,json"` // candidates for the primary, then for the standby
	VSwitchIDs           []string          `q:"VSwitchIds"`
	Notifier             string            `q:"Notifier"`
	UserPhoneNum         string            `q:"UserPhoneNum"`
}

// ModifyInstanceName renames an instance.
type ModifyInstanceName struct {
	Returns[Done]
	RegionID     string `q:"RegionId,required"`
	InstanceID   string `q:"InstanceId,required"`
	InstanceName string `q:"InstanceName,required,name=3..64"`
}

// ReleaseInstance ends a pay-as-you-go instance; ServiceStatus becomes 15 and
// later 10.
type ReleaseInstance struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	// ForceDeleteInstance frees the machines at once instead of keeping them
	// for a while.
	ForceDeleteInstance *bool `q:"ForceDeleteInstance"`
}

// DeleteInstance removes an instance that was released.
type DeleteInstance struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
}

// UpdateInstanceConfig sets some keys of the configuration of an instance and
// restarts its brokers one after the other. The keys are enable.acl,
// enable.vpc_sasl_ssl, kafka.log.retention.hours (24 to 480) and
// kafka.message.max.bytes (1 MiB to 10 MiB).
type UpdateInstanceConfig struct {
	Returns[Done]
	RegionID   string            `q:"RegionId,required"`
	InstanceID string            `q:"InstanceId,required"`
	Config     map[string]string `q:"Config,required,json"`
}

// UpgradeInstanceVersion moves an instance to another version of Kafka. Its
// present version asks for the newest minor release of it.
type UpgradeInstanceVersion struct {
	Returns[Done]
	RegionID      string `q:"RegionId,required"`
	InstanceID    string `q:"InstanceId,required"`
	TargetVersion string `q:"TargetVersion,required,version"`
}

// StopInstance stops a pay-as-you-go instance; ReopenInstance starts it again.
type StopInstance struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
}

// ReopenInstance starts an instance that StopInstance stopped.
type ReopenInstance struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
}

// EnableAutoTopicCreation says whether clients create topics by using them.
type EnableAutoTopicCreation struct {
	Returns[Done]
	RegionID        string `q:"RegionId,required"`
	InstanceID      string `q:"InstanceId,required"`
	Operate         string `q:"Operate,in=enable|disable|updatePartition"`
	PartitionNum    int    `q:"PartitionNum,range=1..360"` // of such topics; for updatePartition
	UpdatePartition *bool  `q:"UpdatePartition"`
}

// EnableAutoGroupCreation says whether clients create consumer groups by
// using them.
type EnableAutoGroupCreation struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	Enable     *bool  `q:"Enable,required"`
}

// ChangeResourceGroup moves an instance to another resource group.
type ChangeResourceGroup struct {
	Returns[ResourceGroup]
	RegionID           string `q:"RegionId,required"`
	ResourceID         string `q:"ResourceId,required"` // the instance
	NewResourceGroupID string `q:"NewResourceGroupId,required"`
}

// ResourceGroup is the reply of ChangeResourceGroup.
type ResourceGroup struct {
	RequestID          string `json:"RequestId"`
	NewResourceGroupID string `json:"NewResourceGroupId"`
}

// GetKafkaClientIp returns the addresses from which clients used an instance,
// a topic or a group within an hour of the last seven days.
type GetKafkaClientIp struct {
	Returns[ClientIPs]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	Type       string `q:"Type,required,in=byInstance|byTopic|byGroup"`
	StartTime  int64  `q:"StartTime,required,range=1.."`
	EndTime    int64  `q:"EndTime,required,range=1.."`
	Topic      string `q:"Topic"`
	Group      string `q:"Group"`
}

// ClientIPs is the reply of GetKafkaClientIp.
type ClientIPs struct {
	Data struct {
		Alert           bool  `json:"Alert"` // the brokers are too old for the data to be trusted
		StartDate       int64 `json:"StartDate"`
		EndDate         int64 `json:"EndDate"`
		SearchTimeRange int64 `json:"SearchTimeRange"` // hours that a call may ask for
		TimeLimitDay    int64 `json:"TimeLimitDay"`    // days that the data reach back
		Data            struct {
			Requests []ClientRequests `json:"Data"`
		} `json:"Data"`
	} `json:"Data"`
}

// ClientRequests are the addresses that sent one kind of request.
type ClientRequests struct {
	Name string `json:"Name"` // such as OFFSET_COMMIT
	Data struct {
		Clients []ClientIP `json:"Data"`
	} `json:"Data"`
}

// ClientIP is an address and its connections.
type ClientIP struct {
	IP  string `json:"Ip"`
	Num int64  `json:"Num"`
}

// GetRiskList returns a page of what the service thinks is wrong with an
// instance.
type GetRiskList struct {
	Returns[Risks]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	StartIndex int    `q:"StartIndex,range=0.."` // from 0
	PageSize   int    `q:"PageSize,range=1.."`
}

// Risks is one page of the reply of GetRiskList. Total counts those of all
// pages.
type Risks struct {
	Data struct {
		Risks []Risk `json:"RiskList"`
		Total *int   `json:"Total"`
	} `json:"Data"`
}

// Risk is one finding. LastAlarmTime is in seconds in its example.
type Risk struct {
	InstanceID    string   `json:"InstanceId"`
	Name          string   `json:"Name"`
	Type          string   `json:"Type"` // what is at risk, such as inputIo
	Value         string   `json:"Value"`
	Status        int64    `json:"Status"`
	Health        bool     `json:"Health"` // the check passes
	GradeType     string   `json:"GradeType"`
	LevelType     int64    `json:"LevelType"`
	Owner         string   `json:"Owner"`
	Relations     []string `json:"RelationList"`
	ReportTips    string   `json:"ReportTips"`
	ReportType    string   `json:"ReportType"`
	ReportValue   string   `json:"ReportValue"`
	CreateTime    int64    `json:"CreateTime"`
	ModifiedTime  int64    `json:"ModifiedTime"`
	LastAlarmTime int64    `json:"LastAlarmTime"`
}

// FailoverTest plans a failover drill. No document says more than the names
// and types of its parameters; the units are not known.
type FailoverTest struct {
	Returns[Done]
	RegionID    string `q:"RegionId"`
	InstanceID  string `q:"InstanceId"`
	Name        string `q:"Name"`
	Description string `q:"Description"`
	Type        string `q:"Type"`
	Configs     string `q:"Configs"`
	ExecuteTime int64  `q:"ExecuteTime"`
	Duration    int64  `q:"Duration"`
}
