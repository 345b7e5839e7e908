package api

// Requests and replies of scheduled scaling, which serverless instances have.

// GetAutoScalingConfiguration returns the scaling rules of an instance.
type GetAutoScalingConfiguration struct {
	Returns[AutoScaling]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
}

// AutoScaling is the reply of GetAutoScalingConfiguration.
type AutoScaling struct {
	Data struct {
		Rules []ScalingRule `json:"ScheduledScalingRules"`
	} `json:"Data"`
}

// ScalingRule is one scaling rule.
type ScalingRule struct {
	RuleID             int64    `json:"RuleId"`
	RuleName           string   `json:"RuleName"`
	Enable             bool     `json:"Enable"`
	ScheduleType       string   `json:"ScheduleType"` // at or repeat
	RepeatType         string   `json:"RepeatType"`   // Daily or Weekly
	WeeklyTypes        []string `json:"WeeklyTypes"`
	TimeZone           string   `json:"TimeZone"` // such as GMT+8
	FirstScheduledTime int64    `json:"FirstScheduledTime"`
	DurationMinutes    int64    `json:"DurationMinutes"`
	ReservedPubFlow    int64    `json:"ReservedPubFlow"` // MB/s
	ReservedSubFlow    int64    `json:"ReservedSubFlow"` // MB/s
	ScaleUpSeconds     int64    `json:"EstimatedElasticScalingUpTimeSecs"`
	ScaleDownSeconds   int64    `json:"EstimatedElasticScalingDownTimeSecs"`
}

// CreateScheduledScalingRule reserves more throughput, once or again and
// again, for some minutes.
type CreateScheduledScalingRule struct {
	Returns[Done]
	RegionID           string   `q:"RegionId,required"`
	InstanceID         string   `q:"InstanceId,required"`
	RuleName           string   `q:"RuleName,required"` // unique within the instance
	ScheduleType       string   `q:"ScheduleType,required,in=at|repeat"`
	RepeatType         string   `q:"RepeatType,in=Daily|Weekly"` // for repeat
	WeeklyTypes        []string `q:"WeeklyTypes,json"`           // days, for Weekly
	TimeZone           string   `q:"TimeZone,required"`
	FirstScheduledTime int64    `q:"FirstScheduledTime,required,range=1.."`
	DurationMinutes    int      `q:"DurationMinutes,required,range=15.."`
	ReservedPubFlow    *int     `q:"ReservedPubFlow,required,range=0.."` // MB/s
	ReservedSubFlow    *int     `q:"ReservedSubFlow,required,range=0.."` // MB/s
	Enable             *bool    `q:"Enable"`
}

// ModifyScheduledScalingRule switches a rule on or off.
type ModifyScheduledScalingRule struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	RuleName   string `q:"RuleName,required"`
	Enable     *bool  `q:"Enable,required"`
}

// DeleteScheduledScalingRule removes a rule that is off.
type DeleteScheduledScalingRule struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	RuleName   string `q:"RuleName,required"`
}
