package api

import (
	"context"
	"sync/atomic"
	"time"
)

// prepaid is a slot of the rate limit that was waited for before it was known
// which object to ask about.
type prepaid struct {
	action, region string
	at             time.Time
	waited         time.Duration
	used           atomic.Bool
}

type prepaidKey struct{}

// WaitSlot waits for the next slot of the action and returns a context in
// which the first attempt of that action uses it. A scheduler can so choose
// the most urgent object at the last moment.
func (c *Client) WaitSlot(ctx context.Context, action, region string) (context.Context, error) {
	waited, err := c.o.Limiter.Wait(ctx, action, region, laneOf(ctx))
	if err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, prepaidKey{}, &prepaid{action: action, region: region, at: time.Now(), waited: waited}), nil
}

// PollRate returns how many polls of the action may leave per second now.
func (c *Client) PollRate(action, region string) float64 { return c.o.Limiter.Rate(action, region) }

// slot takes the prepaid slot of ctx or waits for one. It returns when the
// slot was granted.
func (c *Client) slot(ctx context.Context, action, region string, l Lane) (sent time.Time, waited time.Duration, err error) {
	if p, ok := ctx.Value(prepaidKey{}).(*prepaid); ok && p.action == action && (p.region == region || p.region == "") && p.used.CompareAndSwap(false, true) {
		return p.at, p.waited, nil
	}
	waited, err = c.o.Limiter.Wait(ctx, action, region, l)
	return time.Now(), waited, err
}
