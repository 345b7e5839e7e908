package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/alerts"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
)

// Where the demo expects Prometheus and Alertmanager.
const (
	demoPrometheus   = "127.0.0.1:9090"
	demoAlertmanager = "127.0.0.1:9093"
)

// demoRunbooks are the shipped ones, of which one acts by itself and one after
// approval. They are written to the directory, too.
func demoRunbooks(dir string) ([]admin.Runbook, error) {
	file := filepath.Join(dir, "runbooks.example.yaml")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(file, []byte(alerts.Runbooks), 0o600)); err != nil {
		return nil, fmt.Errorf("runbooks of the demo: %w", err)
	}
	_, runbooks, err := config.LoadRunbooks(file)
	for i := range runbooks {
		switch r := &runbooks[i]; r.Name {
		case "scale-partitions":
			r.Mode, r.WaitFor = "auto", model.Duration(10*time.Second) // the alert itself took its time
		case "allow-cidr":
			r.Mode = "approve"
		}
	}
	return runbooks, err
}

// monitoring is the directory of what Prometheus and Alertmanager need.
func monitoring(s *storage) string {
	dir := filepath.Join(s.Path(), "monitoring")
	if absolute, err := filepath.Abs(dir); err == nil {
		return absolute
	}
	return dir
}

// writeMonitoring writes the shipped rules, and the shipped configuration of
// Alertmanager with the demo's address and token.
func writeMonitoring(dir string, a *app, tokens string) error {
	alertmanager := strings.NewReplacer(
		"127.0.0.1:19309", reachable(a.admin.listener.Addr()),
		"credentials_file: alertmanager.token", "credentials_file: "+filepath.Join(tokens, "alertmanager"),
	).Replace(alerts.Alertmanager)
	prometheus := fmt.Sprintf(`global: {scrape_interval: 15s, evaluation_interval: 15s}
rule_files: [alikafka.rules.yml]
alerting:
  alertmanagers:
    - static_configs: [{targets: [%q]}]
scrape_configs:
  - job_name: alikafka
    metrics_path: %s
    static_configs: [{targets: [%q]}]
`, demoAlertmanager, a.flags.telemetryPath, reachable(a.listeners[0].Addr()))
	for name, text := range map[string]string{
		"prometheus.yml": prometheus, "alikafka.rules.yml": alerts.Rules, "alertmanager.yml": alertmanager,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("files for Prometheus and Alertmanager: %w", err)
		}
	}
	return nil
}

// greetAlerts prints how to start Prometheus and Alertmanager. A test runs the
// lines.
func greetAlerts(w io.Writer, dir string) {
	_, _ = fmt.Fprintf(w, `Prometheus 3 and Alertmanager, with the rules and the runbooks that are shipped (copies are in %[1]s):

  prometheus --config.file=%[1]s/prometheus.yml --storage.tsdb.path=%[1]s/prometheus --web.listen-address=%[2]s
  alertmanager --config.file=%[1]s/alertmanager.yml --storage.path=%[1]s/alertmanager --web.listen-address=%[3]s --cluster.listen-address=

http://%[2]s/alerts shows what fires. With --story=partition-bound the alert, the runbook and the recovery take half an hour; with
--story=locked-out bob and carol approve; --story=dead is for people.

`, dir, demoPrometheus, demoAlertmanager)
}
