package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// prometheus is a real Prometheus on loopback.
type prometheus struct{ url string }

// startPrometheus starts one that scrapes target every second.
func startPrometheus(t *testing.T, target string) prometheus {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return runPrometheus(t, fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: alikafka
    metrics_path: %s
    static_configs: [{targets: [%q]}]
`, u.Path, u.Host))
}

// runPrometheus starts one with a configuration.
func runPrometheus(t *testing.T, text string) prometheus {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "prometheus", "--config.file="+config, "--web.listen-address=127.0.0.1:0",
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--log.level=info")
	address := p.wait(t, `msg="Listening on".*address=(127\.0\.0\.1:[1-9][0-9]*)`)[1]
	prom := prometheus{url: "http://" + address}
	eventually(t, "Prometheus ready", func() bool {
		status, _ := fetch(t, prom.url+"/-/ready")
		return status == http.StatusOK
	})
	return prom
}

// sample is one element of an instant vector.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

func (s sample) number() float64 {
	text, _ := s.Value[1].(string)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return -1
	}
	return v
}

// query evaluates an expression now.
func (p prometheus) query(t *testing.T, expr string) []sample {
	t.Helper()
	return p.queryAt(t, time.Now(), expr)
}

// queryAt evaluates an expression at a time.
func (p prometheus) queryAt(t *testing.T, at time.Time, expr string) []sample {
	t.Helper()
	var answer struct {
		Status string                    `json:"status"`
		Error  string                    `json:"error"`
		Data   struct{ Result []sample } `json:"data"`
	}
	p.get(t, "/api/v1/query?time="+url.QueryEscape(at.Format(time.RFC3339Nano))+"&query="+url.QueryEscape(expr), &answer)
	if answer.Status != "success" {
		t.Fatalf("query %s: %s", expr, answer.Error)
	}
	return answer.Data.Result
}

// scrapesWell waits until Prometheus has nothing against any target: a busy
// machine may answer one scrape too late.
func (p prometheus) scrapesWell(t *testing.T) {
	t.Helper()
	eventually(t, "the last scrape of every target without an error", func() bool {
		var answer struct {
			Data struct {
				ActiveTargets []struct{ ScrapeURL, LastError string }
			}
		}
		p.get(t, "/api/v1/targets", &answer)
		well := len(answer.Data.ActiveTargets) > 0
		for _, target := range answer.Data.ActiveTargets {
			if target.LastError != "" {
				t.Logf("%s: %s", target.ScrapeURL, target.LastError)
				well = false
			}
		}
		return well
	})
}

func (p prometheus) get(t *testing.T, path string, answer any) {
	t.Helper()
	if err := json.Unmarshal([]byte(get(t, p.url+path)), answer); err != nil {
		t.Fatalf("GET %s%s: %v", p.url, path, err)
	}
}

// get returns the body of a page that must exist.
func get(t *testing.T, page string) string {
	t.Helper()
	status, body := fetch(t, page)
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d: %s", page, status, body)
	}
	return body
}

// fetch returns the status and body of a page; 0 where nobody answers, or not to
// the end.
func fetch(t *testing.T, page string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, strings.TrimSpace(string(body))
}

// eventually asks until what is asked for is there.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	timeout := time.After(patience)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
