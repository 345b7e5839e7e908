package collector

import "slices"

// Families of topics and consumer groups, and of the data themselves.

// topicView is a topic that was listed lately.
type topicView struct {
	*Topic
	v *view
}

var topicEntity = entity[topicView]{
	kind:   kindTopic,
	labels: []string{"account", "region_id", "instance_id", "topic"},
	each: func(v *view, yield func(topicView)) {
		v.eachTopic(func(i *Instance, t *Topic) {
			v.identity(i.Account, i.RegionID, i.ID, t.Name())
			yield(topicView{t, v})
		})
	},
	families: []family[topicView]{
		{"alikafka_topic_info", []string{"storage", "cleanup_policy", "status"}, "What the topic is; 1.", func(t topicView, show emit) {
			d := t.Info.Data
			storage, cleanup := "cloud", "delete"
			if d.LocalTopic {
				storage = "local"
			}
			if d.CompactTopic {
				cleanup = "compact"
			}
			show(1, storage, cleanup, topicStatuses.name(d.Status))
		}},
		{"alikafka_topic_partitions", nil, "Partitions of the topic.", func(t topicView, show emit) { show(float64(t.Info.Data.PartitionNum)) }},
		{"alikafka_topic_messages", nil, "Sum of the spans from oldest to newest offset; on a compacted topic not a count of messages.", func(t topicView, show emit) {
			if !t.statusFresh() || len(t.Status.Data.Partitions) == 0 {
				return
			}
			sum := int64(0)
			for _, p := range t.Status.Data.Partitions {
				sum += max(0, p.Newest-p.Oldest)
			}
			show(float64(sum))
		}},
		{"alikafka_topic_last_message_timestamp_seconds", nil, "When the last message was produced (LastTimeStamp of GetTopicStatus). Absent when there was none.", func(t topicView, show emit) {
			if t.statusFresh() {
				showTime(show, t.Status.Data.LastMessage)
			}
		}},
		{"alikafka_topic_last_poll_timestamp_seconds", nil, "When offsets of the topic were last read, with its status or with a group's progress.", func(t topicView, show emit) {
			last := t.Status.At
			for _, e := range t.Newest {
				if e.At.After(last) {
					last = e.At
				}
			}
			if fresh(last, t.v.At, t.v.ttl(sourceTopicStatus)) {
				show(unixSeconds(last))
			}
		}},
		{
			"alikafka_topic_produced_messages_per_second", nil, "Messages produced per second between our last two samples of all partitions; use it rather than rate() over uneven polls.",
			func(t topicView, show emit) {
				if t.Produced.fresh(t.v.At, t.v.ttl(sourceTopicStatus)) {
					show(t.Produced.PerSecond)
				}
			},
		},
	},
}

var topicStatuses = enum{0: "in_service", 1: "frozen", 2: "paused"}

func (v *view) eachTopic(f func(*Instance, *Topic)) {
	v.eachInstance(func(i *Instance) {
		for _, t := range i.Topics {
			if t.Info.fresh(v.At, v.ttl(sourceTopics)) {
				f(i, t)
			}
		}
	})
}

func (t topicView) statusFresh() bool { return t.Status.fresh(t.v.At, t.v.ttl(sourceTopicStatus)) }

// partitionView is a partition; Newest or Oldest may be unknown.
type partitionView struct {
	partition                int32
	newest, oldest           int64
	newestKnown, oldestKnown bool
}

var partitionEntity = entity[partitionView]{
	kind:   kindTopicPartition,
	labels: []string{"account", "region_id", "instance_id", "topic", "partition"},
	level:  LevelPartition,
	each: func(v *view, yield func(partitionView)) {
		v.eachTopic(func(i *Instance, t *Topic) {
			shown, ttl := v.scope(i, "", t.Name()), v.ttl(sourceTopicStatus)
			for _, e := range t.Newest {
				if fresh(e.At, v.At, ttl) && shown.partition(e.Partition) {
					v.identity(i.Account, i.RegionID, i.ID, t.Name(), partitionLabel(e.Partition))
					yield(partitionView{partition: e.Partition, newest: e.Offset, newestKnown: true})
				}
			}
			if !t.Status.fresh(v.At, ttl) {
				return
			}
			for _, p := range t.Status.Data.Partitions {
				if !shown.partition(p.Partition) {
					continue
				}
				v.identity(i.Account, i.RegionID, i.ID, t.Name(), partitionLabel(p.Partition))
				yield(partitionView{partition: p.Partition, oldest: p.Oldest, oldestKnown: true})
			}
		})
	},
	families: []family[partitionView]{
		{
			"alikafka_topic_partition_newest_offset", nil, "Log end of the partition: the offset that the next message gets. The latest sample of GetTopicStatus or GetConsumerProgress.",
			func(p partitionView, show emit) {
				if p.newestKnown {
					show(float64(p.newest))
				}
			},
		},
		{"alikafka_topic_partition_oldest_offset", nil, "Oldest offset that is still there.", func(p partitionView, show emit) {
			if p.oldestKnown {
				show(float64(p.oldest))
			}
		}},
	},
}

// groupView is a consumer group that was listed lately.
type groupView struct {
	*ConsumerGroup
	v *view
}

func (g groupView) fresh() bool { return g.Progress.fresh(g.v.At, g.v.ttl(sourceProgress)) }

var groupEntity = entity[groupView]{
	kind:   kindGroup,
	labels: []string{"account", "region_id", "instance_id", "consumer_group"},
	each: func(v *view, yield func(groupView)) {
		v.eachGroup(func(i *Instance, g *ConsumerGroup) {
			v.identity(i.Account, i.RegionID, i.ID, g.Name())
			yield(groupView{g, v})
		})
	},
	families: []family[groupView]{
		{
			"alikafka_consumer_group_status",
			[]string{"status"},
			"How the group is doing by its worst partition; 1 for the status it is in. /api/v1/explain says why.",
			func(g groupView, show emit) {
				now := StatusUnknown
				if g.fresh() {
					now = g.Progress.Data.Status
				}
				for s, name := range groupStatuses {
					show(boolean(GroupStatus(s) == now), name)
				}
			},
		},
		{"alikafka_consumer_group_rebalances_total", nil, "Rebalances of the group since it is watched. Absent where the service does not tell.", func(g groupView, show emit) {
			if g.fresh() && g.Progress.Data.RebalancesKnown {
				show(float64(g.Progress.Data.RebalancesSeen))
			}
		}},
		{"alikafka_consumer_group_last_rebalance_timestamp_seconds", nil, "When the last rebalance of the group took place. Absent when none is known.", func(g groupView, show emit) {
			if g.fresh() && len(g.Progress.Data.Rebalances) > 0 {
				showTime(show, g.Progress.Data.Rebalances[0].LastRebalanceTimestamp)
			}
		}},
		{"alikafka_consumer_group_members", nil, "Members that own a partition. Absent where the service does not tell.", func(g groupView, show emit) {
			if g.fresh() && g.Progress.Data.MembersKnown {
				show(float64(g.Progress.Data.Members))
			}
		}},
		{"alikafka_consumer_group_last_poll_timestamp_seconds", nil, "When the progress of the group was last read.", func(g groupView, show emit) {
			if g.fresh() {
				show(unixSeconds(g.Progress.At))
			}
		}},
		{"alikafka_consumer_group_lag_messages", nil, "Messages that the group has yet to consume, over all topics. Absent without a commit.", func(g groupView, show emit) {
			sum, known := int64(0), false
			for i := range g.topics() {
				t := sumUp(&g.Progress.Data.Topics[i])
				sum, known = sum+t.lag, known || t.known
			}
			if known {
				show(float64(sum))
			}
		}},
		{"alikafka_consumer_group_lag_seconds", nil, "Time that the oldest message the group has yet to consume had waited at the poll; the maximum over partitions.", func(g groupView, show emit) {
			worst, known := 0.0, false
			for i := range g.topics() {
				t := sumUp(&g.Progress.Data.Topics[i])
				worst, known = max(worst, t.seconds), known || t.known
			}
			if known {
				show(worst)
			}
		}},
	},
}

func (v *view) eachGroup(f func(*Instance, *ConsumerGroup)) {
	v.eachInstance(func(i *Instance) {
		for _, g := range i.Groups {
			if g.Info.fresh(v.At, v.ttl(sourceGroups)) {
				f(i, g)
			}
		}
	})
}

// topics returns the number of topics of a progress that is fresh.
func (g groupView) topics() int {
	if !g.fresh() {
		return 0
	}
	return len(g.Progress.Data.Topics)
}

// groupTopicView sums a group's progress on a topic up.
type groupTopicView struct {
	*GroupTopic
	lag     int64
	seconds float64
	method  LagMethod // of the partition that has the most seconds
	any     bool      // some partition has a commit
	known   bool      // some partition has both offsets, and so there is a lag
}

func sumUp(t *GroupTopic) groupTopicView {
	s := groupTopicView{GroupTopic: t}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if !p.committed() {
			continue
		}
		s.any = true
		if !p.measured() {
			continue
		}
		s.known = true
		s.lag += p.Lag()
		if p.Method != LagNone && (s.method == LagNone || p.Seconds > s.seconds) {
			s.seconds, s.method = p.Seconds, p.Method
		}
	}
	return s
}

var groupTopicEntity = entity[groupTopicView]{
	kind:   kindGroup,
	labels: []string{"account", "region_id", "instance_id", "consumer_group", "topic"},
	level:  LevelTopic,
	each: func(v *view, yield func(groupTopicView)) {
		v.eachProgress(func(i *Instance, g *ConsumerGroup, t *GroupTopic) {
			if shown := v.scope(i, g.Name(), t.Topic); !shown.topic() {
				return
			}
			if s := sumUp(t); s.any {
				v.identity(i.Account, i.RegionID, i.ID, g.Name(), t.Topic)
				yield(s)
			}
		})
	},
	families: []family[groupTopicView]{
		{"alikafka_consumer_group_topic_lag_messages", nil, "Messages of the topic that the group has yet to consume.", func(t groupTopicView, show emit) {
			if t.known {
				show(float64(t.lag))
			}
		}},
		{
			"alikafka_consumer_group_topic_lag_seconds", nil, "Time that the oldest message of the topic the group has yet to consume had waited at the poll; the maximum over partitions.",
			func(t groupTopicView, show emit) {
				if t.known {
					show(t.seconds)
				}
			},
		},
		{
			"alikafka_consumer_group_topic_lag_seconds_method",
			[]string{"method"},
			"How the seconds of lag came about: 1 for the method in use. history is exact to the distance of two samples, at_most is an upper bound, at_least a lower one.",
			func(t groupTopicView, show emit) {
				for m, name := range lagMethods {
					if t.known && name != "" {
						show(boolean(LagMethod(m) == t.method), name)
					}
				}
			},
		},
		{
			"alikafka_consumer_group_topic_consumed_messages_per_second", nil, "Messages consumed per second between our last two polls. Absent after the committed offsets went backwards.",
			func(t groupTopicView, show emit) {
				if t.Consumed.Known {
					show(t.Consumed.PerSecond)
				}
			},
		},
		{
			"alikafka_consumer_group_topic_retention_margin_messages", nil,
			"Committed less oldest offset, of the partition with the least: how many messages are left until unconsumed ones are deleted. Below 0, that many are lost.",
			func(t groupTopicView, show emit) {
				if t.Retention.Known {
					show(float64(t.Retention.Margin))
				}
			},
		},
		{
			"alikafka_consumer_group_topic_messages_lost_total", nil,
			"Messages that were deleted before the group had consumed them, since it is watched; at least so many.",
			func(t groupTopicView, show emit) {
				if t.Retention.Known {
					show(float64(t.Retention.Lost))
				}
			},
		},
	},
}

// eachProgress visits what every group that was read lately consumes.
func (v *view) eachProgress(f func(*Instance, *ConsumerGroup, *GroupTopic)) {
	v.eachGroup(func(i *Instance, g *ConsumerGroup) {
		for t := range (groupView{g, v}).topics() {
			f(i, g, &g.Progress.Data.Topics[t])
		}
	})
}

// groupPartitionView is a partition that has a commit.
type groupPartitionView struct {
	*GroupPartition
	owners []Owner
}

var groupPartitionEntity = entity[groupPartitionView]{
	kind:   kindGroupPartition,
	labels: []string{"account", "region_id", "instance_id", "consumer_group", "topic", "partition"},
	level:  LevelPartition,
	each: func(v *view, yield func(groupPartitionView)) {
		v.eachProgress(func(i *Instance, g *ConsumerGroup, t *GroupTopic) {
			shown := v.scope(i, g.Name(), t.Topic)
			for n := range t.Partitions {
				if p := &t.Partitions[n]; p.committed() && shown.partition(p.Partition) {
					v.identity(i.Account, i.RegionID, i.ID, g.Name(), t.Topic, partitionLabel(p.Partition))
					yield(groupPartitionView{p, g.Progress.Data.Owners})
				}
			}
		})
	},
	families: []family[groupPartitionView]{
		{"alikafka_consumer_group_partition_offset", nil, "Committed offset. Absent without a commit.", func(p groupPartitionView, show emit) { show(float64(p.Committed)) }},
		{
			"alikafka_consumer_group_partition_lag_messages", nil, "Messages that the group has yet to consume: log end less committed offset, both of the same answer.",
			func(p groupPartitionView, show emit) {
				if p.measured() {
					show(float64(p.Lag()))
				}
			},
		},
		{
			"alikafka_consumer_group_partition_lag_seconds", nil, "Time that the oldest message the group has yet to consume had waited at the poll; 0 without lag.",
			func(p groupPartitionView, show emit) {
				if p.measured() {
					show(p.Seconds)
				}
			},
		},
	},
}

// withOwners adds the family of owners where the configuration asks for it: its
// labels change with every rebalance.
func withOwners(e entity[groupPartitionView], yes bool) entity[groupPartitionView] {
	if !yes {
		return e
	}
	e.families = append(slices.Clone(e.families), family[groupPartitionView]{
		"alikafka_consumer_group_partition_owner_info",
		[]string{"client_id", "client_ip", "member_id"},
		"The member that owns the partition; 1. Opt-in (collect.owner_info).",
		func(p groupPartitionView, show emit) {
			if n := int(p.Owner); n >= 0 && n < len(p.owners) {
				show(1, p.owners[n][:]...)
			}
		},
	})
	return e
}

// sourceView is a source of a region.
type sourceView struct {
	SourceState
	v *view
}

var sourceEntity = entity[sourceView]{
	kind:   kindLive,
	labels: []string{"account", "region_id", "source"},
	each: func(v *view, yield func(sourceView)) {
		if v.instance != "" {
			return
		}
		for _, s := range v.Sources {
			v.identity(s.Account, s.RegionID, s.Source)
			yield(sourceView{s, v})
		}
	},
	families: []family[sourceView]{
		{
			"alikafka_data_age_seconds", nil, "Age of the oldest object of the source: time since it was last read, or since it became known when it never was.",
			func(s sourceView, show emit) { show(ageOf(s.v, s.Oldest)) },
		},
		{"alikafka_source_objects", nil, "Objects that the source reads one by one.", func(s sourceView, show emit) { show(float64(s.Objects)) }},
		{"alikafka_source_last_success_timestamp_seconds", nil, "When an object of the source was last read successfully. Absent when none ever was.", func(s sourceView, show emit) {
			if !s.LastSuccess.IsZero() {
				show(unixSeconds(s.LastSuccess))
			}
		}},
	},
}
