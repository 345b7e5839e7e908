package api

import (
	"context"
	"time"
)

// Signed is an attempt of a call that changes something, signed and not yet
// sent.
type Signed struct {
	Nonce  string
	At     time.Time // its timestamp
	Number int       // 1 for the first attempt of a call
	After  string    // the code of the attempt before; empty for the first
}

type gateKey struct{}

// WithGate returns a context in which f is told of every attempt of a call that
// changes something, before its first byte leaves. When f returns an error the
// attempt is not sent and the call fails with it: OutcomeNotDone.
func WithGate(ctx context.Context, f func(context.Context, Signed) error) context.Context {
	return context.WithValue(ctx, gateKey{}, f)
}

// pass asks the gate of ctx, if there is one.
func pass(ctx context.Context, s Signed) *Error {
	f, ok := ctx.Value(gateKey{}).(func(context.Context, Signed) error)
	if !ok {
		return nil
	}
	if err := f(ctx, s); err != nil {
		return &Error{Class: Network, Code: CodeCanceled, Message: "it was held back", cause: err, unsent: true}
	}
	return nil
}
