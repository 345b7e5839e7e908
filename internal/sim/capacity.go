package sim

import (
	"fmt"
	"slices"
	"time"
)

// A group whose members have a MemberRate falls behind when more is produced
// than they can consume. A partition is consumed by one member, whose rate is
// shared by all that it owns: more members than partitions are idle, and only
// more partitions help.

// pace is how fast a group can consume the partitions of a topic from a time
// on, until the next pace.
type pace struct {
	from time.Duration
	sum  []float64 // messages that it could have consumed up to from, by partition
	rate []float64 // messages a second
}

// capacity returns how many messages of a partition the group could have
// consumed up to a time.
func (s *subscription) capacity(p int, at time.Duration) float64 {
	for i := len(s.paces) - 1; i >= 0; i-- {
		if now := &s.paces[i]; now.from <= at {
			if p >= len(now.sum) {
				return 0
			}
			return now.sum[p] + now.rate[p]*(at-now.from).Seconds()
		}
	}
	return 0
}

// repace notes that members or partitions have changed.
func (g *group) repace(now time.Duration) {
	if g.MemberRate == 0 {
		return
	}
	rates := g.rates(now)
	for i, s := range g.subscriptions {
		next := pace{from: now, rate: rates[i]}
		for p := range rates[i] {
			next.sum = append(next.sum, s.capacity(p, now))
		}
		s.paces = append(slices.Clip(s.paces), next)
	}
}

// rates returns how fast each partition of each subscription is consumed when
// there is enough to consume.
func (g *group) rates(now time.Duration) [][]float64 {
	online, n := g.online(now), 0
	owned := make([]int, len(online)) // partitions, by member
	rates := make([][]float64, len(g.subscriptions))
	each := func(f func(s, p, member int)) {
		n = 0
		for i, s := range g.subscriptions {
			for p := range s.topic.Partitions {
				if len(online) > 0 && s.Left == 0 {
					f(i, p, n%len(online))
				}
				n++
			}
		}
	}
	each(func(_, _, member int) { owned[member]++ })
	for i, s := range g.subscriptions {
		rates[i] = make([]float64, s.topic.Partitions)
	}
	each(func(s, p, member int) { rates[s][p] = g.MemberRate / float64(owned[member]) })
	return rates
}

// reached returns the production time up to which the group's capacity
// sufficed. What was consumed is least over all moments of what was produced
// by then plus what could be consumed since; production and capacity are
// linear between the moments at which one of them changed, so that it is
// enough to look at those.
func (s *subscription) reached(p int, at time.Duration) time.Duration {
	t := s.topic
	can := s.capacity(p, at)
	least := t.filled(p, at)
	look := func(moment time.Duration) {
		if moment <= at && moment >= s.paces[0].from {
			least = min(least, t.filled(p, moment)+can-s.capacity(p, moment))
		}
	}
	for i := range s.paces {
		look(s.paces[i].from)
	}
	for i := range t.eras {
		look(t.eras[i].from)
	}
	for _, g := range t.gaps {
		look(g.From)
		look(g.To)
	}
	switch offset := int64(least); {
	case at < s.paces[0].from, offset >= t.produced(p, at):
		return at
	case offset < 1:
		return t.begin(p)
	default:
		return t.producedAt(p, offset-1)
	}
}

// filled is produced with its fraction.
func (t *topic) filled(p int, at time.Duration) float64 {
	e := t.eraOf(p, at)
	if e == nil {
		return 0
	}
	return e.base[p] + e.weight[p]*(t.total(at)-e.sum)
}

// begin returns when a partition came to be.
func (t *topic) begin(p int) time.Duration {
	i := slices.IndexFunc(t.eras, func(e era) bool { return p < len(e.base) })
	return t.eras[max(0, i)].from
}

// bounded checks a group whose members have a rate.
func (g *group) bounded() error {
	if g.MemberRate < 0 || len(g.Scene.Knots)+len(g.Scene.Absent) > 0 {
		return fmt.Errorf("consumer group %s: a rate of members is not negative and goes with no scene", g.Name)
	}
	for _, s := range g.subscriptions {
		if s.topic.Shape != Steady {
			return fmt.Errorf("consumer group %s: members with a rate read steady topics only, not %s", g.Name, s.Topic)
		}
	}
	return nil
}
