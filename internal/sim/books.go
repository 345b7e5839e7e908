package sim

import (
	"slices"
	"sync"
)

// Match selects calls. Empty fields match all.
type Match struct {
	Account  string            `json:"account,omitempty"`
	Action   string            `json:"action,omitempty"`
	RegionID string            `json:"region_id,omitempty"`
	Params   map[string]string `json:"params,omitempty"` // parameters that must have these values
}

// names reports whether m selects such calls, whatever their parameters.
func (m Match) names(account, action, region string) bool {
	return (m.Account == "" || m.Account == account) && (m.Action == "" || m.Action == action) &&
		(m.RegionID == "" || m.RegionID == region)
}

// holds reports whether parameters have the values that m asks for.
func (m Match) holds(param func(name string) string) bool {
	for name, value := range m.Params {
		if param(name) != value {
			return false
		}
	}
	return true
}

// Count is how many calls there were and what became of them.
type Count struct {
	Calls     int `json:"calls"`     // all of the below and the good ones
	Throttled int `json:"throttled"` // refused by a rate limit or by a fault that says so
	Refused   int `json:"refused"`   // refused for another reason
}

// book is the key of a count.
type book struct{ account, action, region string }

// books count every call.
type books struct {
	mu      sync.Mutex
	counts  map[book]*Count
	numbers map[book]int
	log     []Call
}

// number returns how many authenticated calls of an action the account has
// made, this one included.
func (b *books) number(account, action string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.numbers == nil {
		b.numbers = make(map[book]int)
	}
	b.numbers[book{account: account, action: action}]++
	return b.numbers[book{account: account, action: action}]
}

// unknown counts the calls of actions that do not exist, so that their names
// take no memory.
const unknown = "?"

func (b *books) add(c *Call, no *refusal, log bool) {
	action, region := c.Action, c.RegionID
	if c.operation.do == nil {
		action = unknown
	}
	if !regionKnown(region) {
		region = ""
	}
	c.Code = "OK"
	if no != nil {
		c.Code = no.code
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counts == nil {
		b.counts = make(map[book]*Count)
	}
	n := b.counts[book{c.Account, action, region}]
	if n == nil {
		n = &Count{}
		b.counts[book{c.Account, action, region}] = n
	}
	n.Calls++
	switch {
	case no == nil:
	case throttles(no.code):
		n.Throttled++
	default:
		n.Refused++
	}
	if log {
		b.log = append(b.log, *c)
	}
}

// Calls counts the calls so far that match; m.Params is ignored. Calls that
// were not signed right count for no account.
func (c *Cloud) Calls(m Match) Count {
	c.books.mu.Lock()
	defer c.books.mu.Unlock()
	var sum Count
	for k, n := range c.books.counts {
		if m.names(k.account, k.action, k.region) {
			sum.Calls += n.Calls
			sum.Throttled += n.Throttled
			sum.Refused += n.Refused
		}
	}
	return sum
}

// Log returns the calls so far in the order in which they were judged, when
// Options.Log is set.
func (c *Cloud) Log() []Call {
	c.books.mu.Lock()
	defer c.books.mu.Unlock()
	return slices.Clone(c.books.log)
}
