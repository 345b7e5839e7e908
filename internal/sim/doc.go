// Package sim is a small Alibaba Cloud: the RPC gateway and the alikafka
// product behind it, in one process.
//
// A [Cloud] is an http.Handler, for the demo and for users' own tests, and an
// http.RoundTripper, so that tests run without sockets under testing/synctest.
// It verifies signatures, throttles per account and action, answers XML unless
// asked for JSON, and fails on request.
//
// What it answers is a pure function of its seed and of the time since it was
// made: producers and consumers are curves, not goroutines.
package sim
