package collector

import (
	"math"
	"time"
)

// Subject is an instance or a consumer group with what its metrics say now, so
// that pages and metrics cannot disagree.
type Subject struct {
	Account, RegionID, InstanceID string
	Group                         string             // "" for an instance
	Values                        map[string]float64 // by name of the family; families with labels of their own are left out
	Status                        string             // the value of the label status that is in force; "" where none is told
}

// Instances returns all instances, in the order of the metrics.
func (c *Collector) Instances() []Subject { return c.subjects(rows(instanceEntity), "") }

// ConsumerGroups returns the groups of an instance; those of all instances
// when instanceID is empty.
func (c *Collector) ConsumerGroups(instanceID string) []Subject {
	return c.subjects(rows(groupEntity), instanceID)
}

func (c *Collector) subjects(families []anyFamily, instanceID string) []Subject {
	type identity struct{ account, region, instance, group string }
	var all []Subject
	index := map[identity]int{}
	now := c.Snapshot()
	for _, f := range families {
		about := f.family()
		isStatus := about.Labels[len(about.Labels)-1] == "status"
		var v *view
		v = newView(now, c.config, instanceID, func(value float64, labels []string) {
			id := identity{account: labels[0], region: labels[1], instance: labels[2]}
			if v.entity > 3 {
				id.group = labels[3]
			}
			i, known := index[id]
			if !known {
				i = len(all)
				index[id] = i
				all = append(all, Subject{Account: id.account, RegionID: id.region, InstanceID: id.instance, Group: id.group, Values: map[string]float64{}})
			}
			switch own := labels[v.entity:]; {
			case len(own) == 0:
				all[i].Values[about.Name] = value
			case isStatus && value == 1:
				all[i].Status = own[0]
			}
		})
		f.samples(v)
	}
	return all
}

// Time returns a value that is a time; zero where it is not known.
func (s Subject) Time(family string) time.Time {
	v, ok := s.Values[family]
	if !ok {
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(v * 1000)))
}
