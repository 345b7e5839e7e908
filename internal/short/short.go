// Package short gives the lengths of long tests: the whole of them, or a tenth
// where `go test -short` asks for less. It is used by tests only.
package short

import "testing"

// Of returns n, or under -short a tenth of it, but at least 1. A test whose
// length is Of(n) plays n rounds, objects or nanoseconds in `make check`, and
// a tenth of them in `make test`.
func Of[N ~int | ~int64](n N) N {
	if testing.Short() {
		return max(1, n/10)
	}
	return n
}
