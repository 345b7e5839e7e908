package dashboards

// fleet answers: is anything wrong, anywhere, and with what do I begin?
func fleet() board {
	return board{
		uid: uidFleet, title: "Alikafka / Fleet overview",
		about:     "Is anything wrong, and where? All instances of all accounts; every name leads on.",
		variables: []variable{account(), region(), instances(true), job()},
		selector:  `account=~"$account",region_id=~"$region_id",instance_id=~"$instance_id"`,
		rows: []row{
			{"", 4, fleetHeadline()},
			{"", 6, []panel{fleetAlerts()}},
			{"", 10, []panel{fleetWorstGroups()}},
			{"Consumer groups", 8, fleetGroups()},
			{"Instances", 8, fleetInstances()},
			{"", 8, fleetTraffic()},
		},
	}
}

func fleetHeadline() []panel {
	return []panel{
		stat(3, "Groups in trouble", "Consumer groups that are stalled, stopped or rewound. 0 is good; the table below names them.", unitNone, fromZero(worst),
			`sum(max by (GROUP, status) (alikafka_consumer_group_status{SEL,status=~"stalled|stopped|rewound"}))`),
		stat(3, "Worst lag", "The longest that the oldest unconsumed message of any group had waited.", unitSeconds, lagSteps(),
			`max(alikafka_consumer_group_lag_seconds{SEL})`).withSparkline(),
		stat(3, "Messages lost", "Messages that were deleted within the chosen time before a group had consumed them; at least so many.", unitCount, fromZero(worst),
			`sum(max by (GROUPTOPIC) (increase(alikafka_consumer_group_topic_messages_lost_total{SEL}[RANGE])))`).withDecimals(0),
		stat(3, "Instances out of service", "Instances in a state other than in_service and expiring.", unitNone, fromZero(worst),
			`sum(1 - max by (INSTANCE) (alikafka_instance_status{SEL,status=~"in_service|expiring"}))`),
		stat(3, "Regions unreachable", "Regions whose last list of instances failed: the key, a permission or the network. What is shown of them is old.", unitNone, fromZero(worst),
			`sum(1 - max by (REGION) (alikafka_up{IN}))`),
		stat(3, "Oldest data", oldestAbout+" Read every other number with this in mind.", unitSeconds, ageSteps(),
			`max(alikafka_data_age_seconds{IN,FAST})`).withSparkline().withLinks(link{title: "API and freshness", board: uidAPI, keep: []string{"account", "region_id"}}),
		stat(3, "Exporters down", "Exporters that Prometheus cannot scrape. Without one, everything here stands still and then disappears.", unitNone, fromZero(worst),
			`sum(1 - up{JOB} KNOWN)`),
		stat(3, "Runs that wait", "Operations that wait for approval or whose outcome a person has to find out.", unitNone, fromZero(warning),
			`max(alikafka_runs_pending_approval{JOB}) + max(alikafka_runs_needs_human{JOB})`).
			withEmpty("not acting").withLinks(link{title: "Actions", board: uidActions}),
	}
}

func fleetAlerts() panel {
	const (
		by    = `alertname, severity, account, region_id, instance_id, consumer_group, topic`
		shown = `alertname=~"Alikafka.+",account=~"$account|",region_id=~"$region_id|",instance_id=~"$instance_id|"`
		fires = `max by (` + by + `) (ALERTS{` + shown + `,alertstate="firing"})`
	)
	within := func(title, board string, set ...string) *link {
		return &link{title: title, board: board, keep: []string{"account", "region_id"}, set: set}
	}
	return table(24, "Alerts", "Alerts of the shipped rules that fire; a name leads to its runbook page. Empty is good, if the rules are loaded: alerts/alikafka.rules.yml.",
		[]string{"alertname", "severity", "instance_id", "consumer_group", "topic"},
		query{fires, "Firing"},
		query{`max by (` + by + `) (ALERTS_FOR_STATE{` + shown + `}) * 1000 and on (` + by + `) ` + fires, "Since"},
	).withColumns(
		column{name: "severity", title: "Severity", width: 90, states: []state{{"info", notice}, {"warning", warning}, {"critical", worst}}},
		column{name: "alertname", title: "Alert", width: 320, link: &link{title: "Runbook page", url: runbookPages + "${__data.fields.alertname:percentencode}.md"}},
		column{name: "Since", unit: unitMoment, width: 150},
		column{name: "consumer_group", title: "Consumer group", link: within("Consumer group ${__data.fields.consumer_group}", uidGroup, "instance_id", "consumer_group")},
		column{name: "topic", title: "Topic", link: within("Topic ${__data.fields.topic}", uidTopic, "instance_id", "topic")},
		column{name: "instance_id", title: "Instance", link: within("Instance ${__data.fields.instance_id}", uidInstance, "instance_id")},
		column{name: "Firing", hidden: true},
	).sortedBy("Since")
}

// runbookPages are where the alerts' own links lead.
const runbookPages = "https://github.com/alikafka-exporter/alikafka-exporter/blob/main/docs/runbooks/"

func fleetWorstGroups() panel {
	return table(24, "Consumer groups, worst first", "Every consumer group with its status and how far behind it is. Click a name for why.",
		[]string{"consumer_group", "instance_id", "account", "region_id"},
		query{statusOf("GROUP", "alikafka_consumer_group_status", "status", groupStates()), "Status"},
		query{`max by (GROUP) (alikafka_consumer_group_lag_seconds{SEL})`, "Lag"},
		query{`max by (GROUP) (alikafka_consumer_group_lag_messages{SEL})`, "Messages behind"},
		query{`max by (GROUP) (alikafka_consumer_group_members{SEL})`, "Members"},
	).withColumns(
		column{name: "Status", states: groupStates(), width: 110},
		column{name: "consumer_group", title: "Consumer group", link: &link{title: "Consumer group ${__data.fields.consumer_group}", board: uidGroup, set: []string{"account", "region_id", "instance_id", "consumer_group"}}},
		column{name: "Lag", unit: unitSeconds, steps: lagSteps(), width: 120},
		column{name: "Messages behind", unit: unitCount, width: 140},
		column{name: "Members", unit: unitNone, width: 90},
		column{name: "instance_id", title: "Instance", link: toInstance()},
		column{name: "account", title: "Account", width: 110},
		column{name: "region_id", title: "Region", width: 130},
	).sortedBy("Status", "Lag")
}

func fleetGroups() []panel {
	colors := map[string]string{}
	for _, s := range groupStates() {
		colors["^"+s.name+"$"] = s.color
	}
	return []panel{
		graph(8, "Groups by status", "How many consumer groups were in which status. ok is left out: what is seen here is trouble.", unitNone,
			query{`sum by (status) (max by (GROUP, status) (alikafka_consumer_group_status{SEL,status!="ok"}))`, "{{status}}"}).
			withColors(colors).inStack().inSteps(),
		graph(8, "Lag in seconds, worst 10 groups", "How long the oldest unconsumed message had waited. The line is the default objective.", unitSeconds,
			query{`topk(10, max by (GROUP) (alikafka_consumer_group_lag_seconds{SEL}))`, "{{consumer_group}}"}).
			withSteps(lagSteps()),
		graph(8, "Lag in messages by instance", "Messages that all groups of an instance have yet to consume.", unitCount,
			query{`sum by (INSTANCE) (max by (GROUP) (alikafka_consumer_group_lag_messages{SEL}))`, "{{instance_id}}"}),
	}
}

func fleetInstances() []panel {
	return []panel{
		table(24, "Instances", "Every instance with its state, how full it is and how long it is paid for. The colours are those of the alerts.",
			[]string{"instance_id", "instance_name", "status", "account", "region_id", "version", "spec_type"},
			query{`max by (INSTANCE, status) (alikafka_instance_status{SEL}) == 1`, "In state"},
			query{`max by (INSTANCE, instance_name, version, spec_type) (alikafka_instance_info{SEL})`, "Info"},
			query{`max by (INSTANCE) (alikafka_instance_topics{SEL}) / max by (INSTANCE) (alikafka_instance_topics_limit{SEL})`, "Topics"},
			query{`max by (INSTANCE) (alikafka_instance_partitions{SEL}) / max by (INSTANCE) (alikafka_instance_partitions_limit{SEL})`, "Partitions"},
			query{`max by (INSTANCE) (alikafka_instance_consumer_groups{SEL}) / max by (INSTANCE) (alikafka_instance_consumer_groups_limit{SEL})`, "Groups"},
			query{`max by (INSTANCE) (alikafka_instance_open_to_world{SEL})`, "Open to the world"},
			query{`min by (INSTANCE) (alikafka_instance_expiry_timestamp_seconds{SEL}) - time()`, "Paid for"},
		).withColumns(
			column{name: "instance_id", title: "Instance", width: 240, link: toInstance()},
			column{name: "instance_name", title: "Name"},
			column{name: "status", title: "Status", width: 110, states: instanceStates()},
			column{name: "account", title: "Account", width: 90},
			column{name: "region_id", title: "Region", width: 110},
			column{name: "version", title: "Version", width: 80},
			column{name: "spec_type", title: "Edition", width: 110},
			column{name: "In state", hidden: true},
			column{name: "Info", hidden: true},
			column{name: "Topics", unit: unitShare, steps: quotaSteps(), width: 90},
			column{name: "Partitions", unit: unitShare, steps: quotaSteps(), width: 90},
			column{name: "Groups", unit: unitShare, steps: quotaSteps(), width: 90},
			column{name: "Open to the world", states: noYes(), width: 130},
			column{name: "Paid for", unit: unitDuration, steps: expirySteps(), width: 140},
		).sortedBy("Partitions"),
	}
}

func fleetTraffic() []panel {
	return []panel{
		graph(12, "Messages produced by instance", "Messages a second to all topics of an instance, as measured between two polls.", unitMessages,
			query{`sum by (INSTANCE) (max by (TOPIC) (alikafka_topic_produced_messages_per_second{SEL}))`, "{{instance_id}}"}),
		graph(12, "Messages consumed by instance", "Messages a second by all groups of an instance: several times what is produced, where several groups read a topic.", unitMessages,
			query{`sum by (INSTANCE) (max by (GROUPTOPIC) (alikafka_consumer_group_topic_consumed_messages_per_second{SEL}))`, "{{instance_id}}"}),
	}
}

// instanceStates are the colours of an instance's status; the collector knows
// more states than matter here, all others are on their way somewhere.
func instanceStates() []state {
	states := []state{{"unknown", unknown}, {"in_service", calm}, {"expiring", warning}}
	for _, s := range []string{"stopping", "stopped", "expired", "releasing", "released", "failed"} {
		states = append(states, state{s, worst})
	}
	for _, s := range []string{
		"awaiting_deployment", "deploying", "initializing", "starting", "migrating", "ready_to_upgrade", "upgrading", "ready_to_change", "changing", "scaling",
	} {
		states = append(states, state{s, notice})
	}
	return states
}

func expirySteps() []step {
	return []step{{0, worst}, {expiryCritical, bad}, {expiryWarning, warning}, {expiryInfo, calm}}
}
