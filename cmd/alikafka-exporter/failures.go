package main

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// failures remembers which attempts of calls failed, the latest of each kind.
// It lives as long as the process.
type failures struct {
	mu   sync.Mutex
	kind map[failureKind]failure
}

type failureKind struct{ Account, RegionID, Action, Code string }

type failure struct {
	failureKind
	Times     int
	At        time.Time // of the last
	RequestID string    // of the last; "" where the cloud gave none
}

// maxFailures bounds the kinds that are remembered; the oldest goes.
const maxFailures = 100

// observe takes note of an attempt that failed.
func (f *failures) observe(at api.Attempt) {
	if at.Code == api.CodeOK || at.Code == api.CodeCanceled {
		return
	}
	k := failureKind{at.Account, at.RegionID, at.Action, at.Code}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kind == nil {
		f.kind = map[failureKind]failure{}
	}
	f.kind[k] = failure{k, f.kind[k].Times + 1, at.At, at.RequestID}
	if len(f.kind) > maxFailures {
		oldest := f.kind[k]
		for _, other := range f.kind {
			if other.At.Before(oldest.At) {
				oldest = other
			}
		}
		delete(f.kind, oldest.failureKind)
	}
}

// latest returns at most n kinds, the latest first.
func (f *failures) latest(n int) []failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]failure, 0, len(f.kind))
	for _, x := range f.kind {
		all = append(all, x)
	}
	slices.SortFunc(all, func(x, y failure) int {
		return cmp.Or(y.At.Compare(x.At), cmp.Compare(x.Action, y.Action), cmp.Compare(x.Code, y.Code))
	})
	return all[:min(n, len(all))]
}
