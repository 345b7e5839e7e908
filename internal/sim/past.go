package sim

import (
	"maps"
	"slices"
	"time"
)

// view is what an account had until a change. Reads go on showing it for a
// while, see Options.ReadLag.
type view struct {
	until     time.Duration // since the start of the cloud
	instances []*instance
}

// remember keeps what the account has before it is changed.
func (a *account) remember(now, lag time.Duration) {
	if lag <= 0 {
		return
	}
	a.past = slices.DeleteFunc(slices.Clone(a.past), func(v view) bool { return v.until <= now })
	v := view{until: now + lag}
	for _, in := range a.instances {
		v.instances = append(v.instances, in.clone())
	}
	a.past = append(a.past, v)
}

// asOf returns what a read at that time shows.
func (a *account) asOf(now time.Duration) []*instance {
	for _, v := range a.past {
		if v.until > now {
			return v.instances
		}
	}
	return a.instances
}

// clone copies all that changes in place. Slices and maps of the structs of
// world.go do not: whoever changes one makes a new one.
func (in *instance) clone() *instance {
	old := *in
	old.topics, old.byTopic = nil, make(map[string]*topic)
	for _, t := range in.topics {
		copied := *t
		old.topics = append(old.topics, &copied)
		old.byTopic[t.Name] = &copied
	}
	old.groups, old.byGroup = nil, make(map[string]*group)
	for _, g := range in.groups {
		copied := *g
		copied.subscriptions = nil
		for _, s := range g.subscriptions {
			sub := *s
			sub.topic, sub.bends = old.byTopic[s.Topic], maps.Clone(s.bends)
			copied.subscriptions = append(copied.subscriptions, &sub)
		}
		old.groups = append(old.groups, &copied)
		old.byGroup[g.Name] = &copied
	}
	return &old
}
