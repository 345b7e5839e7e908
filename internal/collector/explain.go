package collector

import (
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// Explanation says why a consumer group has the status it has: the rule that
// decided, what it was compared with, and the samples that it rests on. Times
// are UTC; seconds of age are as of At.
type Explanation struct {
	Account       string      `json:"account"`
	RegionID      string      `json:"region_id"`
	InstanceID    string      `json:"instance_id"`
	ConsumerGroup string      `json:"consumer_group"`
	At            time.Time   `json:"at"`
	Status        GroupStatus `json:"status"`
	Since         *time.Time  `json:"since,omitempty"` // the first of the polls in a row that gave this status
	Rule          Rule        `json:"rule"`
	Thresholds    Thresholds  `json:"thresholds"`

	PolledAt   *time.Time `json:"polled_at,omitempty"` // absent: never
	AgeSeconds *float64   `json:"age_seconds,omitempty"`
	LastError  string     `json:"last_error,omitempty"` // of the last read, when it failed

	State      string           `json:"state,omitempty"`        // as the service calls it
	Members    *int             `json:"members,omitempty"`      // absent where the service does not tell
	Lag        *int64           `json:"lag_messages,omitempty"` // absent: both offsets are known of no partition
	LagSeconds *float64         `json:"lag_seconds,omitempty"`
	Rewound    *int64           `json:"rewound_messages,omitempty"` // still to be regained; absent as lag is
	Rebalances *Rebalances      `json:"rebalances,omitempty"`
	Topics     []TopicExplained `json:"topics"`
	Polls      []time.Time      `json:"polls"`   // of the lag_samples of partitions, the last one last
	Samples    []GroupSample    `json:"samples"` // totals of the last polls, the last one last
}

// Rule is a rule that decided on a status.
type Rule struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Thresholds are what rules compare with: collect.status and a TTL.
type Thresholds struct {
	AllowedLag            int     `json:"allowed_lag"`
	AllowedLagSeconds     float64 `json:"allowed_lag_seconds"`
	StoppedAfterSeconds   float64 `json:"stopped_after_seconds"`
	WindowSeconds         float64 `json:"window_seconds"`
	AbandonedAfterSeconds float64 `json:"abandoned_after_seconds"`
	TTLSeconds            float64 `json:"ttl_seconds"`
}

// Rebalances are how often a group shared its partitions out anew, and why.
type Rebalances struct {
	Total int64             `json:"total"` // since the group is watched
	Last  []RebalanceReason `json:"last"`  // latest first
}

// RebalanceReason is one rebalance.
type RebalanceReason struct {
	Generation  int64      `json:"generation"`
	At          *time.Time `json:"at,omitempty"` // absent: the service did not tell
	TookSeconds float64    `json:"took_seconds"`
	Success     bool       `json:"success"`
	Reason      string     `json:"reason"`
}

// TopicExplained is a group's progress on a topic.
type TopicExplained struct {
	Topic             string               `json:"topic"`
	Status            GroupStatus          `json:"status"`
	Rule              string               `json:"rule"`
	Lag               *int64               `json:"lag_messages,omitempty"` // absent: both offsets are known of no partition
	LagSeconds        *float64             `json:"lag_seconds,omitempty"`
	Method            string               `json:"lag_seconds_method,omitempty"`
	ConsumedPerSecond *float64             `json:"consumed_messages_per_second,omitempty"`
	ProducedPerSecond *float64             `json:"produced_messages_per_second,omitempty"`
	RetentionMargin   *int64               `json:"retention_margin_messages,omitempty"`
	MessagesLost      *int64               `json:"messages_lost,omitempty"` // since the group is watched
	Partitions        []PartitionExplained `json:"partitions"`
}

// PartitionExplained is a group's progress on a partition.
type PartitionExplained struct {
	Partition  int32       `json:"partition"`
	Status     GroupStatus `json:"status"`
	Rule       string      `json:"rule"`
	Committed  *int64      `json:"committed_offset,omitempty"` // absent: nothing was committed
	Newest     *int64      `json:"newest_offset,omitempty"`
	Lag        *int64      `json:"lag_messages,omitempty"` // absent: an offset is not known
	LagSeconds *float64    `json:"lag_seconds,omitempty"`
	Method     string      `json:"lag_seconds_method,omitempty"`
	// The moments between which the oldest unconsumed message came.
	CameAfter  *time.Time `json:"oldest_unconsumed_after,omitempty"`
	CameBefore *time.Time `json:"oldest_unconsumed_before,omitempty"`
	Owner      *OwnerName `json:"owner,omitempty"`
	// While its lag is more than allowed, or stands still on the way there:
	StandsStillSince *time.Time `json:"committed_offset_since,omitempty"` // it had its value then
	UnownedSince     *time.Time `json:"unowned_since,omitempty"`
	RewoundMessages  int64      `json:"rewound_messages,omitempty"` // still to be regained
	RewoundAt        *time.Time `json:"rewound_at,omitempty"`
	LagSamples       []float32  `json:"lag_samples,omitempty"` // in messages, at the last of polls
}

// OwnerName is a member that owns a partition.
type OwnerName struct {
	ClientID string `json:"client_id"`
	ClientIP string `json:"client_ip"`
	MemberID string `json:"member_id"`
}

// Explain explains the status of a group; false when it is not known. Where
// two accounts have an instance of that id, the first that has the group
// decides.
func (c *Collector) Explain(instanceID, consumerGroup string) (Explanation, bool) {
	for _, a := range c.accounts {
		if x, ok := a.explain(instanceID, consumerGroup); ok {
			return x, true
		}
	}
	return Explanation{}, false
}

// GroupNames returns the names of the groups of an instance, sorted; false
// when the instance is not known.
func (c *Collector) GroupNames(instanceID string) ([]string, bool) {
	for _, a := range c.accounts {
		if names, ok := a.groupNames(instanceID); ok {
			return names, true
		}
	}
	return nil, false
}

func (a *account) groupNames(instanceID string) ([]string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := a.named(instanceID); i != nil {
		return sortedKeys(i.groups), true
	}
	return nil, false
}

// InstanceIDs returns the ids of the instances that are watched, sorted.
func (c *Collector) InstanceIDs() []string {
	ids := map[string]bool{}
	for _, a := range c.accounts {
		a.mu.Lock()
		for _, r := range a.regions {
			for id := range r.instances {
				ids[id] = true
			}
		}
		a.mu.Unlock()
	}
	return sortedKeys(ids)
}

func (a *account) explain(instanceID, consumerGroup string) (Explanation, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.named(instanceID)
	if i == nil || i.groups[consumerGroup] == nil {
		return Explanation{}, false
	}
	g := i.groups[consumerGroup]
	x := Explanation{
		Account: a.Name, RegionID: i.view.RegionID, InstanceID: instanceID, ConsumerGroup: consumerGroup, At: time.Now().UTC(),
		Thresholds: a.thresholds(), Topics: []TopicExplained{}, Polls: []time.Time{}, Samples: []GroupSample{},
	}
	if g.progress.err != nil {
		x.LastError = g.progress.err.Error()
	}
	x.explain(g.view, a.ttl(sourceProgress))
	for n := range x.Topics {
		if t := i.topics[x.Topics[n].Topic]; t != nil && t.view.Produced.fresh(x.At, a.ttl(sourceTopicStatus)) {
			x.Topics[n].ProducedPerSecond = &t.view.Produced.PerSecond
		}
	}
	return x, true
}

func (a *account) thresholds() Thresholds {
	s := a.config.Status
	return Thresholds{
		s.AllowedLag, s.AllowedLagSeconds, time.Duration(s.StoppedAfter).Seconds(), time.Duration(s.Window).Seconds(),
		time.Duration(s.AbandonedAfter).Seconds(), a.ttl(sourceProgress).Seconds(),
	}
}

// explain fills in what the last answer says.
func (x *Explanation) explain(g *ConsumerGroup, ttl time.Duration) {
	x.setRule(ruleNeverRead)
	if g.Progress.At.IsZero() {
		return
	}
	p := &g.Progress.Data
	at, age := g.Progress.At.UTC(), x.At.Sub(g.Progress.At).Seconds()
	x.PolledAt, x.AgeSeconds, x.State = &at, &age, p.State
	x.Status, x.Since = p.Status, moment(p.Since)
	x.setRule(p.rule)
	if !g.Progress.fresh(x.At, ttl) {
		x.Status, x.Since = StatusUnknown, nil
		x.setRule(ruleTooOld)
	}
	if p.MembersKnown {
		x.Members = &p.Members
	}
	if p.RebalancesKnown {
		x.Rebalances = &Rebalances{Total: p.RebalancesSeen, Last: reasons(p.Rebalances)}
	}
	for _, ms := range p.polls {
		x.Polls = append(x.Polls, time.UnixMilli(ms).UTC())
	}
	x.Samples = append(x.Samples, p.Samples...)
	for i := range p.Topics {
		t := explainTopic(&p.Topics[i], p.Owners)
		x.add(&t)
		x.Topics = append(x.Topics, t)
	}
}

// add adds a topic to the totals, unless it has no lag.
func (x *Explanation) add(t *TopicExplained) {
	if t.Lag == nil {
		return
	}
	if x.Lag == nil {
		x.Lag, x.LagSeconds, x.Rewound = new(int64), new(float64), new(int64)
	}
	*x.Lag += *t.Lag
	*x.LagSeconds = max(*x.LagSeconds, *t.LagSeconds)
	for i := range t.Partitions {
		*x.Rewound += t.Partitions[i].RewoundMessages
	}
}

func (x *Explanation) setRule(r rule) { x.Rule = Rule{ruleNames[r].name, ruleNames[r].text} }

func reasons(list []api.Rebalance) []RebalanceReason {
	rs := make([]RebalanceReason, len(list))
	for i, r := range list {
		rs[i] = RebalanceReason{r.Generation, moment(max(0, r.LastRebalanceTimestamp)), float64(r.RebalanceTimeConsuming) / 1000, r.RebalanceSuccess, r.Reason}
	}
	return rs
}

func explainTopic(t *GroupTopic, owners []Owner) TopicExplained {
	sum := sumUp(t)
	x := TopicExplained{
		Topic: t.Topic, Status: t.Status, Rule: ruleNames[t.rule].name, Method: lagMethods[sum.method],
		Partitions: make([]PartitionExplained, len(t.Partitions)),
	}
	if sum.known {
		x.Lag, x.LagSeconds = &sum.lag, &sum.seconds
	}
	if t.Consumed.Known {
		x.ConsumedPerSecond = &t.Consumed.PerSecond
	}
	if t.Retention.Known {
		x.RetentionMargin, x.MessagesLost = &t.Retention.Margin, &t.Retention.Lost
	}
	for i := range t.Partitions {
		x.Partitions[i] = explainPartition(&t.Partitions[i], t.lateness(t.Partitions[i].Partition), owners)
	}
	return x
}

// explainPartition makes the explanation of a partition; l is nil while there
// is nothing to remember of it.
func explainPartition(p *GroupPartition, l *lateness, owners []Owner) PartitionExplained {
	x := PartitionExplained{Partition: p.Partition, Status: p.Status, Rule: ruleNames[p.rule()].name, Method: lagMethods[p.Method]}
	if p.Newest >= 0 {
		x.Newest = &p.Newest
	}
	if p.committed() {
		x.Committed = &p.Committed
	}
	if p.measured() {
		x.Lag, x.LagSeconds = new(p.Lag()), &p.Seconds
	}
	if p.Method != LagNone {
		x.CameAfter, x.CameBefore = moment(p.absent), moment(p.present)
	}
	if n := int(p.Owner); n >= 0 && n < len(owners) {
		x.Owner = &OwnerName{owners[n][0], owners[n][1], owners[n][2]}
	}
	if l != nil {
		x.Rule = ruleNames[l.rule].name
		x.StandsStillSince, x.UnownedSince, x.RewoundAt = moment(l.moved), moment(l.ownerless), moment(l.rewoundAt)
		x.RewoundMessages = l.rewoundBy(p)
		x.LagSamples = l.lags[statusSlots-int(l.samples):]
	}
	return x
}

// moment is a time in Unix ms; nil for 0.
func moment(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := time.UnixMilli(ms).UTC()
	return &t
}
