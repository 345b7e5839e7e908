package api

// Requests and replies about consumer groups.

// GetConsumerList returns the consumer groups of an instance. It had no pages
// until 2024; ListConsumerGroups follows Total when it is answered.
type GetConsumerList struct {
	Returns[ConsumerList]
	RegionID    string `q:"RegionId,required"`
	InstanceID  string `q:"InstanceId,required"`
	ConsumerID  string `q:"ConsumerId"`
	CurrentPage int    `q:"CurrentPage,range=1.."` // from 1
	PageSize    int    `q:"PageSize,range=1.."`
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
	// AutoCreated: a client made it by using it.
	AutoCreated bool  `json:"AutomaticallyCreatedGroup"`
	Tags        []Tag `json:"Tags"`
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
// the time at which the last consumed message was produced. A number or an
// offset that was not answered is -1, as 0 is one.
type ConsumerOffsets struct {
	Partition      int32  `json:"Partition"`
	ConsumerOffset int64  `json:"ConsumerOffset"`
	BrokerOffset   int64  `json:"BrokerOffset"`
	LastTimestamp  int64  `json:"LastTimestamp"`
	MemberID       string `json:"MemberId"` // empty where no member owns the partition, or the edition does not tell
	ClientID       string `json:"ClientId"`
	ClientIP       string `json:"ClientIp"`
}

func (o *ConsumerOffsets) blank() { o.Partition, o.ConsumerOffset, o.BrokerOffset = -1, -1, -1 }

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

// CreateConsumerGroup makes a consumer group.
type CreateConsumerGroup struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	ConsumerID string `q:"ConsumerId,required,name=3..128"`
	Remark     string `q:"Remark"`
	Tags       []Tag  `q:"Tag"`
}

// DeleteConsumerGroup deletes a consumer group and its offsets.
type DeleteConsumerGroup struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	ConsumerID string `q:"ConsumerId,required"`
}

// UpdateConsumerOffset moves the committed offsets of a group that is not
// consuming: to a time, or to given offsets.
type UpdateConsumerOffset struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	ConsumerID string `q:"ConsumerId,required"`
	// Topic may be empty: every topic that the group subscribes to.
	Topic     *string           `q:"Topic,required,blank"`
	ResetType string            `q:"ResetType,in=timestamp|offset"` // timestamp by default
	Time      *int64            `q:"Time,range=-2.."`               // -1 latest, -2 earliest; for timestamp
	Offsets   []PartitionOffset `q:"Offsets,json"`                  // for offset
}

// PartitionOffset is an offset of one partition.
type PartitionOffset struct {
	Partition int32 `json:"Partition"`
	Offset    int64 `json:"Offset"`
}

// ListRebalanceInfo returns the last rebalances of a group.
type ListRebalanceInfo struct {
	Returns[Rebalances]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	ConsumerID string `q:"ConsumerId,required"`
}

// Rebalances is the reply of ListRebalanceInfo.
type Rebalances struct {
	Data struct {
		Rebalances []Rebalance `json:"RebalanceInfoList"`
	} `json:"Data"`
}
