package dashboards_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/dashboards"
	"github.com/alikafka-exporter/alikafka-exporter/internal/golden"
)

const folder = "../../dashboards"

// TestFiles compares the files that users import with the tables. It is not
// parallel: with -update it writes what the others read.
func TestFiles(t *testing.T) {
	all, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, d := range all {
		file := filepath.Join(folder, d.UID+".json")
		want = append(want, file)
		golden.File(t, file, string(d.JSON))
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if !slices.Equal(files, want) {
		t.Errorf("files %v, want %v", files, want)
	}
}

// What the tests read of a file.
type (
	dashboard struct {
		UID           string
		Title         string
		Description   string
		Tags          []string
		SchemaVersion int
		Inputs        any `json:"__inputs"`
		ID            any
		Templating    struct{ List []variable }
		Annotations   struct{ List []annotation }
		Links         []link
		Panels        []panel
	}
	source   struct{ Type, UID string }
	variable struct {
		Name, Label, Type string
		Datasource        source
		Query             any
		Multi, IncludeAll bool
	}
	annotation struct {
		Name       string
		Datasource source
		Expr       string
		BuiltIn    int
	}
	link struct {
		Title, URL            string
		IncludeVars, KeepTime bool
	}
	panel struct {
		ID                       int
		Type, Title, Description string
		GridPos                  struct{ X, Y, W, H int }
		Datasource               source
		Targets                  []struct {
			RefID          string
			Expr           string
			Datasource     source
			Instant, Range bool
			Format         string
		}
		Links       []link
		FieldConfig struct {
			Defaults  config
			Overrides []struct {
				Matcher    struct{ ID, Options string }
				Properties []struct {
					ID    string
					Value json.RawMessage
				}
			}
		}
		Transformations []struct {
			ID      string
			Options struct {
				Include      struct{ Names []string }
				RenameByName map[string]string
			}
		}
	}
	config struct {
		Unit       string
		Thresholds struct{ Steps []struct{ Value *float64 } }
	}
)

func read(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no dashboards", err)
	}
	all := map[string]dashboard{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = d
	}
	return all
}

// TestModel holds the files to what Grafana and its provisioning expect.
func TestModel(t *testing.T) {
	t.Parallel()
	titles := map[string]bool{}
	for name, d := range read(t) {
		t.Run(name, func(t *testing.T) {
			if d.UID != name || len(d.UID) > 40 {
				t.Errorf("uid %q of the file %s", d.UID, name)
			}
			if d.ID != nil || d.Inputs != nil {
				t.Error("id and __inputs are for exports by hand: such a file cannot be provisioned")
			}
			if d.SchemaVersion < 41 || d.Description == "" || !slices.Contains(d.Tags, "alikafka") || titles[d.Title] {
				t.Errorf("schema %d, title %q, description %q, tags %q", d.SchemaVersion, d.Title, d.Description, d.Tags)
			}
			titles[d.Title] = true
			for _, a := range d.Annotations.List {
				if a.BuiltIn == 0 {
					checkSource(t, "annotation "+a.Name, a.Datasource)
				}
			}
			ids, headings := map[int]bool{}, map[string]bool{}
			for _, p := range d.Panels {
				if ids[p.ID] || p.ID < 1 {
					t.Errorf("%s: id %d", p.Title, p.ID)
				}
				if headings[p.Title] && p.Type != "row" {
					t.Errorf("two panels are called %q", p.Title)
				}
				ids[p.ID], headings[p.Title] = true, headings[p.Title] || p.Type != "row"
				if p.Type != "row" {
					t.Run(p.Title, func(t *testing.T) { checkPanel(t, p) })
				}
			}
			checkGrid(t, d.Panels)
		})
	}
}

func checkSource(t *testing.T, what string, s source) {
	t.Helper()
	if s != (source{"prometheus", "${datasource}"}) {
		t.Errorf("%s: data source %v", what, s)
	}
}

// units are Grafana's, of those that fit what we measure.
var units = []string{"none", "short", "s", "dtdhms", "percentunit", "mps", "reqps", "bytes", "binBps", "dateTimeFromNow"}

var kinds = []string{"stat", "timeseries", "table", "bargauge", "state-timeline"}

func checkPanel(t *testing.T, p panel) {
	t.Helper()
	if len(p.Description) < 20 || !strings.HasSuffix(p.Description, ".") && !strings.HasSuffix(p.Description, "alikafka.rules.yml.") {
		t.Errorf("description %q", p.Description)
	}
	if !slices.Contains(kinds, p.Type) || !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
		t.Errorf("type %q, unit %q", p.Type, p.FieldConfig.Defaults.Unit)
	}
	checkSource(t, "panel", p.Datasource)
	refs := map[string]bool{}
	for _, q := range p.Targets {
		checkSource(t, "query "+q.RefID, q.Datasource)
		if refs[q.RefID] || q.Expr == "" || q.Instant == q.Range || (q.Format == "table") != (p.Type == "table") {
			t.Errorf("query %q: %+v", q.RefID, q)
		}
		refs[q.RefID] = true
		// A sum over a whole dashboard's time at each of its moments is a
		// query that never ends.
		if strings.Contains(q.Expr, "$__range") && !q.Instant {
			t.Errorf("query %q looks back over the chosen time at each moment", q.Expr)
		}
	}
	if len(refs) == 0 {
		t.Error("no query")
	}
	headings := checkColumns(t, p)
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.ID == "byName" && !slices.Contains(headings, o.Matcher.Options) {
			t.Errorf("an override is of %q, and the columns are %q", o.Matcher.Options, headings)
		}
		if _, err := regexp.Compile(o.Matcher.Options); err != nil {
			t.Error(err)
		}
		for _, property := range o.Properties {
			if property.ID == "unit" {
				if unit, err := strconv.Unquote(string(property.Value)); err != nil || !slices.Contains(units, unit) {
					t.Errorf("unit of %s: %s", o.Matcher.Options, property.Value)
				}
			}
		}
	}
	for i, s := range p.FieldConfig.Defaults.Thresholds.Steps {
		if (i == 0) != (s.Value == nil) || i > 1 && *s.Value <= *p.FieldConfig.Defaults.Thresholds.Steps[i-1].Value {
			t.Errorf("thresholds are not in their order: %+v", p.FieldConfig.Defaults.Thresholds.Steps)
		}
	}
}

// checkColumns returns the headings of a table: each is a value of one of its
// queries or a label that a query keeps.
func checkColumns(t *testing.T, p panel) []string {
	t.Helper()
	var headings []string
	for _, tr := range p.Transformations {
		if tr.ID == "organize" {
			for i, h := range headings {
				if renamed := tr.Options.RenameByName[h]; renamed != "" {
					headings[i] = renamed
				}
			}
			continue
		}
		for _, name := range tr.Options.Include.Names {
			found := slices.ContainsFunc(p.Targets, func(q struct {
				RefID          string
				Expr           string
				Datasource     source
				Instant, Range bool
				Format         string
			},
			) bool {
				return name == "Value #"+q.RefID || name == "Value" && len(p.Targets) == 1 || regexp.MustCompile(`by \([^)]*\b`+regexp.QuoteMeta(name)+`\b`).MatchString(q.Expr)
			})
			if !found {
				t.Errorf("column %q is in no query", name)
			}
			headings = append(headings, name)
		}
	}
	if sorted := slices.Sorted(slices.Values(headings)); len(slices.Compact(sorted)) != len(headings) {
		t.Errorf("columns of the same name: %q", headings)
	}
	return headings
}

// checkGrid looks for panels that overlap, stick out or leave holes.
func checkGrid(t *testing.T, panels []panel) {
	t.Helper()
	taken := map[[2]int]string{}
	bottom := 0
	for _, p := range panels {
		g := p.GridPos
		if g.X < 0 || g.W < 3 || g.H < 1 || g.X+g.W > 24 {
			t.Errorf("%s: %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Fatalf("%q lies over %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		bottom = max(bottom, g.Y+g.H)
	}
	if len(taken) != 24*bottom {
		t.Errorf("%d of %d cells are empty", 24*bottom-len(taken), 24*bottom)
	}
}

var (
	variableUse = regexp.MustCompile(`\$(?:\{([a-z_]+)(?::[a-z]+)?\}|([a-z][a-z_]*))`)
	columnUse   = regexp.MustCompile(`\$\{__data\.fields\.([a-z_]+)`)
	variableSet = regexp.MustCompile(`var-([a-z_]+)=|\$\{([a-z_]+):queryparam\}`)
)

// TestVariables holds every use of a variable to those of the dashboard, and
// every variable to those before it.
func TestVariables(t *testing.T) {
	t.Parallel()
	for name, d := range read(t) {
		known := map[string]bool{}
		used := func(where, text string) {
			for _, m := range variableUse.FindAllStringSubmatch(text, -1) {
				if v := m[1] + m[2]; !known[v] && !strings.HasPrefix(v, "__") {
					t.Errorf("%s, %s: no variable %s before %q", name, where, v, text)
				}
			}
		}
		for i, v := range d.Templating.List {
			if i == 0 {
				if v.Type != "datasource" || v.Name != "datasource" || v.Query != "prometheus" {
					t.Errorf("%s: the first variable is %+v", name, v)
				}
			} else {
				checkSource(t, name+" "+v.Name, v.Datasource)
				used(v.Name, fmt.Sprint(v.Query))
			}
			if known[v.Name] || v.Label == "" {
				t.Errorf("%s: variable %+v", name, v)
			}
			known[v.Name] = true
		}
		var asked strings.Builder
		for _, a := range d.Annotations.List {
			used("annotation "+a.Name, a.Expr)
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				used(p.Title, q.Expr)
				asked.WriteString(q.Expr)
			}
			for _, l := range linksOf(t, p) {
				used(p.Title, l.URL)
				asked.WriteString(l.URL)
			}
		}
		for _, v := range d.Templating.List[1:] {
			if !strings.Contains(asked.String(), "$"+v.Name) && !strings.Contains(asked.String(), "${"+v.Name) {
				t.Errorf("%s: nothing uses the variable %s", name, v.Name)
			}
		}
	}
}

// linksOf are the links of a panel and of its columns.
func linksOf(t *testing.T, p panel) []link {
	t.Helper()
	all := slices.Clone(p.Links)
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == "links" {
				var ls []link
				if err := json.Unmarshal(property.Value, &ls); err != nil {
					t.Fatal(err)
				}
				all = append(all, ls...)
			}
		}
	}
	return all
}

// runbook is how the pages of all alerts begin.
const runbook = "https://github.com/alikafka-exporter/alikafka-exporter/blob/main/docs/runbooks/"

// TestLinks follows the links from dashboard to dashboard: each exists, has the
// variables that it is given, and the row has the columns that they are from.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := read(t)
	for name, d := range all {
		if len(d.Links) != len(all)-1 {
			t.Errorf("%s leads to %d dashboards of %d", name, len(d.Links), len(all))
		}
		for _, l := range d.Links {
			if _, ok := all[strings.TrimPrefix(l.URL, "/d/")]; !ok || !l.IncludeVars || !l.KeepTime {
				t.Errorf("%s: %+v", name, l)
			}
		}
		for _, p := range d.Panels {
			for _, l := range linksOf(t, p) {
				if l.URL == runbook+"${__data.fields.alertname:percentencode}.md" {
					continue
				}
				uid, query, ok := strings.Cut(strings.TrimPrefix(l.URL, "/d/"), "?")
				if !ok || l.Title == "" {
					t.Errorf("%s, %s: %+v", name, p.Title, l)
				}
				if strings.HasPrefix(uid, "http://${instance}/") {
					continue // the exporter's own page, which the test on the demo opens
				}
				target, ok := all[uid]
				if !ok {
					t.Errorf("%s, %s: no dashboard %q", name, p.Title, uid)
				}
				for _, m := range variableSet.FindAllStringSubmatch(query, -1) {
					if !slices.ContainsFunc(target.Templating.List, func(v variable) bool { return v.Name == m[1]+m[2] }) {
						t.Errorf("%s, %s: %s has no variable %s", name, p.Title, uid, m[1]+m[2])
					}
				}
				for _, m := range columnUse.FindAllStringSubmatch(query+l.Title, -1) {
					if !slices.Contains(p.Transformations[1].Options.Include.Names, m[1]) {
						t.Errorf("%s, %s: a link uses the column %s, which the table drops", name, p.Title, m[1])
					}
				}
			}
		}
	}
}

// TestPalette holds the numbers that stand for statuses to the collector's.
func TestPalette(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(folder, "alikafka-consumer-group.json"))
	if err != nil {
		t.Fatal(err)
	}
	for s := collector.StatusUnknown; s <= collector.StatusStopped; s++ {
		if want := fmt.Sprintf(`%d * (max by (account, region_id, instance_id, consumer_group) (alikafka_consumer_group_status{`, s); !strings.Contains(string(text), want) {
			t.Errorf("no %q", want)
		}
		if want := fmt.Sprintf(`status=\"%v\"}) == 1)`, s); strings.Count(string(text), want) < 2 {
			t.Errorf("no %q", want)
		}
	}
}

// TestThresholds holds the colours to the alerts: both say bad at the same
// values.
func TestThresholds(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../alerts/alikafka.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "runbook_url: "+runbook) {
		t.Errorf("the pages of alerts are not in %s", runbook)
	}
	rules := map[string]float64{}
	for _, m := range regexp.MustCompile(`labels: \{threshold: (\w+)\}\s+expr: vector\(([0-9.]+)\)`).FindAllStringSubmatch(string(text), -1) {
		if rules[m[1]], err = strconv.ParseFloat(m[2], 64); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range dashboards.Thresholds() {
		if rules[name] != value {
			t.Errorf("%s: the dashboards say %v, the rules %v", name, value, rules[name])
		}
	}
}

// TestAgesOfThePlanAreNoAlert holds the thresholds of AlikafkaDataStale to the
// ages that the plan allows for by default: what is as old as it may be is not
// stale.
func TestAgesOfThePlanAreNoAlert(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../alerts/alikafka.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	branches := regexp.MustCompile(`alikafka_data_age_seconds\{source(=|=~|!~)"([^"]+)"\}\s+\) > scalar\(alikafka:threshold\{threshold="(\w+)"`).FindAllStringSubmatch(string(text), -1)
	config := collector.DefaultConfig()
	for name, source := range config.Sources {
		allowed := max(time.Duration(config.MaxAge), 2*time.Duration(source.Interval))
		if name == "topic_status" {
			allowed *= 2 // of topics that a group consumes
		}
		allowed = min(allowed, time.Duration(source.TTL))
		var applies []string
		for _, b := range branches {
			if slices.Contains(strings.Split(b[2], "|"), name) != (b[1] == "!~") {
				applies = append(applies, b[3])
			}
		}
		if len(applies) != 1 {
			t.Errorf("%s: thresholds %q", name, applies)
			continue
		}
		if limit := dashboards.Thresholds()[applies[0]]; limit <= allowed.Seconds() {
			t.Errorf("%s may be %s old by the plan, and %s alerts at %v s", name, allowed, applies[0], limit)
		}
	}
}

var (
	documented = regexp.MustCompile("(?m)^\\| `(alikafka_[a-z_]+)` \\|")
	mentioned  = regexp.MustCompile(`\balikafka_[a-z_]+`)
	unused     = regexp.MustCompile(`(?s)(<!-- unused -->\n).*(<!-- end -->)`)
)

// TestUnusedMetrics lists what is exported and neither seen on a dashboard nor
// part of an alert.
func TestUnusedMetrics(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	var list strings.Builder
	for _, pattern := range []string{folder + "/*.json", "../../alerts/*.rules.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range mentioned.FindAllString(string(text), -1) {
				used[name] = true
			}
		}
	}
	metrics, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range documented.FindAllSubmatch(metrics, -1) {
		if name := string(m[1]); !used[name] && !used[name+"_bucket"] {
			fmt.Fprintf(&list, "- `%s`\n", name)
		}
	}
	const file = "../../docs/dashboards.md"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	golden.File(t, file, unused.ReplaceAllString(string(page), "${1}\n"+list.String()+"\n${2}"))
}

// TestProvisioning holds the files for Grafana to those for Prometheus and to
// what the document says.
func TestProvisioning(t *testing.T) {
	t.Parallel()
	load := func(file string, into any) {
		text, err := os.ReadFile("../../deploy/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Type, URL string
			JSONData  struct {
				TimeInterval string `yaml:"timeInterval"`
			} `yaml:"jsonData"`
		}
	}
	var providers struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Type    string
			Options struct{ Path string }
		}
	}
	var prometheus struct {
		Global struct {
			Interval string `yaml:"scrape_interval"`
		}
	}
	load("grafana/provisioning/datasources/alikafka.yml", &sources)
	load("grafana/provisioning/dashboards/alikafka.yml", &providers)
	load("prometheus/prometheus.yml", &prometheus)
	if len(sources.Datasources) != 1 || sources.APIVersion != 1 || sources.Datasources[0].Type != "prometheus" {
		t.Fatalf("data sources %+v", sources)
	}
	if got := sources.Datasources[0].JSONData.TimeInterval; got != prometheus.Global.Interval {
		t.Errorf("timeInterval %s, and Prometheus scrapes every %s", got, prometheus.Global.Interval)
	}
	if len(providers.Providers) != 1 || providers.APIVersion != 1 || providers.Providers[0].Type != "file" {
		t.Fatalf("providers %+v", providers)
	}
	page, err := os.ReadFile("../../docs/dashboards.md")
	if err != nil {
		t.Fatal(err)
	}
	if mount := "dashboards:" + providers.Providers[0].Options.Path + ":ro"; !strings.Contains(string(page), mount) {
		t.Errorf("the document does not mount %s", mount)
	}
}
