package api

// Requests and replies about tags. The resource id of an instance is its id,
// that of a topic or a group Kafka_<instance id>_<name>.

// Tag is a key and a value on an instance, a topic or a group.
type Tag struct {
	Key   string `q:"Key" json:"Key"`
	Value string `q:"Value" json:"Value"`
}

// ListTagResources returns a page of tags; ListTags returns them all. Either
// ResourceIDs or Tags must be given.
type ListTagResources struct {
	Returns[ResourceTags]
	RegionID     string   `q:"RegionId,required"`
	ResourceType string   `q:"ResourceType,required,in=INSTANCE|TOPIC|CONSUMERGROUP,fold"`
	ResourceIDs  []string `q:"ResourceId"`
	Tags         []Tag    `q:"Tag"`
	NextToken    string   `q:"NextToken"`
}

// ResourceTags is one page of the reply of ListTagResources. An empty
// NextToken marks the last page.
type ResourceTags struct {
	NextToken string        `json:"NextToken"`
	Tags      []ResourceTag `json:"TagResources"`
}

// ResourceTag is one tag of one resource. ResourceType is answered in the
// form ALIYUN::ALIKAFKA::INSTANCE.
type ResourceTag struct {
	ResourceID   string `json:"ResourceId"`
	ResourceType string `json:"ResourceType"`
	TagKey       string `json:"TagKey"`
	TagValue     string `json:"TagValue"`
}

// TagResources sets tags of resources.
type TagResources struct {
	Returns[Done]
	RegionID     string   `q:"RegionId,required"`
	ResourceType string   `q:"ResourceType,required,in=INSTANCE|TOPIC|CONSUMERGROUP,fold"`
	ResourceIDs  []string `q:"ResourceId,required"`
	Tags         []Tag    `q:"Tag,required"`
	InstanceID   string   `q:"InstanceId"`
}

// UntagResources removes tags from resources. All, which the service takes
// instead of keys, is refused: one call would remove whatever is there.
type UntagResources struct {
	Returns[Done]
	RegionID     string   `q:"RegionId,required"`
	ResourceType string   `q:"ResourceType,required,in=INSTANCE|TOPIC|CONSUMERGROUP,fold"`
	ResourceIDs  []string `q:"ResourceId,required"`
	TagKeys      []string `q:"TagKey"`
	All          *bool    `q:"All"`
}
