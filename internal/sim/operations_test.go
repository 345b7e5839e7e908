package sim_test

import (
	"slices"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// The cloud plays the table, no row more and no row less.
func TestOperationsAreTheTable(t *testing.T) {
	t.Parallel()
	var want []string
	for _, a := range api.Actions() {
		want = append(want, a.Name)
	}
	got := sim.Operations()
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
