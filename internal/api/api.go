// Package api is the cloud, typed: the RPC calls of ApsaraMQ for Kafka
// (alikafka, API version 2019-09-16) as Go values.
//
// The request type is the action:
//
//	topics, err := api.Call(ctx, client, api.GetTopicStatus{RegionID: "cn-hangzhou", InstanceID: id, Topic: "orders"})
//
// The table in actions.go has one row per action; encoding, validation, rate
// limits, retries and decoding follow from it. The package knows nothing of
// metrics, files of state or remediation.
package api
