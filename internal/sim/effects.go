package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// Effect is a mutation that was carried out. One that left everything as it
// was counts, too: what matters is how often the cloud did as it was told.
type Effect struct {
	ID        int               `json:"id"`         // counts from 1, in the order in which the effects happened
	At        time.Time         `json:"at"`         // by the server's clock
	Asked     time.Time         `json:"asked"`      // when the call was judged
	RequestID string            `json:"request_id"` // of the call
	Account   string            `json:"account"`
	Action    string            `json:"action"`
	RegionID  string            `json:"region_id"`
	Params    map[string]string `json:"params"` // of the action alone; secret ones are left out
	Late      bool              `json:"late"`   // by a fault, see Fault.ApplyAfter
}

// maxEffects bounds the list of effects; the older half is forgotten beyond
// it.
const maxEffects = 100_000

// effects are guarded by Cloud.mu.
type effects struct {
	list []Effect
	last int // ID of the last one
}

// add records what a call has done.
func (e *effects) add(c *Call) {
	if len(e.list) == maxEffects {
		e.list = slices.Delete(e.list, 0, maxEffects/2)
	}
	e.last++
	e.list = append(e.list, Effect{
		ID: e.last, At: c.cloud.start.Add(c.since), Asked: c.At, RequestID: c.ID,
		Account: c.Account, Action: c.Action, RegionID: c.RegionID, Params: c.own(), Late: c.late,
	})
}

// own returns the parameters of the action itself, without secrets.
func (c *Call) own() map[string]string {
	row, known := api.Lookup(c.Action)
	own := make(map[string]string)
	for _, p := range c.request.params {
		if common(p.name) && p.name != "RegionId" {
			continue
		}
		if known {
			if param, ok := row.Param(p.name); ok && param.Secret {
				continue
			}
		}
		own[p.name] = p.value
	}
	return own
}

// Effects returns the mutations so far that match, in the order in which they
// were carried out; late ones when their time has come. m.Params is compared
// with their parameters.
func (c *Cloud) Effects(m Match) []Effect {
	c.lock() // late ones may be due
	defer c.mu.Unlock()
	var found []Effect
	for _, e := range c.effects.list {
		if m.names(e.Account, e.Action, e.RegionID) && m.holds(func(name string) string { return e.Params[name] }) {
			e.Params = maps.Clone(e.Params)
			found = append(found, e)
		}
	}
	return found
}
