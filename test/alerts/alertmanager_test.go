package alerts_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"
)

// inhibitRule is one of Alertmanager's.
type inhibitRule struct {
	Source []string `yaml:"source_matchers"`
	Target []string `yaml:"target_matchers"`
	Equal  []string `yaml:"equal"`
}

var matcherForm = regexp.MustCompile(`^(\w+)(=~|=)"(.*)"$`)

// selected returns the alerts that matchers of alertname and severity select.
func selected(t *testing.T, rules *ruleFile, matchers []string) []*rule {
	t.Helper()
	var found []*rule
	for _, r := range rules.rules() {
		all := r.Alert != ""
		for _, text := range matchers {
			m := matcherForm.FindStringSubmatch(text)
			if m == nil {
				t.Fatalf("a matcher of another form: %s", text)
			}
			value := map[string]string{"alertname": r.Alert, "severity": r.Labels["severity"]}[m[1]]
			if m[2] == "=" {
				m[3] = regexp.QuoteMeta(m[3])
			}
			all = all && regexp.MustCompile("^(?:"+m[3]+")$").MatchString(value)
		}
		if all {
			found = append(found, r)
		}
	}
	return found
}

// TestInhibitionsMeanWhatTheySay wants every inhibition to have a source and a
// target, and to compare labels that both have: Alertmanager takes a label that
// is missing on both sides for equal, and would silence the whole fleet.
func TestInhibitionsMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../alerts/alertmanager.example.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Inhibit []inhibitRule `yaml:"inhibit_rules"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil || len(config.Inhibit) == 0 {
		t.Fatal("no inhibitions", err)
	}
	rules := loadRules(t)
	metrics := known(t, rules)
	has := func(r *rule, label string) bool {
		return label == "alertname" || (&checker{t, metrics, r.String()}).labels(mustParse(t, r.Expr))[label]
	}
	for _, i := range config.Inhibit {
		pairs := 0
		for _, source := range selected(t, rules, i.Source) {
			for _, target := range selected(t, rules, i.Target) {
				same := slices.Contains(i.Equal, "alertname")
				if same && source.Alert != target.Alert {
					continue
				}
				pairs++
				for _, label := range i.Equal {
					if has(source, label) != has(target, label) || !same && !has(source, label) {
						t.Errorf("%s inhibits %s where %s is equal, but not both have it", source, target, label)
					}
				}
			}
		}
		if pairs == 0 {
			t.Errorf("the inhibition of %v by %v is of no alerts", i.Target, i.Source)
		}
	}
}
