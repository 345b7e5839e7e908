package sim

import (
	"maps"
	"slices"
	"time"
)

// stories are the worlds that can be asked for by name, each with the faults
// that belong to it.
var stories = map[string]func() (World, func(*Call) *Fault){
	"lively": func() (World, func(*Call) *Fault) { return lively(), storms(10*time.Minute, 30*time.Second, 0.3) },
}

// Stories returns the names of the stories.
func Stories() []string { return slices.Sorted(maps.Keys(stories)) }

// storms throttles a share of calls for the last part of every period.
func storms(period, length time.Duration, share float64) func(*Call) *Fault {
	return func(c *Call) *Fault {
		if c.since%period >= period-length && c.roll("storm") < share {
			return Throttle()
		}
		return nil
	}
}

// Stall is a group whose members stay but stop consuming at a time of the
// period, and then catch up.
func Stall(at, stuck, catchUp time.Duration) Scene {
	return Scene{Knots: standstill(at, stuck, catchUp)}
}

// Stop is a group whose members vanish for a while, come back and catch up.
func Stop(at, gone, catchUp time.Duration) Scene {
	return Scene{Knots: standstill(at, gone, catchUp), Absent: []Span{{at, at + gone}}}
}

// Rewind is a group that jumps back by so much and catches up.
func Rewind(at, by, catchUp time.Duration) Scene {
	return Scene{
		Knots:      []Knot{{at, by}, {at + catchUp, 0}},
		Rebalances: []time.Duration{at},
	}
}

// Sway is a group that is too slow for half of the time and falls behind by
// so much.
func Sway(at, slow, by, catchUp time.Duration) Scene {
	return Scene{Knots: []Knot{{at, 0}, {at + slow, by}, {at + slow + catchUp, 0}}}
}

func standstill(at, stuck, catchUp time.Duration) []Knot {
	return []Knot{{at, 0}, {at + stuck, stuck}, {at + stuck + catchUp, 0}}
}
