package collector

import "time"

// Status is what the landing page shows.
type Status struct {
	At      time.Time
	Regions []*Region
	Sources []SourceState
	Plan    []PlanRow
}

// Status returns the state of regions and sources now.
func (c *Collector) Status() Status {
	s := &Snapshot{At: time.Now()}
	for _, a := range c.accounts {
		a.liveSnapshot(s)
	}
	return Status{At: s.At, Regions: s.Regions, Sources: s.Sources, Plan: s.Plan}
}
