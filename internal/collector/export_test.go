package collector

import (
	"context"
	"errors"
	"io"
	"time"
	"unsafe"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// Watch is a group of one topic that is fed polls, as mergeProgress does.
type Watch struct {
	Config Config
	Group  GroupProgress
	Topic  Topic

	account account
	topic   topic
}

// NewWatch returns a group that was not polled yet.
func NewWatch() *Watch { return &Watch{Config: DefaultConfig()} }

// Poll takes an answer of GetConsumerProgress.
func (w *Watch) Poll(r api.ConsumerProgress, at api.Times) *GroupProgress {
	w.account.config = w.Config
	w.topic.view = &w.Topic
	name := r.Progress.Topics[0].Topic
	i := &instance{view: &Instance{}, topics: map[string]*topic{name: &w.topic}, groups: map[string]*group{}}
	w.topic.status = &object{index: -1}
	w.account.marked = map[mark]struct{}{}
	w.account.judge = func(*object, urgency) urgency { return urgencyActive } // there is nothing else to read
	g := &group{view: &ConsumerGroup{Progress: Section[GroupProgress]{w.Group, time.Time{}}}}
	i.groups["g"] = g
	w.account.regions = map[string]*region{"": {instances: map[string]*instance{"": i}}}
	w.account.mergeProgress(&object{name: "g"}, r, at)
	w.Group, w.Topic = g.view.Progress.Data, *w.topic.view
	return &w.Group
}

// MethodName is the value of the method label; "" for none.
func MethodName(m LagMethod) string {
	if int(m) < len(lagMethods) {
		return lagMethods[m]
	}
	return ""
}

// ReadProgressForTest reads the progress of a group of the only account and
// publishes it, as the loops of Run do.
func (c *Collector) ReadProgressForTest(ctx context.Context, region, instance, group string) error {
	a := c.accounts[0]
	err := readProgress(ctx, a, &object{source: a.sources[sourceProgress], region: region, instance: instance, name: group})
	a.publish()
	return err
}

// JudgeForTest reports whether a group is worth to be looked at; it replaces
// what the schedule learns.
type JudgeForTest func(instance, group string) bool

// SetJudgeForTest replaces what the schedule learns of groups, and of topics,
// of which all count as active. It is called before Run; nil changes nothing.
func (c *Collector) SetJudgeForTest(j JudgeForTest) {
	for _, a := range c.accounts {
		if j != nil {
			a.judge = func(o *object, _ urgency) urgency {
				if o.source.name == sourceProgress && !j(o.instance, o.name) {
					return urgencyIdle
				}
				return urgencyActive
			}
		}
	}
}

// EachGroupForTest calls f for every group that is known, in no order and with
// its account locked. A Snapshot would make lists in order and a plan besides,
// which is most of the work of a test that looks often.
func (c *Collector) EachGroupForTest(f func(instance string, g *ConsumerGroup)) {
	for _, a := range c.accounts {
		a.mu.Lock()
		for _, r := range a.regions {
			for id, i := range r.instances {
				for _, g := range i.groups {
					f(id, g.view)
				}
			}
		}
		a.mu.Unlock()
	}
}

// PolledForTest returns when a group was read last.
func (c *Collector) PolledForTest(instance, name string) (at time.Time, known bool) {
	for _, a := range c.accounts {
		a.mu.Lock()
		if i := a.named(instance); i != nil {
			if g := i.groups[name]; g != nil {
				at, known = g.view.Progress.At, true
			}
		}
		a.mu.Unlock()
	}
	return at, known
}

// RuleName is the rule that gave a group its status.
func RuleName(g *GroupProgress) string { return ruleNames[g.rule].name }

// ErrCrash is what the disk of SaveUntilCrash says when its budget is used up.
var ErrCrash = errors.New("crashed")

// SaveUntilCrash saves on a disk that takes so many bytes and steps, and then
// nothing any more, as if the process had been killed.
func (c *Collector) SaveUntilCrash(dir string, budget int) error {
	d := realDisk()
	k := &crashing{budget: budget}
	return c.save(dir, disk{
		create: func(name string) (stateFile, error) {
			if !k.step() {
				return nil, ErrCrash
			}
			f, err := d.create(name)
			return &crashingFile{f, k}, err
		},
		rename: func(from, to string) error {
			if !k.step() {
				return ErrCrash
			}
			return d.rename(from, to)
		},
		syncDir: func(dir string) error {
			if !k.step() {
				return ErrCrash
			}
			return d.syncDir(dir)
		},
	})
}

type crashing struct{ budget int }

func (k *crashing) step() bool {
	k.budget--
	return k.budget >= 0
}

type crashingFile struct {
	stateFile

	k *crashing
}

func (f *crashingFile) Write(p []byte) (int, error) {
	n := min(len(p), max(0, f.k.budget))
	f.k.budget -= n
	if m, err := f.stateFile.Write(p[:n]); err != nil {
		return m, err
	}
	if n < len(p) {
		return n, ErrCrash
	}
	return n, nil
}

func (f *crashingFile) Sync() error {
	if !f.k.step() {
		return ErrCrash
	}
	return f.stateFile.Sync()
}

// ReadRecords reads the records of a state file, inflated.
func ReadRecords(in io.Reader) (*State, error) { return readRecords(in) }

// Records writes the records of an account and of its instances.
func (c *Collector) Records(out io.Writer) error {
	var w stateWriter
	w.time(time.Now())
	if _, err := out.Write(w.b); err != nil {
		return err
	}
	for _, a := range c.accounts {
		if err := a.writeRecords(out); err != nil {
			return err
		}
	}
	return writeRecord(out, recordEnd, nil)
}

// AllotForTest decides once more how instances are shown.
func (c *Collector) AllotForTest() {
	for _, a := range c.accounts {
		a.mu.Lock()
		a.unallotted = true
		a.mu.Unlock()
		a.allot()
	}
}

// History is a history of log ends, to be filled and measured.
type History struct {
	Config HistoryConfig
	h      history
}

// Add notes the log ends of partitions 0, 1 and so on.
func (h *History) Add(at time.Time, ends ...int64) {
	list := make([]LogEnd, len(ends))
	for p, end := range ends {
		list[p] = LogEnd{Partition: int32(p), Offset: end}
	}
	h.h.add(list, poll{at.UnixMilli(), at.UnixMilli()}, &h.Config)
}

// Rows is how many samples of each partition there are.
func (h *History) Rows() int { return len(h.h.starts) }

// Bytes is how much memory they take.
func (h *History) Bytes() int {
	return int(unsafe.Sizeof(h.h)) + cap(h.h.rows) + 4*cap(h.h.starts) + 8*cap(h.h.ends)
}

// Came returns when the message at an offset came; false when it is not
// between two samples.
func (h *History) Came(partition int32, offset int64) (time.Time, bool) {
	end := h.h.end(partition)
	m := []sought{{partition: partition, offset: offset, newest: end, lower: sample{end: -1}, upper: sample{poll{h.h.last.sent + 1, h.h.last.sent + 1}, end + 1}}}
	h.h.locate(m, &rowReader{})
	if m[0].lower.end < 0 || end <= offset {
		return time.Time{}, false
	}
	return time.UnixMilli(m[0].interpolate()), true
}

// FillHistoriesForTest gives every topic so many samples of each partition and
// returns how many those are.
func (c *Collector) FillHistoriesForTest(rows int) (samples int) {
	for _, a := range c.accounts {
		for _, r := range a.regions {
			for _, i := range r.instances {
				for _, t := range i.topics {
					ends := append([]LogEnd(nil), t.view.Newest...)
					for n := range rows {
						for p := range ends {
							ends[p].Offset += int64(1000 + (n*p*7919)%1500)
						}
						at := t.history.last.sent + 30_000
						t.history.appendRow(ends, poll{at, at + 150})
					}
					samples += rows * len(ends)
				}
			}
		}
	}
	return samples
}

// WriteStateForTest writes the content of a state file.
func (c *Collector) WriteStateForTest(out io.Writer) error { return c.writeState(out) }

// ReadStateForTest reads the content of a state file.
func ReadStateForTest(b []byte) (*State, error) { return readState(b) }

// KafkaExporterFamilies returns the families of KafkaExporterPage.
func KafkaExporterFamilies() []Family {
	var fs []Family
	for _, f := range kafkaExporterFamilies() {
		fs = append(fs, f.family())
	}
	return fs
}

// DiscoveryLabel is a label of a discovered target, and what it means.
type DiscoveryLabel struct{ Name, Meaning string }

// DiscoveryLabels returns the labels of discovered targets.
func DiscoveryLabels() []DiscoveryLabel {
	var all []DiscoveryLabel
	for _, l := range discoveryLabels {
		all = append(all, DiscoveryLabel{metaPrefix + l.name, l.meaning})
	}
	return append(
		all,
		DiscoveryLabel{metaPrefix + "tag_KEY", "the value of the tag `KEY`"},
		DiscoveryLabel{metaPrefix + "tagpresent_KEY", "`true` where there is such a tag, its value empty or not"},
	)
}

// StoredRuleForTest returns the name of the rule that has a number in the state
// file, and the number that it is written with.
func StoredRuleForTest(number uint64) (name string, written uint64, err error) {
	var w stateWriter
	w.uint(number)
	r := stateReader{b: w.b}
	read := r.rule()
	w.b = nil
	w.rule(read)
	again := stateReader{b: w.b}
	return ruleNames[read].name, again.uint(), r.err
}
