//go:build !race

package api_test

import "time"

// answers are the mean times of an answer that the simulations run through.
var answers = []time.Duration{20 * time.Millisecond, 200 * time.Millisecond, time.Second}

// seeds is how often they run, each time with other delays.
const seeds = 2

// sharingSeeds is the same for simulations of clients that share a limit:
// whether one of them fares badly is a matter of luck.
const sharingSeeds = 50
