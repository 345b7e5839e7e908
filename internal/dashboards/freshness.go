package dashboards

import "fmt"

// freshness answers: can the numbers be trusted, and what holds the calls up?
func freshness() board {
	return board{
		uid: uidAPI, title: "Alikafka / API and freshness",
		about:     "Can the numbers be trusted? How old they are, what the cloud's API allows, refuses and takes, and how the exporter itself is.",
		variables: []variable{job(), account(), region()},
		selector:  `account=~"$account",region_id=~"$region_id"`,
		rows: []row{
			{"", 4, freshnessHeadline()},
			{"", 9, freshnessSources()},
			{"The cloud's API", 8, apiCalls()},
			{"", 8, apiFailures()},
			{"The plan", 8, plan()},
			{"The exporter", 7, process()},
		},
	}
}

// Calls and their failures, a second.
const (
	calls     = `sum by (account, action) (rate(alikafka_api_requests_total{OF}[RATE]))`
	failures  = `sum by (account, action) (rate(alikafka_api_requests_total{OF,code!="ok"}[RATE]))`
	throttled = `sum by (account, action) (rate(alikafka_api_throttled_total{OF}[RATE]))`
)

// oldestAbout says of what FAST is.
const oldestAbout = "Age of the oldest group, list or instance. Topics, whitelist, quota and regions are read less often: see API and freshness."

func freshnessHeadline() []panel {
	return []panel{
		stat(4, "Oldest data", oldestAbout, unitSeconds, ageSteps(), `max(alikafka_data_age_seconds{SEL,FAST})`).withSparkline(),
		stat(4, "Regions unreachable", "Regions whose last list of instances failed. The table of errors below says why.", unitNone, fromZero(worst),
			`sum(1 - max by (REGION) (alikafka_up{SEL}))`),
		stat(4, "Calls that fail", "Share of calls to the cloud that did not end in ok, throttled ones included.", unitShare, []step{{0, calm}, {0.01, warning}, {0.1, worst}},
			`sum(`+failures+` or 0 * `+calls+`) / sum(`+calls+`)`).withSparkline(),
		stat(4, "Calls that are throttled", "Share of calls that the cloud's flow control refused. The exporter slows down by itself.", unitShare,
			[]step{{0, calm}, {throttledShare, warning}, {4 * throttledShare, worst}}, `sum(`+throttled+`) / sum(`+calls+`)`).withSparkline(),
		stat(4, "Nearest limit", "The action that is nearest to its limit, by the plan. Above 100 % the targets of freshness are stretched.", unitShare,
			[]step{{0, calm}, {0.9, warning}, {1.0001, worst}}, `max(`+needed+`)`).withDecimals(0),
		stat(4, "Exporters down", "Exporters that Prometheus cannot scrape.", unitNone, fromZero(worst), `sum(1 - up{JOB} KNOWN)`),
	}
}

// needed is how much of its limit an action takes by the plan.
const needed = `max by (account, action) (alikafka_plan_required_requests_per_second{OF}) / max by (account, action) (alikafka_api_rate_limit_requests_per_second{OF})`

// sourceErrors are those of the chosen time. A series that was not there at its
// beginning began with its first error, which no increase knows of.
const sourceErrors = `alikafka_source_errors_total{SEL} unless alikafka_source_errors_total{SEL} offset RANGE or increase(alikafka_source_errors_total{SEL}[RANGE])`

func freshnessSources() []panel {
	return []panel{
		graph(11, "Age of data by source", "Age of the oldest object of each source. A saw tooth is normal: its height is the cycle. The lines are of groups, lists and instances; regions are read once an hour.", unitSeconds,
			query{`max by (source) (alikafka_data_age_seconds{SEL})`, "{{source}}"}).withSteps(ageSteps()),
		table(13, "Sources", "What is read one by one. Above 100 % of the age that is allowed to a source, an alert begins. Errors are of the chosen time.",
			[]string{"source", "region_id", "account"},
			query{`max by (REGION, source) (alikafka_data_age_seconds{SEL})`, "Oldest"},
			query{fmt.Sprintf(`max by (REGION, source) (alikafka_data_age_seconds{SEL,FAST} / %d or alikafka_data_age_seconds{SEL,SLOW} / %d or alikafka_data_age_seconds{SEL,source="regions"} / %d)`,
				dataAge, slowDataAge, regionsAge), "Of allowed"},
			query{`max by (REGION, source) (alikafka_source_objects{SEL})`, "Objects"},
			query{`max by (REGION, source) (alikafka_source_last_success_timestamp_seconds{SEL}) * 1000`, "Last success"},
			query{`sum by (REGION, source) (` + sourceErrors + `)`, "Errors"},
		).withColumns(
			column{name: "source", title: "Source"},
			column{name: "region_id", title: "Region", width: 120},
			column{name: "account", title: "Account", width: 100},
			column{name: "Oldest", unit: unitSeconds, width: 90},
			column{name: "Of allowed", unit: unitShare, steps: []step{{0, calm}, {1, warning}, {3, worst}}, width: 90},
			column{name: "Objects", unit: unitNone, width: 80},
			column{name: "Last success", unit: unitMoment, width: 150},
			column{name: "Errors", unit: unitCount, steps: fromZero(warning), width: 80},
		).sortedBy("Of allowed"),
	}
}

func apiCalls() []panel {
	return []panel{
		graph(8, "Calls by action", "Calls a second. The exporter spaces them evenly within its share of the limit.", unitRequests,
			query{calls, "{{action}}"}),
		graph(8, "Limit by action", "The rate at which polling may call now. It falls when the cloud throttles and is probed upwards again.", unitRequests,
			query{`max by (account, action) (alikafka_api_rate_limit_requests_per_second{OF})`, "{{action}}"}).inSteps(),
		graph(8, "Time that calls waited, by lane", "Seconds of waiting for a slot, a second. poll waits by design; person and runbook should hardly wait.", unitSeconds,
			query{`sum by (lane) (rate(alikafka_api_wait_seconds_total{OF}[RATE]))`, "{{lane}}"}),
	}
}

func apiFailures() []panel {
	return []panel{
		graph(6, "Failures by code", "Calls a second that did not end in ok: a documented error code, or a transport fault. Nothing here is good.", unitRequests,
			query{`sum by (code) (rate(alikafka_api_requests_total{OF,code!="ok"}[RATE])) > 0`, "{{code}}"}).withEmpty("no failures"),
		bars(6, "Errors by source", "Reads of sources that failed within the chosen time, by error code. Nothing here is good.", unitCount, []step{{0, calm}, {0.5, warning}},
			query{`sum by (source, reason) (` + sourceErrors + `) > 0`, "{{source}}: {{reason}}"}).withEmpty("no errors"),
		graph(6, "Throttled by action", "Calls a second that the cloud's flow control refused: other tools use the account, or the limit is lower than configured.", unitRequests,
			query{throttled, "{{action}}"}),
		graph(6, "Time to answer", "From sending a request to the last byte of its reply.", unitSeconds,
			query{`histogram_quantile(0.5, sum by (le) (rate(alikafka_api_request_duration_seconds_bucket{OF}[RATE])))`, "median"},
			query{`histogram_quantile(0.95, sum by (le) (rate(alikafka_api_request_duration_seconds_bucket{OF}[RATE])))`, "95 %"},
			query{`histogram_quantile(0.99, sum by (le) (rate(alikafka_api_request_duration_seconds_bucket{OF}[RATE])))`, "99 %"}).
			withColors(map[string]string{"^median$": calm, "^95 %$": warning, "^99 %$": worst}),
	}
}

func plan() []panel {
	return []panel{
		bars(10, "Calls needed of those allowed", "What every target of freshness together takes, of the present limit. Above 100 % data are older than targeted.", unitShare,
			[]step{{0, calm}, {0.9, warning}, {1.0001, worst}}, query{needed, "{{action}}"}),
		graph(8, "Cycle by source", "The time in which a source is read once, by the plan: what the age of data should stay near.", unitSeconds,
			query{`max by (account, source) (alikafka_plan_cycle_seconds{OF})`, "{{source}}"}).inSteps(),
		stat(6, "Availability of the API", "Share of the chosen time in which the API was up by the provider's own definition.", unitShare, []step{{0, worst}, {availability, calm}},
			`1 - max(increase(alikafka_api_unavailable_seconds_total{SEL}[RANGE])) / $__range_s`).withDecimals(3),
	}
}

func process() []panel {
	return []panel{
		graph(6, "Memory", "Resident memory of the exporter.", unitBytes, query{`max by (job, instance) (process_resident_memory_bytes{JOB} RUNNING)`, "{{instance}}"}),
		graph(6, "CPU", "Seconds of processor time, a second.", unitNone, query{`max by (job, instance) (rate(process_cpu_seconds_total{JOB}[RATE]) RUNNING)`, "{{instance}}"}),
		graph(6, "Scrape", "How long a scrape takes. It copies what is ready: expect milliseconds.", unitSeconds, query{`max by (job, instance) (scrape_duration_seconds{JOB} RUNNING)`, "{{instance}}"}),
		table(6, "Build and configuration", "Which version runs, since when, whether the last reload succeeded, and how many series it serves.",
			[]string{"instance", "version"},
			query{`max by (job, instance, version) (alikafka_exporter_build_info{JOB})`, "Build"},
			query{`max by (job, instance) (process_start_time_seconds{JOB} RUNNING) * 1000`, "Started"},
			query{`max by (job, instance) (alikafka_exporter_config_last_reload_successful{JOB})`, "Reload"},
			query{`max by (job, instance) (alikafka_exporter_config_last_reload_success_timestamp_seconds{JOB}) * 1000`, "Configured"},
			query{`max by (job, instance) (scrape_samples_scraped{JOB} RUNNING)`, "Series"},
		).withColumns(
			column{name: "instance", title: "Exporter"},
			column{name: "version", title: "Version"},
			column{name: "Build", hidden: true},
			column{name: "Started", unit: unitMoment},
			column{name: "Reload", states: []state{{"failed", worst}, {"ok", calm}}},
			column{name: "Configured", unit: unitMoment},
			column{name: "Series", unit: unitCount},
		),
	}
}
