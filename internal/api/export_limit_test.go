package api

import "time"

// PaceForTest is the controller of one bucket.
type PaceForTest struct{ *pace }

// NewPaceForTest returns a controller for a limit and the share of polls.
func NewPaceForTest(limit, share float64) PaceForTest {
	return PaceForTest{newPace(limit, share)}
}

// Configure, Rate, Spacing and Done are those of the controller.
func (p PaceForTest) Configure(limit, share float64)           { p.configure(limit, share) }
func (p PaceForTest) Rate() float64                            { return p.rate() }
func (p PaceForTest) Spacing() (poll, acting time.Duration)    { return p.spacing() }
func (p PaceForTest) Done(now, sent time.Time, throttled bool) { p.done(now, sent, throttled) }
func LevelsForTest(level float64) (grid_, below_, above_ float64) {
	return grid(level), below(level), above(level)
}
func BetweenForTest(proven, refused float64) float64 { return between(proven, refused) }
