//go:build race

package engine_test

// raced: the race detector makes everything ten times slower.
const raced = true
