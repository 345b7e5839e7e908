package api

// Requests and replies about topics and the messages in them.

// GetTopicList returns a page of topics; ListTopics returns them all.
type GetTopicList struct {
	Returns[TopicList]
	RegionID    string `q:"RegionId"`
	InstanceID  string `q:"InstanceId,required"`
	CurrentPage int    `q:"CurrentPage,range=1.."` // from 1
	PageSize    int    `q:"PageSize,range=1.."`
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
	AutoCreate   bool   `json:"AutoCreate"`
	TopicConfig  string `json:"TopicConfig"` // JSON inside a string, such as {"replication-factor":3}
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
// end: the offset that the next message gets. A number or an offset that was
// not answered is -1, as 0 is one.
type TopicOffsets struct {
	Partition           int32  `json:"Partition"`
	Topic               string `json:"Topic"`
	MinOffset           int64  `json:"MinOffset"`
	MaxOffset           int64  `json:"MaxOffset"`
	LastUpdateTimestamp int64  `json:"LastUpdateTimestamp"`
}

func (o *TopicOffsets) blank() { o.Partition, o.MinOffset, o.MaxOffset = -1, -1, -1 }

// CreateTopic makes a topic; Status is 0 once it can be used. A name that was
// deleted a moment ago is refused for some minutes. Remark is required here,
// and here only.
type CreateTopic struct {
	Returns[Done]
	RegionID     string `q:"RegionId,required"`
	InstanceID   string `q:"InstanceId,required"`
	Topic        string `q:"Topic,required,name=3..64"`
	Remark       string `q:"Remark,required,name=3..64"`
	PartitionNum int    `q:"PartitionNum,range=1..360"`
	// LocalTopic stores the topic on the brokers' disks instead of cloud
	// storage. Only such a topic takes the fields that follow.
	LocalTopic        *bool             `q:"LocalTopic"`
	CompactTopic      *bool             `q:"CompactTopic"`
	ReplicationFactor int               `q:"ReplicationFactor,range=1..3"`
	MinInsyncReplicas int               `q:"MinInsyncReplicas,range=1..3"` // below the number of replicas
	Config            map[string]string `q:"Config,json"`                  // replications only, which wins over ReplicationFactor
	Tags              []Tag             `q:"Tag"`
}

// DeleteTopic deletes a topic and its messages.
type DeleteTopic struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	Topic      string `q:"Topic,required"`
}

// ModifyPartitionNum adds partitions to a topic. The number is an increment,
// a repeated call adds again, and nothing removes a partition.
type ModifyPartitionNum struct {
	Returns[Done]
	RegionID        string `q:"RegionId,required"`
	InstanceID      string `q:"InstanceId,required"`
	Topic           string `q:"Topic,required"`
	AddPartitionNum int    `q:"AddPartitionNum,required,range=1..359"` // at most 360 in total, one of which exists
}

// ModifyTopicRemark sets the remark of a topic.
type ModifyTopicRemark struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	Topic      string `q:"Topic,required"`
	Remark     string `q:"Remark,name=3..64"`
}

// UpdateTopicConfig sets one key of the configuration of a topic. Lowering its
// retention deletes messages.
type UpdateTopicConfig struct {
	Returns[TopicConfig]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	Topic      string `q:"Topic,required"`
	Config     string `q:"Config,required,in=retention.ms|retention.hours|max.message.bytes|replications|message.timestamp.type|message.timestamp.difference.max.ms"`
	Value      string `q:"Value,required"`
}

// TopicConfig is the reply of UpdateTopicConfig.
type TopicConfig struct {
	RequestID string `json:"RequestId"`
	Data      string `json:"Data"`
}

// GetTopicSubscribeStatus returns the groups that subscribe to a topic.
type GetTopicSubscribeStatus struct {
	Returns[TopicSubscribeStatus]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	Topic      string `q:"Topic,required"`
}

// TopicSubscribeStatus is the reply of GetTopicSubscribeStatus.
type TopicSubscribeStatus struct {
	Status struct {
		Topic          string   `json:"Topic"`
		ConsumerGroups []string `json:"ConsumerGroups"`
	} `json:"TopicSubscribeStatus"`
}

// QueryMessage returns messages of a topic: user data, to be kept out of logs
// and metrics.
type QueryMessage struct {
	Returns[Messages]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	Topic      string `q:"Topic,required"`
	QueryType  string `q:"QueryType,required,in=byOffset|byTimestamp"`
	Partition  *int   `q:"Partition,range=0.."` // for byOffset
	Offset     *int64 `q:"Offset,range=0.."`    // for byOffset
	BeginTime  int64  `q:"BeginTime,range=1.."` // for byTimestamp
}

// Messages is the reply of QueryMessage.
type Messages struct {
	Messages []Message `json:"MessageList"`
}

// Message is one message. At most 1 KB of its value is answered.
type Message struct {
	Topic               string `json:"Topic"`
	Partition           int64  `json:"Partition"`
	Offset              int64  `json:"Offset"`
	Timestamp           int64  `json:"Timestamp"`
	TimestampType       string `json:"TimestampType"` // CreateTime or LogAppendTime
	Checksum            int64  `json:"Checksum"`
	Key                 string `json:"Key"`
	KeyTruncated        bool   `json:"KeyTruncated"`
	SerializedKeySize   int64  `json:"SerializedKeySize"` // bytes
	TruncatedKeySize    int64  `json:"TruncatedKeySize"`  // bytes cut off
	Value               string `json:"Value"`
	ValueTruncated      bool   `json:"ValueTruncated"`
	SerializedValueSize int64  `json:"SerializedValueSize"` // bytes
	TruncatedValueSize  int64  `json:"TruncatedValueSize"`  // bytes cut off
}
