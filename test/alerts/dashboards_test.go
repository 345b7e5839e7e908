package alerts_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// ofGrafana are the words of Grafana in queries that the parser would not take
// for what they stand for.
var ofGrafana = strings.NewReplacer("$__rate_interval", "2m", "$__range_s", "3600", "$__range", "1h")

// TestDashboards follows every label of every query of the dashboards, as it
// does those of rules: every query parses, and uses what is exported.
func TestDashboards(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../dashboards/*.json")
	if err != nil || len(files) != 6 {
		t.Fatal(files, err)
	}
	metrics := exported(t)
	metrics["ALERTS_FOR_STATE"] = metrics["ALERTS"]
	for _, name := range []string{"process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds", "scrape_duration_seconds"} {
		metrics[name] = setOf(target...)
	}
	metrics["alikafka_exporter_build_info"]["version"] = true
	buckets := maps.Clone(metrics["alikafka_api_request_duration_seconds"])
	buckets["le"] = true
	metrics["alikafka_api_request_duration_seconds_bucket"] = buckets
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			Annotations struct{ List []struct{ Name, Expr string } }
			Panels      []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		follow := func(what, expr string) {
			where := filepath.Base(file) + ", " + what + ": " + expr
			e := mustParse(t, ofGrafana.Replace(expr))
			(&checker{t, metrics, where}).labels(e)
			for _, name := range ofAnybody(t, e) {
				t.Errorf("%s shows %s of whatever Prometheus scrapes, not of exporters alone", where, name)
			}
		}
		for _, a := range d.Annotations.List {
			if a.Expr != "" {
				follow(a.Name, a.Expr)
			}
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				follow(p.Title, q.Expr)
			}
		}
	}
}

// ofAnybody returns the metrics that every target has, and that e does not
// narrow down to targets that are exporters: a variable does not, its All are
// all jobs.
func ofAnybody(t *testing.T, e parser.Expr) []string {
	t.Helper()
	var names []string
	parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok || strings.HasPrefix(metricName(v), "alikafka") || strings.HasPrefix(metricName(v), "ALERTS") {
			return nil
		}
		if !slices.ContainsFunc(path, func(n parser.Node) bool {
			b, ok := n.(*parser.BinaryExpr)
			return ok && b.Op == parser.LAND && slices.Contains(metricsOf(t, b.RHS.String()), "alikafka_exporter_build_info")
		}) {
			names = append(names, metricName(v))
		}
		return nil
	})
	return names
}
