// Package dashboards builds the Grafana dashboards that are shipped in the
// folder dashboards/: a board is a table of rows of panels, and what Grafana
// wants to know besides is added in one place. Golden files hold the result:
// `make golden` writes them.
package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Dashboard is one file.
type Dashboard struct {
	UID  string // also the name of the file, without .json
	JSON []byte
}

// All returns every dashboard, in the order of the links between them. It
// fails on a query with an unknown word in capitals.
func All() ([]Dashboard, error) {
	all := boards()
	var made []Dashboard
	for _, b := range all {
		model, err := b.model(all)
		if err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", b.uid, err)
		}
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(model); err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", b.uid, err)
		}
		made = append(made, Dashboard{b.uid, text.Bytes()})
	}
	return made, nil
}

func boards() []board {
	return []board{fleet(), instance(), topic(), consumerGroup(), freshness(), actions()}
}

// board is a dashboard. Panels flow from left to right, 24 columns to a row.
type board struct {
	uid, title, about string
	variables         []variable
	// selector is what SEL stands for in queries: the matchers of the objects
	// that the variables choose.
	selector    string
	annotations []annotation
	rows        []row
}

// row is panels of one height. With a title it begins with a heading.
type row struct {
	title  string
	height int
	panels []panel
}

// variable is a choice on top of a dashboard; its name is a label's.
type variable struct {
	name, label, metric string
	within              string // matchers of the variables before it
	many                bool   // several, or all of them
	hidden              bool
}

// annotation marks moments on all graphs of a dashboard.
type annotation struct {
	name, color, query, title string
	valueIsTime               bool // the values of the query are the moments, in milliseconds
}

// query is an expression with the name of its series or, in a table, of its
// column.
type query struct {
	expr, name string
}

// step is a threshold: from a value on, a colour.
type step struct {
	from  float64
	color string
}

// The units that panels use, by Grafana's ids.
const (
	unitNone      = "none"
	unitCount     = "short"
	unitSeconds   = "s"
	unitDuration  = "dtdhms"
	unitShare     = "percentunit"
	unitMessages  = "mps"
	unitRequests  = "reqps"
	unitBytes     = "bytes"
	unitBandwidth = "binBps"
	unitMoment    = "dateTimeFromNow" // of milliseconds
)

// The colours, one meaning each.
const (
	calm    = "green"
	notice  = "blue"
	warning = "#EAB839"
	bad     = "orange"
	worst   = "red"
	unknown = "#8e8e8e"
)

// Values at which colours change: those at which the shipped alerts fire. A
// test compares.
const (
	lagSeconds      = 300
	dataAge         = 1200
	slowDataAge     = 2700
	regionsAge      = 10800
	quotaWarning    = 0.85
	quotaCritical   = 0.95
	throttledShare  = 0.05
	availability    = 0.998
	expiryInfo      = 30 * 86400
	expiryWarning   = 7 * 86400
	expiryCritical  = 86400
	rebalancesLimit = 5
)

// state is a value of a status label: the number that stands for it in graphs
// and tables, greater where more urgent, and its colour.
type state struct {
	name  string
	color string
}

// groupStates are in the order of the collector's.
func groupStates() []state {
	return []state{
		{"unknown", unknown},
		{"ok", calm},
		{"abandoned", "purple"},
		{"warning", warning},
		{"rewound", notice},
		{"stalled", bad},
		{"stopped", worst},
	}
}

// lagMethods, from the worst to the best.
func lagMethods() []state {
	return []state{{"at_most", warning}, {"at_least", notice}, {"history", calm}}
}

// noYes are the states of a flag that should not be up.
func noYes() []state { return []state{{"no", calm}, {"yes", worst}} }

// statusOf numbers the states of a state set: at most one of them is 1.
func statusOf(by, metric, label string, states []state) string {
	var terms []string
	for i, s := range slices.Backward(states) {
		terms = append(terms, fmt.Sprintf("%d * (max by (%s) (%s{SEL,%s=%q}) == 1)", i, by, metric, label, s.name))
	}
	return strings.Join(terms, " or ")
}

// words are what capitals stand for in queries, besides SEL.
func words() map[string]string {
	const onInstance = "account, region_id, instance_id"
	return map[string]string{
		"REGION":     "account, region_id",
		"INSTANCE":   onInstance,
		"TOPIC":      onInstance + ", topic",
		"GROUP":      onInstance + ", consumer_group",
		"GROUPTOPIC": onInstance + ", consumer_group, topic",
		"PARTITION":  onInstance + ", consumer_group, topic, partition",
		// Matchers.
		"IN":    `account=~"$account",region_id=~"$region_id"`,
		"OF":    `account=~"$account"`,
		"JOB":   `job=~"$job"`,
		"WRITE": `action!~"Get.*|List.*|Describe.*|Query.*"`,
		"FAST":  `source!~"topic_status|quota|allowed_ips|regions"`, // as the alert tells them apart
		"SLOW":  `source=~"topic_status|quota|allowed_ips"`,
		"RATE":  "$__rate_interval",
		"RANGE": "$__range",
		// Of what every target has, only that of exporters: All jobs are all that
		// Prometheus scrapes. One that is down is known by what it was.
		"RUNNING": `and on (job, instance) alikafka_exporter_build_info`,
		"KNOWN":   `and on (job, instance) last_over_time(alikafka_exporter_build_info[1d])`,
		// What is said by capitals elsewhere.
		"ALERTS": "ALERTS",
	}
}

var word = regexp.MustCompile(`\b[A-Z]{2,}\b`)

// expand replaces words by what they stand for.
func expand(expr, selector string) (string, error) {
	known := words()
	known["SEL"] = selector
	var unknown []string
	expr = word.ReplaceAllStringFunc(strings.Join(strings.Fields(expr), " "), func(w string) string {
		text, ok := known[w]
		if !ok {
			unknown = append(unknown, w)
		}
		return text
	})
	if len(unknown) > 0 {
		return "", fmt.Errorf("query %s: unknown words %v", expr, unknown)
	}
	return expr, nil
}
