package sim

import (
	"maps"
	"slices"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// kafka is the product that the exporter exists for. Its operations are the
// table of package api, row by row.
var kafka = product{
	name:    "alikafka",
	version: api.Version,
	operations: map[string]*operation{
		"GetInstanceList":      {do: getInstanceList},
		"GetAllInstanceIdList": {do: getAllInstanceIDList},
		"GetAllowedIpList":     {do: getAllowedIPList},
		"GetQuotaTip":          {do: getQuotaTip},
		"GetTopicList":         {do: getTopicList},
		"GetTopicStatus":       {do: getTopicStatus},
		"GetConsumerList":      {do: getConsumerList},
		"GetConsumerProgress":  {do: getConsumerProgress},
		"ListTagResources":     {do: listTagResources, bare: true},
		"DescribeSaslUsers":    {do: describeSaslUsers},
		"DescribeAcls":         {do: describeACLs},
	},
}

// amqp is another product behind the same gateway, ApsaraMQ for RabbitMQ: it
// shows that any RPC call can be made.
var amqp = product{
	name:       "amqp-open",
	version:    "2019-12-12",
	json:       true,
	operations: map[string]*operation{"ListInstances": {do: listInstances, bare: true}},
}

// Operations returns the actions of alikafka that the cloud can
// play, sorted.
func Operations() []string {
	return slices.Sorted(maps.Keys(kafka.operations))
}
