package collector

// The plan: what the schedule reckons with.

var planEntity = entity[*PlanRow]{
	kind:   kindLive,
	labels: []string{"account", "source"},
	each: func(v *view, yield func(*PlanRow)) {
		v.eachPlan(func(r *PlanRow) {
			v.identity(r.Account, r.Source)
			yield(r)
		})
	},
	families: []family[*PlanRow]{
		{"alikafka_plan_cycle_seconds", nil, "Time in which the source is read as often as it has objects, by the plan.", func(r *PlanRow, show emit) {
			if r.Cycle > 0 {
				show(r.Cycle.Seconds())
			}
		}},
	},
}

var planActionEntity = entity[*PlanRow]{
	kind:   kindLive,
	labels: []string{"account", "action"},
	each: func(v *view, yield func(*PlanRow)) {
		v.eachPlan(func(r *PlanRow) {
			v.identity(r.Account, r.Action)
			yield(r)
		})
	},
	families: []family[*PlanRow]{
		{
			"alikafka_plan_required_requests_per_second", nil,
			"Calls that meeting every freshness target takes; more than alikafka_api_rate_limit_requests_per_second means that targets are stretched.",
			func(r *PlanRow, show emit) { show(r.Required) },
		},
	},
}

func (v *view) eachPlan(f func(*PlanRow)) {
	if v.instance != "" {
		return
	}
	for i := range v.Plan {
		f(&v.Plan[i])
	}
}
