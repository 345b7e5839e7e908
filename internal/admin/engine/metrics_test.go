package engine_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func gatherer(t *testing.T, l *lab) prometheus.Gatherer {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(l.metrics); err != nil {
		t.Fatal(err)
	}
	return reg
}

// sample returns the value of a metric with that value of its only label, or
// with none.
func sample(t *testing.T, l *lab, name, label string) float64 {
	t.Helper()
	families, err := gatherer(t, l).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s{%s}", name, label)
	return 0
}
