//go:build race

package admin_test

// deliveries of one episode: the race detector makes them slow.
const deliveries = 200
