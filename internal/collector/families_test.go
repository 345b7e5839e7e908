package collector_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
	"github.com/alikafka-exporter/alikafka-exporter/internal/golden"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// sections of docs/metrics.md by the prefix of the families in them; the first
// that fits takes a family.
var sections = []struct{ title, prefix, intro string }{
	{"Instances", "alikafka_instance_", ""},
	{"Topics", "alikafka_topic_", ""},
	{"Consumer groups", "alikafka_consumer_group_", "A group without a committed offset has no offset and no lag: missing is never zero. Lag is never negative."},
	{"The cloud's API", "alikafka_api_", "`code` is `ok`, a documented error code, one of the transport faults (`timeout`, `connection_refused`, …), or `other`."},
	{"The data", "alikafka_source_", ""},
	{"The data", "alikafka_data_", ""},
	{"The data", "alikafka_plan_", ""},
	{"The data", "alikafka_series_", ""},
	{"Acting", "alikafka_admin_", "Of the admin endpoint, see [admin.md](admin.md); absent where it is off."},
	{"Acting", "alikafka_webhook_", ""},
	{"Acting", "alikafka_runbook_", ""},
	{"Acting", "alikafka_runs_", ""},
	{"Acting", "alikafka_guard_", ""},
	{"Acting", "alikafka_kill_", ""},
	{"Acting", "alikafka_breaker_", ""},
	{"Acting", "alikafka_journal_", ""},
	{"The exporter", "alikafka_exporter_", "Besides these, `alikafka_exporter_build_info` and the Go and process collectors."},
	{"Accounts and regions", "alikafka_", ""},
}

// TestMetricsDocument compares docs/metrics.md with the tables.
func TestMetricsDocument(t *testing.T) {
	t.Parallel()
	c := collector.DefaultConfig()
	c.Tags, c.OwnerInfo = []string{"KEY"}, true
	families := slices.Concat(collector.Families(c), described(t, collector.NewMetrics()), described(t, admin.NewMetrics()), described(t, engine.NewMetrics()))
	slices.SortStableFunc(families, func(a, b collector.Family) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	b.WriteString(`# Metrics

Generated from the table of families; a test compares them. Every family is a gauge unless its name ends in
` + "`_total`" + ` (counters) or its row says otherwise. Values come from background polling, not from the scrape: how old they are
is in ` + "`alikafka_data_age_seconds`" + `. Timestamps are Unix seconds.

`)
	for _, title := range []string{"Accounts and regions", "Instances", "Topics", "Consumer groups", "The data", "The cloud's API", "Acting", "The exporter"} {
		fmt.Fprintf(&b, "## %s\n\n", title)
		for _, s := range sections {
			if s.title == title && s.intro != "" {
				fmt.Fprintf(&b, "%s\n\n", s.intro)
			}
		}
		b.WriteString("| Metric | Labels | Meaning |\n|---|---|---|\n")
		for _, f := range families {
			if sectionOf(f.Name) == title {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, "`"+strings.Join(f.Labels, "`, `")+"`", f.Help)
			}
		}
		b.WriteByte('\n')
	}
	golden.File(t, "../../docs/metrics.md", strings.ReplaceAll(strings.TrimRight(b.String(), "\n")+"\n", "| `` |", "| |"))
}

func sectionOf(name string) string {
	for _, s := range sections {
		if strings.HasPrefix(name, s.prefix) {
			return s.title
		}
	}
	return ""
}

var descPattern = regexp.MustCompile(`^Desc\{fqName: "([^"]*)", help: "((?:[^"\\]|\\.)*)", unit: "", constLabels: \{\}, variableLabels: \{([^}]*)\}\}$`)

// described returns the families that a collector describes itself.
func described(t *testing.T, c prometheus.Collector) []collector.Family {
	t.Helper()
	ch := make(chan *prometheus.Desc, 64)
	c.Describe(ch)
	close(ch)
	var families []collector.Family
	for d := range ch {
		m := descPattern.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("a description of another form: %s", d)
		}
		var labels []string
		if m[3] != "" {
			labels = strings.Split(m[3], ",")
		}
		families = append(families, collector.Family{Name: m[1], Help: m[2], Labels: labels})
	}
	return families
}

func TestNoFamilyUsesAReservedLabel(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range collector.Families(collector.DefaultConfig()) {
		if seen[f.Name] {
			t.Errorf("%s is declared twice", f.Name)
		}
		seen[f.Name] = true
		for _, l := range f.Labels {
			if l == "instance" || l == "job" || l == "region" {
				t.Errorf("%s has the label %s", f.Name, l)
			}
		}
	}
}

func TestOpenMetricsTellsTheUnits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := start(t, defaults("cn-hangzhou"), newCloud(t, sim.Options{World: world("a")}))
		e.run(t, 2*time.Minute)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
		w := httptest.NewRecorder()
		exposition.NewHandler(exposition.Options{Page: e.Page}).ServeHTTP(w, r)
		told := regexp.MustCompile(`(?m)^# TYPE (\S+) .*\n(?:# UNIT (\S+) (\S+)\n)?`).FindAllStringSubmatch(w.Body.String(), -1)
		units := map[string]int{}
		for _, m := range told {
			want := regexp.MustCompile(`_(seconds|bytes)$`).FindString(m[1])
			if m[3] != strings.TrimPrefix(want, "_") || m[2] != "" && m[2] != m[1] {
				t.Errorf("%s is told to be in %q (of %s), want %q", m[1], m[3], m[2], want)
			}
			units[m[3]]++
		}
		if units["seconds"] < 5 || units["bytes"] < 2 || units[""] < 20 {
			t.Errorf("families by unit: %v", units)
		}
	})
}
