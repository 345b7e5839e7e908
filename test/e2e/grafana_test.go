package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// emptyByDesign are the panels that show nothing of the demo, and why. Whoever shows something loses its place here.
var emptyByDesign = map[string]string{
	"alikafka-instance: Series that are not shown": "the demo sets neither collect.granularity nor collect.series_budget",
}

// chosen are the values of variables with one value: a group that rewinds, so
// that it has everything to show.
var chosen = map[string]string{"instance_id": "alikafka_pre-cn-zvp2n4kd1001", "topic": "orders", "consumer_group": "search-indexer"}

// The times of Grafana's words: a dashboard of the last five minutes, of a
// data source that says that it is scraped every five seconds.
const (
	dashboardRange = 5 * time.Minute
	dashboardStep  = 5 * time.Second
)

// board is what a test needs of a dashboard's file.
type board struct {
	uid        string
	Templating struct {
		List []struct {
			Name, Type, Definition string
			Multi, IncludeAll      bool
			AllValue               string
		}
	}
	Annotations struct{ List []struct{ Name, Expr string } }
	Panels      []struct {
		Title   string
		Links   []struct{ URL string }
		Targets []struct {
			RefID, Expr string
			Instant     bool
		}
	}
}

// asked is a query of a dashboard with what came back.
type asked struct {
	board, panel, ref, expr string
	instant                 bool
	event                   bool // an annotation: nothing may have happened
	series                  int
}

func (a *asked) name() string { return a.board + ": " + a.panel }

func boards(t *testing.T) []board {
	t.Helper()
	files, err := filepath.Glob("../../dashboards/*.json")
	if err != nil || len(files) != 6 {
		t.Fatal("dashboards:", files, err)
	}
	var all []board
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b := board{uid: strings.TrimSuffix(filepath.Base(file), ".json")}
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, b)
	}
	return all
}

// queries are those of the panels and annotations, before variables.
func (b board) queries() []*asked {
	var all []*asked
	for _, a := range b.Annotations.List {
		if a.Expr != "" {
			all = append(all, &asked{board: b.uid, panel: "annotation " + a.Name, ref: "A", expr: a.Expr, event: true})
		}
	}
	for _, p := range b.Panels {
		for _, q := range p.Targets {
			all = append(all, &asked{board: b.uid, panel: p.Title, ref: q.RefID, expr: q.Expr, instant: q.Instant})
		}
	}
	return all
}

// followLinks opens the exporter's own pages that panels lead to.
func (b board) followLinks(t *testing.T, values map[string]string) {
	t.Helper()
	for _, p := range b.Panels {
		for _, l := range p.Links {
			if page, ok := strings.CutPrefix(l.URL, "http://${instance}/"); ok {
				page = "http://" + values["instance"] + "/" + substitute(strings.ReplaceAll(page, ":percentencode", ""), values)
				if text := get(t, page); !strings.Contains(text, values["instance_id"]) {
					t.Errorf("%s, %s: %s is not about %s", b.uid, p.Title, page, values["instance_id"])
				}
			}
		}
	}
}

// values resolves the variables from first to last as Grafana does, with All
// where that can be chosen, or else with every value one by one.
func (b board) values(t *testing.T, prom prometheus, all bool) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, v := range b.Templating.List {
		if v.Type != "query" {
			continue
		}
		query := substitute(v.Definition, values)
		var found []string
		eventually(t, "values of "+v.Name+" of "+b.uid+", "+query, func() bool {
			found = prom.valuesOf(t, query)
			return len(found) > 0 && (v.Multi || chosen[v.Name] == "" || slices.Contains(found, chosen[v.Name]))
		})
		switch {
		case v.IncludeAll && all:
			values[v.Name] = v.AllValue
		case v.Multi:
			values[v.Name] = "(" + strings.Join(escaped(found), "|") + ")"
		case chosen[v.Name] != "":
			values[v.Name] = chosen[v.Name]
		default:
			values[v.Name] = found[0]
		}
	}
	return values
}

// escaped is how Grafana writes a value into a regular expression within
// quotes.
func escaped(values []string) []string {
	special := regexp.MustCompile(`[\\^$*+?.()|[\]{}]`)
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = special.ReplaceAllString(v, `\\$0`)
	}
	return out
}

var reference = regexp.MustCompile(`\$\{?([a-z_]+)\}?`)

// substitute puts in what Grafana does: its own words, and the values of
// variables.
func substitute(expr string, values map[string]string) string {
	return reference.ReplaceAllStringFunc(expr, func(use string) string {
		switch name := reference.FindStringSubmatch(use)[1]; name {
		case "__rate_interval":
			return (4 * dashboardStep).String()
		case "__range":
			return strconv.Itoa(int(dashboardRange.Seconds())) + "s"
		case "__range_s":
			return strconv.Itoa(int(dashboardRange.Seconds()))
		default:
			if v, ok := values[name]; ok {
				return v
			}
			return use
		}
	})
}

var labelValues = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)

// valuesOf evaluates a variable's label_values(selector, label) over the
// chosen time.
func (p prometheus) valuesOf(t *testing.T, query string) []string {
	t.Helper()
	m := labelValues.FindStringSubmatch(query)
	if m == nil {
		t.Fatalf("not label_values: %s", query)
	}
	var answer struct{ Data []string }
	p.get(t, "/api/v1/label/"+m[2]+"/values?match[]="+url.QueryEscape(m[1])+"&"+span(time.Now()), &answer)
	return answer.Data
}

func span(now time.Time) string {
	return fmt.Sprintf("start=%d&end=%d", now.Add(-dashboardRange).Unix(), now.Unix())
}

// ask counts the series that have a number.
func (p prometheus) ask(t *testing.T, expr string, instant bool) int {
	t.Helper()
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Value  *[2]any
				Values [][2]any
			}
		}
	}
	now := time.Now()
	path := "/api/v1/query_range?" + span(now) + "&step=" + dashboardStep.String()
	if instant {
		path = "/api/v1/query?time=" + strconv.FormatInt(now.Unix(), 10)
	}
	status, text := fetch(t, p.url+path+"&query="+url.QueryEscape(expr))
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Status != "success" {
		t.Errorf("%s: status %d: %.300s", expr, status, text)
		return 0
	}
	series := 0
	for _, r := range answer.Data.Result {
		if r.Value != nil {
			r.Values = append(r.Values, *r.Value)
		}
		if slices.ContainsFunc(r.Values, func(v [2]any) bool { return v[1] != "NaN" }) {
			series++
		}
	}
	return series
}

// shippedRules are ours, with intervals that a test can wait for.
func shippedRules(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../alerts/alikafka.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	quick := regexp.MustCompile(`(?m)^(\s+)(for|interval): \w+$`).ReplaceAll(text, []byte("${1}${2}: 1s"))
	if bytes.Equal(quick, text) {
		t.Fatal("the rules have no intervals")
	}
	file := filepath.Join(t.TempDir(), "alikafka.rules.yml")
	write(t, file, string(quick))
	return file
}

// printedLines are those, from the function that they use to the last call.
var printedLines = regexp.MustCompile(`(?s) {2}as\(\) \{.*\n {2}as alice -H 'Prefer[^\n]*\n`)

// actAsPrinted runs the lines that the demo prints for its admin endpoint,
// and delivers a webhook.
func actAsPrinted(t *testing.T, demo *process, storage string) {
	t.Helper()
	lines := printedLines.FindString(demo.Said())
	if lines == "" {
		t.Fatal("the demo prints no lines to act with")
	}
	admin := demo.wait(t, `admin +(http://\S+)/`)[1]
	lines += `
  as alertmanager ` + admin + `/api/v1/webhook/alertmanager -d '{"version": "4", "status": "firing", "groupKey": "g", "receiver": "r", "alerts": [{"status": "firing",
    "fingerprint": "f00d", "startsAt": "2026-01-02T03:04:05Z", "labels": {"alertname": "AlikafkaConsumerGroupPartitionBound", "instance_id": "alikafka_pre-cn-zvp2n4kd1001", "topic": "coupons"}, "annotations": {}}]}'
`
	out, err := exec.CommandContext(t.Context(), "sh", "-e", "-c", lines).CombinedOutput()
	if err != nil || strings.Count(string(out), `"state": "applied"`) != 2 || !strings.Contains(string(out), "guard_refused") {
		t.Fatalf("the printed lines: %v\n%s\nin %s", err, out, storage)
	}
}

// failSomeCalls has the cloud fail through its control endpoint, so often in a
// row that no retry helps.
func failSomeCalls(t *testing.T, control string) {
	t.Helper()
	for _, fault := range []string{
		`{"match": {"action": "GetConsumerProgress"}, "fault": {"kind": "refuse", "times": 24}}`,
		`{"match": {"action": "GetTopicStatus"}, "fault": {"kind": "reset", "times": 12}}`,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, control+"/control/faults", strings.NewReader(fault))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := (&http.Client{Timeout: patience}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode/100 != 2 {
			t.Fatalf("%s: %s", fault, answer.Status)
		}
	}
}

// TestDashboardsShowTheDemo asks every query of every dashboard of a real
// Prometheus that scraped the demo: with All, and with all values one by one.
// It reports what came back.
func TestDashboardsShowTheDemo(t *testing.T) {
	t.Parallel()
	storage := t.TempDir()
	demo := start(t, exporter(t), "demo", "--storage.path="+storage, "--web.listen-address=127.0.0.1:0", "--cloud.listen-address=127.0.0.1:0",
		"--admin.listen-address=127.0.0.1:0", "--control.listen-address=127.0.0.1:0")
	web := demo.wait(t, `http://(\S+)/metrics\b`)[1]
	demo.wait(t, `Ctrl-C ends it`)
	prom := runPrometheus(t, fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs:
  - job_name: alikafka
    static_configs: [{targets: [%q]}]
`, shippedRules(t), web))
	eventually(t, "ready", func() bool {
		status, _ := fetch(t, "http://"+web+"/-/ready")
		return status == http.StatusOK
	})
	actAsPrinted(t, demo, storage)
	failSomeCalls(t, demo.wait(t, `steer it +(http://\S+)/control/`)[1])
	for _, all := range []bool{true, false} {
		var queries []*asked
		for _, b := range boards(t) {
			values := b.values(t, prom, all)
			b.followLinks(t, values)
			for _, q := range b.queries() {
				q.expr = substitute(q.expr, values)
				queries = append(queries, q)
			}
		}
		askAll(t, prom, queries)
		report(t, queries, all)
	}
}

// askAll asks until every query that should have an answer has one.
func askAll(t *testing.T, prom prometheus, queries []*asked) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		left := 0
		for _, q := range queries {
			if q.series == 0 {
				q.series = prom.ask(t, q.expr, q.instant)
			}
			if q.series == 0 && !q.event && emptyByDesign[q.name()] == "" {
				left++
			}
		}
		if left == 0 || t.Failed() || time.Now().After(deadline) {
			return
		}
		<-time.After(2 * time.Second)
	}
}

// report prints what every query returned, and fails on those that are empty
// or should be.
func report(t *testing.T, queries []*asked, all bool) {
	t.Helper()
	var table strings.Builder
	empty, byDesign := 0, 0
	panels := map[string]bool{}
	for _, q := range queries {
		if !q.event {
			panels[q.name()] = true
		}
		note := ""
		switch reason := emptyByDesign[q.name()]; {
		case q.series > 0 && reason != "":
			t.Errorf("%s shows %d series, and should be empty: %s", q.name(), q.series, reason)
		case q.series == 0 && reason != "":
			note = " (empty by design: " + reason + ")"
			byDesign++
		case q.series == 0 && q.event:
			note = " (nothing happened)"
		case q.series == 0:
			t.Errorf("%s %s is empty: %s", q.name(), q.ref, q.expr)
			empty++
		}
		fmt.Fprintf(&table, "%4d series  %s %s%s\n             %s\n", q.series, q.name(), q.ref, note, q.expr)
	}
	t.Logf("variables at All: %t\n%s%d panels, %d queries, %d empty, %d empty by design", all, table.String(), len(panels), len(queries), empty, byDesign)
}
