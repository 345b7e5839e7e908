package collector

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// Level is how finely topics and consumer groups are shown. The zero Level is
// none.
type Level uint8

// The levels, from the finest.
const (
	LevelPartition Level = 1 + iota // everything
	LevelTopic                      // no series by partition
	LevelGroup                      // nor by topic of a consumer group
)

// levelNames are what levels are in the configuration.
var levelNames = []string{LevelPartition: "partition", LevelTopic: "topic", LevelGroup: "group"}

// String returns the level's name; "" for none.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return ""
}

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(text []byte) error {
	name, names := string(text), levelNames[LevelPartition:]
	i := slices.Index(names, name)
	if i < 0 {
		return fmt.Errorf("unknown level %q, none of %s%s", name, strings.Join(names, ", "), api.DidYouMean(name, names))
	}
	*l = LevelPartition + Level(i)
	return nil
}

// GranularityRule says how finely what it matches is shown. An expression that
// is absent matches everything.
type GranularityRule struct {
	Instances Regexp `yaml:"instances"` // id or name
	Topics    Regexp `yaml:"topics"`
	// ConsumerGroups makes a rule about consumer groups alone: series of a
	// topic itself are of no group.
	ConsumerGroups Regexp `yaml:"consumer_groups"`
	Level          Level  `yaml:"level"`
}

// checkGranularity reports what is wrong in rules.
func checkGranularity(rules []GranularityRule, bad func(path, format string, args ...any)) {
	for i, r := range rules {
		path := fmt.Sprintf("granularity[%d]", i)
		if r.Level == 0 {
			bad(path+".level", "required: %s", strings.Join(levelNames[LevelPartition:], ", "))
		}
		if i < len(rules)-1 && r.Instances.IsZero() && r.Topics.IsZero() && r.ConsumerGroups.IsZero() {
			bad(path, "matches everything: the rules after it have no effect")
		}
	}
}

// detail is how finely an instance is shown. It is immutable; nil is
// everything.
type detail struct {
	rules []GranularityRule // those of the configuration that may match, in order
	// kept are the partitions that the series budget keeps, and their ranks;
	// nil: there is no budget.
	kept       map[unit]float64
	suppressed [len(suppressionNames)]int // series that are not shown, by reason
}

// suppression is why series are not shown.
type suppression int

const (
	byGranularity suppression = iota
	byBudget
)

// suppressionNames are the values of the reason label.
var suppressionNames = [...]string{byGranularity: "granularity", byBudget: "budget"}

// newDetail returns how i is shown by a configuration; old is how it was
// shown, whose choice of partitions is a start.
func newDetail(c *Config, i *Instance, old *detail) *detail {
	if len(c.Granularity) == 0 && c.SeriesBudget == 0 {
		return nil
	}
	d := &detail{}
	for _, r := range c.Granularity {
		if r.Instances.allows(i.ID, i.Info.Data.Name) {
			d.rules = append(d.rules, r)
		}
	}
	if c.SeriesBudget > 0 {
		d.kept = map[unit]float64{} // until it is decided
		if old != nil && old.kept != nil {
			d.kept = old.kept
		}
	}
	return d
}

// level returns that of a group's progress on a topic, or of the topic itself
// when group is empty.
func (d *detail) level(group, topic string) Level {
	for i := range d.rules {
		r := &d.rules[i]
		if r.Topics.allows(topic) && (r.ConsumerGroups.IsZero() || group != "" && r.ConsumerGroups.Match(group)) {
			return r.Level
		}
	}
	return LevelPartition
}

// gate is what a view shows.
type gate uint8

const (
	gateShown   gate = iota // what the page shows
	gateAllowed             // what rules allow, whatever the budget says
	gateHidden              // what rules hide
)

// scope is what a view shows of a topic, or of a group's progress on one.
type scope struct {
	gate  gate
	level Level
	kept  map[unit]float64
	unit  unit // but for the partition
}

// scope returns that of a group's progress on a topic, or of the topic itself
// when group is empty.
func (v *view) scope(i *Instance, group, topic string) scope {
	if i.detail == nil {
		return scope{gate: v.gate, level: LevelPartition}
	}
	return scope{v.gate, i.detail.level(group, topic), i.detail.kept, unit{group, topic, 0}}
}

// topic reports whether series by topic are shown.
func (s *scope) topic() bool { return (s.level == LevelGroup) == (s.gate == gateHidden) }

// partition reports whether series of a partition are shown.
func (s *scope) partition(n int32) bool {
	if (s.level != LevelPartition) != (s.gate == gateHidden) {
		return false
	}
	if s.kept == nil || s.gate != gateShown {
		return true
	}
	s.unit.partition = n
	_, ok := s.kept[s.unit]
	return ok
}
