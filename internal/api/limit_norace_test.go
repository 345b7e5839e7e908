//go:build !race

package api_test

import "time"

// answers are the mean times of an answer that the simulations run through.
var answers = []time.Duration{20 * time.Millisecond, 200 * time.Millisecond, time.Second}

// seeds is how often they run, each time with other delays.
const seeds = 2
