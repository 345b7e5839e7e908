// Package alerts_test holds the shipped alert rules to what users are
// promised: promtool finds nothing, every alert is tested and its tests notice
// a mistake, every metric and label exists, every alert has its page.
package alerts_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"gopkg.in/yaml.v3"
)

const (
	rulesFile = "../../alerts/alikafka.rules.yml"
	testFiles = "../../alerts/tests/*_test.yml"
	pagesDir  = "../../docs/runbooks"
)

// ruleFile is a file of Prometheus rules.
type ruleFile struct {
	Groups []group `yaml:"groups"`

	uses map[*rule][]string // metrics that a rule selects
}

type group struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval,omitempty"`
	Rules    []rule `yaml:"rules"`
}

type rule struct {
	Record        string            `yaml:"record,omitempty"`
	Alert         string            `yaml:"alert,omitempty"`
	Expr          string            `yaml:"expr"`
	For           string            `yaml:"for,omitempty"`
	KeepFiringFor string            `yaml:"keep_firing_for,omitempty"`
	Labels        map[string]string `yaml:"labels,omitempty"`
	Annotations   map[string]string `yaml:"annotations,omitempty"`
}

// String names the rule in the messages of tests.
func (r *rule) String() string {
	parts := []string{r.Record + r.Alert}
	for _, label := range slices.Sorted(maps.Keys(r.Labels)) {
		parts = append(parts, r.Labels[label])
	}
	return strings.Join(parts, "/")
}

// rules returns all rules of the file in their order.
func (f *ruleFile) rules() []*rule {
	var all []*rule
	for g := range f.Groups {
		for r := range f.Groups[g].Rules {
			all = append(all, &f.Groups[g].Rules[r])
		}
	}
	return all
}

func loadRules(t testing.TB) *ruleFile {
	t.Helper()
	var f ruleFile
	load(t, rulesFile, &f)
	if len(f.rules()) == 0 {
		t.Fatal("no rules in", rulesFile)
	}
	f.uses = map[*rule][]string{}
	for _, r := range f.rules() {
		f.uses[r] = metricsOf(t, r.Expr)
	}
	return &f
}

// load decodes a YAML file strictly.
func load(t testing.TB, file string, into any) {
	t.Helper()
	r, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func save(t testing.TB, file string, v any) {
	t.Helper()
	text, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func parse(expr string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{}).ParseExpr(expr)
}

func mustParse(t testing.TB, expr string) parser.Expr {
	t.Helper()
	e, err := parse(expr)
	if err != nil {
		t.Fatalf("%v in\n%s", err, expr)
	}
	return e
}

// inspect visits every node of e.
func inspect(e parser.Node, visit func(parser.Node)) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if n != nil {
			visit(n)
		}
		return nil
	})
}

// metricName returns the name of the metric that a selector selects.
func metricName(v *parser.VectorSelector) string {
	if v.Name != "" {
		return v.Name
	}
	for _, m := range v.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			return m.Value
		}
	}
	return ""
}

// metricsOf returns the names of the metrics that expr selects.
func metricsOf(t testing.TB, expr string) []string {
	t.Helper()
	names := map[string]bool{}
	inspect(mustParse(t, expr), func(n parser.Node) {
		if v, ok := n.(*parser.VectorSelector); ok {
			names[metricName(v)] = true
		}
	})
	return slices.Sorted(maps.Keys(names))
}

// testFile is a file of promtool's unit tests.
type testFile struct {
	RuleFiles          []string    `yaml:"rule_files"`
	EvaluationInterval string      `yaml:"evaluation_interval"`
	GroupEvalOrder     []string    `yaml:"group_eval_order"`
	Tests              []testGroup `yaml:"tests"`
}

type testGroup struct {
	Name        string      `yaml:"name"`
	Interval    string      `yaml:"interval"`
	InputSeries []series    `yaml:"input_series"`
	Alerts      []alertTest `yaml:"alert_rule_test,omitempty"`
	Exprs       []exprTest  `yaml:"promql_expr_test,omitempty"`
}

type series struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type alertTest struct {
	Alert    string `yaml:"alertname"`
	EvalTime string `yaml:"eval_time"`
	Expected []any  `yaml:"exp_alerts,omitempty"`
}

type exprTest struct {
	Expr     string `yaml:"expr"`
	EvalTime string `yaml:"eval_time"`
	Expected []any  `yaml:"exp_samples,omitempty"`
}

// loadTests returns the unit tests by file name.
func loadTests(t testing.TB) map[string]testFile {
	t.Helper()
	files, err := filepath.Glob(testFiles)
	if err != nil || len(files) == 0 {
		t.Fatal("no unit tests match", testFiles, err)
	}
	all := map[string]testFile{}
	for _, file := range files {
		var f testFile
		load(t, file, &f)
		all[filepath.Base(file)] = f
	}
	return all
}

// scope is a rule with what it takes to test it: a record by what it records,
// an alert by whether it fires.
type scope struct {
	alert, record string // one of them is empty
	needed        map[*rule]bool
	metrics       map[string]bool // that those select
}

// scopeOf finds what r needs. Rules of the same name are tested together.
func scopeOf(f *ruleFile, r *rule) scope {
	s := scope{r.Alert, r.Record, map[*rule]bool{}, map[string]bool{}}
	for grown := true; grown; {
		grown = false
		for _, other := range f.rules() {
			if !s.needed[other] && (other.Alert == r.Alert && other.Record == r.Record || s.metrics[other.Record]) {
				s.needed[other], grown = true, true
				for _, m := range f.uses[other] {
					s.metrics[m] = true
				}
			}
		}
	}
	return s
}

// cut returns the rules of the scope, with what is put in the place of some.
func (s scope) cut(f *ruleFile, instead map[*rule]rule) ruleFile {
	var out ruleFile
	for g := range f.Groups {
		part := group{Name: f.Groups[g].Name, Interval: f.Groups[g].Interval}
		for i := range f.Groups[g].Rules {
			r := &f.Groups[g].Rules[i]
			if other, ok := instead[r]; ok {
				part.Rules = append(part.Rules, other)
			} else if s.needed[r] {
				part.Rules = append(part.Rules, *r)
			}
		}
		if len(part.Rules) > 0 {
			out.Groups = append(out.Groups, part)
		}
	}
	return out
}
