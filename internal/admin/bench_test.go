package admin_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
)

// BenchmarkWebhook posts 50 webhooks of ten alerts a second for five seconds,
// over a socket, and reports how long their answers took, which is until they
// are on the disk; beside it how long the same disk takes for one fsync of as
// many bytes at the same pace.
func BenchmarkWebhook(b *testing.B) {
	dir := b.TempDir()
	section := "admin: {principals: [{name: am, kind: webhook, token_file: am, instances: .*}]}\n"
	for name, text := range map[string]string{"config.yaml": section, "am": token("am")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	c, _, err := config.LoadRunbooks(filepath.Join(dir, "config.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	watch := collector.New(collector.Options{Config: collector.DefaultConfig(), Logger: quiet, Metrics: collector.NewMetrics()})
	server, err := admin.New(admin.Options{
		Config: c, Collector: watch, Metrics: admin.NewMetrics(), Logger: quiet, Engine: engine.Options{Dir: dir},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 2)
	go func() { done <- watch.Run(ctx) }()
	go func() { done <- server.Run(ctx) }()
	listener := httptest.NewServer(server)
	defer func() {
		listener.Close()
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		<-done
		if err := server.Close(); err != nil {
			b.Error(err)
		}
	}()
	body := tenAlerts()
	var answers, syncs []time.Duration
	for b.Loop() {
		answers = append(answers, paced(b, func() { post(b, listener, body) })...)
		syncs = append(syncs, fsyncs(b, dir, len(body))...)
	}
	report(b, "webhook", answers)
	report(b, "fsync", syncs)
}

func tenAlerts() string {
	var alerts []string
	for i := range 10 {
		alerts = append(alerts, fmt.Sprintf(`{"status":"firing","labels":{"alertname":"Lag","instance_id":"alikafka_pre-cn-x","topic":"topic-%d","severity":"warning"},"startsAt":"2026-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z"}`, i))
	}
	return `{"version":"4","groupKey":"{}","status":"firing","receiver":"r","alerts":[` + strings.Join(alerts, ",") + `]}`
}

// paced does something 250 times, 50 times a second.
func paced(b *testing.B, do func()) []time.Duration {
	b.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var took []time.Duration
	for range 250 {
		<-tick.C
		start := time.Now()
		do()
		took = append(took, time.Since(start))
	}
	return took
}

func post(b *testing.B, to *httptest.Server, body string) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, to.URL+"/api/v1/webhook/alertmanager", strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token("am"))
	req.Header.Set("Content-Type", "application/json")
	resp, err := to.Client().Do(req)
	if err != nil {
		b.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		b.Fatal(resp.Status)
	}
}

// fsyncs appends and syncs to a file in dir at the same pace.
func fsyncs(b *testing.B, dir string, size int) []time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	data := make([]byte, size)
	return paced(b, func() {
		if _, err := f.Write(data); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	})
}

// report shows the median and the 99th percentile in milliseconds.
func report(b *testing.B, what string, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	for name, at := range map[string]int{"p50": len(took) / 2, "p99": len(took) * 99 / 100} {
		b.ReportMetric(float64(took[at].Microseconds())/1000, what+"-"+name+"-ms")
	}
}
