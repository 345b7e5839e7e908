package collector

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// account is the watched state of one account. Accounts share nothing but the
// limit of the source IP, so that none waits for another's failures.
type account struct {
	Account
	config    Config
	perRegion bool
	logger    *slog.Logger
	metrics   *Metrics
	publisher *publisher
	changed   chan struct{} // holds a token while something is marked

	ctx  context.Context //nolint:containedctx // of Run; queues that appear later start in it
	work sync.WaitGroup  // every goroutine of Run

	sources map[string]*source

	mu         sync.Mutex
	regions    map[string]*region
	discovered *object // reads which regions there are; nil when they are given
	objects    map[*object]struct{}
	queues     map[queueKey]*queue
	complaints map[complaintKey]*complaint
	marked     map[mark]struct{}    // what has to be rendered
	rows       rowReader            // room for reading histories
	asked      []sought             // and for what is looked for in them
	overrun    map[string]time.Time // sources whose maximum ages the rate limit does not allow, and since when; of publishing
	allotted   time.Time            // when it was last decided how finely instances are shown
	unallotted bool                 // and there is one for which it was not
	ready      chan struct{}
	isReady    bool

	// judge, when it is set, decides on urgency in place of what was learned:
	// simulations compare the schedule with others so.
	judge func(o *object, learned urgency) urgency
}

// region, instance, topic and group hold the current immutable view of the
// thing, the objects that read it, and how often in a row it was missing from
// a listing.
type region struct {
	list      *object
	up        bool
	missing   int
	instances map[string]*instance
}

type instance struct {
	view    *Instance
	dirty   bool // view.Topics and view.Groups are behind
	shown   int  // what was visible when it was rendered
	missing int

	quota, allowedIPs, topicList, groupList *object

	topics map[string]*topic
	groups map[string]*group
}

type topic struct {
	view     *Topic
	status   *object
	shown    int
	missing  int
	samples  [2]offsetSample // the last two of all partitions, newer first
	history  history
	consumed time.Time // when a group's progress last told the log ends
}

type group struct {
	view     *ConsumerGroup
	progress *object
	shown    int
	missing  int
}

func newAccount(o Account, config Config, logger *slog.Logger, m *Metrics, p *publisher) *account {
	a := &account{
		Account: o, config: config, perRegion: o.PerRegion, logger: logger.With("account", o.Name), metrics: m,
		regions: map[string]*region{}, objects: map[*object]struct{}{}, queues: map[queueKey]*queue{},
		complaints: map[complaintKey]*complaint{}, ready: make(chan struct{}), sources: map[string]*source{},
		publisher: p, changed: make(chan struct{}, 1), marked: map[mark]struct{}{}, overrun: map[string]time.Time{}, unallotted: true,
	}
	for _, s := range sources() {
		a.sources[s.name] = s
	}
	return a
}

// begin sets up what is read first. Regions that are not given are discovered;
// until then, and for accounts without instances, the region that is asked is
// watched itself, so that its failure shows.
func (a *account) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	for _, id := range a.Regions {
		a.addRegion(id, now)
	}
	if len(a.Regions) == 0 {
		a.discovered = a.add(&object{source: a.sources[sourceRegions]}, now)
		a.addRegion(a.DiscoveryRegion, now)
	}
}

func (a *account) addRegion(id string, due time.Time) *region {
	r := a.regions[id]
	if r == nil {
		r = &region{instances: map[string]*instance{}}
		r.list = a.add(&object{source: a.sources[sourceInstances], region: id}, due)
		a.metrics.watchRegion(a.Name, id)
		a.regions[id] = r
	}
	return r
}

// poll polls until ctx ends and all reads have returned.
func (a *account) poll(ctx context.Context) {
	a.work.Go(func() { a.publishing(ctx) })
	a.mu.Lock()
	a.ctx = ctx
	for _, q := range a.queues {
		a.work.Go(func() { a.run(ctx, q) })
	}
	a.mu.Unlock()
	// Waiting for ctx first keeps the counter above zero while queues may
	// still be added.
	<-ctx.Done()
	a.work.Wait()
	a.publish()
}

// checkReady closes ready once every object that is known was tried. Called
// with a.mu held.
func (a *account) checkReady() {
	if a.isReady {
		return
	}
	for o := range a.objects {
		if !o.tried {
			return
		}
	}
	a.becomeReady()
}

// becomeReady closes ready, which it must not have done before. Called with
// a.mu held.
func (a *account) becomeReady() {
	a.isReady = true
	close(a.ready)
}

// consumed reports whether the log ends of o's topic come with the progress of
// a group. Called with a.mu held.
func (a *account) consumed(o *object) bool {
	_, t := a.topic(o)
	return t != nil && fresh(t.consumed, time.Now(), a.ttl(sourceProgress))
}

// instance returns the instance of o; nil once it was dropped. Called with
// a.mu held.
func (a *account) instance(o *object) *instance {
	if r := a.regions[o.region]; r != nil {
		return r.instances[o.instance]
	}
	return nil
}

// named returns the instance of that id; nil for none, that of the first region
// where an inconsistent cloud names it in two. Called with a.mu held.
func (a *account) named(id string) *instance {
	for _, region := range sortedKeys(a.regions) {
		if i := a.regions[region].instances[id]; i != nil {
			return i
		}
	}
	return nil
}

func (a *account) topic(o *object) (*instance, *topic) {
	i := a.instance(o)
	if i == nil {
		return nil, nil
	}
	return i, i.topics[o.name]
}

// publish returns the instance's view, with the current topics and groups.
// Called with the account's mutex held.
func (i *instance) publish() *Instance {
	if !i.dirty {
		return i.view
	}
	v := *i.view
	v.Topics = make([]*Topic, 0, len(i.topics))
	for _, name := range sortedKeys(i.topics) {
		v.Topics = append(v.Topics, i.topics[name].view)
	}
	v.Groups = make([]*ConsumerGroup, 0, len(i.groups))
	for _, name := range sortedKeys(i.groups) {
		v.Groups = append(v.Groups, i.groups[name].view)
	}
	i.view, i.dirty = &v, false
	return i.view
}

// update replaces the view of o's instance by one that change was applied to.
func (a *account) update(o *object, change func(*Instance, time.Time)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := a.instance(o); i != nil {
		i.change(change)
		a.mark(o.region, o.instance, kindInstance, "")
	}
}

func (i *instance) change(f func(*Instance, time.Time)) {
	v := *i.view
	f(&v, time.Now())
	i.view = &v
}

// complaintKey tells failures apart that are worth a log line each.
type complaintKey struct{ region, source string }

type complaint struct {
	objects map[*object]bool // that fail now
	count   int
	logged  map[string]time.Time // by code
}

// complainEvery is how often a failure that lasts is logged again.
const complainEvery = 10 * time.Minute

// report counts a failed read and logs it: each code once when it begins and
// then every ten minutes, and the end when no object of the source fails any
// more. Called with a.mu held.
func (a *account) report(o *object, err error) {
	if err == nil {
		a.forgive(o)
		return
	}
	code, now := reason(err), time.Now()
	a.metrics.sourceError(a.Name, o.region, o.source.name, code)
	k := complaintKey{o.region, o.source.name}
	c := a.complaints[k]
	if c == nil {
		c = &complaint{objects: map[*object]bool{}, logged: map[string]time.Time{}}
		a.complaints[k] = c
	}
	c.objects[o] = true
	c.count++
	if now.Sub(c.logged[code]) < complainEvery {
		return
	}
	c.logged[code] = now
	attrs := []any{"region_id", o.region, "source_name", o.source.name, "objects", len(c.objects), "failures", c.count, "err", err}
	if o.instance != "" {
		attrs = append(attrs, "instance_id", o.instance)
	}
	if o.name != "" {
		attrs = append(attrs, "object", o.name)
	}
	a.logger.Warn("source failed", attrs...)
}

// forgive takes back what o was complained of. That the last that failed of a
// source is gone says nothing of the cloud.
func (a *account) forgive(o *object) {
	k := complaintKey{o.region, o.source.name}
	c := a.complaints[k]
	if c == nil || !c.objects[o] {
		return
	}
	delete(c.objects, o)
	if len(c.objects) > 0 {
		return
	}
	delete(a.complaints, k)
	attrs := []any{"region_id", o.region, "source_name", o.source.name, "failures", c.count}
	if o.gone {
		a.logger.Info("what failed of the source is no longer read", attrs...)
	} else {
		a.logger.Info("source recovered", attrs...)
	}
}

// reportPlan logs when the rate limit no longer allows the maximum ages of a
// source, and when it does again, which is not believed for ten minutes: a rate
// that adapts may waver.
func (a *account) reportPlan() {
	now := time.Now()
	feasible := map[string]bool{}
	for _, r := range a.planRows(DefaultSupposed()) {
		feasible[r.Source] = r.MaxAgeHeld
		if _, known := a.overrun[r.Source]; r.MaxAgeHeld || known {
			continue
		}
		a.overrun[r.Source] = now
		a.logger.Warn("the rate limit does not allow the maximum age; plan and the status page say what would help",
			"source_name", r.Source, "action", r.Action, "objects", r.Objects,
			"calls_per_second", r.Rate, "required_calls_per_second", r.Least, "max_age", r.MaxAge, "worst_age", r.Worst)
	}
	for _, source := range sortedKeys(a.overrun) {
		if held, known := feasible[source]; (held || !known) && now.Sub(a.overrun[source]) >= complainEvery {
			delete(a.overrun, source)
			a.logger.Info("the rate limit allows the maximum age again", "source_name", source)
		}
	}
}

// Account is an account to watch and the client that reads it.
type Account struct {
	AccountConfig
	Client *api.Client
	// PerRegion: the cloud counts calls per region, not per account.
	PerRegion bool
}
