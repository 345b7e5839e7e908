package sim

import (
	"maps"
	"slices"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// kafka is the product that the exporter exists for. Its operations are the
// table of package api, row by row.
var kafka = product{
	version: api.Version,
	operations: map[string]*operation{
		"CreatePostPayOrder":          {do: createPostPayOrder, writes: true},
		"CreatePrePayOrder":           {do: createPrePayOrder, writes: true},
		"CreatePostPayInstance":       {do: createPostPayInstance, writes: true, newer: true},
		"CreatePrePayInstance":        {do: createPrePayInstance, writes: true, newer: true},
		"StartInstance":               {do: startInstance, writes: true},
		"UpgradePostPayOrder":         {do: upgradePostPayOrder, writes: true},
		"UpgradePrePayOrder":          {do: upgradePrePayOrder, writes: true},
		"DowngradePostPayOrder":       {do: downgradePostPayOrder, writes: true, newer: true},
		"DowngradePrePayOrder":        {do: downgradePrePayOrder, writes: true, newer: true},
		"ConvertPostPayOrder":         {do: convertPostPayOrder, writes: true},
		"ModifyInstanceName":          {do: modifyInstanceName, writes: true},
		"ReleaseInstance":             {do: releaseInstance, writes: true},
		"DeleteInstance":              {do: deleteInstance, writes: true},
		"StopInstance":                {do: stopInstance, writes: true, newer: true},
		"ReopenInstance":              {do: reopenInstance, writes: true, newer: true},
		"FailoverTest":                {do: failoverTest, writes: true, newer: true},
		"ChangeResourceGroup":         {do: changeResourceGroup, writes: true, newer: true, counts: true},
		"GetInstanceList":             {do: getInstanceList},
		"GetAllInstanceIdList":        {do: getAllInstanceIDList},
		"GetQuotaTip":                 {do: getQuotaTip, newer: true},
		"GetKafkaClientIp":            {do: getKafkaClientIP, newer: true},
		"GetRiskList":                 {do: getRiskList, newer: true},
		"GetAllowedIpList":            {do: getAllowedIPList},
		"UpdateAllowedIp":             {do: updateAllowedIP, writes: true},
		"UpdateInstanceConfig":        {do: updateInstanceConfig, writes: true},
		"UpgradeInstanceVersion":      {do: upgradeInstanceVersion, writes: true},
		"EnableAutoTopicCreation":     {do: enableAutoTopicCreation, writes: true, newer: true},
		"EnableAutoGroupCreation":     {do: enableAutoGroupCreation, writes: true, newer: true},
		"GetAutoScalingConfiguration": {do: getAutoScalingConfiguration, newer: true},
		"CreateScheduledScalingRule":  {do: createScheduledScalingRule, writes: true, newer: true},
		"ModifyScheduledScalingRule":  {do: modifyScheduledScalingRule, writes: true, newer: true},
		"DeleteScheduledScalingRule":  {do: deleteScheduledScalingRule, writes: true, newer: true},
		"CreateTopic":                 {do: createTopic, writes: true},
		"DeleteTopic":                 {do: deleteTopic, writes: true},
		"GetTopicList":                {do: getTopicList},
		"GetTopicStatus":              {do: getTopicStatus},
		"GetTopicSubscribeStatus":     {do: getTopicSubscribeStatus, newer: true},
		"QueryMessage":                {do: queryMessage, newer: true},
		"ModifyPartitionNum":          {do: modifyPartitionNum, writes: true},
		"ModifyTopicRemark":           {do: modifyTopicRemark, writes: true},
		"UpdateTopicConfig":           {do: updateTopicConfig, writes: true, newer: true},
		"CreateConsumerGroup":         {do: createConsumerGroup, writes: true},
		"DeleteConsumerGroup":         {do: deleteConsumerGroup, writes: true},
		"GetConsumerList":             {do: getConsumerList},
		"GetConsumerProgress":         {do: getConsumerProgress},
		"ListRebalanceInfo":           {do: listRebalanceInfo, newer: true},
		"UpdateConsumerOffset":        {do: updateConsumerOffset, writes: true, newer: true, empty: "Topic"},
		"TagResources":                {do: tagResources, bare: true, writes: true},
		"UntagResources":              {do: untagResources, bare: true, writes: true},
		"ListTagResources":            {do: listTagResources, bare: true},
		"CreateSaslUser":              {do: createSaslUser, writes: true},
		"DeleteSaslUser":              {do: deleteSaslUser, writes: true},
		"DescribeSaslUsers":           {do: describeSaslUsers},
		"CreateAcl":                   {do: createACL, writes: true},
		"DeleteAcl":                   {do: deleteACL, writes: true},
		"DescribeAcls":                {do: describeACLs},
		"DescribeAclResourceName":     {do: describeACLResourceName, newer: true},
	},
}

// amqp is another product behind the same gateway, ApsaraMQ for RabbitMQ: it
// shows that any RPC call can be made.
var amqp = product{
	version:    "2019-12-12",
	json:       true,
	operations: map[string]*operation{"ListInstances": {do: listInstances, bare: true}},
}

// Operations returns the actions of alikafka that the cloud can
// play, sorted.
func Operations() []string {
	return slices.Sorted(maps.Keys(kafka.operations))
}
