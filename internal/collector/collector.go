// Package collector knows what is to be watched, reads it from the cloud in
// the background, keeps it with its date, and shows it as metric families.
//
// A source is read object by object at its own cadence and never faster than
// the rate limit of its action. Every answer becomes an immutable section;
// scrapes read the current ones and never cause a call.
package collector

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
)

// readyAfter is how long a scraper is kept waiting for the first answers.
const readyAfter = 30 * time.Second

// Options make a Collector. Metrics and Logger are required.
type Options struct {
	Accounts []Account
	Config   Config
	Logger   *slog.Logger
	Metrics  *Metrics
	// Previous, on a reload, is the collector whose data are taken over. It
	// may still run.
	Previous *Collector
	// State, at the start, is what an earlier process knew; nil for nothing.
	State *State
}

// Collector watches accounts.
type Collector struct {
	accounts []*account
	config   Config
	families []anyFamily
	logger   *slog.Logger
	ready    chan struct{}

	publisher     *publisher
	kafkaExporter *compatPage
}

// New returns a collector that does nothing until Run.
func New(o Options) *Collector {
	c := &Collector{config: o.Config, families: chosen(o.Config), logger: o.Logger, ready: make(chan struct{})}
	c.publisher = newPublisher(c)
	c.kafkaExporter = newCompatPage(kafkaExporterFamilies())
	for _, cfg := range o.Accounts {
		a := newAccount(cfg, o.Config, o.Logger, o.Metrics, c.publisher)
		a.begin()
		if o.State != nil {
			a.restore(o.State)
			a.publish()
		}
		if o.Previous != nil {
			for _, p := range o.Previous.accounts {
				if p.Name == a.Name {
					a.takeOver(p)
					a.publish()
				}
			}
		}
		c.accounts = append(c.accounts, a)
	}
	return c
}

// Run polls until ctx ends and returns when everything it started has ended.
// It is called once.
func (c *Collector) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, a := range c.accounts {
		wg.Go(func() { a.poll(ctx) })
	}
	wg.Go(func() {
		limit := time.NewTimer(readyAfter)
		defer limit.Stop()
		for _, a := range c.accounts {
			select {
			case <-ctx.Done():
				return
			case <-limit.C:
				close(c.ready)
				return
			case <-a.ready:
			}
		}
		close(c.ready)
	})
	wg.Wait()
	return nil
}

// Ready is closed when the state of an earlier process was restored and is not
// too old to be shown, every source was tried once, successfully or not, or
// after 30 s.
func (c *Collector) Ready() <-chan struct{} { return c.ready }

// HasInstance reports whether an instance of that id is watched.
func (c *Collector) HasInstance(id string) bool {
	for _, a := range c.accounts {
		if a.hasInstance(id) {
			return true
		}
	}
	return false
}

func (a *account) hasInstance(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.named(id) != nil
}

// Page is the page of everything that is known, kept ready while Run runs.
func (c *Collector) Page() *exposition.Page { return c.publisher.page }

// Families returns a prometheus.Collector of what is known at the moment of a
// scrape; of one instance, or of everything when instanceID is empty; of the
// families that are named, or of all when none is. It shows what Page shows, made anew by client_golang each time: the reference that the
// page is tested against. It describes no metrics in advance, since labels may
// depend on configuration.
func (c *Collector) Families(instanceID string, names ...string) prometheus.Collector {
	return gathered{c, instanceID, names}
}

// takeOver copies what p knows and what is chosen still, so that a reload
// neither loses data nor reads everything anew.
func (a *account) takeOver(p *account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	given := len(a.Regions) > 0
	for id, old := range p.regions {
		r := a.regions[id]
		if r == nil {
			if given {
				continue
			}
			r = a.addRegion(id, time.Now())
		}
		r.up = old.up
		a.resume(r.list, old.list)
		for iid, i := range old.instances {
			if a.Instances.Match(iid, i.view.Info.Data.Name) {
				a.takeOverInstance(r, i)
			}
		}
	}
	if a.discovered != nil && p.discovered != nil {
		a.resume(a.discovered, p.discovered)
		for id := range a.regions {
			if p.regions[id] == nil && !p.discovered.at.IsZero() {
				a.dropRegion(id) // discovery has told already that nothing is there
			}
		}
	}
	a.unallotted = true
	a.markAll()
}

func (a *account) takeOverInstance(r *region, old *instance) {
	now := time.Now()
	view := *old.view
	view.detail = newDetail(&a.config, &view, old.view.detail)
	i := &instance{view: &view, dirty: true, missing: old.missing, topics: map[string]*topic{}, groups: map[string]*group{}}
	r.instances[view.ID] = i
	a.watchInstance(i, now)
	a.resume(i.quota, old.quota)
	a.resume(i.allowedIPs, old.allowedIPs)
	a.resume(i.topicList, old.topicList)
	a.resume(i.groupList, old.groupList)
	for name, t := range old.topics {
		if !a.config.Topics.Match(name) {
			continue
		}
		n := *t
		n.history = t.history.share()
		n.status = a.add(&object{source: a.sources[sourceTopicStatus], region: view.RegionID, instance: view.ID, name: name}, now)
		i.topics[name] = &n
		a.resume(n.status, t.status)
	}
	for name, g := range old.groups {
		if !a.config.ConsumerGroups.Match(name) {
			continue
		}
		n := *g
		n.view = g.view.only(a.config.Topics)
		n.progress = a.add(&object{source: a.sources[sourceProgress], region: view.RegionID, instance: view.ID, name: name}, now)
		a.resume(n.progress, g.progress)
		i.groups[name] = &n
	}
}

// only returns the group with the topics that are chosen.
func (g *ConsumerGroup) only(topics Filter) *ConsumerGroup {
	v := *g
	v.Progress.Data.Topics = slices.DeleteFunc(slices.Clone(v.Progress.Data.Topics), func(t GroupTopic) bool { return !topics.Match(t.Topic) })
	return &v
}

// Forget removes the counters of regions that previous watched and c does not.
// It is called when previous has ended.
func (c *Collector) Forget(previous *Collector) {
	for _, p := range previous.accounts {
		for _, a := range c.accounts {
			if a.Name == p.Name {
				a.forgetOthers(p)
			}
		}
	}
}

func (a *account) forgetOthers(p *account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.regions {
		if a.regions[id] == nil {
			a.metrics.forgetRegion(a.Name, id)
		}
	}
}

// resume gives o the history of old, and its next read the date that the
// present cadence has.
func (a *account) resume(o, old *object) {
	if o == nil || old == nil {
		return
	}
	o.known, o.tried, o.err, o.errAt, o.calls = old.known, old.tried, old.err, old.errAt, old.calls
	a.recall(o, old.memory())
}
