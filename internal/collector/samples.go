package collector

import "time"

// GroupSample is what a poll of a group said, over all topics and partitions
// of which both offsets are known. Samples are kept for people who look; no
// rule rests on them, and they do not outlive the process.
type GroupSample struct {
	At         time.Time `json:"at"`
	Committed  int64     `json:"committed_offsets"` // their sum
	Newest     int64     `json:"newest_offsets"`    // their sum
	Lag        int64     `json:"lag_messages"`
	LagSeconds float64   `json:"lag_seconds"`
	Partitions int       `json:"partitions"` // that are in the sums
}

// mostGroupSamples is how many polls of a group are kept.
const mostGroupSamples = 48

// sampleTotals appends the totals of g to the samples of the polls before. A
// poll without any committed offset has none.
func (g *GroupProgress) sampleTotals(prev *GroupProgress, at time.Time) {
	s := GroupSample{At: at.UTC()}
	for i := range g.Topics {
		for j := range g.Topics[i].Partitions {
			p := &g.Topics[i].Partitions[j]
			if !p.measured() {
				continue
			}
			s.Partitions++
			s.Committed += p.Committed
			s.Newest += p.Newest
			s.Lag += p.Lag()
			s.LagSeconds = max(s.LagSeconds, p.Seconds)
		}
	}
	kept := prev.Samples
	if s.Partitions == 0 {
		g.Samples = kept
		return
	}
	if n := len(kept); n >= mostGroupSamples {
		kept = kept[n-mostGroupSamples+1:]
	}
	g.Samples = append(append(make([]GroupSample, 0, len(kept)+1), kept...), s)
}
