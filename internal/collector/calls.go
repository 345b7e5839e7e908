package collector

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// ActionCalls sums the calls of an action up that an account has made since
// the process started.
type ActionCalls struct {
	Account, Action string
	// PerSecond is the rate at which polling may call now; 0 where the action
	// has not been called.
	PerSecond float64
	// Attempts, and those of them that the cloud did not answer with ok; those
	// that its flow control refused; and what they waited for slots.
	Attempts, Failed, Throttled, WaitSeconds float64
}

// Calls returns all actions that were or are to be called, sorted by account
// and name.
func (m *Metrics) Calls() []ActionCalls {
	type key struct{ account, action string }
	calls := map[key]*ActionCalls{}
	of := func(labels map[string]string) *ActionCalls {
		k := key{labels["account"], labels["action"]}
		if calls[k] == nil {
			calls[k] = &ActionCalls{Account: k.account, Action: k.action}
		}
		return calls[k]
	}
	for _, s := range gatherOne(m.requests) {
		c := of(s.labels)
		c.Attempts += s.value
		if s.labels["code"] != api.CodeOK {
			c.Failed += s.value
		}
	}
	for _, s := range gatherOne(m.throttled) {
		of(s.labels).Throttled += s.value
	}
	for _, s := range gatherOne(m.waited) {
		of(s.labels).WaitSeconds += s.value
	}
	m.eachLimit(func(account, action string, perSecond float64) {
		of(map[string]string{"account": account, "action": action}).PerSecond = perSecond
	})
	all := make([]ActionCalls, 0, len(calls))
	for _, c := range calls {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(x, y ActionCalls) int {
		return cmp.Or(cmp.Compare(x.Account, y.Account), cmp.Compare(x.Action, y.Action))
	})
	return all
}

type counted struct {
	labels map[string]string
	value  float64
}

// gatherOne returns the samples of a vector of counters.
func gatherOne(v *prometheus.CounterVec) []counted {
	ch := make(chan prometheus.Metric)
	go func() {
		v.Collect(ch)
		close(ch)
	}()
	var all []counted
	for metric := range ch {
		var d dto.Metric
		if metric.Write(&d) != nil {
			continue // a counter without a value does not exist
		}
		labels := map[string]string{}
		for _, l := range d.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		all = append(all, counted{labels, d.GetCounter().GetValue()})
	}
	return all
}
