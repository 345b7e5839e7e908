package alerts_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

const pageURL = "https://github.com/alikafka-exporter/alikafka-exporter/blob/main/docs/runbooks/"

// labelSet are the labels that series may have.
type labelSet map[string]bool

func setOf(names ...string) labelSet {
	s := labelSet{}
	for _, n := range names {
		s[n] = true
	}
	return s
}

// without returns s less some labels.
func (s labelSet) without(names []string) labelSet {
	rest := maps.Clone(s)
	for _, n := range names {
		delete(rest, n)
	}
	return rest
}

// target are the labels that Prometheus adds.
var target = []string{"job", "instance"}

// overrides are what users may record, with the labels that docs/alerts.md
// tells them to give it.
var overrides = map[string]labelSet{
	"alikafka:threshold:override":                            setOf("threshold"),
	"alikafka:consumer_group_lag_seconds:objective_override": setOf("account", "region_id", "instance_id", "consumer_group"),
	"alikafka:topic_silence_seconds:limit_override":          setOf("account", "region_id", "instance_id", "topic"),
}

var (
	metricRow = regexp.MustCompile("(?m)^\\| `(alikafka_[a-z_]+)` \\| (.*?) \\|")
	quoted    = regexp.MustCompile("`([a-zA-Z_]+)`")
)

// exported returns every metric of docs/metrics.md, which is made from the
// table of families, with its labels.
func exported(t *testing.T) map[string]labelSet {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]labelSet{"up": setOf(target...), "scrape_samples_scraped": setOf(target...), "alikafka_exporter_build_info": setOf(target...)}
	all["ALERTS"] = setOf("alertname", "alertstate", "severity", "job", "instance", "account", "region_id", "instance_id", "consumer_group", "topic", "source")
	for _, row := range metricRow.FindAllStringSubmatch(string(text), -1) {
		s := setOf(target...)
		for _, l := range quoted.FindAllStringSubmatch(row[2], -1) {
			s[l[1]] = true
		}
		if s["tag_KEY"] {
			s["tag_alikafka_exporter_lag_objective"], s["tag_alikafka_exporter_expect_data"] = true, true
		}
		all[row[1]] = s
	}
	if len(all) < 50 {
		t.Fatalf("docs/metrics.md lists %d metrics", len(all))
	}
	return all
}

// known returns the labels of every metric that rules may use: exported ones,
// recorded ones in the order of the file, and overrides.
func known(t *testing.T, f *ruleFile) map[string]labelSet {
	t.Helper()
	all := exported(t)
	maps.Copy(all, overrides)
	for _, r := range f.rules() {
		if r.Record != "" {
			s := (&checker{t, all, r.String()}).labels(mustParse(t, r.Expr))
			if all[r.Record] == nil {
				all[r.Record] = labelSet{}
			}
			maps.Copy(all[r.Record], s)
			for l := range r.Labels {
				all[r.Record][l] = true
			}
		}
	}
	return all
}

// checker finds out which labels an expression's result has, and reports
// metrics and labels that do not exist on the way.
type checker struct {
	t       *testing.T
	metrics map[string]labelSet
	where   string
}

func (c *checker) labels(e parser.Expr) labelSet {
	switch e := e.(type) {
	case *parser.VectorSelector:
		return c.selector(e)
	case *parser.MatrixSelector:
		return c.labels(e.VectorSelector)
	case *parser.SubqueryExpr:
		return c.labels(e.Expr)
	case *parser.ParenExpr:
		return c.labels(e.Expr)
	case *parser.UnaryExpr:
		return c.labels(e.Expr)
	case *parser.AggregateExpr:
		inner := c.labels(e.Expr)
		if e.Without {
			c.t.Errorf("%s aggregates without: say by which labels", c.where)
		}
		c.within("by", e.Grouping, inner)
		return setOf(e.Grouping...)
	case *parser.Call:
		all := labelSet{}
		for _, arg := range e.Args {
			if t := arg.Type(); t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
				all = c.labels(arg)
			}
		}
		if e.Func.Name == "scalar" || e.Func.Name == "vector" {
			return labelSet{}
		}
		return all
	case *parser.BinaryExpr:
		return c.binary(e)
	}
	return labelSet{}
}

func (c *checker) selector(v *parser.VectorSelector) labelSet {
	name := metricName(v)
	has, ok := c.metrics[name]
	if !ok {
		c.t.Errorf("%s uses %s, which is neither exported nor recorded before", c.where, name)
		return labelSet{}
	}
	for _, m := range v.LabelMatchers {
		if m.Name != model.MetricNameLabel && !has[m.Name] {
			c.t.Errorf("%s: %s has no label %s", c.where, name, m.Name)
		}
		if m.Type == labels.MatchRegexp && regexp.QuoteMeta(m.Value) == m.Value {
			c.t.Errorf("%s: %s needs no regular expression", c.where, m)
		}
	}
	return has
}

func (c *checker) binary(e *parser.BinaryExpr) labelSet {
	left, right := c.labels(e.LHS), c.labels(e.RHS)
	m := e.VectorMatching
	switch {
	case m == nil: // with a scalar
		if e.LHS.Type() == parser.ValueTypeVector {
			return left
		}
		return right
	case m.On:
		c.within("on", m.MatchingLabels, left)
		c.within("on", m.MatchingLabels, right)
	case e.Op != parser.LOR && !maps.Equal(left.without(m.MatchingLabels), right.without(m.MatchingLabels)):
		c.t.Errorf("%s: %s matches series with different labels: say on which", c.where, e.Op)
	}
	switch {
	case e.Op == parser.LOR:
		all := maps.Clone(left)
		maps.Copy(all, right)
		return all
	case e.Op == parser.LAND, e.Op == parser.LUNLESS, m.Card == parser.CardManyToOne, !m.On:
		return left
	case m.Card == parser.CardOneToMany:
		return right
	}
	return setOf(m.MatchingLabels...)
}

func (c *checker) within(what string, names []string, has labelSet) {
	for _, n := range names {
		if !has[n] {
			c.t.Errorf("%s: %s (%s), but there is no such label", c.where, what, n)
		}
	}
}

var usedLabel = regexp.MustCompile(`\$labels\.(\w+)`)

// TestMetricsAndLabelsExist follows every label of every rule from the table
// of metrics to the text of the alert.
func TestMetricsAndLabelsExist(t *testing.T) {
	t.Parallel()
	rules := loadRules(t)
	metrics := known(t, rules)
	for _, r := range rules.rules() {
		if r.Alert == "" {
			continue
		}
		has := (&checker{t, metrics, r.String()}).labels(mustParse(t, r.Expr))
		for name, text := range r.Annotations {
			for _, m := range usedLabel.FindAllStringSubmatch(text, -1) {
				if !has[m[1]] {
					t.Errorf("%s: the %s shows the label %s, which the alert does not have", r, name, m[1])
				}
			}
		}
	}
}

// atOnce are the alerts that wait for nothing.
var atOnce = []string{"AlikafkaMessagesLost"}

func TestAlertsAreComplete(t *testing.T) {
	t.Parallel()
	for _, r := range loadRules(t).rules() {
		if r.Alert == "" {
			continue
		}
		if severity := r.Labels["severity"]; !slices.Contains([]string{"critical", "warning", "info"}, severity) {
			t.Errorf("%s: severity %q", r, severity)
		}
		if (r.For == "") != slices.Contains(atOnce, r.Alert) {
			t.Errorf("%s: for %q", r, r.For)
		}
		for _, name := range []string{"summary", "description", "runbook_url"} {
			if strings.TrimSpace(r.Annotations[name]) == "" {
				t.Errorf("%s has no %s", r, name)
			}
		}
		if !strings.Contains(r.Annotations["description"], "{{") {
			t.Errorf("%s: the description says nothing of this alert's object", r)
		}
		if r.Annotations["runbook_url"] != pageURL+r.Alert+".md" {
			t.Errorf("%s: runbook_url %s", r, r.Annotations["runbook_url"])
		}
		compares := false
		inspect(mustParse(t, r.Expr), func(n parser.Node) {
			b, ok := n.(*parser.BinaryExpr)
			compares = compares || ok && (b.Op.IsComparisonOperator() && !b.ReturnBool || b.Op == parser.LUNLESS)
		})
		if !compares {
			t.Errorf("%s fires always: it compares nothing", r)
		}
	}
}

// sections are those of a page, in their order.
var sections = []string{"\n## Impact\n", "\n## Confirm\n", "\n## What to do\n", "\n## What our runbook does\n"}

var promqlBlock = regexp.MustCompile("(?s)```promql\n(.*?)```")

// TestEveryAlertHasAPage and every page an alert; its queries work.
func TestEveryAlertHasAPage(t *testing.T) {
	t.Parallel()
	rules := loadRules(t)
	metrics := known(t, rules)
	alerts := map[string]bool{}
	for _, r := range rules.rules() {
		if r.Alert != "" {
			alerts[r.Alert] = true
		}
	}
	index, err := os.ReadFile(filepath.Join(pagesDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for alert := range alerts {
		text, err := os.ReadFile(filepath.Join(pagesDir, alert+".md"))
		if err != nil {
			t.Errorf("%s has no page: %v", alert, err)
			continue
		}
		page := string(text)
		if !strings.HasPrefix(page, "# "+alert+"\n") {
			t.Errorf("the page of %s has another title", alert)
		}
		at := 0
		for _, s := range sections {
			n := strings.Index(page, s)
			if n < at {
				t.Errorf("%s.md: no section %q, or not in its place", alert, strings.TrimSpace(s))
			}
			at = n
		}
		queries := promqlBlock.FindAllStringSubmatch(page, -1)
		if len(queries) == 0 {
			t.Errorf("%s.md shows no query", alert)
		}
		for _, q := range queries {
			(&checker{t, metrics, alert + ".md"}).labels(mustParse(t, q[1]))
		}
		if strings.Contains(alert, "ConsumerGroup") && !strings.Contains(page, "/api/v1/explain?instance_id=") {
			t.Errorf("%s.md does not show the explain call", alert)
		}
		if !strings.Contains(string(index), "("+alert+".md)") {
			t.Errorf("README.md does not list %s", alert)
		}
	}
	pages, err := filepath.Glob(filepath.Join(pagesDir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if name := strings.TrimSuffix(filepath.Base(page), ".md"); name != "README" && !alerts[name] {
			t.Errorf("%s is the page of no alert", page)
		}
	}
}

// notTheKey are codes of the class auth that say nothing of the exporter's
// key: of one object, or of another user's.
var notTheKey = []string{"BIZ.GET.TOPIC.STATUS.ERROR", "BIZ_CONSUMER_ID_BELONG_TO_OTHER_USER", "BIZ_PRODUCER_ID_BELONG_TO_OTHER_USER"}

// TestCredentialCodes compares the codes of AlikafkaCredentialsRefused with the
// table of codes.
func TestCredentialCodes(t *testing.T) {
	t.Parallel()
	var matcher *labels.Matcher
	for _, r := range loadRules(t).rules() {
		if r.Alert == "AlikafkaCredentialsRefused" {
			inspect(mustParse(t, r.Expr), func(n parser.Node) {
				if v, ok := n.(*parser.VectorSelector); ok {
					for _, m := range v.LabelMatchers {
						if m.Name == "code" {
							matcher = m
						}
					}
				}
			})
		}
	}
	text, err := os.ReadFile("../../internal/api/errors.tsv")
	if err != nil || matcher == nil {
		t.Fatal("no codes to compare", err)
	}
	classes := map[string]string{"credentials": "auth", "timeout": "network", "other": "server"}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, "\t"); len(f) == 4 && f[0] != "code" {
			classes[f[0]] = f[2]
		}
	}
	for code, class := range classes {
		if want := class == "auth" && !slices.Contains(notTheKey, code); matcher.Matches(code) != want {
			t.Errorf("code %s of class %s: the alert says %t", code, class, !want)
		}
	}
}

var thresholdRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9.]+) \\|")

// TestThresholdsAreDocumented compares docs/alerts.md with the defaults.
func TestThresholdsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range thresholdRow.FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = fmt.Sprintf("vector(%s)", row[2])
	}
	defaults := map[string]string{}
	used := map[string]bool{}
	for _, r := range loadRules(t).rules() {
		if r.Record == "alikafka:threshold:default" {
			defaults[r.Labels["threshold"]] = r.Expr
		}
		inspect(mustParse(t, r.Expr), func(n parser.Node) {
			if v, ok := n.(*parser.VectorSelector); ok {
				for _, m := range v.LabelMatchers {
					if m.Name == "threshold" {
						used[m.Value] = true
					}
				}
			}
		})
	}
	if !maps.Equal(documented, defaults) {
		t.Errorf("docs/alerts.md says %v, the rules %v", documented, defaults)
	}
	for name := range defaults {
		if !used[name] {
			t.Errorf("no rule uses the threshold %s", name)
		}
	}
	for name := range used {
		if defaults[name] == "" {
			t.Errorf("a rule uses the threshold %s, which has no default", name)
		}
	}
}
