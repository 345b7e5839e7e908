package collector_test

import (
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

func expr(t *testing.T, s string) collector.Regexp {
	t.Helper()
	r, err := collector.NewRegexp(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRegexpMatchesWholeStrings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		expr, text string
		want       bool
	}{
		{"prod", "prod", true},
		{"prod", "prod-1", false},
		{"prod.*", "prod-1", true},
		{"prod|test", "test", true},
		{"prod|test", "testing", false},
		{".*", "two\nlines", true},
		{"", "", false},
	}
	for _, tt := range tests {
		if got := expr(t, tt.expr).Match(tt.text); got != tt.want {
			t.Errorf("%q matches %q: %v", tt.expr, tt.text, got)
		}
	}
	for _, bad := range []string{"a(", "a)(b", "*"} {
		if _, err := collector.NewRegexp(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestFilterMatchesAnyName(t *testing.T) {
	t.Parallel()
	prod := collector.Filter{Include: expr(t, "alikafka_1|prod-.*"), Exclude: expr(t, ".*-old")}
	tests := []struct {
		name   string
		filter collector.Filter
		names  []string
		want   bool
	}{
		{"the zero value takes everything", collector.Filter{}, []string{"x"}, true},
		{"include by id", prod, []string{"alikafka_1", "test"}, true},
		{"include by name", prod, []string{"alikafka_2", "prod-a"}, true},
		{"not included", prod, []string{"alikafka_2", "test"}, false},
		{"exclude by name wins over include by id", prod, []string{"alikafka_1", "prod-old"}, false},
		{"exclude alone", collector.Filter{Exclude: expr(t, "x")}, []string{"y"}, true},
	}
	for _, tt := range tests {
		if got := tt.filter.Match(tt.names...); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestMetricFilter(t *testing.T) {
	t.Parallel()
	lag := collector.MetricFilter{
		Allow: []collector.Regexp{expr(t, "alikafka_up"), expr(t, ".*_lag_.*")},
		Deny:  []collector.Regexp{expr(t, ".*_partition_.*")},
	}
	for family, want := range map[string]bool{
		"alikafka_up": true, "alikafka_instances": false,
		"alikafka_consumer_group_lag_messages": true, "alikafka_consumer_group_partition_lag_messages": false,
	} {
		if got := lag.Match(family); got != want {
			t.Errorf("%s: %v", family, got)
		}
	}
	if !(collector.MetricFilter{}).Match("alikafka_up") {
		t.Error("the zero value refuses a family")
	}
}
