package collector

import (
	"context"
	"time"

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

// RuleName is the rule that gave a group its status.
func RuleName(g *GroupProgress) string { return ruleNames[g.rule].name }

// AllotForTest decides once more how instances are shown.
func (c *Collector) AllotForTest() {
	for _, a := range c.accounts {
		a.mu.Lock()
		a.unallotted = true
		a.mu.Unlock()
		a.allot()
	}
}
