package collector

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
)

// gathered shows the current snapshot as constant metrics. It is the only
// part of the package that knows client_golang's shape of a sample.
type gathered struct {
	c        *Collector
	instance string
	names    []string // none: all
}

// Describe implements prometheus.Collector. No description makes the
// collector an unchecked one, which the varying set of tags needs.
func (gathered) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (e gathered) Collect(ch chan<- prometheus.Metric) {
	var desc *prometheus.Desc
	var valueType prometheus.ValueType
	v := newView(e.c.Snapshot(), e.c.config, e.instance, func(value float64, labels []string) {
		m, err := prometheus.NewConstMetric(desc, valueType, value, labels...)
		if err != nil {
			m = prometheus.NewInvalidMetric(desc, err)
		}
		ch <- m
	})
	for _, row := range e.c.families {
		f := row.family()
		if len(e.names) > 0 && !slices.Contains(e.names, f.Name) {
			continue
		}
		desc, valueType = prometheus.NewDesc(f.Name, f.Help, f.Labels, nil), prometheus.GaugeValue
		if f.Type() == exposition.Counter {
			valueType = prometheus.CounterValue
		}
		row.samples(v)
	}
}
