package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// createConsumerGroup imitates CreateConsumerGroup. What is longer than 128
// characters is cut silently.
func createConsumerGroup(c *Call, _ *reply) *refusal {
	in, no := c.serving()
	if no != nil {
		return no
	}
	a := c.args()
	g := Group{
		Name: a.name("ConsumerId", maxGroupName), Remark: c.Param("Remark"), Tags: a.newTags(),
		Members: 1, Offline: true,
	}
	switch {
	case a.no != nil:
		return a.no
	case in.byGroup[g.Name] != nil:
		return refuse(http.StatusBadRequest, "BIZ_SUBSCRIPTION_EXISTED", "The consumer group already exists. "+again)
	case int64(len(in.groups)) >= in.GroupLimit:
		return refuse(http.StatusBadRequest, "BIZ_SUBSCRIPTION_TOO_MUCH", "The number of consumer groups exceeds the limit. "+again)
	}
	c.apply(func() { _ = c.cloud.addGroup(in, g, c.since) }) // fails only for what was checked
	return nil
}

// idleGroup returns the instance and the consumer group that a call changes,
// which must have no members.
func (c *Call) idleGroup() (*instance, *group, *refusal) {
	in, no := c.serving()
	if no != nil {
		return nil, nil, no
	}
	g := in.byGroup[c.Param("ConsumerId")]
	switch {
	case g == nil:
		return nil, nil, noGroup()
	case len(g.online(c.since)) > 0:
		return nil, nil, refuse(http.StatusBadRequest, "BIZ_CONSUMER_GROUP_ACTIVE_ERROR", "The consumer group is active. "+again)
	}
	return in, g, nil
}

// deleteConsumerGroup imitates DeleteConsumerGroup; the offsets go with the
// group.
func deleteConsumerGroup(c *Call, _ *reply) *refusal {
	in, g, no := c.idleGroup()
	if no != nil {
		return no
	}
	c.apply(func() { in.removeGroup(g) })
	return nil
}

// updateConsumerOffset imitates UpdateConsumerOffset: a group without members
// goes to the latest or earliest offsets, to a time, or to given offsets of
// one topic. An empty Topic means all that it reads.
func updateConsumerOffset(c *Call, _ *reply) *refusal {
	in, g, no := c.idleGroup()
	if no != nil {
		return no
	}
	topics := in.topics
	if name := c.Param("Topic"); name != "" {
		t, no := c.topic(in)
		if no != nil {
			return no
		}
		topics = []*topic{t}
	}
	a := c.args()
	var target func(t *topic, p int) (offset int64, moved bool)
	if a.choice("ResetType", "timestamp", "offset") == "offset" {
		target = a.givenOffsets(topics)
	} else {
		target = a.offsetsAt()
	}
	if a.no != nil {
		return a.no
	}
	c.apply(func() {
		for _, t := range topics {
			s := g.subscription(t)
			fresh := s == nil
			switch {
			case fresh && c.Param("Topic") == "":
				continue
			case fresh:
				s = g.subscribe(t)
			}
			for p := range t.Partitions {
				offset, moved := target(t, p)
				if !moved && fresh {
					offset, moved = t.oldest(p, c.since), true
				}
				if moved {
					g.place(s, p, offset, c.since)
				}
			}
		}
	})
	return nil
}

// offsetsAt returns the offsets of the time that the call names.
func (a *args) offsetsAt() func(t *topic, p int) (int64, bool) {
	now := a.since
	switch a.Param("Time") {
	case "":
		a.fail(missing("Time"))
	case "-1":
		return func(t *topic, p int) (int64, bool) { return t.produced(p, now), true }
	case "-2":
		return func(t *topic, p int) (int64, bool) { return t.oldest(p, now), true }
	}
	at := min(now, a.millisTime("Time")-time.Nanosecond) // the first message of that time or later
	return func(t *topic, p int) (int64, bool) { return max(t.produced(p, at), t.oldest(p, now)), true }
}

// givenOffsets returns the offsets that the call lists, of one topic.
func (a *args) givenOffsets(topics []*topic) func(t *topic, p int) (int64, bool) {
	var entries []struct {
		Partition json.RawMessage `json:"Partition"`
		Offset    json.RawMessage `json:"Offset"`
	}
	err := json.Unmarshal([]byte(a.text("Offsets")), &entries)
	if err != nil || len(entries) == 0 {
		a.fail(invalid("Offsets"))
	}
	if a.Param("Topic") == "" {
		a.fail(missing("Topic"))
	}
	to := make(map[int]int64)
	for _, e := range entries {
		p, okP := wholeNumber(e.Partition)
		offset, okO := wholeNumber(e.Offset)
		if !okP || !okO || len(topics) != 1 || p >= int64(topics[0].Partitions) {
			a.fail(invalid("Offsets"))
			continue
		}
		to[int(p)] = offset
	}
	now := a.since
	return func(t *topic, p int) (int64, bool) {
		offset, ok := to[p]
		return min(max(offset, t.oldest(p, now)), t.produced(p, now)), ok
	}
}

// wholeNumber reads a JSON number or a string with one.
func wholeNumber(v json.RawMessage) (int64, bool) {
	text, ok := plainValue(v)
	n, err := strconv.ParseInt(text, 10, 64)
	return n, ok && err == nil && n >= 0
}

// subscription returns what a group reads of a topic; nil when it does not.
func (g *group) subscription(t *topic) *subscription {
	for _, s := range g.subscriptions {
		if s.topic == t {
			return s
		}
	}
	return nil
}

// subscribe gives a group offsets of a topic that it has not read.
func (g *group) subscribe(t *topic) *subscription {
	s := newSubscription(Subscription{Topic: t.Name}, t)
	g.subscriptions = append(slices.Clip(g.subscriptions), s)
	return s
}

// place commits an offset for a group without members, which goes on from
// there when they come back.
func (g *group) place(s *subscription, p int, offset int64, now time.Duration) {
	b := &bend{since: now, from: now, place: -s.topic.Age - time.Second, waits: true} // before the first message
	if offset > 0 {
		b.place = s.topic.producedAt(p, offset-1)
	}
	delete(s.bends, p)
	if !g.Offline && g.out == 0 {
		b.wake(g.Scene.back(now), g.position(s, p, now))
	}
	s.bends[p] = b
}

// wake lets a group that waits go on at a time; usual is where it would be
// then without the bend.
func (b *bend) wake(now, usual time.Duration) {
	b.from, b.waits = now, false
	if b.ahead = b.place > usual; !b.ahead {
		b.speed = catchUp
	}
}
