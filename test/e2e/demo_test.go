// Package e2e_test runs the built program as its users do: on a simulated
// cloud, scraped by a real Prometheus, everything on loopback. `make e2e`
// builds the program and the tools.
package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// exporter is the program under test.
func exporter(t *testing.T) string {
	t.Helper()
	if file := os.Getenv("EXPORTER"); file != "" {
		return file
	}
	file, err := filepath.Abs("../../bin/alikafka-exporter")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("no program to test (make e2e builds it): %v", err)
	}
	return file
}

// startDemo starts the demo on free ports and returns the URL of its metrics.
func startDemo(t *testing.T) (*process, *url.URL) {
	t.Helper()
	p := start(t, exporter(t), "demo", "--web.listen-address=127.0.0.1:0", "--cloud.listen-address=127.0.0.1:0", "--admin.listen-address=127.0.0.1:0")
	page := p.wait(t, `http://(?:127\.0\.0\.1|localhost|\[::1\]):[1-9][0-9]*/metrics\b`)[0]
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "ready", 40*time.Second, func() bool {
		status, _ := fetch(t, u.ResolveReference(&url.URL{Path: "/-/ready"}).String())
		return status == http.StatusOK
	})
	return p, u
}

func TestPrometheusScrapesTheDemo(t *testing.T) {
	t.Parallel()
	demo, page := startDemo(t)
	prom := startPrometheus(t, page.String())

	eventually(t, "target up", 30*time.Second, func() bool {
		up := prom.query(t, `up{job="alikafka"}`)
		return len(up) == 1 && up[0].number() == 1
	})
	eventually(t, "a consumer group's lag moves", 90*time.Second, func() bool {
		return len(prom.query(t, `changes(alikafka_consumer_group_lag_messages[1m]) > 0`)) > 0
	})
	eventually(t, "offsets of partitions advance", 90*time.Second, func() bool {
		return len(prom.query(t, `delta(alikafka_topic_partition_newest_offset[1m]) > 0`)) > 0
	})

	for _, never := range []string{
		// A scrape that failed, other than by a busy machine's not answering within a second.
		`count_over_time((up == 0 and scrape_duration_seconds < 0.9)[5m:1s]) > 0`,
		`alikafka_up == 0`,
		// Lag is never negative, and every value says whose it is.
		`{__name__=~"alikafka_.+_lag_(messages|seconds)"} < 0`,
		`{__name__=~"alikafka_(instance|topic|consumer_group)_.+", instance_id=""}`,
		// Labels of ours that clash with those of the target.
		`{exported_instance=~".+"} or {exported_job=~".+"}`,
	} {
		if got := prom.query(t, never); len(got) > 0 {
			t.Errorf("%s: %v", never, got[0].Metric)
		}
	}
	prom.scrapesWell(t)
	var told struct {
		Data map[string][]struct{ Type, Unit string }
	}
	prom.get(t, "/api/v1/metadata", &told)
	for name, want := range map[string]string{"alikafka_consumer_group_lag_seconds": "seconds", "alikafka_instance_message_max_bytes": "bytes", "alikafka_consumer_group_lag_messages": ""} {
		if about := told.Data[name]; len(about) != 1 || about[0].Type != "gauge" || about[0].Unit != want {
			t.Errorf("Prometheus takes %s for %+v, want a gauge in %q", name, about, want)
		}
	}
	if err := demo.Stop(); err != nil {
		t.Errorf("demo after SIGTERM: %v", err)
	}
}

func TestMetricsPagePassesPromtool(t *testing.T) {
	t.Parallel()
	_, page := startDemo(t)
	text := get(t, page.String())
	if !strings.Contains(text, "\nalikafka_consumer_group_lag_messages{") {
		t.Fatalf("no lag on the page:\n%.2000s", text)
	}
	cmd := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(text + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatalf("promtool: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "alikafka_") || strings.Contains(line, "error") {
			t.Errorf("promtool check metrics: %s", line)
		}
	}
}

func TestDeployedPrometheusConfigs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../deploy/prometheus/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("no configuration in deploy/prometheus", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			out, err := exec.CommandContext(t.Context(), "promtool", "check", "config", file).CombinedOutput()
			if err != nil {
				t.Errorf("promtool check config %s: %v\n%s", file, err, out)
			}
		})
	}
}
