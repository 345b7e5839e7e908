package collector

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// The series budget: what series by partition an instance may have besides
// those by instance, topic and group, which are always shown. The partitions
// that lag most are kept, and they stay: a partition gives way only to one
// that lags clearly more than it has lately.

// unit is what is kept or not: a partition of a topic, or what a group has
// consumed of it. group is empty for the former.
type unit struct {
	group, topic string
	partition    int32
}

func (u unit) compare(w unit) int {
	return cmp.Or(cmp.Compare(u.group, w.group), cmp.Compare(u.topic, w.topic), cmp.Compare(u.partition, w.partition))
}

// candidate is a unit that may be kept.
type candidate struct {
	unit
	lag    int64 // of a topic's partition: the most that a group has there
	series int
}

// The hysteresis of the choice.
const (
	// rankHalfLife is how long half of a lag that has been is remembered.
	rankHalfLife = 10 * time.Minute
	// outdo is how many times the rank of a kept partition another one has to
	// lag to take its place.
	outdo = 2
	// slackShare of the budget is not given to newcomers once something was
	// suppressed, lest one comes and goes with every topic that does.
	slackShare = 1. / 32
)

// choose returns the candidates that fit into room, and how many series do not.
// kept are those of the last choice with their ranks, which fade by the factor
// fade; full says that not all fitted then.
func choose(all []candidate, room int, kept map[unit]float64, fade float64, full bool) (next map[unit]float64, left int) {
	type ranked struct {
		*candidate
		rank   float64
		score  float64
		inside bool
	}
	slack, total := 0, 0
	if full {
		slack = int(math.Ceil(float64(max(room, 0)) * slackShare))
	}
	order := make([]ranked, len(all))
	for i := range all {
		total += all[i].series
		r := ranked{candidate: &all[i], rank: float64(all[i].lag)}
		if old, ok := kept[all[i].unit]; ok {
			r.rank, r.inside = max(r.rank, old*fade), true
		}
		r.score = r.rank
		if r.inside {
			r.score *= outdo
		}
		order[i] = r
	}
	if total > room-slack { // else the order does not matter
		slices.SortFunc(order, func(x, y ranked) int {
			if c := cmp.Compare(y.score, x.score); c != 0 {
				return c
			}
			if x.inside != y.inside {
				return cmp.Compare(boolean(y.inside), boolean(x.inside))
			}
			return x.compare(y.unit)
		})
	}
	next = make(map[unit]float64, min(len(all), max(room, 0)))
	for _, r := range order {
		limit := room
		if !r.inside {
			limit -= slack
		}
		if r.series > limit {
			left += r.series
			continue
		}
		next[r.unit] = r.rank
		room -= r.series
	}
	return next, left
}

// allotEvery is how often it is decided what budgets go to, and so how long a
// new partition may wait.
const allotEvery = 15 * time.Second

// allot decides how the account's instances are shown, when it is time to.
// What changes is marked.
func (a *account) allot() {
	if len(a.config.Granularity) == 0 && a.config.SeriesBudget == 0 {
		return
	}
	now := time.Now()
	type allotment struct {
		region string
		of     *instance
		view   *Instance
		next   *detail
	}
	a.mu.Lock()
	if !a.unallotted && now.Sub(a.allotted) < allotEvery {
		a.mu.Unlock()
		return
	}
	fade := 1.0
	if !a.allotted.IsZero() {
		fade = math.Exp2(-float64(now.Sub(a.allotted)) / float64(rankHalfLife))
	}
	a.unallotted, a.allotted = false, now
	var all []allotment
	for id, r := range a.regions {
		for _, i := range r.instances {
			if i.view.detail == nil {
				i.change(func(v *Instance, _ time.Time) { v.detail = newDetail(&a.config, v, nil) })
				a.markInstance(id, i)
			}
			all = append(all, allotment{region: id, of: i, view: i.publish()})
		}
	}
	a.mu.Unlock()
	for n := range all { // which takes a while
		all[n].next = a.publisher.allot(all[n].view, a.config, now, fade)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range all {
		r := a.regions[x.region]
		if r == nil || r.instances[x.view.ID] != x.of || x.of.view.detail != x.view.detail {
			continue // it was changed meanwhile
		}
		x.of.change(func(v *Instance, _ time.Time) { v.detail = x.next })
		a.markDetail(x.region, x.view, x.next)
	}
}

// markDetail marks what of an instance looks different when it is shown by
// next. Called with a.mu held.
func (a *account) markDetail(region string, i *Instance, next *detail) {
	if i.detail.suppressed != next.suppressed {
		a.mark(region, i.ID, kindInstance, "")
	}
	differ := func(from, to map[unit]float64) {
		for u := range from {
			if _, ok := to[u]; ok {
				continue
			}
			if u.group == "" {
				a.mark(region, i.ID, kindTopic, u.topic)
			} else {
				a.mark(region, i.ID, kindGroup, u.group)
			}
		}
	}
	differ(i.detail.kept, next.kept)
	differ(next.kept, i.detail.kept)
}

// allot decides how an instance is shown, within rules that are decided.
func (p *publisher) allot(i *Instance, c Config, now time.Time, fade float64) *detail {
	next := &detail{rules: i.detail.rules}
	v := newView(&Snapshot{At: now, Instances: []*Instance{i}}, c, "", nil)
	if len(next.rules) > 0 {
		v.gate = gateHidden
		next.suppressed[byGranularity] = p.count(v, func(r pageRow) bool { return r.coarsest() != 0 })
	}
	if c.SeriesBudget > 0 {
		v.gate = gateAllowed
		always := p.count(v, func(r pageRow) bool { return r.coarsest() != LevelPartition })
		next.kept, next.suppressed[byBudget] = choose(p.candidates(v), c.SeriesBudget-always, i.detail.kept, fade, i.detail.suppressed[byBudget] > 0)
	}
	return next
}

// count returns how many series v shows of the families that are wanted.
func (p *publisher) count(v *view, wanted func(pageRow) bool) (n int) {
	v.emit = func(float64, ...string) { n++ }
	for _, rows := range p.rows {
		for _, r := range rows {
			if wanted(r) {
				r.samples(v)
			}
		}
	}
	return n
}

// candidates returns what v shows by partition.
func (p *publisher) candidates(v *view) []candidate {
	var (
		all    []candidate
		n      int
		topics []family[partitionView]
		groups []family[groupPartitionView]
		most   = map[unit]int64{} // of a topic's partition: the most that a group lags
		count  = func(float64, ...string) { n++ }
	)
	for _, rows := range p.rows {
		for _, r := range rows {
			switch f := r.anyFamily.(type) {
			case row[partitionView]:
				topics = append(topics, f.about)
			case row[groupPartitionView]:
				groups = append(groups, f.about)
			}
		}
	}
	groupPartitionEntity.each(v, func(g groupPartitionView) {
		n = 0
		for _, f := range groups {
			f.show(g, count)
		}
		u := unit{v.labels[3], v.labels[4], g.Partition}
		topic := unit{"", u.topic, u.partition}
		most[topic] = max(most[topic], g.Lag())
		if n > 0 {
			all = append(all, candidate{u, g.Lag(), n})
		}
	})
	at := map[unit]int{} // a partition is visited for its newest and for its oldest offset
	partitionEntity.each(v, func(x partitionView) {
		n = 0
		for _, f := range topics {
			f.show(x, count)
		}
		u := unit{"", v.labels[3], x.partition}
		if i, ok := at[u]; ok {
			all[i].series += n
		} else if n > 0 {
			at[u] = len(all)
			all = append(all, candidate{u, most[u], n})
		}
	})
	return all
}
