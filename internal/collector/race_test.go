//go:build race

package collector_test

import (
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// The race detector looks for other things than the budget and needs ten times
// as long: it gets less of simulated time. The whole runs without it.
const anHour = 5 * time.Minute

var windows = map[string]sim.Window{"fixed windows": sim.WindowFixed}
