// Package conformance holds the tests in which official SDKs drive the
// simulated cloud, see docs/conformance.md.
package conformance
