package engine

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

// Config says how operations are judged and how long is waited for them.
// DefaultConfig gives the values of absent keys.
type Config struct {
	// Quiescence is how long after its signature a request whose outcome is
	// unknown may still take effect: the 15 minutes for which the cloud
	// accepts a signature, and the difference of clocks.
	Quiescence model.Duration `yaml:"quiescence"`
	// ApprovalExpiry is how long a run waits for people.
	ApprovalExpiry model.Duration `yaml:"approval_expiry"`
	// Secrets are files by name; a secret parameter of an action names one.
	// They are read when they are used.
	Secrets map[string]string `yaml:"secrets"`
	Guards  Guards            `yaml:"guards"`
}

// Guards are the limits of what may be done. They hold for everybody.
type Guards struct {
	// Effects that may be had at all. An action outside of them must be in
	// Actions.
	Effects []string `yaml:"effects"`
	// Actions are allowed whatever their effect.
	Actions []string `yaml:"actions"`
	// Deny are actions that are refused, even if Actions has them.
	Deny []string `yaml:"deny"`
	// CoolDown is the least time between two runs of the same action on the
	// same target; Write effects on partitions have their own.
	CoolDown model.Duration `yaml:"cool_down"`
	// HourlyCap and DailyCap bound the runs per account; BillCap those that
	// cost money, per account and day.
	HourlyCap int `yaml:"hourly_cap"`
	DailyCap  int `yaml:"daily_cap"`
	BillCap   int `yaml:"bill_cap"`
	// MaxAge is how old the last poll of a target may be. Offsets, members and
	// subscriptions that prove that nobody uses it may be twice as old.
	MaxAge model.Duration `yaml:"max_age"`

	Partitions Partitions `yaml:"partitions"`
	Whitelist  Whitelist  `yaml:"whitelist"`
	// ConfigKeys are the keys that UpdateInstanceConfig may set.
	ConfigKeys []string `yaml:"config_keys"`
	Delete     Delete   `yaml:"delete"`
	// TagPrefix begins the keys of the tags that a webhook may set or remove.
	TagPrefix string  `yaml:"tag_prefix"`
	Storm     Storm   `yaml:"storm"`
	Breaker   Breaker `yaml:"breaker"`
}

// Partitions guards ModifyPartitionNum, which cannot be undone.
type Partitions struct {
	// MaxFactor bounds one step: the target divided by what is there.
	MaxFactor float64 `yaml:"max_factor"`
	// MaxTotal bounds the partitions of a topic.
	MaxTotal int `yaml:"max_total"`
	// CoolDown is the least time between two steps of a topic.
	CoolDown model.Duration `yaml:"cool_down"`
	// Topics opts topics in by name; Tag does by a tag of the topic whose
	// value is "true".
	Topics collector.Regexp `yaml:"topics"`
	Tag    string           `yaml:"tag"`
}

// Whitelist guards what UpdateAllowedIp adds. The last entry of a port range is
// never deleted, and a whole address family never added.
type Whitelist struct {
	// MinPrefixV4 and MinPrefixV6 are the widest blocks that may be added.
	MinPrefixV4 int `yaml:"min_prefix_v4"`
	MinPrefixV6 int `yaml:"min_prefix_v6"`
	// Allowed are the blocks in which an entry must lie. Empty: people may add
	// any, webhooks none.
	Allowed []string `yaml:"allowed"`
}

// Delete guards the deletion of topics, groups and instances.
type Delete struct {
	// Idle is for how long there must have been no message and no poll.
	Idle model.Duration `yaml:"idle"`
	// Protected names are never deleted.
	Protected collector.Regexp `yaml:"protected"`
}

// Storm stops runbooks while too much is wrong at once: then the alerts, or
// what all targets share, are the trouble.
type Storm struct {
	// Targets is how many different ones webhooks may ask for within Window.
	Targets int            `yaml:"targets"`
	Window  model.Duration `yaml:"window"`
}

// Breaker opens on so many failures within Window, and on any run that needs a
// human. Only a person with that privilege closes it.
type Breaker struct {
	Failures int            `yaml:"failures"`
	Window   model.Duration `yaml:"window"`
}

// DefaultConfig returns what holds where the configuration says nothing.
func DefaultConfig() Config {
	protected, err := collector.NewRegexp("__.*")
	if err != nil {
		panic(err) // it is a constant
	}
	return Config{
		Quiescence:     model.Duration(16 * time.Minute),
		ApprovalExpiry: model.Duration(30 * time.Minute),
		Guards: Guards{
			Effects:    []string{"Write", "Disrupt", "Secure", "Destroy"},
			CoolDown:   model.Duration(5 * time.Minute),
			HourlyCap:  20,
			DailyCap:   100,
			BillCap:    1,
			MaxAge:     model.Duration(15 * time.Minute),
			Partitions: Partitions{MaxFactor: 2, MaxTotal: 360, CoolDown: model.Duration(24 * time.Hour), Tag: "alikafka-exporter-scale"},
			Whitelist:  Whitelist{MinPrefixV4: 24, MinPrefixV6: 64},
			ConfigKeys: []string{"kafka.log.retention.hours", "kafka.message.max.bytes"},
			Delete:     Delete{Idle: model.Duration(7 * 24 * time.Hour), Protected: protected},
			TagPrefix:  "alikafka-exporter",
			Storm:      Storm{Targets: 5, Window: model.Duration(10 * time.Minute)},
			Breaker:    Breaker{Failures: 2, Window: model.Duration(time.Hour)},
		},
	}
}

// minQuiescence is for how long the cloud accepts a signature.
const minQuiescence = 15 * time.Minute

// positive accepts durations above zero.
func positive(m *api.Mistakes, path string, d model.Duration) {
	if d <= 0 {
		m.Bad(path, "must be above 0")
	}
}

// Validate reports every mistake at once: *api.FieldError values, joined, with
// their paths below the section.
func (c Config) Validate() error {
	var m api.Mistakes
	if time.Duration(c.Quiescence) <= minQuiescence {
		m.Bad("quiescence", "%s is not above %s, for which the cloud accepts a signature", c.Quiescence, model.Duration(minQuiescence))
	}
	positive(&m, "approval_expiry", c.ApprovalExpiry)
	for _, name := range slices.Sorted(maps.Keys(c.Secrets)) {
		if c.Secrets[name] == "" {
			m.Bad("secrets."+name, "is not a path")
		}
	}
	c.Guards.validate(&m)
	return m.Join()
}

func (g Guards) validate(m *api.Mistakes) {
	effects := []string{"Write", "Disrupt", "Secure", "Destroy", "Bill"}
	for i, e := range g.Effects {
		if !slices.Contains(effects, e) {
			m.Bad(fmt.Sprintf("guards.effects[%d]", i), "%q is none of %v", e, effects)
		}
	}
	for list, names := range map[string][]string{"actions": g.Actions, "deny": g.Deny} {
		for i, name := range names {
			if a, ok := api.Lookup(name); !ok || a.Effect == api.Read {
				m.Bad(fmt.Sprintf("guards.%s[%d]", list, i), "%q is no action that changes something%s", name, api.DidYouMean(name, actionNames()))
			}
		}
	}
	positive(m, "guards.max_age", g.MaxAge)
	for path, n := range map[string]int{"guards.hourly_cap": g.HourlyCap, "guards.daily_cap": g.DailyCap, "guards.storm.targets": g.Storm.Targets, "guards.breaker.failures": g.Breaker.Failures} {
		if n < 1 {
			m.Bad(path, "%d is not above 0; the kill switch stops everything", n)
		}
	}
	if g.BillCap < 0 {
		m.Bad("guards.bill_cap", "%d is below 0", g.BillCap)
	}
	positive(m, "guards.storm.window", g.Storm.Window)
	positive(m, "guards.breaker.window", g.Breaker.Window)
	positive(m, "guards.delete.idle", g.Delete.Idle)
	g.Partitions.validate(m)
	g.Whitelist.validate(m)
}

func (p Partitions) validate(m *api.Mistakes) {
	if !(p.MaxFactor > 1 && p.MaxFactor <= 360) {
		m.Bad("guards.partitions.max_factor", "%v is not above 1 and at most 360", p.MaxFactor)
	}
	if p.MaxTotal < 1 || p.MaxTotal > 360 {
		m.Bad("guards.partitions.max_total", "%d is not from 1 to 360", p.MaxTotal)
	}
}

func (w Whitelist) validate(m *api.Mistakes) {
	if w.MinPrefixV4 < 1 || w.MinPrefixV4 > 32 {
		m.Bad("guards.whitelist.min_prefix_v4", "%d is not from 1 to 32", w.MinPrefixV4)
	}
	if w.MinPrefixV6 < 1 || w.MinPrefixV6 > 128 {
		m.Bad("guards.whitelist.min_prefix_v6", "%d is not from 1 to 128", w.MinPrefixV6)
	}
	for i, block := range w.Allowed {
		p, err := netip.ParsePrefix(block)
		switch path := fmt.Sprintf("guards.whitelist.allowed[%d]", i); {
		case err != nil:
			m.Bad(path, "%q is not a CIDR block", block)
		case p != p.Masked():
			m.Bad(path, "%s has bits behind the prefix: %s", block, p.Masked())
		}
	}
}

func actionNames() []string {
	var names []string
	for _, a := range api.Actions() {
		if a.Effect != api.Read {
			names = append(names, a.Name)
		}
	}
	return names
}

// ResolvePaths makes the paths in the section relative to dir.
func (c Config) ResolvePaths(dir string) {
	for name, path := range c.Secrets {
		if path != "" && !filepath.IsAbs(path) {
			c.Secrets[name] = filepath.Join(dir, path)
		}
	}
}
