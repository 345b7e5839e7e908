package collector

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
)

// Publishing: what an answer changed is rendered once and put on the page, so
// that a scrape has nothing to do but to copy. A merge only marks what it
// changed; one loop per account renders what is marked, and what has outlived
// its TTL.
//
// A block of the page holds one family about one object, where objects have
// many lines, or about the objects of a bucket, where they have few.

// kind says what the samples of an entity are rendered with.
type kind uint8

const (
	kindLive           kind = iota // changes with time alone: rendered by the scrape
	kindInstance                   // few lines per instance
	kindTopic                      // few lines per topic
	kindTopicPartition             // a line per partition of a topic
	kindGroup                      // few lines per group
	kindGroupPartition             // a line per partition that a group consumes
)

// buckets is into how many blocks the topics or groups of an instance are
// spread, for families with few lines each. More of them make less work of a
// change and a larger page: blocks of a line or two deflate badly.
const buckets = 8

// sweepEvery is how often what has outlived its TTL is looked for.
const sweepEvery = 5 * time.Second

// bucketOf returns the bucket of a topic or group: FNV-1a, which hash/fnv does
// not do without allocating.
func bucketOf(name string) int {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return int(h % buckets)
}

// mark is an object that has changed.
type mark struct {
	region, instance string
	kind             kind   // kindInstance, kindTopic or kindGroup
	name             string // topic or group
}

// mark notes that an object has to be rendered. Called with a.mu held.
func (a *account) mark(region, instance string, k kind, name string) {
	a.marked[mark{region, instance, k, name}] = struct{}{}
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// publisher renders rows of a page.
type publisher struct {
	page  *exposition.Page
	rows  map[kind][]pageRow
	lines []byte // room for what is rendered; of the one publish at a time

	mu   sync.Mutex // guards the cache of what live rows show
	live *Snapshot
}

type pageRow struct {
	anyFamily

	index  int // in the page
	name   string
	labels []string
}

// newPublisher makes an empty page of the families that c chose.
func newPublisher(c *Collector) *publisher {
	p := &publisher{rows: map[kind][]pageRow{}}
	var families []exposition.Family
	for i, f := range c.families {
		d := f.family()
		row := pageRow{f, i, d.Name, d.Labels}
		family := exposition.Family{Name: d.Name, Help: d.Help, Unit: d.Unit(), Type: d.Type()}
		if f.kind() == kindLive {
			family.Live = func(dst []byte, instance string) []byte {
				if instance != "" {
					return dst
				}
				w := lineWriter{out: dst, family: d.Name, names: d.Labels}
				row.samples(newView(p.liveSnapshot(c), c.config, "", w.sample))
				return w.out
			}
		} else {
			p.rows[f.kind()] = append(p.rows[f.kind()], row)
		}
		families = append(families, family)
	}
	page, err := exposition.NewPage(families)
	if err != nil {
		panic("collector: the table of families: " + err.Error()) // a test renders all of them
	}
	p.page = page
	return p
}

// liveFor is how long one reading of regions and sources serves: the live
// families of a scrape share it.
const liveFor = 100 * time.Millisecond

func (p *publisher) liveSnapshot(c *Collector) *Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.live == nil || now.Sub(p.live.At) >= liveFor {
		s := &Snapshot{At: now}
		for _, a := range c.accounts {
			a.liveSnapshot(s)
		}
		p.live = s
	}
	return p.live
}

// publishing renders what changes until ctx ends.
func (a *account) publishing(ctx context.Context) {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.changed:
		case <-t.C:
			a.sweep()
			a.reportPlan()
		}
		a.publish()
	}
}

// job is what one or more marks ask for: objects of an instance that are
// rendered into the blocks of one bucket.
type job struct {
	kind             kind
	region           string
	instance, bucket string
	of               *Instance // nil: there is nothing any more
	topics           []*Topic
	groups           []*ConsumerGroup
}

// publish renders everything that is marked and puts it on the page at once.
func (a *account) publish() {
	a.allot()
	jobs := a.jobs()
	if len(jobs) == 0 {
		return
	}
	p := a.publisher
	p.page.Publish(func(u *exposition.Update) {
		var one Instance // with nothing in it but the objects of a job
		w := lineWriter{out: p.lines}
		v := newView(&Snapshot{At: time.Now(), Instances: []*Instance{&one}}, a.config, "", w.sample)
		for _, j := range jobs {
			if j.of != nil {
				one = *j.of
				one.Topics, one.Groups = j.topics, j.groups
			}
			// Two accounts, or an inconsistent cloud, may name an instance twice.
			bucket := a.Name + "/" + j.region + "/" + j.bucket
			for _, row := range p.rows[j.kind] {
				w.begin(row.name, row.labels)
				if j.of != nil {
					row.samples(v)
				}
				u.Set(row.index, j.instance, bucket, w.out)
			}
		}
		if cap(w.out) <= linesKept {
			p.lines = w.out
		}
	})
}

// linesKept is how much room is kept from one publish to the next: enough for
// one family of a thousand partitions.
const linesKept = 512 << 10

// jobs takes the marks and collects what they need.
func (a *account) jobs() []job {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	instances := map[mark][]mark{} // by region and instance
	for m := range a.marked {
		k := mark{region: m.region, instance: m.instance}
		instances[k] = append(instances[k], m)
	}
	jobs := make([]job, 0, 2*len(a.marked))
	clear(a.marked)
	for k, marks := range instances {
		i := a.instance(&object{region: k.region, instance: k.instance})
		var topics, groups [buckets]bool
		first := len(jobs)
		for _, m := range marks {
			jobs = append(jobs, a.job(i, m, now))
			topics[bucketOf(m.name)] = topics[bucketOf(m.name)] || m.kind == kindTopic
			groups[bucketOf(m.name)] = groups[bucketOf(m.name)] || m.kind == kindGroup
		}
		like := job{kind: kindTopic, instance: k.instance}
		if i == nil {
			i = &instance{} // that is gone, and leaves empty buckets
		} else {
			like.of = i.view
		}
		jobs = appendBuckets(jobs, like, i.topics, topics, func(j *job, t *topic) { j.topics = append(j.topics, t.view) })
		like.kind = kindGroup
		jobs = appendBuckets(jobs, like, i.groups, groups, func(j *job, g *group) { j.groups = append(j.groups, g.view) })
		for n := range jobs[first:] {
			jobs[first+n].region = k.region
		}
	}
	return jobs
}

// job renders what is marked itself, and notes what it shows.
func (a *account) job(i *instance, m mark, now time.Time) job {
	j := job{kind: m.kind, instance: m.instance, bucket: m.name}
	if i != nil {
		j.of = i.view
	}
	if m.kind == kindTopic {
		j.kind = kindTopicPartition
	}
	if m.kind == kindGroup {
		j.kind = kindGroupPartition
	}
	if i == nil {
		return j
	}
	if m.kind == kindInstance {
		i.shown = a.visible(i.view, now)
	} else if t := i.topics[m.name]; t != nil && m.kind == kindTopic {
		t.shown = a.topicVisible(t.view, now)
		j.topics = []*Topic{t.view}
	} else if g := i.groups[m.name]; g != nil && m.kind == kindGroup {
		g.shown = a.groupVisible(g.view, now)
		j.groups = []*ConsumerGroup{g.view}
	}
	return j
}

// appendBuckets appends a job like like for each bucket of all that is wanted,
// into which take puts what is in the bucket.
func appendBuckets[T any](jobs []job, like job, all map[string]T, wanted [buckets]bool, take func(*job, T)) []job {
	for b, names := range spread(all, wanted) {
		if !wanted[b] {
			continue
		}
		j := like
		j.bucket = strconv.Itoa(b)
		for _, name := range names {
			take(&j, all[name])
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// spread returns the names in each of the buckets that are wanted, sorted.
func spread[T any](all map[string]T, wanted [buckets]bool) (names [buckets][]string) {
	for name := range all {
		if b := bucketOf(name); wanted[b] {
			names[b] = append(names[b], name)
		}
	}
	for b := range names {
		slices.Sort(names[b])
	}
	return names
}

// sweep marks what has outlived a TTL since it was rendered.
func (a *account) sweep() {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	for id, r := range a.regions {
		for iid, i := range r.instances {
			if a.visible(i.view, now) != i.shown {
				a.mark(id, iid, kindInstance, "")
			}
			for name, t := range i.topics {
				if a.topicVisible(t.view, now) != t.shown {
					a.mark(id, iid, kindTopic, name)
				}
			}
			for name, g := range i.groups {
				if a.groupVisible(g.view, now) != g.shown {
					a.mark(id, iid, kindGroup, name)
				}
			}
		}
	}
}

// markAll marks everything that is known, after a reload. Called with a.mu
// held.
func (a *account) markAll() {
	for id, r := range a.regions {
		for _, i := range r.instances {
			a.markInstance(id, i)
		}
	}
}

// markInstance marks an instance with its topics and groups. Called with a.mu
// held.
func (a *account) markInstance(region string, i *instance) {
	a.mark(region, i.view.ID, kindInstance, "")
	for name := range i.topics {
		a.mark(region, i.view.ID, kindTopic, name)
	}
	for name := range i.groups {
		a.mark(region, i.view.ID, kindGroup, name)
	}
}

// The visible functions sum up which sections are younger than their TTL:
// what an object shows changes with time only when the sum does.

func (a *account) visible(i *Instance, now time.Time) int {
	return bits(i.Info.fresh(now, a.ttl(sourceInstances)), i.Quota.fresh(now, a.ttl(sourceQuota)),
		i.AllowedIPs.fresh(now, a.ttl(sourceAllowedIPs)), i.TopicList.fresh(now, a.ttl(sourceTopics)), i.GroupList.fresh(now, a.ttl(sourceGroups)))
}

func (a *account) topicVisible(t *Topic, now time.Time) int {
	n, ttl := 0, a.ttl(sourceTopicStatus)
	for _, e := range t.Newest {
		if fresh(e.At, now, ttl) {
			n++
		}
	}
	return n<<3 | bits(t.Info.fresh(now, a.ttl(sourceTopics)), t.Status.fresh(now, ttl), t.Produced.fresh(now, ttl))
}

func (a *account) groupVisible(g *ConsumerGroup, now time.Time) int {
	return bits(g.Info.fresh(now, a.ttl(sourceGroups)), g.Progress.fresh(now, a.ttl(sourceProgress)))
}

func (a *account) ttl(source string) time.Duration { return ttlOf(&a.config, source) }

func bits(bs ...bool) (n int) {
	for i, b := range bs {
		if b {
			n |= 1 << i
		}
	}
	return n
}

// lineWriter renders the samples of a family. Labels that a sample shares with
// the one before are not rendered again.
type lineWriter struct {
	family string
	names  []string
	values [12]string
	ends   [12]int // of each label in labels
	n      int     // labels of the sample before
	labels exposition.Labels
	out    []byte
}

// begin begins the samples of a family.
func (w *lineWriter) begin(family string, names []string) {
	w.family, w.names, w.n, w.out = family, names, 0, w.out[:0]
}

func (w *lineWriter) sample(value float64, labels []string) {
	same := 0
	for same < w.n && w.values[same] == labels[same] {
		same++
	}
	if same == 0 {
		w.labels = w.labels[:0]
	} else {
		w.labels = w.labels[:w.ends[same-1]]
	}
	for i := same; i < len(labels); i++ {
		w.labels = w.labels.Append(w.names[i], labels[i])
		if i < len(w.ends) {
			w.values[i], w.ends[i] = labels[i], len(w.labels)
		}
	}
	w.n = min(len(labels), len(w.ends))
	w.out = exposition.AppendSample(w.out, w.family, w.labels, value)
}
