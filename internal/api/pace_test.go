package api_test

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
)

// server is a way of counting calls. take reports whether a call that arrives
// at t is within the limit; times never go back.
type server interface{ take(t time.Time) bool }

// fixedWindow lets n calls through in every period that the clock marks.
type fixedWindow struct {
	n             int
	period, phase time.Duration
	start         time.Time
	used          int
}

func (s *fixedWindow) take(t time.Time) bool {
	if start := t.Add(s.phase).Truncate(s.period); start != s.start {
		s.start, s.used = start, 0
	}
	s.used++
	return s.used <= s.n
}

// slidingWindow lets n calls through in any period.
type slidingWindow struct {
	n      int
	period time.Duration
	taken  []time.Time
}

func (s *slidingWindow) take(t time.Time) bool {
	for len(s.taken) > 0 && t.Sub(s.taken[0]) >= s.period {
		s.taken = s.taken[1:]
	}
	if len(s.taken) >= s.n {
		return false
	}
	s.taken = append(s.taken, t)
	return true
}

// tokenBucket gains rate tokens a second and holds at most burst of them.
type tokenBucket struct {
	rate, burst, spent float64
	last               time.Time
}

func (s *tokenBucket) take(t time.Time) bool {
	s.spent = max(0, s.spent-t.Sub(s.last).Seconds()*s.rate)
	s.last = t
	if s.spent+1 > s.burst {
		return false
	}
	s.spent++
	return true
}

// outage lets nothing through.
type outage struct{}

func (outage) take(time.Time) bool { return false }

// countings are the ways in which a server may hold a limit of so many calls
// per second.
var countings = map[string]func(limit float64, phase time.Duration) server{
	"fixed windows": func(limit float64, phase time.Duration) server {
		n, period := counted(limit)
		return &fixedWindow{n: n, period: period, phase: phase}
	},
	"a sliding window": func(limit float64, _ time.Duration) server {
		n, period := counted(limit)
		return &slidingWindow{n: n, period: period}
	},
	"a token bucket": func(limit float64, _ time.Duration) server {
		return &tokenBucket{rate: limit, burst: max(1, limit)}
	},
}

// counted returns a limit as calls in a period: seconds, or as long as one call
// takes.
func counted(limit float64) (int, time.Duration) {
	if limit < 1 {
		return 1, time.Duration(float64(time.Second) / limit)
	}
	return int(limit), time.Second
}

func byMinute(limit float64, phase time.Duration) server {
	return &fixedWindow{n: int(60 * limit), period: time.Minute, phase: phase}
}

// jitter is what the network adds to a call at most.
const jitter = 50 * time.Millisecond

// usualAnswer is the mean time of an answer where nothing else is said.
const usualAnswer = 200 * time.Millisecond

// seeds is how often simulations run, each time with other delays.
func seeds() uint64 { return uint64(short.Of(2)) }

// regime is a limit from some time on; 0 is an outage.
type regime struct {
	from  time.Duration
	limit float64
}

// simulation runs clients of one server, event by event.
type simulation struct {
	count    func(float64, time.Duration) server
	limit    float64 // that the clients know of
	share    float64
	regimes  []regime
	clients  []time.Duration // when each begins
	answer   time.Duration   // mean time of an answer
	seed     uint64
	duration time.Duration
}

// minutes is what became of a client's calls, minute by minute.
type minutes struct{ accepted, throttled []int }

// between adds up minutes from a to b.
func (m minutes) between(a, b int) (accepted, throttled float64) {
	for i := a; i < b; i++ {
		accepted += float64(m.accepted[i])
		throttled += float64(m.throttled[i])
	}
	return accepted, throttled
}

// event is the departure, arrival or answer of a call.
type event struct {
	at     time.Duration
	sent   time.Duration
	kind   int32
	client int32
	plan   int32 // of departures: void if the client changed its plan since
	passed bool
}

const (
	departure = iota
	arrival
	verdict
)

// events are those to come, the next one last. There are as many as calls on
// their way, which are few.
type events []event

// push puts e behind the events of the same time.
func (q *events) push(e event) {
	i := sort.Search(len(*q), func(i int) bool { return (*q)[i].at <= e.at })
	*q = slices.Insert(*q, i, e)
}

func (q *events) pop() event {
	last := len(*q) - 1
	e := (*q)[last]
	*q = (*q)[:last]
	return e
}

// poller is a client that always has another call to make.
type poller struct {
	pace api.PaceForTest
	last time.Duration
	plan int32
	minutes
}

func (s simulation) run() []*poller {
	rng := rand.New(rand.NewPCG(s.seed, 1))
	below := func(d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	phase := below(time.Minute)
	var queue events
	clients := make([]*poller, len(s.clients))
	for i, begin := range s.clients {
		n := int(s.duration/time.Minute) + 1
		clients[i] = &poller{pace: api.NewPaceForTest(s.limit, s.share), minutes: minutes{make([]int, n), make([]int, n)}}
		queue.push(event{at: begin + below(time.Second), client: int32(i)})
	}
	var srv server
	regimes := s.regimes
	for {
		e := queue.pop()
		if e.at > s.duration {
			return clients
		}
		for len(regimes) > 0 && e.at >= regimes[0].from {
			srv = outage{}
			if limit := regimes[0].limit; limit > 0 {
				srv = s.count(limit, phase)
			}
			regimes = regimes[1:]
		}
		c := clients[e.client]
		switch e.kind {
		case departure:
			if e.plan != c.plan {
				continue
			}
			c.last = e.at
			queue.push(event{at: e.at + below(jitter), kind: arrival, client: e.client, sent: e.at})
		case arrival:
			e.passed = srv.take(start.Add(e.at))
			if e.passed {
				c.accepted[e.at/time.Minute]++
			} else {
				c.throttled[e.at/time.Minute]++
			}
			e.kind, e.at = verdict, e.at+s.answer/2+below(s.answer)
			queue.push(e)
			continue
		case verdict:
			c.pace.Done(start.Add(e.at), start.Add(e.sent), !e.passed)
		}
		c.plan++
		spacing, _ := c.pace.Spacing()
		queue.push(event{at: max(e.at, c.last+spacing), client: e.client, plan: c.plan})
	}
}

// variants are simulations of one client, named: every way of counting, both
// shares and every mean time of an answer. A share of 0.7 is the default, 1
// leaves nothing to spare.
func variants() iter.Seq2[string, simulation] {
	answers := []time.Duration{usualAnswer, 20 * time.Millisecond, time.Second}
	answers = answers[:short.Of(len(answers))]
	return func(yield func(string, simulation) bool) {
		for counting, count := range countings {
			for _, share := range []float64{0.7, 1} {
				for _, answer := range answers {
					name := fmt.Sprintf("%s/share %v/answers in %v", counting, share, answer)
					if !yield(name, simulation{count: count, share: share, clients: []time.Duration{0}, answer: answer}) {
						return
					}
				}
			}
		}
	}
}

func TestPaceHoldsALimit(t *testing.T) {
	t.Parallel()
	for name, s := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for limit, minutes := range map[float64]int{0.5: 60, 1: 60, 3: 60, 7: 20, 20: 10, 100: 2} {
				minutes = short.Of(minutes)
				s.limit, s.duration, s.regimes = limit, time.Duration(minutes)*time.Minute, []regime{{0, limit}}
				accepted, throttled := s.run()[0].between(0, minutes)
				if throttled > 0 {
					t.Errorf("limit %v: %v calls throttled", s.limit, throttled)
				}
				// The first call leaves within a second.
				if used := accepted / ((float64(minutes)*60 - 1) * s.limit * s.share); used < 0.95 {
					t.Errorf("limit %v: used only %.1f %%", s.limit, 100*used)
				}
			}
		})
	}
}

// worst returns the smallest use of a limit and the largest part of throttled
// calls of all windows of so many minutes between a and b.
func worst(m minutes, a, b, window int, limit float64) (used, throttled float64) {
	used = math.Inf(1)
	for i := a; i+window <= b; i++ {
		ok, no := m.between(i, i+window)
		used = min(used, ok/(60*limit*float64(window)))
		throttled = max(throttled, no/max(1, ok+no))
	}
	return used, throttled
}

func TestPaceFollowsALimitThatFallsAndRises(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from, to        float64
		used, throttled float64 // from one minute after the fall
	}{
		{3, 1, 0.90, 0.02},
		{3, 2, 0.90, 0.02},
		{10, 3, 0.90, 0.02},
		{20, 7, 0.90, 0.02},
		{100, 40, 0.90, 0.02},
		{3, 0.5, 0.85, 0.04}, // a probe a minute is one call in thirty
	}
	// What the clients have to find out takes its time, however long the test.
	const fall = 1
	rise := fall + 1 + max(2, short.Of(18))
	found := rise + 11
	end := found + short.Of(2)
	for name, s := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, test := range tests {
				if test.from >= 20 && s.answer != usualAnswer {
					continue // a hundred thousand calls
				}
				for s.seed = range seeds() {
					s.limit, s.duration = test.from, time.Duration(end)*time.Minute
					rises := time.Duration(rise)*time.Minute + time.Duration(s.seed)*31*time.Second
					s.regimes = []regime{{0, test.from}, {fall * time.Minute, test.to}, {rises, test.from}}
					m := s.run()[0].minutes
					budget := test.from * s.share
					used, throttled := worst(m, fall+1, rise, 2, min(test.to, budget))
					if used < test.used || throttled > test.throttled {
						t.Errorf("%v to %v, seed %d: in two minutes used as little as %.1f %% with up to %.2f %% throttled",
							test.from, test.to, s.seed, 100*used, 100*throttled)
					}
					if used, _ := worst(m, found, end, 1, budget); used < 0.94 { // a minute holds a whole number of calls
						t.Errorf("%v to %v, seed %d: ten minutes after the limit rose %.1f %% are used", test.from, test.to, s.seed, 100*used)
					}
				}
			}
		})
	}
}

func TestPaceFindsALimitByTheMinute(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{0.7, 1} {
		s := simulation{
			count: byMinute, limit: 3, share: share, clients: []time.Duration{0}, answer: usualAnswer,
			regimes: []regime{{0, 3}, {5 * time.Minute, 0.5}, {50 * time.Minute, 3}}, duration: 65 * time.Minute,
		}
		for s.seed = range seeds() {
			m := s.run()[0].minutes
			accepted, throttled := m.between(10, 50)
			if used, part := accepted/(40*30), throttled/(accepted+throttled); used < 0.85 || part > 0.06 {
				t.Errorf("share %v, seed %d: used %.1f %% with %.1f %% throttled", share, s.seed, 100*used, 100*part)
			}
			if used, _ := worst(m, 62, 65, 1, 3*share); used < 0.94 {
				t.Errorf("share %v, seed %d: twelve minutes after the limit rose %.1f %% are used", share, s.seed, 100*used)
			}
		}
	}
}

func TestPaceSurvivesAStorm(t *testing.T) {
	t.Parallel()
	for name, s := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s.limit = range []float64{1, 3, 20} {
				s.regimes = []regime{{0, s.limit}, {5 * time.Minute, 0}, {5*time.Minute + 30*time.Second, s.limit}}
				s.duration = 9 * time.Minute
				m := s.run()[0].minutes
				// Half a minute at full speed would be 15 calls per unit of limit.
				if _, throttled := m.between(5, 9); throttled > 15+4*s.limit {
					t.Errorf("limit %v: %v calls wasted", s.limit, throttled)
				}
				if used, throttled := worst(m, 7, 9, 1, s.limit*s.share); used < 0.94 || throttled > 0 {
					t.Errorf("limit %v: a minute and a half after the storm %.1f %% are used and %.1f %% throttled", s.limit, 100*used, 100*throttled)
				}
			}
		})
	}
}

func TestPacesShareALimit(t *testing.T) {
	t.Parallel()
	for name, s := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.limit, s.regimes, s.duration = 3, []regime{{0, 3}}, time.Hour
			s.clients = []time.Duration{0, 0, 10 * time.Minute}
			// Whether one of them fares badly is a matter of luck: more seeds.
			for s.seed = range uint64(short.Of(50)) {
				var all, lost float64
				for i, c := range s.run() {
					accepted, throttled := c.between(10, 60)
					all, lost = all+accepted, lost+throttled
					if rate := accepted / 3000; rate < 0.5 {
						t.Errorf("seed %d: client %d gets %.2f calls a second, less than half of its part", s.seed, i, rate)
					}
				}
				if part := lost / (all + lost); part > 0.05 {
					t.Errorf("seed %d: %.1f %% throttled", s.seed, 100*part)
				}
				if used := all / 9000; used < 0.7 {
					t.Errorf("seed %d: used only %.1f %%", s.seed, 100*used)
				}
			}
		})
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ level, grid, below, above float64 }{
		{100, 100, 80, 110},
		{40, 40, 32, 44},
		{7, 7, 6, 8},
		{3, 3, 2, 4},
		{2.205, 2, 2, 3},
		{2, 2, 1, 3},
		{1, 1, 0.75, 2},
		{0.735, 0.5, 0.5, 0.75},
		{0.5, 0.5, 0.25, 0.75},
		{0.25, 0.25, 0.125, 0.5},
		{0.2, 0.125, 0.125, 0.25},
		{0.125, 0.125, 0.0625, 0.25},
	} {
		grid, below, above := api.LevelsForTest(test.level)
		if grid != test.grid || below != test.below || above != test.above {
			t.Errorf("%v: grid %v, below %v, above %v; want %v, %v, %v", test.level, grid, below, above, test.grid, test.below, test.above)
		}
	}
	for _, test := range []struct{ proven, refused, want float64 }{
		{32, 40, 36}, {36, 40, 38}, {39, 40, 39}, {1, 3, 2}, {2, 3, 2}, {0.25, 0.75, 0.5}, {0.5, 0.75, 0.5},
	} {
		if got := api.BetweenForTest(test.proven, test.refused); got != test.want {
			t.Errorf("between %v and %v: %v, want %v", test.proven, test.refused, got, test.want)
		}
	}
}

// drive sends n calls as fast as the pace allows, judged at once.
func drive(p api.PaceForTest, now *time.Time, n int, throttled bool) {
	for range n {
		p.Done(*now, *now, throttled)
		spacing, _ := p.Spacing()
		*now = now.Add(spacing)
	}
}

func TestPaceTakesOneCongestionForOne(t *testing.T) {
	t.Parallel()
	p, now := api.NewPaceForTest(3, 1), time.Unix(1000, 0)
	drive(p, &now, 10, false)
	// Calls that were on their way when the first answer came are part of it.
	for range 5 {
		p.Done(now, now.Add(-time.Second), true)
	}
	if got := p.Rate(); math.Abs(got-2/1.05) > 1e-9 {
		t.Errorf("rate %v after one congestion, want that of limit 2", got)
	}
	for d := time.Duration(0); d < time.Second; d += 100 * time.Millisecond {
		p.Done(now.Add(d), now.Add(d), true)
	}
	if got := p.Rate(); math.Abs(got-2/1.05) > 1e-9 {
		t.Errorf("rate %v within a second, want that of limit 2", got)
	}
	p.Done(now.Add(time.Second), now.Add(time.Second), true)
	if got := p.Rate(); got > 1/1.05 {
		t.Errorf("rate %v after a second, want no more than that of limit 1", got)
	}
}

func TestPaceLearnsNothingFromIdleness(t *testing.T) {
	t.Parallel()
	p, now := api.NewPaceForTest(3, 1), time.Unix(1000, 0)
	drive(p, &now, 10, false)
	drive(p, &now, 1, true)
	slow := p.Rate()
	for range 100 {
		now = now.Add(10 * time.Second)
		p.Done(now, now, false)
	}
	if got := p.Rate(); got != slow {
		t.Errorf("rate went from %v to %v on calls that came too rarely to prove anything", slow, got)
	}
}

func TestPaceKeepsWhatItLearnedWhenConfigured(t *testing.T) {
	t.Parallel()
	p, now := api.NewPaceForTest(3, 1), time.Unix(1000, 0)
	drive(p, &now, 10, false)
	drive(p, &now, 1, true)
	p.Configure(10, 0.7)
	if got := p.Rate(); math.Abs(got-2/1.05) > 1e-9 {
		t.Errorf("rate %v, want the learned one", got)
	}
	p.Configure(1, 0.7)
	if got := p.Rate(); math.Abs(got-0.7) > 1e-9 {
		t.Errorf("rate %v, want the new budget, which is less", got)
	}
	p.Configure(10, 0.7)
	if got := p.Rate(); math.Abs(got-7) > 1e-9 {
		t.Errorf("rate %v, want the new budget: nothing was learned below the old one", got)
	}
}
