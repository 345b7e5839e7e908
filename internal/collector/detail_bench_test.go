package collector_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// BenchmarkBudget decides what the series budget of an instance of 1,000
// partitions goes to: what the exporter does every 15 seconds where there is
// one.
func BenchmarkBudget(b *testing.B) {
	world := benchWorld()
	cloud, err := sim.New(sim.Options{World: &world, Limits: sim.Limits{Default: -1, PerSourceIP: -1}})
	if err != nil {
		b.Fatal(err)
	}
	c := loadedWith(b, cloud, func(c *collector.Config) { c.SeriesBudget = 3000 })
	b.ReportAllocs()
	for b.Loop() {
		c.AllotForTest()
	}
	report(b, countSeries(b, c))
}

// BenchmarkKafkaExporterPage is a scrape of that instance in the names of
// kafka_exporter.
func BenchmarkKafkaExporterPage(b *testing.B) {
	world := benchWorld()
	cloud, err := sim.New(sim.Options{World: &world, Limits: sim.Limits{Default: -1, PerSourceIP: -1}})
	if err != nil {
		b.Fatal(err)
	}
	c := loaded(b, cloud)
	h := exposition.NewHandler(exposition.Options{Page: c.Page})
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	b.ReportAllocs()
	for b.Loop() {
		page, ok := c.KafkaExporterPage(benchInstance)
		if !ok {
			b.Fatal("no page")
		}
		h.ServePage(httptest.NewRecorder(), r, page)
	}
	report(b, 4*benchPartitions)
}
