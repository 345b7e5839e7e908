package engine_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal/journaltest"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

var (
	histories = flag.Int("histories", 2000, "how many random histories to play; where it is not given, under -short a tenth")
	seed      = flag.Uint64("seed", 1, "seed of the first of them; 0: by the clock, as make chaos has it")
)

// wish is an operation of a history: how it is asked for, and how its effects
// are told from those of others.
type wish struct {
	request engine.Request
	effect  sim.Match
}

// history is what happens to a machine, by a seed.
type history struct {
	*machine

	rng    *rand.Rand
	wishes []wish
	events []event

	hand chan struct{} // guards machine.engine and promised; a machine that reboots holds it for long
}

type event struct {
	at time.Duration
	do func()
}

func TestRandomHistories(t *testing.T) {
	t.Parallel()
	n, first := *histories, *seed
	if !given("histories") {
		n = short.Of(n)
	}
	if first == 0 {
		first = uint64(time.Now().UnixNano()) % 1_000_000_000
	}
	t.Logf("%d histories from seed %d on", n, first)
	var sum tally
	const groups = 8
	for g := range groups {
		t.Run(fmt.Sprintf("group %d", g), func(t *testing.T) {
			t.Parallel()
			for i := g; i < n; i += groups {
				s := first + uint64(i)
				synctest.Test(t, func(t *testing.T) {
					for _, wrong := range play(t, s, &sum, nil) {
						t.Errorf("-histories 1 -seed %d: %s", s, wrong)
					}
				})
			}
		})
	}
	t.Cleanup(func() { t.Logf("%d runs, %d crashes, ends %v", sum.cells, sum.crashes, sum.ends) })
}

// given reports whether a flag was set: then its value holds under -short, too.
func given(name string) (is bool) {
	flag.Visit(func(f *flag.Flag) { is = is || f.Name == name })
	return is
}

// TestRandomHistoriesBite: a transport that retries must be noticed in two of
// the first 40 histories. More than the two are not played.
func TestRandomHistoriesBite(t *testing.T) {
	t.Parallel()
	const most, enough = 40, 2
	played, caught := 0, 0
	for ; played < most && caught < enough; played++ {
		synctest.Test(t, func(t *testing.T) {
			if len(play(t, uint64(played)+1, &tally{}, func(to http.RoundTripper) http.RoundTripper { return naive{to} })) > 0 {
				caught++
			}
		})
	}
	t.Logf("a naive retry is noticed in %d of %d histories", caught, played)
	if caught < enough {
		t.Error("these histories prove nothing")
	}
}

// play plays a history and returns what was violated.
func play(t *testing.T, seed uint64, sum *tally, wrap func(http.RoundTripper) http.RoundTripper) []string {
	t.Helper()
	h := &history{rng: rand.New(rand.NewPCG(seed, seed)), hand: make(chan struct{}, 1)}
	h.machine = newMachine(t, func(l *lab, o *sim.Options) {
		l.wrap = wrap
		h.world(l, o)
	})
	h.plan()
	h.up()
	defer func() { h.stop() }()
	start := time.Now()
	var deliveries sync.WaitGroup
	for _, e := range h.events {
		for time.Since(start) < e.at {
			h.tend()
			time.Sleep(min(time.Minute, e.at-time.Since(start)))
		}
		h.tend()
		deliveries.Go(e.do)
	}
	h.settle()
	deliveries.Wait()
	for range 2 { // whoever asked asks again, as Alertmanager does
		for _, w := range h.wishes {
			h.deliver(w.request)
		}
		h.settle()
	}
	time.Sleep(40 * time.Minute)
	for _, r := range h.engine.Runs(engine.Filter{}) {
		sum.add(&machine{}, r.State)
	}
	sum.mu.Lock()
	sum.crashes += h.crashes
	sum.mu.Unlock()
	return h.judge()
}

// world prepares cloud and engine.
func (h *history) world(l *lab, o *sim.Options) {
	only(o, post)
	in := &o.World.Accounts[0].Instances[0]
	for i := range 3 {
		in.Topics = append(in.Topics, sim.Topic{Name: fmt.Sprintf("orders%d", i), Partitions: 6})
	}
	o.NonceAfterThrottle = h.rng.IntN(2) == 0
	if h.rng.IntN(3) == 0 {
		o.ReadLag, o.FreshReads = time.Duration(h.rng.IntN(20))*time.Second, 0.5
	}
	if h.rng.IntN(2) == 0 {
		l.options = func(o *engine.Options) { o.SegmentSize = 12 << 10 } // the journal begins anew again and again
	}
	rate := h.rng.Float64() * 0.6
	faulty := h.faults(rate)
	o.Faults = faulty
	g := &l.config.Guards
	g.Partitions.Topics = mustRegexp("orders.*")
	g.CoolDown, g.Storm.Targets, g.HourlyCap = 0, 20, 200
	if h.rng.IntN(4) > 0 {
		g.Breaker.Failures = 100
	}
}

// faults returns what goes wrong with calls: mutations at that rate, reads at a
// third of it.
func (h *history) faults(rate float64) func(*sim.Call) *sim.Fault {
	rng := rand.New(rand.NewPCG(h.rng.Uint64(), 1))
	var mu sync.Mutex
	kinds := []sim.Fault{
		{Kind: sim.Reset, Executed: true},
		{Kind: sim.Reset},
		{Kind: sim.Hang},
		{Kind: sim.Hang, Executed: true},
		{Kind: sim.Hang, ApplyAfter: 5 * time.Minute},
		{Kind: sim.Reset, ApplyAfter: 2 * time.Minute},
		{Kind: sim.Truncate},
		{Kind: sim.Refuse, Status: 500, Code: "InternalError", Executed: true},
		{Kind: sim.Refuse, Status: 503, Code: "ServiceUnavailable"},
		{Kind: sim.Unsuccessful, Executed: true},
		{Kind: sim.Gateway, Executed: true},
		{Kind: sim.Gateway},
		*sim.Throttle(), *sim.Throttle(),
		{Kind: sim.Slow, Latency: 20 * time.Second},
	}
	return func(c *sim.Call) *sim.Fault {
		mu.Lock()
		defer mu.Unlock()
		share := rate
		if a, ok := api.Lookup(c.Action); ok && a.Effect == api.Read {
			share /= 3
		}
		if rng.Float64() >= share {
			return nil
		}
		return &kinds[rng.IntN(len(kinds))]
	}
}

// plan draws what is asked for and what happens when.
func (h *history) plan() {
	for i := range 2 + h.rng.IntN(4) {
		h.wishes = append(h.wishes, h.draw(i))
	}
	minutes := func(n int) time.Duration { return time.Duration(h.rng.Float64() * float64(n) * float64(time.Minute)) }
	for _, w := range h.wishes {
		for range 1 + h.rng.IntN(4) { // delivered more than once, in any order
			h.events = append(h.events, event{minutes(30), func() { h.deliver(w.request) }})
		}
		if h.rng.IntN(3) == 0 { // and once more as another episode
			again := w.request
			again.Key += "-again"
			h.events = append(h.events, event{minutes(90), func() { h.deliver(again) }})
		}
	}
	for range h.rng.IntN(4) {
		h.events = append(h.events, event{minutes(90), h.die})
	}
	if h.rng.IntN(4) == 0 {
		h.events = append(h.events, event{minutes(60), func() {
			_ = h.cloud.AddPartitions(sim.Ref{Account: "main", Instance: post, Topic: "orders0"}, 1)
		}})
	}
	slices.SortFunc(h.events, func(a, b event) int { return int(a.at - b.at) })
	if n := 2 + h.rng.IntN(20); h.rng.IntN(2) == 0 {
		before := h.rng.IntN(2) == 0
		h.onSync = func(i int, is bool) {
			if i == n && is == before {
				h.die()
			}
		}
	}
	part := h.rng.Float64()
	h.keep = func(n int) int { return int(part * float64(n)) }
}

// draw returns the i-th wish.
func (h *history) draw(i int) wish {
	name := fmt.Sprintf("wish-%d", i)
	topic := fmt.Sprintf("orders%d", i%3)
	var s step
	var tell string
	switch h.rng.IntN(8) {
	case 0, 1, 2:
		s, tell = stepOf("ModifyPartitionNum").with("Topic", topic), "Topic"
	case 3:
		s, tell = stepOf("CreateTopic").with("Topic", name), "Topic"
	case 4:
		s, tell = stepOf("CreateConsumerGroup").with("ConsumerId", name), "ConsumerId"
	case 5:
		s, tell = stepOf("UpdateAllowedIp").with("AllowedListIp", fmt.Sprintf("10.9.%d.0/24", i)), "AllowedListIp"
	case 6:
		s, tell = stepOf("TagResources").with("Tag.1.Key", "alikafka-exporter-"+name), "Tag.1.Key"
	default:
		s, tell = stepOf("CreatePostPayOrder"), "RegionId"
	}
	w := wish{request: s.request(name), effect: sim.Match{Action: s.action, Params: map[string]string{tell: s.params[tell]}}}
	if h.rng.IntN(2) == 0 && s.action != "CreatePostPayOrder" {
		w.request.Actor = hook
		w.effect.Params = maps.Clone(w.effect.Params)
	}
	return w
}

// up brings the machine up for the first time.
func (h *history) up() {
	h.hand <- struct{}{}
	defer func() { <-h.hand }()
	if err := h.open(); err != nil || h.engine.Err() != nil {
		h.reboot(time.Second)
	}
}

// deliver asks for a wish; what comes of it is the engine's business.
func (h *history) deliver(q engine.Request) {
	h.hand <- struct{}{}
	e, life := h.engine, h.life
	<-h.hand
	r, err := e.Do(life, q)
	if err == nil {
		h.hand <- struct{}{}
		h.promised = append(h.promised, r.ID)
		<-h.hand
	}
}

// tend reboots a machine that is down, sometimes with another clock, and
// approves what waits.
func (h *history) tend() {
	if h.isDead() {
		h.hand <- struct{}{}
		pause := []time.Duration{time.Second, 10 * time.Minute, 2 * time.Hour}[h.rng.IntN(3)]
		jump := []time.Duration{0, 0, 24 * time.Hour, -24 * time.Hour, 365 * 24 * time.Hour, -10 * time.Minute}[h.rng.IntN(6)]
		h.down()
		h.stop()
		h.disk.Crash(h.keep)
		if jump != 0 {
			h.disk = shifted(h.t, h.disk, jump)
		}
		h.reboot(pause)
		<-h.hand
	}
	if h.rng.IntN(3) > 0 {
		return
	}
	for _, r := range h.engine.Runs(engine.Filter{State: engine.StatePending}) {
		for _, who := range []engine.Actor{alice, hook, bob, carol} { // not all of them may
			_, _ = h.engine.Approve(h.life, r.ID, who, r.Plan.Hash)
		}
	}
	if k := h.engine.KillSwitch(); k.BreakerOpen && h.rng.IntN(4) == 0 {
		_ = h.engine.SetKillSwitch(h.life, alice, false, "looked at it")
	}
}

// settle waits until every run is over.
func (h *history) settle() {
	for range 600 {
		time.Sleep(3 * time.Minute)
		h.tend()
		if !slices.ContainsFunc(h.engine.Runs(engine.Filter{}), func(r engine.Run) bool { return !r.State.Terminal() }) {
			return
		}
	}
}

// judge returns what was violated.
func (h *history) judge() (wrong []string) {
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, id := range h.promised {
		if _, ok := h.engine.Get(id); !ok {
			bad("run %s is lost", id)
		}
	}
	runs := h.engine.Runs(engine.Filter{})
	for _, r := range runs {
		if !r.State.Terminal() {
			bad("run %s is %s for ever", r.ID, r.State)
		}
	}
	seen := map[string]bool{}
	for _, w := range h.wishes {
		of := fmt.Sprint(w.effect)
		if seen[of] {
			continue
		}
		seen[of] = true
		effects, sent, surely, maybe := len(h.cloud.Effects(w.effect)), 0, 0, 0
		for _, r := range runs {
			if r.Action != w.effect.Action || !matches(w.effect.Params, r.Params) || len(r.Calls) == 0 {
				continue
			}
			sent++
			switch {
			case r.State == engine.StateApplied && r.Verification.AttributedBy != "none":
				surely++
			case r.State == engine.StateApplied, r.State == engine.StateNeedsHuman:
				maybe++
			}
		}
		if effects > sent || effects < surely || effects > surely+maybe {
			bad("%v: %d effects, %d runs were sent, %d surely applied, %d perhaps", w.effect, effects, sent, surely, maybe)
		}
	}
	if len(wrong) > 0 {
		for _, r := range runs {
			bad("  %s %s %s: %s; calls %+v", r.Action, r.Key, r.State, r.Why, r.Calls)
		}
	}
	return wrong
}

func matches(want, got map[string]string) bool {
	for name, value := range want {
		if got[name] != value {
			return false
		}
	}
	return true
}

var stamp = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"`)

// shifted returns a disk whose journal says everything so much later: to who
// reads it, the clock was set back by that much. A negative one sets it
// forward.
func shifted(t *testing.T, d *journaltest.Disk, by time.Duration) *journaltest.Disk {
	t.Helper()
	to := journaltest.New()
	dir := "/no/such/storage/journal"
	d.Fail(nil)
	var records []journal.Record
	if _, err := journal.Scan(d, dir, func(r journal.Record, _ journal.Hash) error {
		records = append(records, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Options{Dir: dir, FS: to}, func(journal.Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		body := stamp.ReplaceAllFunc(r.Body, func(s []byte) []byte {
			at, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(s))
			if err != nil || at.IsZero() {
				return s
			}
			return []byte(at.Add(by).Format(`"` + time.RFC3339Nano + `"`))
		})
		if err := j.Append(r.Kind, json.RawMessage(body)); err != nil {
			t.Fatal(err)
		}
	}
	return to
}
