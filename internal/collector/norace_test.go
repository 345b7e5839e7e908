//go:build !race

package collector_test

import (
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// long is called by tests that take the race detector too long.
func long(*testing.T) {}

// anHour is how long the budget is watched.
const anHour = time.Hour

// windows are the ways in which the cloud may count calls.
var windows = map[string]sim.Window{"fixed windows": sim.WindowFixed, "a sliding window": sim.WindowSliding, "a token bucket": sim.WindowBucket}
