package dashboards

// instance answers: what is wrong with this instance, and which of its groups
// and topics?
func instance() board {
	return board{
		uid: uidInstance, title: "Alikafka / Instance",
		about:       "One cloud instance: its state, its limits, its groups and topics.",
		variables:   []variable{account(), region(), instances(false), exporter()},
		selector:    inInstance,
		annotations: []annotation{alerts(`instance_id="$instance_id"`)},
		rows: []row{
			{"", 4, instanceHeadline()},
			{"", 9, []panel{instanceGroups()}},
			{"", 8, instanceLag()},
			{"Topics", 9, []panel{instanceTopics()}},
			{"", 8, instanceTraffic()},
			{"Limits and settings", 7, instanceLimits()},
			{"", 6, instanceAccess()},
		},
	}
}

// alerts marks when alerts fired.
func alerts(matchers string) annotation {
	return annotation{name: "Alerts", color: worst, query: `max by (alertname, severity, consumer_group, topic) (ALERTS{alertname=~"Alikafka.+",alertstate="firing",` + matchers + `})`, title: "{{alertname}} {{consumer_group}} {{topic}}"}
}

func instanceHeadline() []panel {
	colors := map[string]string{}
	for _, s := range instanceStates() {
		colors["^"+s.name+"$"] = s.color
	}
	return []panel{
		stat(4, "Status", "State of the instance as the cloud gives it. Changes other than of topics and groups are refused unless it is in_service.", unitNone, plain(),
			`max by (status) (alikafka_instance_status{SEL}) == 1`).named("{{status}}").withNames().withColors(colors).
			withLinks(link{title: "The exporter's own page", url: "http://${instance}/instance?instance_id=${instance_id:percentencode}"}),
		stat(4, "Groups in trouble", "Consumer groups of the instance that are stalled, stopped or rewound.", unitNone, fromZero(worst),
			`sum(max by (GROUP, status) (alikafka_consumer_group_status{SEL,status=~"stalled|stopped|rewound"}))`),
		stat(4, "Worst lag", "The longest that the oldest unconsumed message of any group had waited.", unitSeconds, lagSteps(),
			`max(alikafka_consumer_group_lag_seconds{SEL})`).withSparkline(),
		stat(4, "Nearest limit", "The greatest share in use of what the instance may have: topics, partitions or consumer groups.", unitShare, quotaSteps(),
			`max(`+usedTopics+` or `+usedPartitions+` or `+usedGroups+`)`).withDecimals(0),
		stat(4, "Paid for", "Time until the subscription ends. The service then stops; data are deleted some days later.", unitDuration, expirySteps(),
			`min(alikafka_instance_expiry_timestamp_seconds{SEL}) - time()`).withEmpty("pay as you go"),
		stat(4, "Oldest poll of a group", "Time since the group that was polled least recently was polled: how old what is said of groups may be.", unitSeconds, ageSteps(),
			`time() - min(max by (GROUP) (alikafka_consumer_group_last_poll_timestamp_seconds{SEL}))`).
			withLinks(link{title: "API and freshness", board: uidAPI, keep: []string{"account", "region_id"}}),
	}
}

// Shares in use of what an instance may have.
const (
	usedTopics     = `label_replace(max by (INSTANCE) (alikafka_instance_topics{SEL}) / max by (INSTANCE) (alikafka_instance_topics_limit{SEL}), "limit", "topics", "", "")`
	usedPartitions = `label_replace(max by (INSTANCE) (alikafka_instance_partitions{SEL}) / max by (INSTANCE) (alikafka_instance_partitions_limit{SEL}), "limit", "partitions", "", "")`
	usedGroups     = `label_replace(max by (INSTANCE) (alikafka_instance_consumer_groups{SEL}) / max by (INSTANCE) (alikafka_instance_consumer_groups_limit{SEL}), "limit", "consumer groups", "", "")`
)

func instanceGroups() panel {
	return table(24, "Consumer groups, worst first", "Every consumer group of the instance. Click a name for why. Rebalances are of the chosen time.",
		[]string{"consumer_group"},
		query{statusOf("GROUP", "alikafka_consumer_group_status", "status", groupStates()), "Status"},
		query{`max by (GROUP) (alikafka_consumer_group_lag_seconds{SEL})`, "Lag"},
		query{`max by (GROUP) (alikafka_consumer_group_lag_messages{SEL})`, "Messages behind"},
		query{`sum by (GROUP) (max by (GROUPTOPIC) (alikafka_consumer_group_topic_consumed_messages_per_second{SEL}))`, "Consumed"},
		query{`min by (GROUP) (alikafka_consumer_group_topic_retention_margin_messages{SEL})`, "Retention margin"},
		query{`max by (GROUP) (alikafka_consumer_group_members{SEL})`, "Members"},
		query{`max by (GROUP) (increase(alikafka_consumer_group_rebalances_total{SEL}[RANGE]))`, "Rebalances"},
		query{`time() - max by (GROUP) (alikafka_consumer_group_last_poll_timestamp_seconds{SEL})`, "Polled"},
	).withColumns(
		column{name: "consumer_group", title: "Consumer group", link: toGroup()},
		column{name: "Status", states: groupStates(), width: 100},
		column{name: "Lag", unit: unitSeconds, steps: lagSteps(), width: 110},
		column{name: "Messages behind", unit: unitCount, width: 130},
		column{name: "Consumed", unit: unitMessages, width: 110},
		column{name: "Retention margin", unit: unitCount, steps: []step{{0, worst}, {1, calm}}, width: 130},
		column{name: "Members", unit: unitNone, width: 80},
		column{name: "Rebalances", unit: unitCount, steps: []step{{0, calm}, {rebalancesLimit, warning}}, width: 100},
		column{name: "Polled", unit: unitSeconds, steps: ageSteps(), width: 100},
	).sortedBy("Status", "Lag")
}

func instanceLag() []panel {
	return []panel{
		graph(12, "Lag in seconds, worst 10 groups", "How long the oldest unconsumed message had waited. The line is the default objective.", unitSeconds,
			query{`topk(10, max by (GROUP) (alikafka_consumer_group_lag_seconds{SEL}))`, "{{consumer_group}}"}).withSteps(lagSteps()),
		graph(12, "Lag in messages, worst 10 groups", "Messages that a group has yet to consume, over all its topics.", unitCount,
			query{`topk(10, max by (GROUP) (alikafka_consumer_group_lag_messages{SEL}))`, "{{consumer_group}}"}),
	}
}

func instanceTopics() panel {
	return table(24, "Topics", "Every topic of the instance, the busiest first. Groups: those that commit offsets of it. Silent: time from the last message to the last poll.",
		[]string{"topic", "storage", "cleanup_policy"},
		query{`max by (TOPIC) (alikafka_topic_produced_messages_per_second{SEL})`, "Produced"},
		query{`max by (TOPIC) (alikafka_topic_last_poll_timestamp_seconds{SEL}) - max by (TOPIC) (alikafka_topic_last_message_timestamp_seconds{SEL}) > 0`, "Silent"},
		query{`count by (TOPIC) (max by (GROUPTOPIC) (alikafka_consumer_group_topic_lag_messages{SEL}))`, "Groups"},
		query{`max by (TOPIC) (alikafka_consumer_group_topic_lag_seconds{SEL})`, "Worst lag"},
		query{`max by (TOPIC) (alikafka_topic_partitions{SEL})`, "Partitions"},
		query{`max by (TOPIC) (alikafka_topic_messages{SEL})`, "Messages kept"},
		query{`max by (TOPIC, storage, cleanup_policy) (alikafka_topic_info{SEL})`, "Info"},
	).withColumns(
		column{name: "topic", title: "Topic", link: toTopic()},
		column{name: "Produced", unit: unitMessages, width: 110},
		column{name: "Silent", unit: unitSeconds, width: 110},
		column{name: "Groups", unit: unitNone, width: 80},
		column{name: "Worst lag", unit: unitSeconds, steps: lagSteps(), width: 110},
		column{name: "Partitions", unit: unitNone, width: 90},
		column{name: "Messages kept", unit: unitCount, width: 120},
		column{name: "storage", title: "Storage", width: 90},
		column{name: "cleanup_policy", title: "Cleanup", width: 90},
		column{name: "Info", hidden: true},
	).sortedBy("Produced")
}

func instanceTraffic() []panel {
	return []panel{
		graph(12, "Messages produced, busiest 10 topics", "Messages a second, as measured between two polls.", unitMessages,
			query{`topk(10, max by (TOPIC) (alikafka_topic_produced_messages_per_second{SEL}))`, "{{topic}}"}),
		graph(12, "Messages consumed, busiest 10 groups", "Messages a second over all topics of a group, as measured between two polls.", unitMessages,
			query{`topk(10, sum by (GROUP) (max by (GROUPTOPIC) (alikafka_consumer_group_topic_consumed_messages_per_second{SEL})))`, "{{consumer_group}}"}),
	}
}

func instanceLimits() []panel {
	return []panel{
		bars(8, "Used of limits", "Topics, partitions and consumer groups in use, of what the instance may have. At 100 % nothing can be created.", unitShare, quotaSteps(),
			query{usedTopics, "{{limit}}"}, query{usedPartitions, "{{limit}}"}, query{usedGroups, "{{limit}}"}),
		timeline(8, "Status over time", "In which states the instance was. More than one at a moment means that two exporters disagree.", []state{{"no", unknown}, {"yes", notice}},
			query{`max by (status) (alikafka_instance_status{SEL}) == 1`, "{{status}}"}),
		table(8, "Size", "What the instance is sized for and how long it keeps messages. Traffic is for reading and for writing, each.",
			[]string{"instance_id"},
			query{`max by (INSTANCE) (alikafka_instance_message_retention_seconds{SEL})`, "Retention"},
			query{`max by (INSTANCE) (alikafka_instance_disk_size_bytes{SEL})`, "Disk"},
			query{`max by (INSTANCE) (alikafka_instance_traffic_limit_bytes_per_second{SEL})`, "Traffic"},
			query{`max by (INSTANCE) (alikafka_instance_public_bandwidth_bytes_per_second{SEL})`, "Internet"},
			query{`max by (INSTANCE) (alikafka_instance_message_max_bytes{SEL})`, "Largest message"},
		).withColumns(
			column{name: "instance_id", title: "Instance"},
			column{name: "Retention", unit: unitSeconds},
			column{name: "Disk", unit: unitBytes},
			column{name: "Traffic", unit: unitBandwidth},
			column{name: "Internet", unit: unitBandwidth},
			column{name: "Largest message", unit: unitBytes},
		),
	}
}

func instanceAccess() []panel {
	return []panel{
		table(8, "Whitelist", "Entries of the IP whitelist by network and ports, and whether one of them lets in everybody.",
			[]string{"network", "port_range"},
			query{`max by (INSTANCE, network, port_range) (alikafka_instance_allowed_ips{SEL})`, "Entries"},
			query{`max by (INSTANCE, network, port_range) (alikafka_instance_open_to_world{SEL})`, "Open to the world"},
		).withColumns(
			column{name: "network", title: "Network"},
			column{name: "port_range", title: "Ports"},
			column{name: "Entries", unit: unitNone},
			column{name: "Open to the world", states: noYes()},
		).sortedBy("Open to the world"),
		table(8, "Access", "ServiceStatus is the number that the cloud gives: 5 is in service, and an unknown one is a state that is new to the exporter.",
			[]string{"instance_id"},
			query{`max by (INSTANCE) (alikafka_instance_acl_enabled{SEL})`, "ACLs"},
			query{`max by (INSTANCE) (alikafka_instance_vpc_sasl_ssl_enabled{SEL})`, "SASL_SSL in the VPC"},
			query{`max by (INSTANCE) (alikafka_instance_service_status_code{SEL})`, "ServiceStatus"},
			query{`max by (INSTANCE) (alikafka_instance_created_timestamp_seconds{SEL}) * 1000`, "Created"},
		).withColumns(
			column{name: "instance_id", title: "Instance"},
			column{name: "ACLs", states: []state{{"off", notice}, {"on", calm}}},
			column{name: "SASL_SSL in the VPC", states: []state{{"off", notice}, {"on", calm}}},
			column{name: "ServiceStatus", unit: unitNone},
			column{name: "Created", unit: unitMoment},
		),
		table(8, "Series that are not shown", "Series that collect.granularity or collect.series_budget leave out. Empty where neither is configured.",
			[]string{"reason"},
			query{`max by (INSTANCE, reason) (alikafka_series_suppressed{SEL})`, "Series"},
		).withColumns(column{name: "reason", title: "Reason"}, column{name: "Series", unit: unitCount}),
	}
}
