//go:build race

package collector_test

import (
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// long skips a test that would show the race detector nothing that shorter
// ones do not.
func long(t *testing.T) {
	t.Helper()
	t.Skip("too long for the race detector: make simulated")
}

// The race detector looks for other things than the budget and needs ten times
// as long: it gets less of simulated time. The whole runs without it.
const anHour = 5 * time.Minute

var windows = map[string]sim.Window{"fixed windows": sim.WindowFixed}
