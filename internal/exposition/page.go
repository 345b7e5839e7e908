package exposition

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/common/model"
)

// Type is the type of a family.
type Type uint8

// The types of families. The name of a counter ends in _total.
const (
	Gauge Type = iota
	Counter
)

func (t Type) String() string {
	if t == Counter {
		return "counter"
	}
	return "gauge"
}

// Family describes a metric family.
type Family struct {
	Name string
	Help string
	Unit string // what the name ends in, but for _total; shown in OpenMetrics only; "" for none
	Type Type
	// Live, when it is not nil, appends lines that change with every scrape;
	// they follow the blocks. It is given the instance that the scrape is
	// limited to, "" for all, and may be called by many scrapes at once.
	Live func(dst []byte, instance string) []byte
}

// openName is the name of the family in OpenMetrics, which has the samples of
// counters alone end in _total.
func (f *Family) openName() string {
	if f.Type == Counter {
		return strings.TrimSuffix(f.Name, "_total")
	}
	return f.Name
}

func (f *Family) validate() error {
	if !model.LegacyValidation.IsValidMetricName(f.Name) {
		return fmt.Errorf("family %q: not a metric name", f.Name)
	}
	if f.Type == Counter && !strings.HasSuffix(f.Name, "_total") {
		return fmt.Errorf("family %s: the name of a counter ends in _total", f.Name)
	}
	if f.Unit != "" && !strings.HasSuffix(f.openName(), "_"+f.Unit) {
		return fmt.Errorf("family %s: the name does not end in its unit %s", f.Name, f.Unit)
	}
	return nil
}

// metadata returns the lines that precede the samples.
func (f *Family) metadata(open bool) []byte {
	name, help := f.Name, strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	if open {
		name, help = f.openName(), strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	}
	b := fmt.Appendf(nil, "# HELP %s %s\n# TYPE %s %s\n", name, help.Replace(f.Help), name, f.Type)
	if open && f.Unit != "" {
		b = fmt.Appendf(b, "# UNIT %s %s\n", name, f.Unit)
	}
	return b
}

// piece is deflated text.
type piece struct {
	packed []byte
	sum    sum
}

// column is a family with its metadata deflated for both formats.
type column struct {
	Family
	text, open piece
}

// Page holds the samples of a list of families. It is safe for concurrent use.
type Page struct {
	columns []column
	names   map[string]bool // of the families, in OpenMetrics
	current atomic.Pointer[generation]

	mu   sync.Mutex // one Publish at a time
	next Update
}

// generation is the state of a page between two publishes: the body of every
// family. It is immutable.
type generation []*body

// NewPage returns a page without samples that shows families in the order
// given. It fails when a family's name is illegal or there twice.
func NewPage(families []Family) (*Page, error) {
	p := &Page{columns: make([]column, len(families)), names: map[string]bool{}}
	p.next = Update{page: p, deflater: newDeflater(), seed: maphash.MakeSeed()}
	var errs []error
	for i, f := range families {
		if err := f.validate(); err != nil {
			errs = append(errs, err)
		}
		if p.names[f.openName()] {
			errs = append(errs, fmt.Errorf("family %s: there already", f.Name))
		}
		p.names[f.openName()] = true
		c := column{Family: f}
		c.text.packed, c.text.sum = p.next.deflater.appendTo(nil, f.metadata(false))
		c.open.packed, c.open.sum = p.next.deflater.appendTo(nil, f.metadata(true))
		p.columns[i] = c
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	p.current.Store(new(make(generation, len(families))))
	return p, nil
}

// WithLive returns a page of the same families that has no blocks: its samples
// are the lines that live appends for the family of that index. It is for one
// answer, whose lines are then all of one moment, and takes no Publish.
func (p *Page) WithLive(live func(dst []byte, family int) []byte) *Page {
	q := &Page{columns: slices.Clone(p.columns), names: p.names}
	for i := range q.columns {
		q.columns[i].Live = func(dst []byte, _ string) []byte { return live(dst, i) }
	}
	q.current.Store(new(make(generation, len(q.columns))))
	return q
}

// Update collects the changes of a publish. It is valid during that publish.
type Update struct {
	page     *Page
	deflater *deflater
	seed     maphash.Seed
	base     generation
	changes  []change
	packed   []byte // of the changes that set a block
	items    []item // scratch: the changes of a family,
	merged   []item // and a leaf with changes applied
}

// change is a change of a block.
type change struct {
	family   int
	key      key
	what     verb
	block    block
	from, to int // its bytes in the update
}

type verb uint8

const (
	keep verb = iota // what the base has
	set
	remove
)

// Publish makes the changes that build asks for. Scrapes see all of them or
// none. Publishes run one after another; they neither wait for scrapes nor
// make them wait. build must not publish.
func (p *Page) Publish(build func(*Update)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := &p.next
	u.base = *p.current.Load()
	defer u.reset()
	build(u)
	if next, changed := u.apply(); changed {
		p.current.Store(&next)
	}
}

// Set sets the block of a family, given by its index in the page, that holds
// the samples of some objects of an instance. Blocks are shown in the order of
// their instances and buckets; both may be empty. lines are complete lines of
// that family as AppendSample makes them, without metadata; they are not kept.
// No lines remove the block; those that it has already cost next to nothing.
// The strings are kept as long as the block is.
func (u *Update) Set(family int, instance, bucket string, lines []byte) {
	k := key{instance, bucket}
	switch {
	case len(lines) == 0:
		u.remove(family, k)
		return
	case lines[len(lines)-1] != '\n' || len(lines) > math.MaxUint32:
		panic(fmt.Sprintf("exposition: block of %s with %d bytes that are no lines", u.page.columns[family].Name, len(lines)))
	}
	hash := maphash.Bytes(u.seed, lines)
	if old, ok := u.base[family].find(k); ok && old.hash == hash && int(old.text) == len(lines) {
		u.changes = append(u.changes, change{family: family, key: k, what: keep})
		return
	}
	start := len(u.packed)
	var s sum
	u.packed, s = u.deflater.appendTo(u.packed, lines)
	u.changes = append(u.changes, change{
		family: family, key: k, what: set, from: start, to: len(u.packed),
		block: block{hash: hash, crc: s.crc, shift: s.shift, text: uint32(len(lines))},
	})
}

func (u *Update) remove(family int, k key) {
	c := change{family: family, key: k, what: keep}
	if _, ok := u.base[family].find(k); ok {
		c.what = remove
	}
	u.changes = append(u.changes, c)
}

// apply returns the generation after the changes.
func (u *Update) apply() (next generation, changed bool) {
	slices.SortStableFunc(u.changes, func(a, b change) int {
		if a.family != b.family {
			return a.family - b.family
		}
		return a.key.compare(b.key)
	})
	next = u.base
	for rest := u.changes; len(rest) > 0; {
		family, items := rest[0].family, u.items[:0]
		n := 0
		for ; n < len(rest) && rest[n].family == family; n++ {
			c := &rest[n]
			overruled := n+1 < len(rest) && rest[n+1].family == family && rest[n+1].key == c.key
			if overruled || c.what == keep {
				continue
			}
			items = append(items, item{c.key, c.block, u.packed[c.from:c.to]})
		}
		rest = rest[n:]
		u.items = items
		if len(items) == 0 {
			continue
		}
		if !changed {
			next, changed = slices.Clone(u.base), true
		}
		next[family] = next[family].with(items, &u.merged)
	}
	return next, changed
}

// roomKept is how many bytes of room an update keeps for the next one.
const roomKept = 1 << 20

// reset lets go of what the update refers to.
func (u *Update) reset() {
	clear(u.changes)
	clear(u.items[:cap(u.items)])
	clear(u.merged[:cap(u.merged)])
	u.base, u.changes, u.items, u.packed = nil, u.changes[:0], u.items[:0], u.packed[:0]
	if cap(u.packed) > roomKept || cap(u.changes) > roomKept/100 {
		u.changes, u.items, u.merged, u.packed = nil, nil, nil, nil
	}
}
