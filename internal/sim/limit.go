package sim

import (
	"maps"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// Window is how the gateway counts calls.
type Window uint8

// The models of counting. Which one the real gateway uses is not documented.
const (
	WindowFixed   Window = iota // calls per wall-clock second
	WindowSliding               // calls in the second before each call
	WindowBucket                // a token bucket that holds one second's calls
)

// Limits are the server's rate limits, in calls per second. Calls that are
// refused do not count.
type Limits struct {
	Default     float64            // per account and action; 0 means 3, negative none, not even the documented ones
	Actions     map[string]float64 // per account, instead of Default and of the documented limit of an action
	PerSourceIP float64            // over all accounts and actions; 0 means 100, negative none
	PerRegion   bool               // count per account, action and region
	Window      Window
}

// defaults of Limits, as the platform documents them.
const (
	defaultQPS  = 3
	defaultIPPS = 100
)

// limitKey names a counter. The counter of a source address has no action.
type limitKey struct{ owner, action, region string }

type limiter struct {
	mu       sync.Mutex
	limits   Limits
	counters map[limitKey]*counter
}

func newLimiter(l Limits) *limiter {
	l.Actions = maps.Clone(l.Actions)
	if l.Actions == nil {
		l.Actions = make(map[string]float64)
	}
	if l.Default == 0 {
		l.Default = defaultQPS
	}
	if l.PerSourceIP == 0 {
		l.PerSourceIP = defaultIPPS
	}
	return &limiter{limits: l, counters: make(map[limitKey]*counter)}
}

// admit counts a call, or returns why it is refused. account is empty for a
// call that could not be attributed to one.
func (l *limiter) admit(source, account, action, region string, now time.Time) *refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	ip := l.counter(limitKey{owner: source})
	if !ip.admits(l.limits.Window, l.limits.PerSourceIP, now) {
		return refuse(http.StatusBadRequest, "Throttling", "Request was denied due to request throttling.")
	}
	key := limitKey{owner: account, action: action}
	if l.limits.PerRegion && regionKnown(region) {
		key.region = region
	}
	own := l.counter(key)
	qps := l.qps(action)
	if !own.admits(l.limits.Window, qps, now) {
		return refuse(http.StatusBadRequest, "Throttling.User", "Request was denied due to user flow control.")
	}
	ip.take(l.limits.Window, l.limits.PerSourceIP, now)
	own.take(l.limits.Window, qps, now)
	return nil
}

func (l *limiter) counter(key limitKey) *counter {
	c := l.counters[key]
	if c == nil {
		if len(l.counters) > 1<<16 {
			clear(l.counters) // addresses come and go
		}
		c = &counter{}
		l.counters[key] = c
	}
	return c
}

// qps returns the limit of an action: its own, else the documented one, else
// the default; a negative default lifts the documented ones, too.
func (l *limiter) qps(action string) float64 {
	if qps, ok := l.limits.Actions[action]; ok {
		return qps
	}
	if row, ok := api.Lookup(action); ok && row.QPS > 0 && l.limits.Default >= 0 {
		return row.QPS
	}
	return l.limits.Default
}

// counter counts the calls of one key in all three models.
type counter struct {
	window int64       // WindowFixed: number of the current window
	count  int         // WindowFixed: calls in it
	recent []time.Time // WindowSliding: the last calls, oldest first
	tokens float64     // WindowBucket
	filled time.Time   // WindowBucket: when tokens was right
}

// burst returns how many calls fit in which window: 3 a second, but for a
// limit of 0.5 one call in two seconds.
func burst(qps float64) (calls int, window time.Duration) {
	const century = 100 * 365 * day
	qps = min(max(qps, 1/century.Seconds()), 1e9) // beyond a call in a century and one a nanosecond no window is left
	calls = max(1, int(math.Floor(qps)))
	return calls, time.Duration(float64(calls) / qps * float64(time.Second))
}

// admits reports whether one more call fits under qps; take counts it. A
// negative qps admits all, zero nothing.
func (c *counter) admits(w Window, qps float64, now time.Time) bool {
	if qps <= 0 {
		return qps < 0
	}
	calls, window := burst(qps)
	switch w {
	case WindowSliding:
		for len(c.recent) > 0 && now.Sub(c.recent[0]) >= window {
			c.recent = c.recent[1:]
		}
		return len(c.recent) < calls
	case WindowBucket:
		if c.filled.IsZero() {
			c.tokens = float64(calls)
		} else {
			c.tokens = min(float64(calls), c.tokens+qps*now.Sub(c.filled).Seconds())
		}
		c.filled = now
		return c.tokens >= 1-1e-9
	default:
		if n := now.UnixNano() / int64(window); n != c.window {
			c.window, c.count = n, 0
		}
		return c.count < calls
	}
}

func (c *counter) take(w Window, qps float64, now time.Time) {
	if qps <= 0 {
		return
	}
	switch w {
	case WindowSliding:
		c.recent = append(c.recent, now)
	case WindowBucket:
		c.tokens--
	default:
		c.count++
	}
}

// SetLimit changes the limit of an action at run time, in calls per second
// per account; action "" means the default of all actions that have none of
// their own. Zero refuses every call, negative lifts the limit.
func (c *Cloud) SetLimit(action string, qps float64) {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	if action == "" {
		c.limiter.limits.Default = qps
	} else {
		c.limiter.limits.Actions[action] = qps
	}
}

// current returns the limits as they are now.
func (l *limiter) current() Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.limits
	now.Actions = maps.Clone(now.Actions)
	return now
}

// SetSourceLimit changes the limit per source address at run time, in calls
// per second over everything. Zero refuses every call, negative lifts it.
func (c *Cloud) SetSourceLimit(qps float64) {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	c.limiter.limits.PerSourceIP = qps
}
