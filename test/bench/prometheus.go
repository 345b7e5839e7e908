package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// ingest has a real Prometheus scrape the exporter with the timeout that it
// has by default.
func (o options) ingest(ctx context.Context, s *stage) error {
	target, err := url.Parse(s.exporter.url)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "prometheus")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 15s}\nscrape_configs:\n  - job_name: alikafka\n    static_configs: [{targets: [%q]}]\n", target.Host)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	p, err := start(ctx, o.prometheus, "--config.file="+config, "--web.listen-address=127.0.0.1:0", "--storage.tsdb.path="+filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	defer p.stop()
	m, err := p.wait(`msg="Listening on".*address=(127\.0\.0\.1:[1-9][0-9]*)`)
	if err != nil {
		return err
	}
	prometheus := "http://" + m[1]
	// The first scrape makes the series; those after it are calmer.
	for limit := time.Now().Add(3 * time.Minute); ; {
		if n, err := ask(ctx, prometheus, "count_over_time(up[5m])"); err == nil && n >= 3 {
			break
		}
		if time.Now().After(limit) {
			return errors.New("no three scrapes within three minutes")
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	var v [4]float64
	for n, query := range []string{"up", "scrape_samples_scraped", "scrape_duration_seconds", "max_over_time(scrape_duration_seconds[5m])"} {
		if v[n], err = ask(ctx, prometheus, query); err != nil {
			return err
		}
	}
	failed, err := ask(ctx, prometheus, "min_over_time(up[5m])")
	if err != nil {
		return err
	}
	_, peak, err := p.memory()
	if err != nil {
		return err
	}
	o.bar("4 Prometheus ingests the page", v[0] == 1 && failed == 1 && v[1] >= 0.99*float64(s.size.series()),
		"up %g, %.0f samples in %.2f s, in %.2f s the first time, which makes the series; timeout 10 s (Prometheus: %.0f MB at the peak)", v[0], v[1], v[2], v[3], mb(peak))
	return nil
}

// ask evaluates a query with one result.
func ask(ctx context.Context, prometheus, query string) (float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, prometheus+"/api/v1/query?query="+url.QueryEscape(query), http.NoBody)
	if err != nil {
		return 0, err
	}
	client := newClient()
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	var reply struct {
		Data struct {
			Result []struct {
				Value [2]json.RawMessage `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return 0, err
	}
	if len(reply.Data.Result) != 1 {
		return 0, errors.New("query " + query + ": " + string(body))
	}
	var text string
	if err := json.Unmarshal(reply.Data.Result[0].Value[1], &text); err != nil {
		return 0, err
	}
	return strconv.ParseFloat(text, 64)
}
