package api

import (
	"slices"
	"sync"
)

// actions is the table: every call that the exporter knows, once. From a row
// derive parameter encoding and validation, redaction, the retry class, the
// limiter's bucket, the metric label, the simulator's checks, the minimal RAM
// policy and docs/actions.md.
//
// A row's effect is the worst that the call can do, whatever its parameters;
// where that is not plain, or the rule is not followed, the row says why.
var actions = slices.Concat(
	subject("Instances",
		act[GetInstanceList](Read, "ListInstance"),
		act[GetAllInstanceIdList](Read, "ListInstance"),
		// Deploying starts the meter of a pay-as-you-go instance.
		act[StartInstance](Bill, "StartInstance").qps(2).confirm("GetInstanceList").needs(start),
		act[ModifyInstanceName](Write, "UpdateInstance").inferred().confirm("GetInstanceList"),
		// Always a rolling restart. It can also discard messages (a lower
		// retention) and change who may connect (enable.acl): guards look at
		// the keys.
		act[UpdateInstanceConfig](Disrupt, "UpdateInstance").confirm("GetInstanceList").needs(updateInstanceConfig),
		// Brokers restart. The present version asks for its newest minor
		// release, so that a second call may start a second upgrade.
		act[UpgradeInstanceVersion](Disrupt, "UpdateInstance").once().qps(2).confirm("GetInstanceList"),
		act[StopInstance](Destroy, "StopInstance").inferred().confirm("GetInstanceList"),
		// The meter runs again.
		act[ReopenInstance](Bill, "UpdateInstanceReopen").confirm("GetInstanceList"),
		act[ReleaseInstance](Destroy, "ReleaseInstance").inferred().confirm("GetInstanceList"),
		act[DeleteInstance](Destroy, "ReleaseInstance").inferred().confirm("GetInstanceList"),
		act[EnableAutoTopicCreation](Write, "EnableAutoTopicCreation").inferred().confirm("GetInstanceList").needs(autoTopics),
		act[EnableAutoGroupCreation](Write, "EnableAutoGroupCreation").inferred().confirm("GetInstanceList"),
		// Permissions are granted by resource group: moving an instance
		// changes who may manage it.
		act[ChangeResourceGroup](Secure, "ChangeResourceGroup").inferred().confirm("GetInstanceList"),
		act[GetQuotaTip](Read, "ListTopic"),
		act[GetKafkaClientIp](Read, "GetKafkaClientIp").inferred().needs(clientIP),
		act[GetRiskList](Read, "GetRiskList").inferred(),
		// What the drill breaks is not documented.
		act[FailoverTest](Destroy, "FailoverTest").inferred().once(),
	),
	subject("Orders",
		act[CreatePostPayOrder](Bill, "CreatePostPayOrder").inferred().once().confirm("GetInstanceList").needs(newOrder),
		act[CreatePrePayOrder](Bill, "CreatePrePayOrder").inferred().once().confirm("GetInstanceList").needs(newOrder),
		act[CreatePostPayInstance](Bill, "CreatePostPayInstance").inferred().once().confirm("GetInstanceList"),
		act[CreatePrePayInstance](Bill, "CreatePrePayInstance").inferred().once().confirm("GetInstanceList"),
		act[UpgradePostPayOrder](Bill, "UpgradePostPayOrder").inferred().once().confirm("GetInstanceList").needs(upgrade),
		act[UpgradePrePayOrder](Bill, "UpgradePrePayOrder").once().confirm("GetInstanceList").needs(upgrade),
		act[DowngradePostPayOrder](Bill, "DowngradePostPayOrder").inferred().once().confirm("GetInstanceList").needs(internet),
		act[DowngradePrePayOrder](Bill, "DowngradePrePayOrder").inferred().once().confirm("GetInstanceList").needs(internet),
		act[ConvertPostPayOrder](Bill, "ConvertPostPayOrder").inferred().once().confirm("GetInstanceList"),
	),
	subject("Scheduled scaling",
		act[GetAutoScalingConfiguration](Read, "GetAutoScalingConfiguration").inferred(),
		// What is reserved is paid for.
		act[CreateScheduledScalingRule](Bill, "CreateScheduledScalingRule").inferred().confirm("GetAutoScalingConfiguration").needs(scalingRule),
		act[ModifyScheduledScalingRule](Bill, "ModifyScheduledScalingRule").inferred().confirm("GetAutoScalingConfiguration"),
		act[DeleteScheduledScalingRule](Write, "DeleteScheduledScalingRule").inferred().confirm("GetAutoScalingConfiguration"),
	),
	subject("IP whitelists",
		act[GetAllowedIpList](Read, "ListInstance"),
		act[UpdateAllowedIp](Secure, "UpdateInstance").confirm("GetAllowedIpList").needs(updateAllowedIP),
	),
	subject("SASL users and ACLs",
		act[DescribeSaslUsers](Read, "ListSaslUser").inferred(),
		// The read shows that the user exists, not which password it has.
		act[CreateSaslUser](Secure, "CreateSaslUser").inferred().confirm("DescribeSaslUsers"),
		act[DeleteSaslUser](Secure, "DeleteSaslUser").inferred().confirm("DescribeSaslUsers"),
		act[DescribeAcls](Read, "ListAcl"),
		act[DescribeAclResourceName](Read, "ListAcl").inferred(),
		act[CreateAcl](Secure, "CreateAcl").inferred().confirm("DescribeAcls"),
		act[DeleteAcl](Secure, "DeleteAcl").inferred().confirm("DescribeAcls"),
	),
	subject("Topics",
		act[GetTopicList](Read, "ListTopic"),
		act[GetTopicStatus](Read, "ListTopic"),
		act[GetTopicSubscribeStatus](Read, "ListTopic").inferred(),
		act[QueryMessage](Read, "QueryMessage").inferred().needs(queryMessage),
		act[CreateTopic](Write, "CreateTopic").qps(1).confirm("GetTopicList").needs(createTopic),
		act[DeleteTopic](Destroy, "DeleteTopic").inferred().confirm("GetTopicList"),
		// Not reversible: partitions stay, and keys move to other partitions.
		act[ModifyPartitionNum](Write, "UpdateTopic").inferred().once().confirm("GetTopicList"),
		act[ModifyTopicRemark](Write, "UpdateTopic").inferred().confirm("GetTopicList"),
		// A lower retention discards messages at once.
		act[UpdateTopicConfig](Destroy, "UpdateTopic").inferred().confirm("GetTopicList").needs(updateTopicConfig),
	),
	subject("Consumer groups",
		act[GetConsumerList](Read, "ListGroup"),
		act[GetConsumerProgress](Read, "ListGroup"),
		act[ListRebalanceInfo](Read, "ListGroup").inferred(),
		act[CreateConsumerGroup](Write, "CreateGroup").qps(1).confirm("GetConsumerList").needs(createGroup),
		// Its offsets go with it.
		act[DeleteConsumerGroup](Destroy, "DeleteGroup").inferred().confirm("GetConsumerList"),
		// Skips messages or delivers them again, and again when repeated
		// after the consumers went on.
		act[UpdateConsumerOffset](Destroy, "UpdateGroup").once().confirm("GetConsumerProgress").needs(resetOffset),
	),
	subject("Tags",
		act[ListTagResources](Read, "ListTagResources").needs(listTags),
		act[TagResources](Write, "TagResources").confirm("ListTagResources"),
		act[UntagResources](Write, "UntagResources").inferred().confirm("ListTagResources").needs(untag),
	),
)

func subject(name string, rows ...*Action) []*Action {
	for _, a := range rows {
		a.Subject = name
	}
	return rows
}

var byName = sync.OnceValue(func() map[string]*Action {
	m := make(map[string]*Action, len(actions))
	for _, a := range actions {
		if m[a.Name] != nil {
			panic("api: action listed twice: " + a.Name)
		}
		m[a.Name] = a
	}
	return m
})

// Actions returns the rows of the table in its order. Callers must not change
// them.
func Actions() []*Action { return actions }

// Lookup returns the row of the action of that name.
func Lookup(name string) (*Action, bool) {
	a, ok := byName()[name]
	return a, ok
}
