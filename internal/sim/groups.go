package sim

import (
	"net/http"
	"strings"
	"time"
)

// getConsumerList imitates GetConsumerList. The reference of 2022 has no
// pages; the current service pages when asked to.
func getConsumerList(c *Call, w *reply) *refusal {
	in, no := c.running()
	if no != nil {
		return no
	}
	groups := in.groups
	if name := c.Param("ConsumerId"); name != "" {
		groups = nil
		if g := in.byGroup[name]; g != nil {
			groups = []*group{g}
		}
	}
	current := c.cloud.opts.Edition == EditionCurrent
	if current && (c.Param("CurrentPage") != "" || c.Param("PageSize") != "") {
		if groups, no = paged(c, w, groups); no != nil {
			return no
		}
	}
	w.list("ConsumerList", "ConsumerVO", len(groups), func(i int) {
		g := groups[i]
		w.text("ConsumerId", g.Name)
		w.text("InstanceId", in.ID)
		w.text("RegionId", in.RegionID)
		w.text("Remark", g.Remark)
		writeTags(w, g.Tags)
		if current {
			w.num("CreateTime", c.cloud.millis(-g.Age))
			w.flag("AutomaticallyCreatedGroup", g.AutoCreated)
		}
	})
	return nil
}

// getConsumerProgress imitates GetConsumerProgress: committed and newest
// offsets of every partition that the group has committed. LastTimestamp is
// the produce time of the last consumed message, 0 when none was, and -1
// everywhere with HideLastTimestamp=true.
func getConsumerProgress(c *Call, w *reply) *refusal {
	g, no := c.runningGroup()
	if no != nil {
		return no
	}
	p := &progress{Call: c, group: g, current: c.cloud.opts.Edition == EditionCurrent}
	p.hide = p.current && strings.EqualFold(c.Param("HideLastTimestamp"), "true")
	p.measure()
	w.object("ConsumerProgress", func() {
		w.num("TotalDiff", p.diff)
		w.num("LastTimestamp", p.last)
		w.list("TopicList", "TopicList", len(g.subscriptions), func(i int) { p.writeTopic(w, i) })
		if p.current {
			w.text("state", p.state())
			p.writeRebalances(w, "RebalanceInfoList", p.group, 5)
		}
	})
	return nil
}

// runningGroup returns the consumer group that a call reads.
func (c *Call) runningGroup() (*group, *refusal) {
	in, no := c.running()
	if no != nil {
		return nil, no
	}
	g := in.byGroup[c.Param("ConsumerId")]
	if g == nil {
		return nil, noGroup()
	}
	return g, nil
}

func noGroup() *refusal {
	return refuse(http.StatusBadRequest, "BIZ_SUBSCRIPTION_NOT_FOUND", "The specified consumer group does not exist. "+again)
}

// progress is one answer of GetConsumerProgress in the making.
type progress struct {
	*Call

	group   *group
	current bool // edition
	hide    bool // timestamps
	online  []client

	diff, last int64
	topics     []topicProgress
	partitions []partitionProgress // of all topics in turn
}

type topicProgress struct{ diff, last int64 }

type partitionProgress struct{ offset, end, last int64 }

// measure reads all offsets at one moment, so that the sums agree.
func (p *progress) measure() {
	g := p.group
	p.online = g.online(p.since)
	p.topics = make([]topicProgress, len(g.subscriptions))
	p.last = p.none()
	for i, s := range g.subscriptions {
		t := topicProgress{last: p.none()}
		for q := range s.topic.Partitions {
			offset, end := g.committed(s, q, p.since)
			if late := p.cloud.opts.BrokerLag; late > 0 {
				end = s.topic.produced(q, p.since-late)
			}
			last := p.none()
			if !p.hide {
				last = p.lastProduced(s.topic, q, offset)
			}
			p.partitions = append(p.partitions, partitionProgress{offset, end, last})
			t.diff += end - offset
			t.last = max(t.last, last)
		}
		p.topics[i] = t
		p.diff += t.diff
		p.last = max(p.last, t.last)
	}
}

// none is the timestamp of nothing.
func (p *progress) none() int64 {
	if p.hide {
		return -1
	}
	return 0
}

func (p *progress) writeTopic(w *reply, i int) {
	s := p.group.subscriptions[i]
	first := 0
	for _, before := range p.group.subscriptions[:i] {
		first += before.topic.Partitions
	}
	w.text("Topic", s.Topic)
	w.num("TotalDiff", p.topics[i].diff)
	w.num("LastTimestamp", p.topics[i].last)
	w.list("OffsetList", "OffsetList", s.topic.Partitions, func(q int) {
		at := p.partitions[first+q]
		w.num("Partition", int64(q))
		w.num("ConsumerOffset", at.offset)
		w.num("BrokerOffset", at.end)
		w.num("LastTimestamp", at.last)
		if !p.current {
			return
		}
		w.num("Accumulate", at.end-at.offset)
		if m := p.owner(s, first+q); m != nil {
			w.text("MemberId", m.member)
			w.text("ClientId", m.id)
			w.text("ClientIp", m.ip)
		}
	})
}

// owner returns the member that reads the n-th partition of the group; nil
// when nobody does.
func (p *progress) owner(s *subscription, n int) *client {
	if len(p.online) == 0 || s.Left > 0 {
		return nil
	}
	return &p.online[n%len(p.online)]
}

// rebalanceTook is how long a rebalance lasts.
const rebalanceTook = 3 * time.Second

// state returns the state of the group. Its values are not documented; these
// are Kafka's own in capitals.
func (p *progress) state() string {
	last := p.group.rebalances(p.since, 1)
	switch {
	case len(p.online) == 0:
		return "EMPTY"
	case len(last) > 0 && p.since-last[0].at < rebalanceTook:
		return "PREPARING_REBALANCE"
	}
	return "STABLE"
}

// writeRebalances writes the last few rebalances of a group, latest first;
// item is as for [reply.list].
func (c *Call) writeRebalances(w *reply, item string, g *group, n int) {
	last := g.rebalances(c.since, n)
	w.list("RebalanceInfoList", item, len(last), func(i int) {
		at := c.cloud.millis(last[i].at)
		if c.cloud.opts.RebalanceSeconds {
			at /= 1000
		}
		w.num("Generation", last[i].generation)
		w.text("GroupId", g.Name)
		w.num("LastRebalanceTimestamp", at)
		w.num("RebalanceTimeConsuming", rebalanceTook.Milliseconds())
		w.flag("RebalanceSuccess", true)
		w.text("Reason", last[i].reason)
	})
}
