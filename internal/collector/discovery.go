package collector

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// metaPrefix is what the labels of discovered targets begin with.
const metaPrefix = "__meta_alikafka_"

// Discovered is an instance as Prometheus' service discovery sees it: its
// __meta_alikafka_… labels.
type Discovered map[string]string

// discoveryLabels are the labels that every instance has, in one table with
// what they mean; tags add their own.
var discoveryLabels = []struct {
	name, meaning string
	value         func(*Instance, time.Time, Config) string
}{
	{"account", "the account's name in the configuration", func(i *Instance, _ time.Time, _ Config) string { return i.Account }},
	{"region_id", "such as `cn-hangzhou`", func(i *Instance, _ time.Time, _ Config) string { return i.RegionID }},
	{"instance_id", "what `__param_instance_id` has to be", func(i *Instance, _ time.Time, _ Config) string { return i.ID }},
	{"instance_name", "the name that it has in the console", func(i *Instance, _ time.Time, _ Config) string { return i.Info.Data.Name }},
	{"status", "as in `alikafka_instance_status`; `unknown` while its region cannot be listed", func(i *Instance, at time.Time, c Config) string {
		if !i.Info.fresh(at, ttlOf(&c, sourceInstances)) {
			return orUnknown("")
		}
		return statusName(i.Info.Data.Instance)
	}},
	{"version", "of Kafka, as the cloud writes it", func(i *Instance, _ time.Time, _ Config) string { return i.Info.Data.Upgrade.Version }},
}

// Discover returns the instances that are watched, sorted by account, region
// and id. An id is there once, for the first account that has it.
func (c *Collector) Discover() []Discovered {
	now, seen := time.Now(), map[string]bool{}
	found := []Discovered{}
	for _, a := range c.accounts {
		for _, i := range a.descriptions() {
			if !seen[i.ID] {
				seen[i.ID] = true
				found = append(found, discovered(i, now, c.config))
			}
		}
	}
	slices.SortStableFunc(found, func(x, y Discovered) int {
		return cmp.Or(
			cmp.Compare(x[metaPrefix+"account"], y[metaPrefix+"account"]), cmp.Compare(x[metaPrefix+"region_id"], y[metaPrefix+"region_id"]),
			cmp.Compare(x[metaPrefix+"instance_id"], y[metaPrefix+"instance_id"]),
		)
	})
	return found
}

// descriptions returns the account's instances; their topics and groups may be
// behind.
func (a *account) descriptions() []*Instance {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*Instance
	for _, region := range sortedKeys(a.regions) {
		for _, id := range sortedKeys(a.regions[region].instances) {
			all = append(all, a.regions[region].instances[id].view)
		}
	}
	return all
}

func discovered(i *Instance, now time.Time, c Config) Discovered {
	d := Discovered{}
	for _, l := range discoveryLabels {
		d[metaPrefix+l.name] = l.value(i, now, c)
	}
	tags := map[string]string{}
	for _, t := range i.Info.Data.Tags {
		tags[t.Key] = t.Value
	}
	// Of keys that become the same label the last in order wins, always.
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		name := labelChar.ReplaceAllString(key, "_")
		d[metaPrefix+"tag_"+name] = tags[key]
		d[metaPrefix+"tagpresent_"+name] = "true"
	}
	return d
}
