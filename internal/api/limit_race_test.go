//go:build race

package api_test

import "time"

// The race detector finds nothing in a simulation that runs in one goroutine
// and makes it ten times as long: it gets less of them.
var answers = []time.Duration{200 * time.Millisecond}

const (
	seeds        = 1
	sharingSeeds = 1
)
