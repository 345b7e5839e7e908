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

// match returns the label of a matcher, and whether it matches a value.
func match(t *testing.T, text string) (string, func(string) bool) {
	t.Helper()
	m := matcherForm.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("a matcher of another form: %s", text)
	}
	if m[2] == "=" {
		m[3] = regexp.QuoteMeta(m[3])
	}
	return m[1], regexp.MustCompile("^(?:" + m[3] + ")$").MatchString
}

// selected returns the alerts that matchers may select: by name and severity,
// and by labels whose values are not known before an alert fires.
func selected(t *testing.T, rules *ruleFile, matchers []string, has func(*rule, string) bool) []*rule {
	t.Helper()
	var found []*rule
	for _, r := range rules.rules() {
		all := r.Alert != ""
		for _, text := range matchers {
			label, matches := match(t, text)
			value, known := map[string]string{"alertname": r.Alert, "severity": r.Labels["severity"]}[label]
			all = all && (known && matches(value) || !known && has(r, label))
		}
		if all {
			found = append(found, r)
		}
	}
	return found
}

// readExample reads the example of a configuration.
func readExample(t *testing.T, into any) {
	t.Helper()
	text, err := os.ReadFile("../../alerts/alertmanager.example.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// inhibitions returns those of the example.
func inhibitions(t *testing.T) []inhibitRule {
	t.Helper()
	var config struct {
		Inhibit []inhibitRule `yaml:"inhibit_rules"`
	}
	if readExample(t, &config); len(config.Inhibit) == 0 {
		t.Fatal("no inhibitions")
	}
	return config.Inhibit
}

// fits reports whether all matchers match an alert.
func fits(t *testing.T, matchers []string, alert map[string]string) bool {
	t.Helper()
	return !slices.ContainsFunc(matchers, func(text string) bool {
		label, matches := match(t, text)
		return !matches(alert[label])
	})
}

// inhibits reports whether an alert silences another, as Alertmanager does it.
func (i inhibitRule) inhibits(t *testing.T, source, target map[string]string) bool {
	t.Helper()
	return fits(t, i.Source, source) && fits(t, i.Target, target) &&
		!slices.ContainsFunc(i.Equal, func(label string) bool { return source[label] != target[label] })
}

// TestWhatAKeyExplains: a key that the cloud refuses explains old data and what
// one exporter cannot list, in its own account; a permission that is missing
// does not. A region that nobody reaches may have another reason: the key of one
// exporter of two, or a permission in another region, would hide an outage.
func TestWhatAKeyExplains(t *testing.T) {
	t.Parallel()
	type labels = map[string]string
	refused := func(account, action string) labels {
		return labels{"alertname": "AlikafkaCredentialsRefused", "account": account, "action": action, "code": "NoPermission", "severity": "critical"}
	}
	nobody := labels{"alertname": "AlikafkaRegionUnreachable", "account": "main", "region_id": "cn-hangzhou", "severity": "critical"}
	one := labels{"alertname": "AlikafkaRegionUnreachable", "account": "main", "region_id": "cn-hangzhou", "job": "j", "instance": "a", "severity": "warning"}
	stale := labels{"alertname": "AlikafkaDataStale", "account": "main", "region_id": "cn-hangzhou", "source": "quota", "severity": "warning"}
	stopped := labels{"alertname": "AlikafkaConsumerGroupStopped", "account": "main", "region_id": "cn-hangzhou", "severity": "critical"}
	for name, c := range map[string]struct {
		source, target labels
		want           bool
	}{
		"the key, and a region that nobody reaches":         {refused("main", "GetInstanceList"), nobody, false},
		"the key, and a region that one exporter misses":    {refused("main", "GetInstanceList"), one, true},
		"the key, and old data":                             {refused("main", "GetInstanceList"), stale, true},
		"the key of another account":                        {refused("other", "GetInstanceList"), one, false},
		"a permission, and a region":                        {refused("main", "GetQuotaTip"), one, false},
		"a permission, and old data":                        {refused("main", "GetQuotaTip"), stale, false},
		"the key, and consumers":                            {refused("main", "GetInstanceList"), stopped, false},
		"a region, and its old data":                        {nobody, stale, true},
		"a region that one exporter misses, and old data":   {one, stale, true},
		"a region that nobody reaches, and that one misses": {nobody, one, true},
		"a region that one misses, and that nobody reaches": {one, nobody, false},
		"old data, and a region":                            {stale, nobody, false},
	} {
		if got := slices.ContainsFunc(inhibitions(t), func(i inhibitRule) bool { return i.inhibits(t, c.source, c.target) }); got != c.want {
			t.Errorf("%s: silenced is %t", name, got)
		}
	}
}

// TestAKeyAndWhatItCannotReachAreOneMessage: who is woken by a refused key is
// not woken once more for each region.
func TestAKeyAndWhatItCannotReachAreOneMessage(t *testing.T) {
	t.Parallel()
	type route struct {
		Receiver string   `yaml:"receiver"`
		Matchers []string `yaml:"matchers"`
		GroupBy  []string `yaml:"group_by"`
		Continue bool     `yaml:"continue"`
	}
	var config struct {
		Route struct {
			Routes []route `yaml:"routes"`
		} `yaml:"route"`
	}
	readExample(t, &config)
	for name, wants := range map[string][]string{
		"AlikafkaCredentialsRefused": {"account"}, "AlikafkaRegionUnreachable": {"account"},
		"AlikafkaConsumerGroupStopped": {"account", "region_id", "instance_id"},
	} {
		alert := map[string]string{"alertname": name, "severity": "critical", "account": "main"}
		i := slices.IndexFunc(config.Route.Routes, func(r route) bool { return !r.Continue && fits(t, r.Matchers, alert) })
		if i < 0 || config.Route.Routes[i].Receiver != "pager" || !slices.Equal(config.Route.Routes[i].GroupBy, wants) {
			t.Errorf("%s: route %d, want one to the pager by %v", name, i, wants)
		}
	}
}

// TestInhibitionsMeanWhatTheySay wants every inhibition to have a source and a
// target, and to compare labels that both have: Alertmanager takes a label that
// is missing on both sides for equal, and would silence the whole fleet.
func TestInhibitionsMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	rules := loadRules(t)
	metrics := known(t, rules)
	has := func(r *rule, label string) bool {
		return label == "alertname" || (&checker{t, metrics, r.String()}).labels(mustParse(t, r.Expr))[label]
	}
	for _, i := range inhibitions(t) {
		pairs := 0
		for _, source := range selected(t, rules, i.Source, has) {
			for _, target := range selected(t, rules, i.Target, has) {
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
