package api

import "context"

// Lane says who asks for a call. The lanes draw from the same buckets; acting
// lanes go first and keep a reserve.
type Lane uint8

// The lanes, from least to most urgent.
const (
	LanePoll    Lane = iota // background polling
	LaneRetry               // second and later attempts of a call
	LaneRunbook             // automatic remediation
	LanePerson              // a person is waiting
)

// Lanes lists every lane.
var Lanes = [...]Lane{LanePoll, LaneRetry, LaneRunbook, LanePerson}

// String returns the value of the lane label.
func (l Lane) String() string {
	return [...]string{"poll", "retry", "runbook", "person"}[l]
}

type laneKey struct{}

// WithLane returns a context whose calls wait in lane l.
func WithLane(ctx context.Context, l Lane) context.Context {
	return context.WithValue(ctx, laneKey{}, l)
}

// laneOf returns the lane of ctx; LanePoll where none was set.
func laneOf(ctx context.Context) Lane {
	l, _ := ctx.Value(laneKey{}).(Lane)
	return l
}
