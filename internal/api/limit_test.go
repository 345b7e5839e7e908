package api_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
)

const someAction = "GetTopicList"

// limits are rate limits with one limit for every action.
func limits(perSecond, share float64) api.RateLimits {
	return api.RateLimits{Share: share, Scope: "account", Default: perSecond, PerSourceIP: 100}
}

// newLimiter returns a limiter that has its source to itself.
func newLimiter(cfg api.RateLimits) *api.Limiter {
	return api.NewLimiter(cfg, api.NewSourceLimit(cfg.PerSourceIP))
}

// since is the time that passed in the bubble.
func since(start time.Time) time.Duration { return time.Since(start).Round(time.Millisecond) }

// wait waits for a slot and fails the test when there is none.
func wait(t *testing.T, l *api.Limiter, action string, lane api.Lane) {
	t.Helper()
	if _, err := l.Wait(t.Context(), action, "cn-hangzhou", lane); err != nil {
		t.Error(err)
	}
}

func TestLimiterSpacesPollsEvenly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		limit, share float64
		want         time.Duration
	}{
		{"at the share of the limit", 3, 0.7, 476190477},
		{"at the guarded limit when the share is the whole", 3, 1, 350 * time.Millisecond},
		{"at the guarded limit when the share is nearly the whole", 3, 0.99, 350 * time.Millisecond},
		{"at less than a call a second", 0.5, 0.7, 2857142858},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLimiter(limits(test.limit, test.share))
				var sent []time.Time
				for range 10 {
					wait(t, l, someAction, api.LanePoll)
					sent = append(sent, time.Now())
					l.Done(someAction, "cn-hangzhou", time.Now(), false)
				}
				for i := range 9 {
					if got := sent[i+1].Sub(sent[i]); got != test.want {
						t.Errorf("poll %d leaves %v after the one before, want %v", i+1, got, test.want)
					}
				}
				time.Sleep(time.Minute)
				start := time.Now()
				for range 3 {
					wait(t, l, someAction, api.LaneRetry)
				}
				if got := time.Since(start); got != 2*test.want {
					t.Errorf("three retries after a pause take %v, want %v: no burst", got, 2*test.want)
				}
			})
		})
	}
}

func TestLimiterTellsHowLongItMadeWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(limits(3, 1))
		for _, want := range []time.Duration{0, 350 * time.Millisecond} {
			if got, err := l.Wait(t.Context(), someAction, "", api.LanePoll); got != want || err != nil {
				t.Errorf("waited %v (%v), want %v", got, err, want)
			}
		}
	})
}

func TestLimiterServesLanesByUrgency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(limits(3, 0.7))
		wait(t, l, someAction, api.LanePoll)
		var mu sync.Mutex
		var got []string
		var clients sync.WaitGroup
		for i := range 2 {
			for _, lane := range api.Lanes {
				clients.Go(func() {
					wait(t, l, someAction, lane)
					mu.Lock()
					defer mu.Unlock()
					got = append(got, fmt.Sprintf("%v%d", lane, i))
				})
				synctest.Wait() // the next comes later
			}
		}
		clients.Wait()
		want := []string{"person0", "person1", "runbook0", "runbook1", "retry0", "retry1", "poll0", "poll1"}
		if !slices.Equal(got, want) {
			t.Errorf("served %v, want %v", got, want)
		}
	})
}

func TestLimiterKeepsAReserveForActing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		l := newLimiter(limits(3, 0.7))
		var mu sync.Mutex
		var sent []time.Time
		count := map[api.Lane]int{}
		send := func(lane api.Lane) {
			for {
				if _, err := l.Wait(ctx, someAction, "", lane); err != nil {
					return
				}
				mu.Lock()
				sent = append(sent, time.Now())
				count[lane]++
				mu.Unlock()
			}
		}
		var clients sync.WaitGroup
		for range 5 {
			clients.Go(func() { send(api.LanePoll) })
		}
		time.Sleep(30 * time.Second)
		mu.Lock()
		if got := count[api.LanePoll]; got != 63 { // 2.1 a second
			t.Errorf("%d polls in half a minute, want 63", got)
		}
		mu.Unlock()
		clients.Go(func() { send(api.LanePerson) })
		clients.Wait()
		if got := count[api.LanePerson]; got < 84 { // 2.857 a second
			t.Errorf("%d calls for a person in half a minute, want the whole limit", got)
		}
		for i := range len(sent) - 1 {
			if got := sent[i+1].Sub(sent[i]); got < 350*time.Millisecond {
				t.Errorf("calls %d and %d are %v apart", i, i+1, got)
			}
		}
	})
}

func TestLimiterSpendsNoSlotOnWhoGaveUp(t *testing.T) {
	t.Parallel()
	for name, patience := range map[string]time.Duration{
		"long before its slot":      100 * time.Millisecond,
		"in the moment of its slot": 350 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLimiter(limits(3, 1))
				wait(t, l, someAction, api.LanePoll)
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				var second sync.WaitGroup
				var left time.Duration
				second.Go(func() {
					time.Sleep(time.Nanosecond)
					wait(t, l, someAction, api.LanePoll)
					left = since(start)
				})
				waited, err := l.Wait(ctx, someAction, "", api.LanePoll)
				second.Wait()
				// When both happen in one moment, it may get the slot or not.
				gaveUp := errors.Is(err, context.DeadlineExceeded)
				if waited != patience || !gaveUp && (err != nil || patience < 350*time.Millisecond) {
					t.Errorf("waited %v: %v", waited, err)
				}
				if gaveUp && left != 350*time.Millisecond || !gaveUp && left != 700*time.Millisecond {
					t.Errorf("the second in line left after %v; gave up: %v", left, gaveUp)
				}
			})
		})
	}
	t.Run("before it asked", func(t *testing.T) {
		t.Parallel()
		l := newLimiter(limits(3, 1))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Wait(ctx, someAction, "", api.LanePoll); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if rates := l.Rates(); len(rates) > 0 {
			t.Errorf("a bucket was used: %v", rates)
		}
	})
}

func TestLimiterNeverSendsTooClose(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			l := newLimiter(limits(3, 1))
			var mu sync.Mutex
			var last time.Time
			sent := 0
			var clients sync.WaitGroup
			for range 200 {
				lane := api.Lanes[rng.IntN(len(api.Lanes))]
				begin, patience := time.Duration(rng.Int64N(int64(time.Minute))), time.Duration(rng.Int64N(int64(time.Minute)))
				share, throttled := rng.Float64()+0.01, rng.IntN(20) == 0
				clients.Go(func() {
					time.Sleep(begin)
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					if _, err := l.Wait(ctx, someAction, "", lane); err != nil {
						return
					}
					mu.Lock()
					defer mu.Unlock()
					if gap := time.Since(last); gap < 350*time.Millisecond {
						t.Errorf("seed %d: %v between two calls", seed, gap)
					}
					last = time.Now()
					sent++
					l.Done(someAction, "", last, throttled)
					l.Configure(limits(3, min(1, share)))
				})
			}
			clients.Wait()
			if sent < 20 {
				t.Errorf("seed %d: only %d calls sent", seed, sent)
			}
		})
	}
}

func TestLimiterHasBucketsAsTheCloudCounts(t *testing.T) {
	t.Parallel()
	cfg := limits(3, 1)
	cfg.Actions = map[string]float64{"GetConsumerList": 10, "DescribeDBInstances": 0.5}
	calls := []struct{ action, region string }{
		{"GetTopicList", "cn-hangzhou"}, {"GetTopicList", "cn-beijing"}, {"GetConsumerList", "cn-hangzhou"}, {"DescribeDBInstances", ""},
	}
	for scope, want := range map[string][]api.Rate{
		"account": {
			{Action: "DescribeDBInstances", PerSecond: 0.5 / 1.05},
			{Action: "GetConsumerList", PerSecond: 10 / 1.05},
			{Action: "GetTopicList", PerSecond: 3 / 1.05},
		},
		"region": {
			{Action: "DescribeDBInstances", PerSecond: 0.5 / 1.05},
			{Action: "GetConsumerList", Region: "cn-hangzhou", PerSecond: 10 / 1.05},
			{Action: "GetTopicList", Region: "cn-beijing", PerSecond: 3 / 1.05},
			{Action: "GetTopicList", Region: "cn-hangzhou", PerSecond: 3 / 1.05},
		},
	} {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := cfg
				cfg.Scope = scope
				l := newLimiter(cfg)
				start := time.Now()
				for _, c := range calls {
					if _, err := l.Wait(t.Context(), c.action, c.region, api.LanePoll); err != nil {
						t.Error(err)
					}
				}
				waited := since(start)
				if scope == "account" && waited != 350*time.Millisecond || scope == "region" && waited != 0 {
					t.Errorf("waited %v", waited)
				}
				if got := l.Rates(); !slices.Equal(got, want) {
					t.Errorf("rates %v, want %v", got, want)
				}
			})
		})
	}
}

func TestLimiterUsesDocumentedLimits(t *testing.T) {
	t.Parallel()
	for _, a := range api.Actions() {
		want := a.QPS
		if want == 0 {
			want = 7
		}
		l := newLimiter(limits(7, 1))
		wait(t, l, a.Name, api.LanePoll)
		if got := l.Rates()[0].PerSecond; got != want/1.05 {
			t.Errorf("%s: %v calls a second, want %v", a.Name, got, want/1.05)
		}
	}
}

func TestLimitersShareTheSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		source := api.NewSourceLimit(100)
		var mu sync.Mutex
		var sent []time.Time
		lanes := map[api.Lane]int{}
		var clients sync.WaitGroup
		poll := func(l *api.Limiter, action string, lane api.Lane) {
			var last time.Time
			for {
				if _, err := l.Wait(ctx, action, "", lane); err != nil {
					return
				}
				mu.Lock()
				sent = append(sent, time.Now())
				lanes[lane]++
				mu.Unlock()
				if gap := time.Since(last); gap < 105*time.Millisecond {
					t.Errorf("%s leaves %v after the one before", action, gap)
				}
				last = time.Now()
			}
		}
		for range 3 { // accounts
			l := api.NewLimiter(limits(10, 1), source)
			for i := range 20 { // 190 calls a second for each account, if it were alone
				clients.Go(func() { poll(l, fmt.Sprint("Action", i), api.LanePoll) })
			}
			for i := range 5 {
				clients.Go(func() { poll(l, fmt.Sprint("Act", i), api.LanePerson) })
			}
		}
		clients.Wait()
		for i := range len(sent) - 100 {
			if span := sent[i+100].Sub(sent[i]); span < 1050*time.Millisecond {
				t.Fatalf("101 calls in %v", span)
			}
		}
		if all := len(sent); all < 940 {
			t.Errorf("%d calls in ten seconds, want 950", all)
		}
		// Acting wants 9.5 a second in each of 15 buckets, which is more than
		// there is; it takes nearly all.
		if polls := lanes[api.LanePoll]; polls > 250 {
			t.Errorf("%d polls beside %d calls for people", polls, lanes[api.LanePerson])
		}
	})
}

func TestPollingLeavesPartOfTheSourceToActing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// Of 100 calls in a window, polls may make 90. They make them at once,
		// twenty every 105 ms, and are silent from 420 ms on. Both the people
		// and the end come into that silence: at the instant of a slot it would
		// be chance who is first.
		const window = 1050 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), 20*window-100*time.Millisecond)
		defer cancel()
		l := newLimiter(limits(10, 1))
		var mu sync.Mutex
		polls := 0
		var clients sync.WaitGroup
		for i := range 20 {
			clients.Go(func() {
				for {
					if _, err := l.Wait(ctx, fmt.Sprint("Action", i), "", api.LanePoll); err != nil {
						return
					}
					mu.Lock()
					polls++
					mu.Unlock()
				}
			})
		}
		time.Sleep(11*window - 500*time.Millisecond)
		synctest.Wait()
		mu.Lock()
		if polls != 11*90 {
			t.Errorf("%d polls in 11 windows, want 90 in each", polls)
		}
		mu.Unlock()
		start := time.Now()
		for i := range 10 {
			wait(t, l, fmt.Sprint("Act", i), api.LanePerson)
		}
		if waited := since(start); waited > 0 {
			t.Errorf("ten people waited %v", waited)
		}
		clients.Wait()
		// The calls of people put ten polls off by less than a window.
		if polls != 20*90 {
			t.Errorf("%d polls in 20 windows, want 90 in each", polls)
		}
	})
}

func TestLimiterConfigure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := api.NewSourceLimit(100)
		l := api.NewLimiter(limits(3, 1), source)
		wait(t, l, someAction, api.LanePoll)
		start := time.Now()
		go func() {
			time.Sleep(50 * time.Millisecond)
			l.Configure(limits(10, 1))
		}()
		wait(t, l, someAction, api.LanePoll)
		if got := since(start); got != 105*time.Millisecond {
			t.Errorf("who waits gets the new limit after %v, want 105ms from the last call on", got)
		}
		// Throttled after it held for a while: what is learned stays.
		l.Done(someAction, "", time.Now(), true)
		learned := l.Rates()
		l.Configure(limits(20, 1))
		if got := l.Rates(); !slices.Equal(got, learned) {
			t.Errorf("rates %v after a change of the limit, want %v", got, learned)
		}
		byRegion := limits(20, 1)
		byRegion.Scope = "region"
		l.Configure(byRegion)
		start = time.Now()
		wait(t, l, someAction, api.LanePoll)
		if got := time.Since(start); got != 52500*time.Microsecond {
			t.Errorf("first call of a region after %v, want one spacing", got)
		}
		source.Configure(1)
		start = time.Now()
		wait(t, l, someAction, api.LanePoll)
		if got := since(start); got != 1050*time.Millisecond {
			t.Errorf("call after %v, want the new limit of the source", got)
		}
	})
}

// counter answers calls as a server that counts them.
type counter struct {
	mu  sync.Mutex
	srv server
	minutes
	start time.Time
}

func newCounter(srv server, minuteCount int) *counter {
	return &counter{srv: srv, start: time.Now(), minutes: minutes{make([]int, minuteCount), make([]int, minuteCount)}}
}

func (c *counter) set(srv server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.srv = srv
}

// call takes a call on its way to the server and back.
func (c *counter) call(l *api.Limiter, there, back time.Duration, tally minutes) {
	sent := time.Now()
	time.Sleep(there)
	c.mu.Lock()
	passed, minute := c.srv.take(time.Now()), time.Since(c.start)/time.Minute
	for _, m := range []minutes{c.minutes, tally} {
		if passed {
			m.accepted[minute]++
		} else {
			m.throttled[minute]++
		}
	}
	c.mu.Unlock()
	time.Sleep(back)
	l.Done(someAction, "", sent, !passed)
}

// poll calls until ctx ends. Two calls wait at any time, so that there is
// always one in time for a slot.
func (c *counter) poll(ctx context.Context, l *api.Limiter, seed uint64) minutes {
	tally := minutes{make([]int, len(c.accepted)), make([]int, len(c.accepted))}
	rng := rand.New(rand.NewPCG(seed, 2))
	var calls sync.WaitGroup
	defer calls.Wait()
	for {
		if _, err := l.Wait(ctx, someAction, "", api.LanePoll); err != nil {
			return tally
		}
		there, back := time.Duration(rng.Int64N(int64(jitter))), time.Duration(rng.Int64N(int64(400*time.Millisecond)))
		calls.Go(func() { c.call(l, there, back, tally) })
	}
}

func TestLimiterForHours(t *testing.T) {
	t.Parallel()
	// How long a limiter takes to follow the limit is not for the length of the
	// test to say: a minute when it falls, ten when it rises.
	fall := short.Of(60)
	rise := fall + short.Of(30)
	found := rise + 10
	end := found + short.Of(20)
	for counting, count := range countings {
		for _, share := range []float64{0.7, 1} {
			t.Run(fmt.Sprintf("%s/share %v", counting, share), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(end)*time.Minute)
					defer cancel()
					c := newCounter(count(3, time.Second/3), end+1)
					go func() {
						time.Sleep(time.Duration(fall) * time.Minute)
						c.set(count(1, 0))
						time.Sleep(time.Duration(rise-fall) * time.Minute)
						c.set(count(3, 0))
					}()
					c.poll(ctx, newLimiter(limits(3, share)), 1)

					accepted, throttled := c.between(0, fall)
					if used := accepted / (float64(60*fall) * 3 * share); throttled > 0 || used < 0.95 {
						t.Errorf("limit 3 for %d minutes: used %.2f %%, %v calls throttled", fall, 100*used, throttled)
					}
					if used, throttled := worst(c.minutes, fall+1, rise, 2, 1); used < 0.9 || throttled > 0.02 {
						t.Errorf("limit 1 for %d minutes: in two minutes used as little as %.1f %% with up to %.2f %% throttled",
							rise-fall, 100*used, 100*throttled)
					}
					if used, _ := worst(c.minutes, found, end, 2, 3*share); used < 0.95 {
						t.Errorf("limit 3 again: ten minutes later used %.2f %%", 100*used)
					}
				})
			})
		}
	}
}

// TestLimitersOfThreeProcesses is never shorter: over a few minutes a client
// may well get less than half of its part.
func TestLimitersOfThreeProcesses(t *testing.T) {
	t.Parallel()
	for counting, count := range countings {
		t.Run(counting, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				c := newCounter(count(3, 0), 61)
				var clients sync.WaitGroup
				for i, begin := range []time.Duration{0, 300 * time.Millisecond, 10 * time.Minute} {
					clients.Go(func() {
						time.Sleep(begin)
						tally := c.poll(ctx, newLimiter(limits(3, 0.7)), uint64(i))
						if accepted, _ := tally.between(10, 60); accepted < 1500 {
							t.Errorf("client %d gets %.2f calls a second, less than half of its part", i, accepted/3000)
						}
					})
				}
				clients.Wait()
				if accepted, throttled := c.between(10, 60); throttled > 0.05*(accepted+throttled) {
					t.Errorf("%v of %v calls throttled", throttled, accepted+throttled)
				}
			})
		})
	}
}

func BenchmarkWait(b *testing.B) {
	l := newLimiter(api.RateLimits{Share: 1, Scope: "account", Default: 1e9, PerSourceIP: 1e9})
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Wait(ctx, someAction, "", api.LanePoll); err != nil {
			b.Fatal(err)
		}
	}
}
