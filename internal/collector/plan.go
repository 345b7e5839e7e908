package collector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// PlanRow is what reading the objects of a source takes, and how fresh that
// makes them, by the same reckoning that the schedule goes by.
type PlanRow struct {
	Account string // "" for an inventory that was only supposed
	Source  string
	Action  string
	Objects int

	Rate     float64 // calls per second that the limit leaves to polling
	Required float64 // calls per second that every target would take
	Least    float64 // calls per second that the maximum ages take
	Used     float64 // calls per second that the schedule makes

	Target time.Duration // the shortest wished for
	MaxAge time.Duration // the longest allowed
	TTL    time.Duration // how long data are shown that cannot be read again
	Cycle  time.Duration // in which as many reads are made as there are objects
	Active time.Duration // from one read of an object in which something moves to the next
	Age    time.Duration // of the data, mean over objects and time
	Worst  time.Duration // age of any object when it is read again, but for seconds of waiting for a slot

	TargetsMet bool // the limit leaves room for all targets
	MaxAgeHeld bool // no object need grow older than its maximum age
}

// Advice says what would meet what the plan misses, as settings of which each
// alone is enough; nothing when all targets are met.
func (r *PlanRow) Advice(limits api.RateLimits) []string {
	if r.TargetsMet || r.Rate <= 0 {
		return nil
	}
	more := r.Required / r.Rate
	advice := []string{fmt.Sprintf("collect.sources.%s.interval: %s", r.Source, ceilDuration(time.Duration(float64(r.Target)*more)))}
	if !r.MaxAgeHeld {
		more = r.Least / r.Rate
		enough := ceilDuration(time.Duration(float64(r.MaxAge) * more))
		advice = []string{fmt.Sprintf("collect.max_age: %s", enough)}
		if time.Duration(enough) > r.TTL {
			advice[0] += fmt.Sprintf(" with collect.sources.%s.ttl: %s (else values vanish between reads)", r.Source, enough)
		}
	}
	advice = append(advice, fmt.Sprintf("rate_limits.actions.%s: %.3g (if the cloud grants it)", r.Action, limits.Limit(r.Action)*more))
	if share := limits.Share * more; share <= 1 {
		advice = append(advice, fmt.Sprintf("rate_limits.share: %.2g (if nothing else calls)", share))
	}
	if filter := map[string]string{sourceTopicStatus: "collect.topics", sourceProgress: "collect.consumer_groups"}[r.Source]; filter != "" {
		advice = append(advice, fmt.Sprintf("%s: a filter that leaves %d", filter, int(float64(r.Objects)/more)))
	}
	return advice
}

// ceilDuration rounds up to what one would write.
func ceilDuration(d time.Duration) model.Duration {
	unit := time.Second
	if d > 5*time.Minute {
		unit = time.Minute
	}
	return model.Duration((d + unit - 1).Truncate(unit))
}

// enough forgives rounding.
const enough = 1 + 1e-9

// newPlanRow reckons for the needs of a queue.
func newPlanRow(source *source, c *Config, objects int, needs map[need]float64, rate float64) PlanRow {
	r := PlanRow{Source: source.name, Action: source.action, Objects: objects, Rate: rate, TTL: ttlOf(c, source.name)}
	spread := allocate(needs, rate, 0)
	var reads, calls, ages float64
	for _, n := range sortedNeeds(needs) {
		c := needs[n]
		interval := spread.interval(n)
		r.Required += c / n.target.Seconds()
		r.Least += c / n.limit().Seconds()
		reads += c / interval.Seconds()
		calls += c
		ages += c * interval.Seconds() / 2
		if r.Target == 0 || n.target < r.Target {
			r.Target = n.target
		}
		r.MaxAge, r.Worst = max(r.MaxAge, n.maxAge), max(r.Worst, interval, n.target+n.target/10) // jitter
		if n.urgency >= urgencyActive {
			r.Active = max(r.Active, interval)
		}
	}
	r.TargetsMet, r.MaxAgeHeld = r.Required <= rate*enough, r.Least <= rate*enough
	if calls > 0 {
		r.Used = min(reads, rate)
		r.Cycle = time.Duration(calls / reads * float64(time.Second))
		r.Age = time.Duration(ages / calls * float64(time.Second))
	}
	return r
}

// Supposed is what is taken for granted of objects that were not read yet.
type Supposed struct {
	// Active is the part of topics and groups in which something moves.
	Active float64
	// Consumed is the part of topics whose log ends come with the progress of a
	// group.
	Consumed float64
}

// DefaultSupposed returns what is supposed where nothing better is known.
func DefaultSupposed() Supposed { return Supposed{Active: 0.1, Consumed: 0.5} }

// share spreads calls of objects that were not read yet over needs.
func (s Supposed) share(needs map[need]float64, c *Config, source string, calls float64) {
	if !learns(source) {
		needs[needOf(c, source, false, urgencyActive)] += calls
		return
	}
	parts := map[bool]float64{false: calls}
	if source == sourceTopicStatus {
		parts = map[bool]float64{true: calls * s.Consumed, false: calls * (1 - s.Consumed)}
	}
	for consumed, n := range parts {
		for u, n := range map[urgency]float64{urgencyActive: n * s.Active, urgencyIdle: n * (1 - s.Active)} {
			if n > 0 {
				needs[needOf(c, source, consumed, u)] += n
			}
		}
	}
}

// Inventory counts what there is to watch.
type Inventory struct{ Regions, Instances, Topics, ConsumerGroups int }

// PlanFor reckons for an inventory of which nothing but its size is known.
func PlanFor(i Inventory, s Supposed, c Config, limits api.RateLimits) []PlanRow {
	perInstance := func(objects int) float64 {
		if i.Instances == 0 {
			return 0
		}
		return float64(i.Instances) * api.ListCalls((objects+i.Instances-1)/i.Instances)
	}
	type count struct {
		objects int
		calls   float64
	}
	counts := map[string]count{
		sourceRegions:     {1, 1},
		sourceInstances:   {i.Regions, float64(i.Regions)},
		sourceQuota:       {i.Instances, float64(i.Instances)},
		sourceAllowedIPs:  {i.Instances, float64(i.Instances)},
		sourceTopics:      {i.Instances, perInstance(i.Topics)},
		sourceTopicStatus: {i.Topics, float64(i.Topics)},
		sourceGroups:      {i.Instances, perInstance(i.ConsumerGroups)},
		sourceProgress:    {i.ConsumerGroups, float64(i.ConsumerGroups)},
	}
	rows := make([]PlanRow, 0, len(counts))
	for _, src := range sources() {
		n := counts[src.name]
		if n.objects == 0 {
			continue
		}
		needs := map[need]float64{}
		s.share(needs, &c, src.name, n.calls)
		rate := limits.PollRate(src.action)
		if limits.Scope == "region" && src.name != sourceRegions {
			rate *= float64(max(1, i.Regions))
		}
		rows = append(rows, newPlanRow(src, &c, n.objects, needs, rate))
	}
	return rows
}

// Plan reckons for what is known now, with the rates that the cloud lets
// through now.
func (c *Collector) Plan(s Supposed) []PlanRow {
	var rows []PlanRow
	for _, a := range c.accounts {
		rows = append(rows, a.planRows(s)...)
	}
	return rows
}

// planRows returns a row for each source, sorted as the table of sources is.
func (a *account) planRows(s Supposed) []PlanRow {
	a.mu.Lock()
	defer a.mu.Unlock()
	objects, unread := map[*queue]int{}, map[*queue][]*object{}
	for o := range a.objects {
		q := a.queue(o.source, o.region)
		objects[q]++
		if o.counted == 0 {
			unread[q] = append(unread[q], o)
		}
	}
	bySource := map[string]*PlanRow{}
	// In an order, so that sums come out the same to the last bit each time.
	for _, q := range slices.SortedFunc(maps.Keys(objects), func(x, y *queue) int { return cmp.Compare(x.bucket, y.bucket) }) {
		needs := maps.Clone(q.needs)
		for _, o := range unread[q] {
			if n := a.need(o); n.urgency == urgencyWanted {
				needs[n] += o.cost()
			} else {
				s.share(needs, &a.config, o.source.name, o.cost())
			}
		}
		row := newPlanRow(q.source, &a.config, objects[q], needs, q.rate)
		row.Account = a.Name
		if sum := bySource[row.Source]; sum != nil {
			sum.add(&row)
		} else {
			bySource[row.Source] = &row
		}
	}
	rows := make([]PlanRow, 0, len(bySource))
	for _, src := range sources() {
		if row := bySource[src.name]; row != nil {
			rows = append(rows, *row)
		}
	}
	return rows
}

// add adds the row of another bucket of the same source.
func (r *PlanRow) add(o *PlanRow) {
	all := float64(max(1, r.Objects+o.Objects))
	r.Age = time.Duration((float64(r.Age)*float64(r.Objects) + float64(o.Age)*float64(o.Objects)) / all)
	r.Objects += o.Objects
	r.Rate, r.Required, r.Least, r.Used = r.Rate+o.Rate, r.Required+o.Required, r.Least+o.Least, r.Used+o.Used
	r.TargetsMet, r.MaxAgeHeld = r.TargetsMet && o.TargetsMet, r.MaxAgeHeld && o.MaxAgeHeld
	r.Target = cmp.Or(min(r.Target, o.Target), o.Target)
	r.MaxAge, r.Cycle, r.Active, r.Worst = max(r.MaxAge, o.MaxAge), max(r.Cycle, o.Cycle), max(r.Active, o.Active), max(r.Worst, o.Worst)
}

// Survey asks once for everything that lists: regions, instances, topics and
// groups, so that Plan knows what there is. It is called instead of Run. What
// cannot be listed is missing from the plan and part of the error.
func (c *Collector) Survey(ctx context.Context) error {
	var errs []error
	for _, a := range c.accounts {
		for _, name := range []string{sourceRegions, sourceInstances, sourceTopics, sourceGroups} {
			errs = append(errs, a.survey(ctx, name)...)
		}
	}
	return errors.Join(errs...)
}

// survey reads every object of a source.
func (a *account) survey(ctx context.Context, source string) (errs []error) {
	a.mu.Lock()
	var objects []*object
	for o := range a.objects {
		if o.source.name == source {
			objects = append(objects, o)
		}
	}
	a.mu.Unlock()
	slices.SortFunc(objects, func(x, y *object) int {
		return cmp.Or(cmp.Compare(x.region, y.region), cmp.Compare(x.instance, y.instance))
	})
	for _, o := range objects {
		if err := o.source.read(ctx, a, o); err != nil {
			errs = append(errs, fmt.Errorf("account %s: %s %s: %w", a.Name, source, cmp.Or(o.instance, o.region), err))
		}
	}
	return errs
}
