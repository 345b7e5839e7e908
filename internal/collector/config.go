package collector

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// AccountConfig is an entry of `accounts`: one Alibaba Cloud account and what
// of it is watched. DefaultAccountConfig gives the values of absent keys.
type AccountConfig struct {
	// Name is the value of the account label. It is unique.
	Name string `yaml:"name"`
	// Credentials are used for reading; the zero value is the provider chain.
	Credentials api.CredentialsConfig `yaml:"credentials"`
	// ActingCredentials are used for what changes something. Nil means that
	// acting on this account is refused.
	ActingCredentials *api.CredentialsConfig `yaml:"acting_credentials"`
	// Regions to watch. Empty means those in which the account has instances.
	Regions []string `yaml:"regions"`
	// DiscoveryRegion is the region whose endpoint is asked which regions
	// those are.
	DiscoveryRegion string `yaml:"discovery_region"`
	// Endpoints are base URLs, by region, in place of the public ones.
	Endpoints map[string]string `yaml:"endpoints"`
	// Instances chooses by id or name.
	Instances Filter `yaml:"instances"`
}

// DefaultAccountConfig returns an account in which only the name is missing.
func DefaultAccountConfig() AccountConfig {
	return AccountConfig{DiscoveryRegion: "cn-hangzhou"}
}

// Config is the `collect` section: what is read, how often, and what of it is
// shown. DefaultConfig gives the values of absent keys.
type Config struct {
	// Sources are the cadences by name of the source; there is an entry for
	// every source.
	Sources map[string]Source `yaml:"sources"`
	// MaxAge is how old the data of an object may become while the rate limit
	// has room for that: twice as old for the oldest offsets of topics whose
	// log ends come with the progress of a group, and at least two intervals,
	// but never more than the TTL.
	MaxAge model.Duration `yaml:"max_age"`
	// Freshness sets targets of single topics and groups; the first rule that
	// fits counts.
	Freshness []FreshnessRule `yaml:"freshness"`
	// FreshnessTag is the key of the tag of an instance, a topic or a group
	// whose value is a target, such as 30s. Empty: tags set no targets.
	FreshnessTag string `yaml:"freshness_tag"`
	// Topics and ConsumerGroups choose by name. What is not chosen is listed,
	// but neither read nor shown.
	Topics         Filter `yaml:"topics"`
	ConsumerGroups Filter `yaml:"consumer_groups"`
	// Tags are the keys of the tags that become labels.
	Tags []string `yaml:"tags"`
	// Granularity says how finely topics and consumer groups are shown: the
	// first rule that matches counts. What none matches is shown by partition.
	Granularity []GranularityRule `yaml:"granularity"`
	// SeriesBudget is how many series an instance may have before partitions
	// that lag little are no longer shown one by one; 0: any number.
	SeriesBudget int `yaml:"series_budget"`
	// Metrics chooses metric families by name.
	Metrics MetricFilter `yaml:"metrics"`
	// OwnerInfo shows which member owns each partition that a group consumes.
	OwnerInfo bool `yaml:"owner_info"`
	// HideLastTimestamp spares the cloud the look-up of the time of the last
	// consumed message. Lag in seconds then comes from history alone.
	HideLastTimestamp bool `yaml:"hide_last_timestamp"`
	// History is how many log ends are remembered, for lag in seconds.
	History HistoryConfig `yaml:"history"`
	// Status is from when on a consumer group counts as ill.
	Status StatusConfig `yaml:"status"`
	// StateInterval is how often what is known is written to the storage.
	StateInterval model.Duration `yaml:"state_interval"`
}

// Source is the cadence of one source.
type Source struct {
	// Interval is the time from one read of an object to the next.
	Interval model.Duration `yaml:"interval"`
	// TTL is how long an object that cannot be read keeps its last values.
	TTL model.Duration `yaml:"ttl"`
}

// FreshnessRule gives topics or groups a target: an interval that is kept before
// those of others.
type FreshnessRule struct {
	Target model.Duration `yaml:"target"`
	// Instances matches the id or name; empty means all.
	Instances Regexp `yaml:"instances"`
	// Topics and ConsumerGroups match the name. A rule that has neither is for
	// all topics and groups of its instances; one that has one of them, for no
	// objects of the other kind.
	Topics         Regexp `yaml:"topics"`
	ConsumerGroups Regexp `yaml:"consumer_groups"`
}

// ttlOf returns how long data of a source are shown that cannot be read again.
func ttlOf(c *Config, source string) time.Duration { return time.Duration(c.Sources[source].TTL) }

// DefaultConfig returns what holds where the configuration says nothing.
func DefaultConfig() Config {
	c := Config{
		Sources: map[string]Source{}, MaxAge: model.Duration(15 * time.Minute), FreshnessTag: "alikafka-exporter/freshness",
		History: defaultHistory(), Status: defaultStatus(), StateInterval: model.Duration(time.Minute),
	}
	for _, s := range sources() {
		c.Sources[s.name] = Source{Interval: model.Duration(s.interval), TTL: model.Duration(s.ttl)}
	}
	return c
}

// Filter chooses by name. The zero value chooses everything.
type Filter struct {
	Include Regexp `yaml:"include"` // empty: everything
	Exclude Regexp `yaml:"exclude"` // wins over Include
}

// Match reports whether something that goes by these names is chosen: Include
// matches one of them, and Exclude none.
func (f Filter) Match(names ...string) bool {
	if f.Exclude.matchAny(names) {
		return false
	}
	return f.Include.allows(names...)
}

// MetricFilter chooses metric families by name. The zero value chooses all.
type MetricFilter struct {
	Allow []Regexp `yaml:"allow"` // empty: every family
	Deny  []Regexp `yaml:"deny"`  // wins over Allow
}

// Match reports whether the family of that name is chosen.
func (f MetricFilter) Match(family string) bool {
	matches := func(r Regexp) bool { return r.Match(family) }
	if slices.ContainsFunc(f.Deny, matches) {
		return false
	}
	return len(f.Allow) == 0 || slices.ContainsFunc(f.Allow, matches)
}

// Regexp is an RE2 expression that matches whole strings, as in Prometheus.
// The zero value matches nothing.
type Regexp struct {
	source string
	re     *regexp.Regexp
}

// NewRegexp compiles an expression; an empty one gives the zero value.
func NewRegexp(expr string) (Regexp, error) {
	var r Regexp
	err := r.UnmarshalText([]byte(expr))
	return r, err
}

// Match reports whether the whole of s matches.
func (r Regexp) Match(s string) bool { return r.re != nil && r.re.MatchString(s) }

func (r Regexp) matchAny(names []string) bool { return slices.ContainsFunc(names, r.Match) }

// allows reports whether one of the names matches, or there is no expression.
func (r Regexp) allows(names ...string) bool { return r.IsZero() || r.matchAny(names) }

// IsZero reports whether there is no expression.
func (r Regexp) IsZero() bool { return r.re == nil }

// String returns the expression as it was written.
func (r Regexp) String() string { return r.source }

// MarshalText implements encoding.TextMarshaler.
func (r Regexp) MarshalText() ([]byte, error) { return []byte(r.source), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Regexp) UnmarshalText(text []byte) error {
	*r = Regexp{}
	if len(text) == 0 {
		return nil
	}
	// Compiled bare first, so that the message shows what the user wrote and
	// so that "a)(b" cannot escape the anchors.
	source := string(text)
	if _, err := regexp.Compile(source); err != nil {
		return err
	}
	re, err := regexp.Compile("^(?s:" + source + ")$")
	if err != nil {
		return err
	}
	*r = Regexp{source: source, re: re}
	return nil
}

var accountName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// Validate reports every mistake at once: *api.FieldError values, joined,
// with their paths below the account. Credentials have a Validate of their
// own.
func (a AccountConfig) Validate() error {
	var m api.Mistakes
	bad := m.Bad
	switch {
	case a.Name == "":
		bad("name", "required")
	case !accountName.MatchString(a.Name):
		bad("name", "%q is not of the form %s", a.Name, accountName)
	}
	if c := a.ActingCredentials; c != nil && *c == (api.CredentialsConfig{}) {
		bad("acting_credentials", "empty: give a key or a provider, or leave the section out to refuse acting")
	}
	seen := map[string]bool{}
	for i, id := range a.Regions {
		path := fmt.Sprintf("regions[%d]", i)
		if seen[id] {
			bad(path, "%q is listed twice", id)
		} else if err := a.checkRegion(id); err != nil {
			bad(path, "%w", err)
		}
		seen[id] = true
	}
	if err := a.checkRegion(a.DiscoveryRegion); err != nil {
		bad("discovery_region", "%w", err)
	}
	for _, id := range slices.Sorted(maps.Keys(a.Endpoints)) {
		if err := api.CheckEndpoint(a.Endpoints[id]); err != nil {
			bad("endpoints."+id, "%w", err)
		}
	}
	return m.Join()
}

// checkRegion accepts documented regions and those that have an endpoint in
// the configuration.
func (a AccountConfig) checkRegion(id string) error {
	if _, ok := a.Endpoints[id]; ok {
		return nil
	}
	ids := make([]string, 0, len(api.Regions()))
	for _, r := range api.Regions() {
		if r.ID == id {
			return nil
		}
		ids = append(ids, r.ID)
	}
	return fmt.Errorf("unknown region %q: it has no documented endpoint and none in endpoints%s", id, api.DidYouMean(id, ids))
}

// The bounds of cadences: faster than the limits of the cloud allow, slower
// than anybody can mean.
const (
	minInterval = time.Second
	maxTTL      = 7 * 24 * time.Hour
)

func isCadence(d model.Duration) bool {
	return time.Duration(d) >= minInterval && time.Duration(d) <= maxTTL
}

// checkCadence reports what is out of these bounds.
func checkCadence(bad func(path, format string, args ...any), path string, d model.Duration) (ok bool) {
	if ok = isCadence(d); !ok {
		bad(path, "%s is not between %s and %s", d, model.Duration(minInterval), model.Duration(maxTTL))
	}
	return ok
}

var tagKey = regexp.MustCompile(`^\S{1,128}$`)

// Validate reports every mistake at once: *api.FieldError values, joined,
// with their paths below `collect`.
func (c Config) Validate() error {
	var m api.Mistakes
	bad := m.Bad
	known := DefaultConfig().Sources
	names := slices.Sorted(maps.Keys(known))
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		path := "sources." + name
		if _, ok := known[name]; !ok {
			bad(path, "unknown source, none of %s%s", strings.Join(names, ", "), api.DidYouMean(name, names))
			continue
		}
		s := c.Sources[name]
		checkCadence(bad, path+".interval", s.Interval)
		switch {
		case time.Duration(s.TTL) > maxTTL:
			bad(path+".ttl", "%s is more than %s", s.TTL, model.Duration(maxTTL))
		case s.TTL < s.Interval:
			bad(path+".ttl", "%s is less than the interval, %s: values would vanish between reads", s.TTL, s.Interval)
		}
	}
	c.validateFreshness(bad)
	checkGranularity(c.Granularity, bad)
	if c.SeriesBudget < 0 {
		bad("series_budget", "%d is negative; 0 is no budget", c.SeriesBudget)
	}
	seen := map[string]string{} // key by label
	for i, key := range c.Tags {
		path := fmt.Sprintf("tags[%d]", i)
		switch {
		case !tagKey.MatchString(key):
			bad(path, "%q is not a tag key: 1 to 128 characters without spaces", key)
		case seen[TagLabel(key)] == key:
			bad(path, "%q is listed twice", key)
		case seen[TagLabel(key)] != "":
			bad(path, "%q becomes the label %s, as %q does", key, TagLabel(key), seen[TagLabel(key)])
		}
		seen[TagLabel(key)] = key
	}
	if d := time.Duration(c.StateInterval); d < minInterval || d > time.Hour {
		bad("state_interval", "%s is not between 1s and 1h", c.StateInterval)
	}
	c.History.validate(bad)
	c.Status.validate(bad)
	return m.Join()
}

func (c Config) validateFreshness(bad func(path, format string, args ...any)) {
	known := checkCadence(bad, "max_age", c.MaxAge)
	for i, r := range c.Freshness {
		path := fmt.Sprintf("freshness[%d]", i)
		if checkCadence(bad, path+".target", r.Target) && known && r.Target > c.MaxAge {
			bad(path+".target", "%s is more than max_age, %s", r.Target, c.MaxAge)
		}
		if r.Instances.IsZero() && r.Topics.IsZero() && r.ConsumerGroups.IsZero() {
			bad(path, "names neither instances, topics nor consumer_groups: for everything use sources.*.interval")
		}
	}
	if c.FreshnessTag != "" && !tagKey.MatchString(c.FreshnessTag) {
		bad("freshness_tag", "%q is not a tag key: 1 to 128 characters without spaces", c.FreshnessTag)
	}
}
