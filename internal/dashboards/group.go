package dashboards

// consumerGroup answers: is it stuck, since when, on which partition, and who
// owns that one?
func consumerGroup() board {
	return board{
		uid: uidGroup, title: "Alikafka / Consumer group",
		about:     "One consumer group: is it stuck, since when, where, who owns the partition, and how long until messages are lost.",
		variables: []variable{account(), region(), instances(false), groups(), exporter()},
		selector:  inInstance + `,consumer_group="$consumer_group"`,
		annotations: []annotation{
			alerts(`instance_id="$instance_id",consumer_group="$consumer_group"`),
			{name: "Rebalances", color: "purple", query: `max by (GROUP) (alikafka_consumer_group_last_rebalance_timestamp_seconds{SEL}) * 1000`, title: "Rebalance", valueIsTime: true},
		},
		rows: []row{
			{"", 4, groupHeadline()},
			{"", 8, groupLag()},
			{"", 7, groupFlow()},
			{"History", 6, groupHistory()},
			{"Retention and members", 7, groupRetention()},
			{"Partitions", 10, groupPartitions()},
		},
	}
}

func groupHeadline() []panel {
	return []panel{
		stat(4, "Status", "By the worst partition. Click for the samples and the rule behind it.", unitNone, plain(),
			statusOf("GROUP", "alikafka_consumer_group_status", "status", groupStates())).withStates(groupStates()).
			withLinks(link{title: "Why? (the exporter's own page)", url: "http://${instance}/consumer-group?instance_id=${instance_id:percentencode}&consumer_group=${consumer_group:percentencode}"}),
		stat(4, "Lag in seconds", "How long the oldest unconsumed message had waited at the last poll; the worst partition.", unitSeconds, lagSteps(),
			`max(alikafka_consumer_group_lag_seconds{SEL})`).withSparkline().withEmpty("no commit"),
		stat(3, "Seconds are", "How the seconds came about. history: exact to the distance of two samples. at_most and at_least: bounds.", unitNone, plain(),
			`max(`+statusOf("GROUPTOPIC", "alikafka_consumer_group_topic_lag_seconds_method", "method", lagMethods())+`)`).withStates(lagMethods()).withEmpty("no commit"),
		stat(4, "Lag in messages", "Messages that the group has yet to consume, over all topics.", unitCount, plain(),
			`max(alikafka_consumer_group_lag_messages{SEL})`).withSparkline().withEmpty("no commit"),
		stat(3, "Members", "Members that own a partition. 0 while messages wait: the consumers are gone.", unitNone, []step{{0, worst}, {1, calm}},
			`max(alikafka_consumer_group_members{SEL})`).withEmpty("not told"),
		stat(3, "Messages lost", "Messages that were deleted within the chosen time before the group had consumed them; at least so many.", unitCount, fromZero(worst),
			`sum(max by (GROUPTOPIC) (increase(alikafka_consumer_group_topic_messages_lost_total{SEL}[RANGE])))`).withDecimals(0),
		stat(3, "Polled", "Time since the group's offsets were last read: how old all of this is.", unitSeconds, ageSteps(),
			`time() - max(alikafka_consumer_group_last_poll_timestamp_seconds{SEL})`),
	}
}

func groupLag() []panel {
	return []panel{
		graph(12, "Lag in seconds by topic", "How long the oldest message that the group has yet to consume had waited. The line is the default objective.", unitSeconds,
			query{`max by (GROUPTOPIC) (alikafka_consumer_group_topic_lag_seconds{SEL})`, "{{topic}}"}).withSteps(lagSteps()),
		graph(12, "Lag in messages by topic", "Falling: it catches up. Rising in a straight line: nothing is consumed. Rising slowly: consumers are too slow.", unitCount,
			query{`max by (GROUPTOPIC) (alikafka_consumer_group_topic_lag_messages{SEL})`, "{{topic}}"}),
	}
}

func groupFlow() []panel {
	return []panel{
		graph(12, "Consumed by topic", "Messages a second, as measured between two polls. A gap: the offsets went backwards.", unitMessages,
			query{`max by (GROUPTOPIC) (alikafka_consumer_group_topic_consumed_messages_per_second{SEL})`, "{{topic}}"}),
		graph(12, "Produced to its topics", "Messages a second. Where more is produced than consumed, the lag grows.", unitMessages,
			query{`max by (TOPIC) (alikafka_topic_produced_messages_per_second{` + inInstance + `}) and on (TOPIC) max by (GROUPTOPIC) (alikafka_consumer_group_topic_lag_messages{SEL})`, "{{topic}}"}),
	}
}

func groupHistory() []panel {
	return []panel{
		timeline(12, "Status over time", "In which status the group was.", groupStates(),
			query{statusOf("GROUP", "alikafka_consumer_group_status", "status", groupStates()), "{{consumer_group}}"}),
		timeline(12, "How seconds came about", "A step in the seconds that comes with a change here is a change of method, not of lag.", lagMethods(),
			query{statusOf("GROUPTOPIC", "alikafka_consumer_group_topic_lag_seconds_method", "method", lagMethods()), "{{topic}}"}),
	}
}

func groupRetention() []panel {
	return []panel{
		graph(8, "Retention margin by topic", "How many messages are left until retention deletes what the group has not consumed; the worst partition. Below 0, that many are lost.", unitCount,
			query{`min by (GROUPTOPIC) (alikafka_consumer_group_topic_retention_margin_messages{SEL})`, "{{topic}}"}).withSteps([]step{{0, worst}, {1, calm}}),
		graph(8, "Members over time", "Members that own a partition. More members than partitions do not help.", unitNone,
			query{`max by (GROUP) (alikafka_consumer_group_members{SEL})`, "members"}).inSteps(),
		graph(5, "Rebalances", "Rebalances in 15 minutes. Nobody consumes during one; the line is where the alert begins.", unitCount,
			query{`max by (GROUP) (increase(alikafka_consumer_group_rebalances_total{SEL}[15m]))`, "in 15 minutes"}).
			withSteps([]step{{0, calm}, {rebalancesLimit, warning}}),
		stat(3, "Last rebalance", "When the last rebalance took place, as far as the cloud tells.", unitMoment, plain(),
			`max(alikafka_consumer_group_last_rebalance_timestamp_seconds{SEL}) * 1000`).withEmpty("none known"),
	}
}

func groupPartitions() []panel {
	const newest = `max by (TOPIC, partition) (alikafka_topic_partition_newest_offset{` + inInstance + `})`
	return []panel{
		table(24, "Partitions, worst first", "Where exactly it is stuck, and who owns that partition (with collect.owner_info). Newest offsets are of the latest sample, lag is of the last poll.",
			[]string{"topic", "partition", "client_id", "client_ip"},
			query{`max by (PARTITION) (alikafka_consumer_group_partition_lag_seconds{SEL})`, "Lag"},
			query{`max by (PARTITION) (alikafka_consumer_group_partition_lag_messages{SEL})`, "Messages behind"},
			query{`max by (PARTITION) (alikafka_consumer_group_partition_offset{SEL})`, "Committed"},
			query{newest + ` + on (TOPIC, partition) group_right 0 * max by (PARTITION) (alikafka_consumer_group_partition_offset{SEL})`, "Newest"},
			query{`max by (PARTITION, client_id, client_ip) (alikafka_consumer_group_partition_owner_info{SEL})`, "Owned"},
		).withColumns(
			column{name: "topic", title: "Topic", link: toTopic()},
			column{name: "partition", title: "Partition", width: 90},
			column{name: "Lag", unit: unitSeconds, steps: lagSteps(), width: 110},
			column{name: "Messages behind", unit: unitCount, width: 140},
			column{name: "Committed", unit: unitNone, width: 130},
			column{name: "Newest", unit: unitNone, width: 130},
			column{name: "client_id", title: "Client"},
			column{name: "client_ip", title: "Address", width: 140},
			column{name: "Owned", hidden: true},
		).sortedBy("Lag", "Messages behind"),
	}
}
