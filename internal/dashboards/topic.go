package dashboards

// topic answers: does data come in, who reads it, and is it spread evenly?
func topic() board {
	return board{
		uid: uidTopic, title: "Alikafka / Topic",
		about:       "One topic: what is produced, who consumes it and how far behind, and how its partitions compare.",
		variables:   []variable{account(), region(), instances(false), topics()},
		selector:    inInstance + `,topic="$topic"`,
		annotations: []annotation{alerts(`instance_id="$instance_id",topic="$topic"`)},
		rows: []row{
			{"", 4, topicHeadline()},
			{"", 8, []panel{topicGroups()}},
			{"", 8, topicFlow()},
			{"Partitions", 8, topicPartitions()},
			{"", 9, topicOffsets()},
		},
	}
}

func topicHeadline() []panel {
	return []panel{
		stat(4, "Produced", "Messages a second, as measured between the last two polls.", unitMessages, plain(),
			`max(alikafka_topic_produced_messages_per_second{SEL})`).withSparkline(),
		stat(4, "Silent", "Time from the last message to the last poll of the topic. Whether that is too long depends on the topic.", unitSeconds, plain(),
			`clamp_min(max(alikafka_topic_last_poll_timestamp_seconds{SEL}) - max(alikafka_topic_last_message_timestamp_seconds{SEL}), 0)`).withEmpty("no message ever"),
		stat(4, "Worst lag", "The longest that the oldest message that a group has yet to consume had waited.", unitSeconds, lagSteps(),
			`max(alikafka_consumer_group_topic_lag_seconds{SEL})`).withSparkline().withEmpty("nobody commits"),
		stat(4, "Groups", "Consumer groups that have committed offsets of the topic.", unitNone, plain(),
			`count(count by (GROUP) (alikafka_consumer_group_topic_lag_messages{SEL}))`).withEmpty("none"),
		stat(4, "Partitions", "No more members of a group than this can consume.", unitNone, plain(), `max(alikafka_topic_partitions{SEL})`),
		stat(4, "Messages kept", "Sum of the spans from oldest to newest offset. On a compacted topic not a count of messages.", unitCount, plain(),
			`max(alikafka_topic_messages{SEL})`).withSparkline(),
	}
}

func topicGroups() panel {
	return table(24, "Consumer groups, worst first", "Who reads the topic. Seconds say how they came about: history is exact to the distance of two samples, the others are bounds.",
		[]string{"consumer_group", "method"},
		query{`max by (GROUPTOPIC) (alikafka_consumer_group_topic_lag_seconds{SEL})`, "Lag"},
		query{`max by (GROUPTOPIC, method) (alikafka_consumer_group_topic_lag_seconds_method{SEL}) == 1`, "In use"},
		query{`max by (GROUPTOPIC) (alikafka_consumer_group_topic_lag_messages{SEL})`, "Messages behind"},
		query{`max by (GROUPTOPIC) (alikafka_consumer_group_topic_consumed_messages_per_second{SEL})`, "Consumed"},
		query{`min by (GROUPTOPIC) (alikafka_consumer_group_topic_retention_margin_messages{SEL})`, "Retention margin"},
		query{`max by (GROUPTOPIC) (increase(alikafka_consumer_group_topic_messages_lost_total{SEL}[RANGE]))`, "Lost"},
	).withColumns(
		column{name: "consumer_group", title: "Consumer group", link: toGroup()},
		column{name: "Lag", unit: unitSeconds, steps: lagSteps(), width: 120},
		column{name: "method", title: "Seconds are", states: lagMethods(), width: 120},
		column{name: "In use", hidden: true},
		column{name: "Messages behind", unit: unitCount, width: 140},
		column{name: "Consumed", unit: unitMessages, width: 120},
		column{name: "Retention margin", unit: unitCount, steps: []step{{0, worst}, {1, calm}}, width: 140},
		column{name: "Lost", unit: unitCount, steps: fromZero(worst), width: 100},
	).sortedBy("Lag")
}

func topicFlow() []panel {
	return []panel{
		graph(12, "Produced and consumed", "Messages a second. A group that stays below what is produced falls behind.", unitMessages,
			query{`max(alikafka_topic_produced_messages_per_second{SEL})`, "produced"},
			query{`max by (GROUPTOPIC) (alikafka_consumer_group_topic_consumed_messages_per_second{SEL})`, "{{consumer_group}}"}).
			withColors(map[string]string{"^produced$": notice}),
		graph(12, "Lag in seconds by group", "How long the oldest message that the group has yet to consume had waited. The line is the default objective.", unitSeconds,
			query{`max by (GROUPTOPIC) (alikafka_consumer_group_topic_lag_seconds{SEL})`, "{{consumer_group}}"}).withSteps(lagSteps()),
	}
}

func topicPartitions() []panel {
	return []panel{
		bars(12, "Messages of the chosen time by partition", "How the producers spread their messages. One that stands out is a key with too many of them; 0 is a partition that nobody writes to.", unitCount, plain(),
			query{`max by (TOPIC, partition) (delta(alikafka_topic_partition_newest_offset{SEL}[RANGE]))`, "{{partition}}"}),
		graph(12, "Lag in messages by partition, worst 10", "One partition that lags alone is a message that cannot be handled, a hot key, or a member that hangs.", unitCount,
			query{`topk(10, max by (PARTITION) (alikafka_consumer_group_partition_lag_messages{SEL}))`, "{{consumer_group}} {{partition}}"}),
	}
}

func topicOffsets() []panel {
	return []panel{
		table(24, "Offsets", "Oldest and newest offset of each partition, and how many messages lie between them.",
			[]string{"partition"},
			query{`max by (TOPIC, partition) (alikafka_topic_partition_oldest_offset{SEL})`, "Oldest"},
			query{`max by (TOPIC, partition) (alikafka_topic_partition_newest_offset{SEL})`, "Newest"},
			query{`max by (TOPIC, partition) (alikafka_topic_partition_newest_offset{SEL}) - max by (TOPIC, partition) (alikafka_topic_partition_oldest_offset{SEL})`, "Kept"},
			query{`max by (TOPIC, partition) (alikafka_consumer_group_partition_lag_seconds{SEL})`, "Worst lag"},
		).withColumns(
			column{name: "partition", title: "Partition"},
			column{name: "Oldest", unit: unitNone},
			column{name: "Newest", unit: unitNone},
			column{name: "Kept", unit: unitCount},
			column{name: "Worst lag", unit: unitSeconds, steps: lagSteps()},
		).sortedBy("Worst lag"),
	}
}
