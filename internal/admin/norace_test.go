//go:build !race

package admin_test

// deliveries of one episode.
const deliveries = 1000
