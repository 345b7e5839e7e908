package dashboards

// actions answers: what was changed, what waits for me, and what stops acting?
func actions() board {
	return board{
		uid: uidActions, title: "Alikafka / Actions",
		about:     "What was changed and by whom it was asked for, what waits for people, what guards refused, and whether acting is stopped.",
		variables: []variable{job(), account()},
		selector:  `job=~"$job"`,
		rows: []row{
			{"", 4, actionsHeadline()},
			{"What was asked for", 8, actionsRequests()},
			{"Runbooks", 8, actionsRunbooks()},
			{"What reached the cloud", 8, actionsCalls()},
			{"Journal and stops", 7, actionsJournal()},
		},
	}
}

func actionsHeadline() []panel {
	stop := []state{{"may act", calm}, {"stopped", worst}}
	return []panel{
		stat(4, "Waiting for approval", "Runs that wait for people. Approve or reject them on the admin listener's page; they expire.", unitNone, fromZero(warning),
			`max(alikafka_runs_pending_approval{SEL})`).withEmpty("not acting"),
		stat(4, "Needs a human", "Runs whose outcome could not be proved. Nothing is ever sent again by itself: look at the cloud, then settle the run.", unitNone, fromZero(worst),
			`max(alikafka_runs_needs_human{SEL})`).withEmpty("not acting"),
		stat(4, "Kill switch", "Stopped while any source says so: the API, the file or the environment. Only a privileged principal starts acting again.", unitNone, plain(),
			`max(alikafka_kill_switch_active{SEL})`).withStates(stop).withEmpty("not acting"),
		stat(4, "Breaker", "Open after failures, or with a run that needs a human. A person closes it.", unitNone, plain(),
			`max(alikafka_breaker_open{SEL})`).withStates([]state{{"closed", calm}, {"open", worst}}).withEmpty("not acting"),
		stat(4, "Journal", "Without a journal nothing is done, because nothing could be proved. Metrics live on.", unitNone, plain(),
			`max(alikafka_journal_writable{SEL})`).withStates([]state{{"not writable", worst}, {"writable", calm}}).withEmpty("not acting"),
		stat(4, "Refused by guards", "Operations that guards refused within the chosen time.", unitNone, []step{{0, calm}, {1, notice}},
			`sum(increase(alikafka_guard_refusals_total{SEL}[RANGE]))`).withDecimals(0).withEmpty("not acting"),
	}
}

func actionsRequests() []panel {
	return []panel{
		graph(8, "Requests by outcome", "Requests to the admin listener since the exporter started: every step is one. ok and accepted, or the reason of the refusal.", unitNone,
			query{`sum by (outcome) (alikafka_admin_requests_total{SEL})`, "{{outcome}}"}).
			withColors(map[string]string{"^(ok|accepted)$": calm, "^(wrong_token|no_token|forbidden)$": worst, "^guard_refused$": warning}).inSteps(),
		table(8, "Requests by action", "Requests since the exporter started. other: reads of runs, approvals, and whatever names no action.",
			[]string{"action", "outcome"},
			query{`sum by (action, outcome) (alikafka_admin_requests_total{SEL})`, "Requests"},
		).withColumns(column{name: "action", title: "Action"}, column{name: "outcome", title: "Outcome", width: 140}, column{name: "Requests", unit: unitNone, width: 90}).sortedBy("Requests"),
		bars(8, "Refused by guard", "Operations that each guard refused since the exporter started; one may be refused by several.", unitNone, []step{{0, unknown}, {1, notice}},
			query{`sum by (guard) (alikafka_guard_refusals_total{SEL}) > 0`, "{{guard}}"}).withEmpty("none"),
	}
}

func actionsRunbooks() []panel {
	return []panel{
		table(10, "Runbooks", "What became of their episodes since the exporter started: the state in which the run ended, or why there was none; then whether the metric improved.",
			[]string{"runbook", "outcome"},
			query{`sum by (runbook, outcome) (alikafka_runbook_runs_total{SEL})`, "Episodes"},
		).withColumns(column{name: "runbook", title: "Runbook"}, column{name: "outcome", title: "Outcome", width: 150}, column{name: "Episodes", unit: unitNone, width: 100}).sortedBy("Episodes"),
		graph(7, "Runbooks by outcome", "Since the exporter started: every step is an episode.", unitNone,
			query{`sum by (outcome) (alikafka_runbook_runs_total{SEL})`, "{{outcome}}"}).
			withColors(map[string]string{"^(applied|improved)$": calm, "^needs_human$": worst, "^(refused|not_improved)$": warning}).inSteps(),
		graph(7, "Webhooks by outcome", "Deliveries of Alertmanager since the exporter started. Anything but accepted is a delivery that Alertmanager repeats.", unitNone,
			query{`sum by (outcome) (alikafka_webhook_deliveries_total{SEL})`, "{{outcome}}"}).
			withColors(map[string]string{"^accepted$": calm, "^(wrong_token|no_token)$": worst, "^not_acting$": bad}).inSteps(),
	}
}

func actionsCalls() []panel {
	return []panel{
		table(12, "Calls that change something", "Calls to the cloud that are no reads, since the exporter started, by result. Each has a record in the journal.",
			[]string{"action", "code", "account"},
			query{`sum by (account, action, code) (alikafka_api_requests_total{SEL,OF,WRITE}) > 0`, "Calls"},
		).withColumns(column{name: "action", title: "Action"}, column{name: "code", title: "Result", width: 160}, column{name: "account", title: "Account", width: 120}, column{name: "Calls", unit: unitNone, width: 90}).sortedBy("Calls"),
		graph(12, "Changes over time", "The calls of the table over time: every step is a call.", unitNone,
			query{`sum by (action, code) (alikafka_api_requests_total{SEL,OF,WRITE}) > 0`, "{{action}} {{code}}"}).inSteps(),
	}
}

func actionsJournal() []panel {
	return []panel{
		timeline(9, "What stopped acting", "When the kill switch was on, the breaker open or the journal not writable.", noYes(),
			query{`max(alikafka_kill_switch_active{SEL})`, "kill switch"},
			query{`max(alikafka_breaker_open{SEL})`, "breaker open"},
			query{`1 - max(alikafka_journal_writable{SEL})`, "journal not writable"}),
		graph(9, "Waiting for people", "Runs that wait for approval, and runs whose outcome a person has to find out.", unitNone,
			query{`max(alikafka_runs_pending_approval{SEL})`, "approval"}, query{`max(alikafka_runs_needs_human{SEL})`, "needs a human"}).
			withColors(map[string]string{"^approval$": warning, "^needs a human$": worst}).inSteps(),
		table(6, "Journal and its head", "Size of the segments that were not archived, records since the exporter started, and the head of the chain: give it to `alikafka-exporter audit verify --head=`, and it proves that nothing was changed.",
			[]string{"instance"},
			query{`max by (job, instance) (alikafka_journal_size_bytes{SEL})`, "Size"},
			query{`max by (job, instance) (alikafka_journal_records_total{SEL})`, "Records"},
			query{`max by (job, instance) (alikafka_journal_head{SEL})`, "Head"},
		).withColumns(column{name: "instance", title: "Exporter"}, column{name: "Size", unit: unitBytes}, column{name: "Records", unit: unitNone}, column{name: "Head", unit: unitNone}),
	}
}
