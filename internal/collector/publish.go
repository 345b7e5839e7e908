package collector

import (
	"cmp"
	"context"
	"hash/fnv"
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
// spread, for families with few lines each.
const buckets = 32

// sweepEvery is how often what has outlived its TTL is looked for.
const sweepEvery = 5 * time.Second

// bucketOf returns the bucket of a topic or group.
func bucketOf(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32() % buckets)
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
	page *exposition.Page
	rows map[kind][]pageRow

	mu     sync.Mutex // guards the cache of live rows
	live   *view
	liveAt time.Time
}

type pageRow struct {
	index int // in the page
	anyFamily
	names []string // of its labels
}

// newPublisher makes an empty page of the families that c chose.
func newPublisher(c *Collector) *publisher {
	p := &publisher{rows: map[kind][]pageRow{}}
	var families []exposition.Family
	for i, f := range c.families {
		d := f.family()
		row := pageRow{i, f, d.Labels}
		family := exposition.Family{Name: d.Name, Help: d.Help, Type: exposition.Gauge}
		if f.kind() == kindLive {
			family.Live = func(dst []byte, instance string) []byte {
				if instance != "" {
					return dst
				}
				w := newLineWriter(d.Name, d.Labels, dst)
				row.samples(p.liveView(c), w.sample)
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

func (p *publisher) liveView(c *Collector) *view {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.live == nil || now.Sub(p.liveAt) >= liveFor {
		s := &Snapshot{At: now}
		for _, a := range c.accounts {
			a.liveSnapshot(s)
		}
		p.live, p.liveAt = &view{Snapshot: s, config: c.config}, now
	}
	v := *p.live // identity writes to it
	return &v
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
		}
		a.publish()
	}
}

// job is what one or more marks ask for: an instance with nothing in it but
// the objects to render.
type job struct {
	instance string
	bucket   string
	kind     kind
	view     *Instance // nil: there is nothing any more
}

// publish renders everything that is marked and puts it on the page at once.
func (a *account) publish() {
	jobs := a.jobs()
	if len(jobs) == 0 {
		return
	}
	now := time.Now()
	lines := make([]byte, 0, 64<<10)
	a.publisher.page.Publish(func(u *exposition.Update) {
		for _, j := range jobs {
			for _, row := range a.publisher.rows[j.kind] {
				lines = lines[:0]
				if j.view != nil {
					v := &view{Snapshot: &Snapshot{At: now, Instances: []*Instance{j.view}}, config: a.config}
					w := newLineWriter(row.family().Name, row.names, lines)
					row.samples(v, w.sample)
					lines = w.out
				}
				u.Set(row.index, j.instance, a.Name+"/"+j.bucket, lines)
			}
		}
	})
}

// jobs takes the marks and collects what they need.
func (a *account) jobs() []job {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.marked) == 0 {
		return nil
	}
	now := time.Now()
	seen := map[mark]bool{} // buckets that have their job
	var jobs []job
	for m := range a.marked {
		i := a.instance(&object{region: m.region, instance: m.instance})
		if m.kind == kindTopic {
			jobs = append(jobs, a.topicJobs(i, m, seen, now)...)
			continue
		}
		if m.kind == kindGroup {
			jobs = append(jobs, a.groupJobs(i, m, seen, now)...)
			continue
		}
		j := job{instance: m.instance, kind: kindInstance}
		if i != nil {
			i.shown = a.visible(i.view, now)
			j.view = i.only(nil, nil)
		}
		jobs = append(jobs, j)
	}
	clear(a.marked)
	return jobs
}

// topicJobs renders the partitions of a topic, and its bucket unless that was
// seen already.
func (a *account) topicJobs(i *instance, m mark, seen map[mark]bool, now time.Time) []job {
	one := job{instance: m.instance, bucket: m.name, kind: kindTopicPartition}
	bucket := bucketOf(m.name)
	all := job{instance: m.instance, bucket: strconv.Itoa(bucket), kind: kindTopic}
	if i != nil {
		if t := i.topics[m.name]; t != nil {
			t.shown = a.topicVisible(t.view, now)
			one.view = i.only([]*Topic{t.view}, nil)
		}
		var topics []*Topic
		for name, t := range i.topics {
			if bucketOf(name) == bucket {
				topics = append(topics, t.view)
			}
		}
		slices.SortFunc(topics, func(x, y *Topic) int { return cmp.Compare(x.Name(), y.Name()) })
		all.view = i.only(topics, nil)
	}
	return unseen(seen, m, one, all)
}

func (a *account) groupJobs(i *instance, m mark, seen map[mark]bool, now time.Time) []job {
	one := job{instance: m.instance, bucket: m.name, kind: kindGroupPartition}
	bucket := bucketOf(m.name)
	all := job{instance: m.instance, bucket: strconv.Itoa(bucket), kind: kindGroup}
	if i != nil {
		if g := i.groups[m.name]; g != nil {
			g.shown = a.groupVisible(g.view, now)
			one.view = i.only(nil, []*ConsumerGroup{g.view})
		}
		var groups []*ConsumerGroup
		for name, g := range i.groups {
			if bucketOf(name) == bucket {
				groups = append(groups, g.view)
			}
		}
		slices.SortFunc(groups, func(x, y *ConsumerGroup) int { return cmp.Compare(x.Name(), y.Name()) })
		all.view = i.only(nil, groups)
	}
	return unseen(seen, m, one, all)
}

// unseen returns the job of the object and, if no other mark has asked for it
// yet, that of its bucket.
func unseen(seen map[mark]bool, m mark, one, all job) []job {
	k := mark{m.region, m.instance, all.kind, all.bucket}
	if seen[k] {
		return []job{one}
	}
	seen[k] = true
	return []job{one, all}
}

// only returns the instance with nothing but these topics and groups.
func (i *instance) only(topics []*Topic, groups []*ConsumerGroup) *Instance {
	v := *i.view
	v.Topics, v.Groups = topics, groups
	return &v
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
		for iid, i := range r.instances {
			a.mark(id, iid, kindInstance, "")
			for name := range i.topics {
				a.mark(id, iid, kindTopic, name)
			}
			for name := range i.groups {
				a.mark(id, iid, kindGroup, name)
			}
		}
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
		if now.Sub(e.At) <= ttl {
			n++
		}
	}
	return n<<2 | bits(t.Info.fresh(now, a.ttl(sourceTopics)), t.Status.fresh(now, ttl))
}

func (a *account) groupVisible(g *ConsumerGroup, now time.Time) int {
	return bits(g.Info.fresh(now, a.ttl(sourceGroups)), g.Progress.fresh(now, a.ttl(sourceProgress)))
}

func (a *account) ttl(source string) time.Duration {
	return time.Duration(a.config.Sources[source].TTL)
}

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

func newLineWriter(family string, names []string, out []byte) *lineWriter {
	return &lineWriter{family: family, names: names, labels: make(exposition.Labels, 0, 256), out: out}
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
