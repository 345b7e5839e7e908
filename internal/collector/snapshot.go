package collector

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// Section is the last good answer of a source about an object, with its date.
// Sections are immutable: a new answer makes a new section.
type Section[T any] struct {
	Data T
	At   time.Time // when Data was answered; zero: never
}

// fresh reports whether the section has data that are younger than ttl.
func (s Section[T]) fresh(now time.Time, ttl time.Duration) bool { return fresh(s.At, now, ttl) }

// fresh reports whether what is of at may be shown still; a zero at is never.
func fresh(at, now time.Time, ttl time.Duration) bool { return !at.IsZero() && now.Sub(at) <= ttl }

// Snapshot is what is known at one moment. It is immutable, but for nothing
// but its own slices: the objects in it are shared with later snapshots.
type Snapshot struct {
	At        time.Time
	Regions   []*Region
	Instances []*Instance
	Sources   []SourceState
	Plan      []PlanRow
}

// Region is a region of an account.
type Region struct {
	Account   string
	ID        string
	Tried     bool // GetInstanceList was answered or failed at least once
	Up        bool // the last GetInstanceList succeeded
	Fresh     bool // one has succeeded within the TTL
	Instances int
}

// Instance is a cloud instance with its topics and groups, both sorted by
// name.
type Instance struct {
	Account  string
	RegionID string
	ID       string

	Info       Section[InstanceInfo]
	Quota      Section[api.Quota]
	AllowedIPs Section[api.AllowedIPs]
	TopicList  Section[TopicTotals]
	GroupList  Section[int] // how many consumer groups exist, filtered out or not
	Topics     []*Topic
	Groups     []*ConsumerGroup

	detail *detail
}

// InstanceInfo is an instance of GetInstanceList with its AllConfig decoded.
type InstanceInfo struct {
	api.Instance
	Config map[string]string
}

// TopicTotals counts all topics of an instance, filtered out or not.
type TopicTotals struct{ Topics, Partitions int64 }

// Topic is a topic of an instance.
type Topic struct {
	Info   Section[api.Topic]
	Status Section[TopicOffsets] // GetTopicStatus
	// Newest are the log ends by partition, sorted; each the latest sample of
	// any source.
	Newest []LogEnd
	// Produced is the rate between our last two samples of all partitions.
	Produced Rate
}

// Name returns the topic's name.
func (t *Topic) Name() string { return t.Info.Data.Topic }

// LogEnd is a sample of the newest offset of a partition: the offset that the
// next message gets.
type LogEnd struct {
	Partition int32
	Offset    int64
	At        time.Time // when it was asked for
}

// TopicOffsets are the answer of GetTopicStatus, partitions sorted.
type TopicOffsets struct {
	LastMessage int64 // Unix ms; 0 or less: none
	Partitions  []PartitionOffsets
}

// PartitionOffsets are the span of a partition: the oldest offset still there
// and the log end.
type PartitionOffsets struct {
	Partition      int32
	Oldest, Newest int64
}

// Rate is a rate in messages per second between our last two samples.
type Rate struct {
	PerSecond float64
	At        time.Time // of the newer sample
	Known     bool      // there are two samples and nothing went backwards
}

func (r Rate) fresh(now time.Time, ttl time.Duration) bool { return r.Known && fresh(r.At, now, ttl) }

// ConsumerGroup is a consumer group of an instance.
type ConsumerGroup struct {
	Info     Section[api.ConsumerGroup]
	Progress Section[GroupProgress]
}

// Name returns the group's name.
func (g *ConsumerGroup) Name() string { return g.Info.Data.ConsumerID }

// GroupProgress is the answer of GetConsumerProgress, topics sorted.
type GroupProgress struct {
	Members      int
	MembersKnown bool    // older editions of the service do not tell
	State        string  // as the service calls it; "" where it does not tell
	Owners       []Owner // of partitions, see GroupPartition
	Topics       []GroupTopic
	Status       GroupStatus // at the time of the answer
	Since        int64       // the first of the polls in a row that gave this status, Unix ms

	Rebalances      []api.Rebalance // the last few, latest first
	RebalancesSeen  int64           // since the group is watched
	RebalancesKnown bool            // older editions of the service do not tell

	Samples []GroupSample // of the last polls, oldest first

	rule  rule
	at    poll
	polls []int64 // of the last samples of lag, see lateness; Unix ms
}

// Owner is a member of a group that owns a partition: its client id, address
// and member id.
type Owner [3]string

// GroupTopic is a group's progress on a topic, partitions sorted.
type GroupTopic struct {
	Topic      string
	Consumed   Rate
	Partitions []GroupPartition
	Status     GroupStatus
	Retention  Retention

	rule   rule
	late   []lateness         // by partition
	oldest []PartitionOffsets // that Retention comes from
}

// Retention is how close a group is to losing messages of a topic because they
// are deleted before it has consumed them.
type Retention struct {
	Margin int64 // committed less oldest offset, of the partition with the least; below 0 for lost messages
	Lost   int64 // messages that were deleted at the committed offset since the group is watched
	Known  bool  // the oldest offset of a partition with a commit is known
}

// SourceState sums a source of a region up.
type SourceState struct {
	Account     string
	RegionID    string
	Source      string
	Objects     int
	Oldest      time.Time // of the oldest object: its last success, else when it became known
	LastSuccess time.Time // zero: never
	Err         error     // of the last failed read that was not followed by a success; nil: none
	ErrAt       time.Time
}

// Snapshot returns what is known now.
func (c *Collector) Snapshot() *Snapshot {
	s := &Snapshot{At: time.Now()}
	for _, a := range c.accounts {
		a.snapshot(s)
	}
	return s
}

// snapshot adds the account to s.
func (a *account) snapshot(s *Snapshot) {
	a.liveSnapshot(s)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range sortedKeys(a.regions) {
		r := a.regions[id]
		for _, iid := range sortedKeys(r.instances) {
			s.Instances = append(s.Instances, r.instances[iid].publish())
		}
	}
}

// liveSnapshot adds the regions, sources and plan of the account to s.
func (a *account) liveSnapshot(s *Snapshot) {
	s.Plan = append(s.Plan, a.planRows(DefaultSupposed())...)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range sortedKeys(a.regions) {
		r := a.regions[id]
		s.Regions = append(s.Regions, &Region{Account: a.Name, ID: id, Tried: r.list.tried, Up: r.up, Fresh: fresh(r.list.at, s.At, a.ttl(sourceInstances)), Instances: len(r.instances)})
	}
	a.sourceStates(s)
}

// sourceStates sums the objects of every source and region up. Called with
// a.mu held.
func (a *account) sourceStates(s *Snapshot) {
	type key struct{ region, source string }
	states := map[key]*SourceState{}
	for o := range a.objects {
		k := key{o.region, o.source.name}
		st := states[k]
		if st == nil {
			st = &SourceState{Account: a.Name, RegionID: o.region, Source: o.source.name, Oldest: o.since()}
			states[k] = st
		}
		st.Objects++
		if o.since().Before(st.Oldest) {
			st.Oldest = o.since()
		}
		if o.at.After(st.LastSuccess) {
			st.LastSuccess = o.at
		}
		if o.err != nil && o.errAt.After(st.ErrAt) {
			st.Err, st.ErrAt = o.err, o.errAt
		}
	}
	for _, st := range states {
		s.Sources = append(s.Sources, *st)
	}
	slices.SortFunc(s.Sources, func(x, y SourceState) int {
		return cmp.Or(cmp.Compare(x.Account, y.Account), cmp.Compare(x.RegionID, y.RegionID), cmp.Compare(x.Source, y.Source))
	})
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
