package admin

import (
	"log/slog"
	"sync"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
)

// What a principal may make the journal grow, in bytes: so much at once, and so
// much a second in the long run.
const (
	// Webhooks: 50 of ten alerts a second, for as long as one likes.
	journalAtOnce    = 64 << 20
	journalPerSecond = 160 << 10

	// People: 500 requests at once, then one every ten seconds. A request
	// counts as requestCost before it calls the cloud, whether or not it comes
	// to a record, and what its run adds to the journal counts besides.
	requestCost    = 32 << 10
	askedAtOnce    = 500 * requestCost
	askedPerSecond = requestCost / 10
)

// budgets are what principals may still add to the journal. Its methods may be
// used concurrently, also by what the journal calls.
type budgets struct {
	log *slog.Logger

	mu sync.Mutex
	of map[string]*budget // by principal
}

// budget is what a principal has added to the journal lately. It can be
// overdrawn: what a request leads to is known when it is done.
type budget struct {
	spent level // bytes
	told  bool  // the log says that it is used up
}

func newBudgets(log *slog.Logger) *budgets { return &budgets{log: log, of: map[string]*budget{}} }

// limits returns what principals of a kind may add.
func limits(kind engine.ActorKind) (atOnce, perSecond float64) {
	if kind == engine.Person {
		return askedAtOnce, askedPerSecond
	}
	return journalAtOnce, journalPerSecond
}

// take counts bytes that are in the journal.
func (b *budgets) take(a engine.Actor, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(a, n)
}

// add is take with b.mu held.
func (b *budgets) add(a engine.Actor, n int) *budget {
	if b.of[a.Principal] == nil {
		b.of[a.Principal] = &budget{}
	}
	_, perSecond := limits(a.Kind)
	one := b.of[a.Principal]
	one.spent = level{one.spent.now(perSecond) + float64(n), time.Now()}
	return one
}

// spend counts bytes that are about to be asked for, or returns how long it
// takes until something is left; 0: they were counted.
func (b *budgets) spend(a engine.Actor, n int) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.add(a, 0)
	atOnce, perSecond := limits(a.Kind)
	wait = time.Duration(max(0, (one.spent.n-atOnce)/perSecond*float64(time.Second)))
	if wait == 0 {
		one.told = false
		b.add(a, n)
		return 0
	}
	if !one.told {
		b.log.Warn("a principal asks for too much and is refused for now", "principal", a.Principal, "kind", string(a.Kind), "wait", wait)
	}
	one.told = true
	return wait
}

// ask counts a request of a person that calls the cloud, or returns a *refusal
// where nothing is left for it. What alerts lead to was counted when they were
// taken in.
func (b *budgets) ask(a engine.Actor) error {
	if a.Kind != engine.Person {
		return nil
	}
	if wait := b.spend(a, requestCost); wait > 0 {
		return &refusal{reason: tooManyRequests, detail: "you have asked for too much: send it again later", retry: wait}
	}
	return nil
}
