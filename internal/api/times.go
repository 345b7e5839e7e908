package api

import (
	"context"
	"time"
)

// Times are the two moments between which the cloud looked: when the attempt
// that succeeded was sent, and when its answer had arrived.
type Times struct{ Sent, Answered time.Time }

type timesKey struct{}

// WithTimes returns a context whose successful calls note their times in t. It
// is for one call at a time.
func WithTimes(ctx context.Context, t *Times) context.Context {
	return context.WithValue(ctx, timesKey{}, t)
}

func note(ctx context.Context, t Times) {
	if to, ok := ctx.Value(timesKey{}).(*Times); ok {
		*to = t
	}
}
