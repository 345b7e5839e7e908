package alerts_test

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// promtool runs it and returns what it printed.
func promtool(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "promtool", args...).CombinedOutput()
	return string(out), err
}

func TestPromtoolFindsNothing(t *testing.T) {
	t.Parallel()
	if out, err := promtool(t.Context(), "check", "rules", "--lint=all", "--lint-fatal", rulesFile); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
}

func TestUnitTests(t *testing.T) {
	t.Parallel()
	for name := range loadTests(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := promtool(t.Context(), "test", "rules", filepath.Join(filepath.Dir(testFiles), name)); err != nil {
				t.Errorf("promtool test rules: %v\n%s", err, out)
			}
		})
	}
}

// TestEveryAlertIsTested wants a test in which an alert fires and one in which
// it does not, each severity for itself.
func TestEveryAlertIsTested(t *testing.T) {
	t.Parallel()
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, file := range loadTests(t) {
		for _, g := range file.Tests {
			for _, a := range g.Alerts {
				for _, expected := range a.Expected {
					severity := expected.(map[string]any)["exp_labels"].(map[string]any)["severity"]
					fires[fmt.Sprint(a.Alert, "/", severity)] = true
				}
				if len(a.Expected) == 0 {
					silent[a.Alert] = true
				}
			}
		}
	}
	for _, r := range loadRules(t).rules() {
		if r.Alert == "" {
			continue
		}
		if !fires[r.String()] {
			t.Errorf("no unit test in which %s fires", r)
		}
		if !silent[r.Alert] {
			t.Errorf("no unit test in which %s does not fire", r)
		}
	}
}

// mutant is a rule with a mistake in it.
type mutant struct {
	what string
	rule rule
}

// TestUnitTestsNoticeMistakes makes one mistake at a time in each rule and
// wants a unit test of that rule to fail.
func TestUnitTestsNoticeMistakes(t *testing.T) {
	t.Parallel()
	rules, tests := loadRules(t), loadTests(t)
	for _, r := range rules.rules() {
		s := scopeOf(rules, r)
		about, quiet := s.tests(t, tests)
		t.Run(r.String()+" as it is", func(t *testing.T) {
			t.Parallel()
			for _, tests := range []map[string]testFile{about, quiet} {
				if out, err := runTests(t, s.cut(rules, nil), tests); err != nil {
					t.Fatalf("the tests fail without a mistake: %v\n%s", err, out)
				}
			}
		})
		for _, m := range mutants(t, r) {
			t.Run(r.String()+" "+m.what, func(t *testing.T) {
				t.Parallel()
				wrong := s.cut(rules, map[*rule]rule{r: m.rule})
				for _, tests := range []map[string]testFile{about, quiet} {
					if _, err := runTests(t, wrong, tests); err != nil {
						return
					}
				}
				t.Errorf("no unit test notices the mistake in\n%s", m.rule.Expr)
			})
		}
	}
}

// runTests runs unit tests on rules.
func runTests(t *testing.T, rules ruleFile, tests map[string]testFile) (string, error) {
	t.Helper()
	if len(tests) == 0 {
		return "", nil
	}
	dir := t.TempDir()
	save(t, filepath.Join(dir, "rules.yml"), rules)
	args := []string{"test", "rules"}
	for name, f := range tests {
		save(t, filepath.Join(dir, name), f)
		args = append(args, filepath.Join(dir, name))
	}
	return promtool(t.Context(), args...)
}

// tests returns the expectations that name the scope, and those that of all
// that the scope looks at nothing fires.
func (s scope) tests(t *testing.T, all map[string]testFile) (about, quiet map[string]testFile) {
	t.Helper()
	about, quiet = map[string]testFile{}, map[string]testFile{}
	for name, f := range all {
		f.RuleFiles = []string{"rules.yml"}
		keep := func(part map[string]testFile, alert func(testGroup, alertTest) bool, expr func(testGroup, exprTest) bool) {
			f := f
			groups := f.Tests
			f.Tests = nil
			for _, g := range groups {
				g.Alerts = slices.DeleteFunc(slices.Clone(g.Alerts), func(a alertTest) bool { return !alert(g, a) })
				g.Exprs = slices.DeleteFunc(slices.Clone(g.Exprs), func(e exprTest) bool { return !expr(g, e) })
				if len(g.Alerts)+len(g.Exprs) > 0 {
					f.Tests = append(f.Tests, g)
				}
			}
			if len(f.Tests) > 0 {
				part[name] = f
			}
		}
		keep(
			about,
			func(_ testGroup, a alertTest) bool { return a.Alert == s.alert },
			func(_ testGroup, e exprTest) bool { return s.named(t, e) })
		keep(
			quiet,
			func(testGroup, alertTest) bool { return false },
			func(g testGroup, e exprTest) bool {
				return strings.HasPrefix(e.Expr, "ALERTS") && !strings.Contains(e.Expr, "alertname") && len(e.Expected) == 0 && s.alert != "" && s.sees(g)
			})
	}
	return about, quiet
}

// named reports whether e is about the scope, and about nothing else.
func (s scope) named(t *testing.T, e exprTest) bool {
	t.Helper()
	about, all := false, true
	inspect(mustParse(t, e.Expr), func(n parser.Node) {
		if v, ok := n.(*parser.VectorSelector); ok {
			in := s.record != "" && metricName(v) == s.record
			for _, m := range v.LabelMatchers {
				in = in || s.alert != "" && m.Name == "alertname" && m.Value == s.alert
			}
			about, all = about || in, all && in
		}
	})
	return about && all
}

// sees reports whether a test has series that the scope selects.
func (s scope) sees(g testGroup) bool {
	return slices.ContainsFunc(g.InputSeries, func(i series) bool {
		name, _, _ := strings.Cut(i.Series, "{")
		return s.metrics[name]
	})
}

// mutants returns the rule with each of the mistakes that people make.
func mutants(t *testing.T, r *rule) []mutant {
	t.Helper()
	var all []mutant
	if r.For != "" {
		m := mutant{"without for", *r}
		m.rule.For = ""
		all = append(all, m)
	}
	if r.KeepFiringFor != "" {
		m := mutant{"without keep_firing_for", *r}
		m.rule.KeepFiringFor = ""
		all = append(all, m)
	}
	for n := range mistakes(mustParse(t, r.Expr)) {
		e := mustParse(t, r.Expr)
		mistake := mistakes(e)[n]
		mistake.make()
		m := mutant{mistake.what, *r}
		m.rule.Expr = e.String()
		mustParse(t, m.rule.Expr)
		all = append(all, m)
	}
	return all
}

// mistake is one that can be made in an expression, in place.
type mistake struct {
	what string
	make func()
}

var (
	flipped = map[parser.ItemType]parser.ItemType{
		parser.GTR: parser.LSS, parser.LSS: parser.GTR, parser.GTE: parser.LTE, parser.LTE: parser.GTE,
		parser.EQLC: parser.NEQ, parser.NEQ: parser.EQLC,
	}
	negated = map[labels.MatchType]labels.MatchType{
		labels.MatchEqual: labels.MatchNotEqual, labels.MatchNotEqual: labels.MatchEqual,
		labels.MatchRegexp: labels.MatchNotRegexp, labels.MatchNotRegexp: labels.MatchRegexp,
	}
)

// mistakes lists those that can be made in e: comparisons turned around,
// numbers halved and doubled, conditions left out, matchers negated.
func mistakes(e parser.Expr) []mistake {
	var all []mistake
	inspect(e, func(n parser.Node) {
		switch n := n.(type) {
		case *parser.BinaryExpr:
			all = append(all, operatorMistakes(n)...)
		case *parser.NumberLiteral:
			if n.Val != 0 && !math.IsInf(n.Val, 0) {
				value := n.Val
				all = append(
					all,
					mistake{fmt.Sprint(value, " doubled"), func() { n.Val = 2 * value }},
					mistake{fmt.Sprint(value, " halved"), func() { n.Val = value / 2 }})
			}
		case *parser.VectorSelector:
			for i, m := range n.LabelMatchers {
				if m.Name != model.MetricNameLabel {
					all = append(all, mistake{"with " + strings.ReplaceAll(m.String(), "/", "") + " negated", func() {
						n.LabelMatchers[i] = labels.MustNewMatcher(negated[m.Type], m.Name, m.Value)
					}})
				}
			}
		}
	})
	return all
}

func operatorMistakes(n *parser.BinaryExpr) []mistake {
	if other, ok := flipped[n.Op]; ok {
		return []mistake{{fmt.Sprintf("with %s for %s", other, n.Op), func() { n.Op = other }}}
	}
	switch n.Op {
	case parser.LAND, parser.LOR:
		return []mistake{
			{fmt.Sprintf("without what follows %s", n.Op), func() { n.RHS = n.LHS }},
			{fmt.Sprintf("without what comes before %s", n.Op), func() { n.LHS = n.RHS }},
		}
	case parser.LUNLESS:
		return []mistake{{"with and for unless", func() { n.Op = parser.LAND }}}
	}
	return nil
}
