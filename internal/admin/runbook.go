package admin

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

// Runbook says what may be done when certain alerts fire. DefaultRunbook gives
// the values of absent keys.
type Runbook struct {
	// Name is unique; it is the value of the runbook label.
	Name string `yaml:"name"`
	// Match are conditions on an alert's labels, all of which must hold.
	Match []Matcher `yaml:"match"`
	// Action is one of those that a webhook may ask for.
	Action string `yaml:"action"`
	// Params are the action's parameters by wire name. RegionId and the
	// account follow from the instance.
	Params map[string]Param `yaml:"params"`
	// Mode is shadow (records what it would have done), approve (people decide)
	// or auto.
	Mode string `yaml:"mode"`
	// WaitFor is how long the alert must have been known before anything is
	// done.
	WaitFor model.Duration `yaml:"wait_for"`
	// CoolDown is the least time between two runs on a target.
	CoolDown model.Duration `yaml:"cool_down"`
	// HourlyCap and DailyCap bound the runs of the runbook.
	HourlyCap int `yaml:"hourly_cap"`
	DailyCap  int `yaml:"daily_cap"`
	// Verify says how our own metrics must change. Nil: nothing is expected.
	Verify *Verify `yaml:"verify"`
}

// The modes of a runbook.
const (
	modeShadow  = "shadow"
	modeApprove = "approve"
	modeAuto    = "auto"
)

// DefaultRunbook returns what holds where a runbook says nothing.
func DefaultRunbook() Runbook {
	return Runbook{
		Mode: modeShadow, WaitFor: model.Duration(time.Minute), CoolDown: model.Duration(time.Hour), HourlyCap: 3, DailyCap: 10,
	}
}

// Param is where the value of a parameter comes from: exactly one of Value,
// Label and Times.
type Param struct {
	// Value is a constant.
	Value string `yaml:"value"`
	// Label is the alert's label whose value is taken, if it is what Type,
	// Pattern and OneOf ask for.
	Label string `yaml:"label"`
	// Type of a label's value: see paramTypes.
	Type string `yaml:"type"`
	// Pattern must match the whole value.
	Pattern collector.Regexp `yaml:"pattern"`
	// OneOf are the only values that are accepted. Empty: any.
	OneOf []string `yaml:"one_of"`
	// Times, for TargetPartitionNum only, is the number of partitions that the
	// topic has now, times so much, rounded up, Max at most.
	Times float64 `yaml:"times"`
	Max   int     `yaml:"max"`
}

// Verify is how a metric of ours must change after a run.
type Verify struct {
	// Metric is a family of this exporter's. Its series are those of the run's
	// instance, topic and consumer group, and of the alert's labels that
	// Labels names; their values are added up.
	Metric string   `yaml:"metric"`
	Labels []string `yaml:"labels"`
	// Expect is lower or higher: against the value before the run.
	Expect string `yaml:"expect"`
	// Within is how long is waited for it.
	Within model.Duration `yaml:"within"`
}

// paramTypes is the table of what a label's value can be. Values of the closed
// types exist in our own inventory or, for the new ones, do not; the others
// need a Pattern or OneOf.
var paramTypes = []struct {
	name   string
	closed bool
	about  string
}{
	{typeInstance, true, "the id of a watched instance"},
	{typeTopic, true, "a topic of the instance"},
	{typeGroup, true, "a consumer group of the instance"},
	{typeNewTopic, false, "a topic that the instance does not have"},
	{typeNewGroup, false, "a consumer group that the instance does not have"},
	{typeText, false, "any text that pattern or one_of allows"},
}

const (
	typeInstance = "instance"
	typeTopic    = "topic"
	typeGroup    = "consumer_group"
	typeNewTopic = "new_topic"
	typeNewGroup = "new_consumer_group"
	typeText     = "text"
)

func paramTypeNames() []string {
	var names []string
	for _, t := range paramTypes {
		names = append(names, t.name)
	}
	return names
}

var runbookName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// ValidateRunbooks reports every mistake at once: *api.FieldError values,
// joined, with their paths below `runbooks`.
func ValidateRunbooks(runbooks []Runbook) error {
	var m api.Mistakes
	first := map[string]int{}
	for i, r := range runbooks {
		path := fmt.Sprintf("[%d]", i)
		r.validate(&m, path)
		if j, ok := first[r.Name]; ok && r.Name != "" {
			m.Bad(path+".name", "%q is the name of runbooks[%d] already", r.Name, j)
		}
		first[r.Name] = i
	}
	return m.Join()
}

func (r Runbook) validate(m *api.Mistakes, path string) {
	if !runbookName.MatchString(r.Name) {
		m.Bad(path+".name", "%q is not of the form %s", r.Name, runbookName)
	}
	if len(r.Match) == 0 {
		m.Bad(path+".match", "required: a runbook without conditions would match every alert")
	} else if !slices.ContainsFunc(r.Match, func(c Matcher) bool { return !c.Matches(nil) }) {
		m.Bad(path+".match", "an alert without labels fulfils it: one condition must need a label")
	}
	if r.Mode != modeShadow && r.Mode != modeApprove && r.Mode != modeAuto {
		m.Bad(path+".mode", "%q is none of %s, %s, %s", r.Mode, modeShadow, modeApprove, modeAuto)
	}
	const day = 24 * time.Hour
	for key, d := range map[string]model.Duration{"wait_for": r.WaitFor, "cool_down": r.CoolDown} {
		if d < 0 || time.Duration(d) > 7*day {
			m.Bad(path+"."+key, "%s is not between 0s and 7d", d)
		}
	}
	for key, n := range map[string]int{"hourly_cap": r.HourlyCap, "daily_cap": r.DailyCap} {
		if n < 1 {
			m.Bad(path+"."+key, "%d is not above 0; mode shadow does nothing", n)
		}
	}
	if v := r.Verify; v != nil {
		v.validate(m, path+".verify")
	}
	action, ok := api.Lookup(r.Action)
	if !ok || !slices.Contains(engine.WebhookActions(), r.Action) {
		m.Bad(path+".action", "%q is none that an alert may start: %s", r.Action, strings.Join(engine.WebhookActions(), ", "))
		return
	}
	r.validateParams(m, path+".params", action)
}

func (v Verify) validate(m *api.Mistakes, path string) {
	known := slices.ContainsFunc(collector.Families(collector.DefaultConfig()), func(f collector.Family) bool { return f.Name == v.Metric })
	if !known {
		m.Bad(path+".metric", "%q is no metric of an instance, topic or group", v.Metric)
	}
	if v.Expect != "lower" && v.Expect != "higher" {
		m.Bad(path+".expect", "%q is neither lower nor higher", v.Expect)
	}
	if d := time.Duration(v.Within); d < time.Minute || d > 24*time.Hour {
		m.Bad(path+".within", "%s is not between 1m and 1d", v.Within)
	}
}

func (r Runbook) validateParams(m *api.Mistakes, path string, action *api.Action) {
	extra := engine.OwnParams(r.Action)
	instances := 0
	values := map[string]string{} // constants, and what stands for what an alert will give
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		p, sub := r.Params[name], path+"."+name
		known, ok := paramOf(action, extra, name)
		switch {
		case !ok:
			m.Bad(sub, "is no parameter of %s%s", r.Action, api.DidYouMean(name, paramNames(action, extra)))
			continue
		case known.Secret:
			m.Bad(sub, "is secret, and never a runbook's")
			continue
		case name == "RegionId":
			m.Bad(sub, "follows from the instance: leave it out")
			continue
		}
		p.validate(m, sub, name)
		if p.Type == typeInstance {
			instances++
		}
		values[name] = p.placeholder()
	}
	if instances != 1 {
		m.Bad(path, "one parameter must be of type instance: account and region follow from it")
	}
	refusal := engine.WebhookRefusal(r.Action, values)
	if refusal != nil {
		m.Bad(path+"."+refusal.Param, "%s", refusal.Reason)
	}
	for _, fault := range paramErrors(engine.CheckParams(r.Action, values)) {
		p, given := r.Params[fault.Field]
		if given && !p.constant() || refusal != nil && refusal.Param == fault.Field {
			continue
		}
		m.Bad(path+"."+fault.Field, "%s", fault.Reason)
	}
}

// constant reports whether the value of the parameter is known.
func (p Param) constant() bool { return p.Value != "" && p.Label == "" && p.Times == 0 }

// placeholder returns a constant's value. For a name that a label will give it
// returns one that every action takes. For anything else it is empty, which
// mostly is a fault by itself, and keeps the rules from being asked that join
// parameters: whether they hold is known when the alert comes.
func (p Param) placeholder() string {
	switch {
	case p.constant():
		return p.Value
	case p.Label != "" && p.Type != typeText:
		return "placeholder"
	}
	return ""
}

func (p Param) validate(m *api.Mistakes, path, name string) {
	sources := 0
	for _, set := range []bool{p.Value != "", p.Label != "", p.Times != 0} {
		if set {
			sources++
		}
	}
	if sources != 1 {
		m.Bad(path, "give one of value, label and times")
		return
	}
	if p.Label == "" && (p.Type != "" && (p.Type != typeInstance || p.Value == "") || !p.Pattern.IsZero() || len(p.OneOf) > 0) {
		m.Bad(path, "type, pattern and one_of are for values that a label gives")
	}
	if p.Label != "" {
		i := slices.Index(paramTypeNames(), p.Type)
		switch {
		case i < 0:
			m.Bad(path+".type", "%q is none of %s", p.Type, strings.Join(paramTypeNames(), ", "))
		case !paramTypes[i].closed && p.Pattern.IsZero() && len(p.OneOf) == 0:
			m.Bad(path+".pattern", "required for %s (or one_of): whoever writes alerts chooses the value", p.Type)
		}
	}
	if p.Times == 0 {
		if p.Max != 0 {
			m.Bad(path+".max", "goes with times")
		}
		return
	}
	if name != engine.TargetPartitions {
		m.Bad(path+".times", "is for %s only", engine.TargetPartitions)
	}
	if !(p.Times > 1 && p.Times <= 10) {
		m.Bad(path+".times", "%v is not above 1 and at most 10", p.Times)
	}
	if p.Max < 1 || p.Max > 360 {
		m.Bad(path+".max", "%d is not from 1 to 360", p.Max)
	}
}
