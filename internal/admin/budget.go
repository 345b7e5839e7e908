package admin

import "time"

const (
	// journalAtOnce is how much a principal's webhooks may add to the journal
	// at once, and journalPerSecond how much in the long run, in bytes: 50
	// webhooks of ten alerts a second, for as long as one likes.
	journalAtOnce    = 64 << 20
	journalPerSecond = 160 << 10
)

// budget is what the webhooks of a principal may still add to the journal. The
// zero value is a whole one. It can be overdrawn: what a delivery leads to is
// known when it is done.
type budget struct {
	spent level // bytes
	told  bool  // the log says that it is used up
}

func (b *budget) take(n int) {
	b.spent = level{b.spent.now(journalPerSecond) + float64(n), time.Now()}
}

// wait returns how long it takes until something is left; 0: something is.
func (b *budget) wait() time.Duration {
	return time.Duration(max(0, (b.spent.now(journalPerSecond)-journalAtOnce)/journalPerSecond*float64(time.Second)))
}

// budgetOf returns the budget of a principal. Called with p.mu held.
func (p *processor) budgetOf(principal string) *budget {
	if p.budgets[principal] == nil {
		p.budgets[principal] = &budget{}
	}
	return p.budgets[principal]
}

// spend takes bytes from the budget of a principal, or returns a *refusal where
// nothing is left of it.
func (p *processor) spend(principal string, n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.budgetOf(principal)
	wait := b.wait()
	if wait > 0 {
		if !b.told {
			p.log.Warn("webhooks fill the journal and are refused for now", "principal", principal, "wait", wait)
		}
		b.told = true
		return &refusal{reason: tooManyAlerts, detail: "your webhooks have filled the journal: send it again later", retry: wait}
	}
	b.told = false
	b.take(n)
	return nil
}
