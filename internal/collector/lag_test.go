package collector_test

import (
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

// poll is one answer of a timeline: at a second, committed and newest offset
// and the second at which the last consumed message was produced (0: none,
// -1: the API hides it), and the lag in seconds that must come of it. took is
// how many seconds before the answer the request was sent.
type poll struct {
	at                int64
	committed, newest int64
	last              int64
	want              float64
	method            string
	took              int64
}

func TestLagSecondsTimelines(t *testing.T) {
	t.Parallel()
	epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, timeline := range map[string][]poll{
		"no lag is zero seconds": {
			{0, 10, 10, -1, 0, "", 0}, {30, 20, 20, -1, 0, "", 0},
		},
		"a message after an idle hour does not read as an hour": {
			{3600, 10, 10, 1, 0, "", 0}, {3630, 10, 11, 1, 30, "at_most", 0}, {3660, 10, 12, 1, 60, "at_most", 0},
		},
		"the last consumed message bounds a lag that was there at the start": {
			{100, 10, 50, 70, 30, "at_most", 0}, {130, 20, 60, 90, 40, "at_most", 0},
		},
		"without timestamps a lag that was there at the start is at least the time we saw it": {
			{100, 10, 50, -1, 0, "at_least", 0}, {130, 10, 60, -1, 30, "at_least", 0}, {160, 10, 70, -1, 60, "at_least", 0},
		},
		"progress up to a message that the poll before saw": {
			{100, 10, 50, -1, 0, "at_least", 0}, {130, 40, 60, -1, 30, "at_least", 0},
		},
		"progress beyond what the poll before saw": {
			{100, 10, 50, -1, 0, "at_least", 0}, {130, 55, 60, -1, 30, "at_most", 0},
		},
		"a rewind to an old message forgets the upper bound": {
			{100, 50, 50, -1, 0, "", 0}, {130, 50, 60, -1, 30, "at_most", 0}, {160, 10, 60, -1, 30, "at_least", 0},
		},
		"a timestamp before the epoch of messages is none": {
			{100, 10, 50, 0, 0, "at_least", 0},
		},
		"a producer's clock ahead of ours gives no negative lag": {
			{100, 10, 50, 500, 0, "at_least", 0}, {130, 10, 50, 500, 30, "at_least", 0},
		},
		"a topic that was created anew starts anew": {
			{100, 50, 100, -1, 0, "at_least", 0}, {130, 5, 7, -1, 0, "at_least", 0},
		},
		"a committed offset beyond the log end is no lag": {
			{100, 60, 50, -1, 0, "", 0},
		},
		"a commit beyond the log end says that the message was not there yet": {
			{100, 60, 50, -1, 0, "", 0}, {130, 55, 58, -1, 30, "at_most", 0},
		},
		"a slow answer widens the upper bound": {
			{108, 10, 10, -1, 0, "", 8}, {130, 10, 11, -1, 30, "at_most", 0},
		},
		"a slow answer lowers the lower bound": {
			{108, 10, 50, -1, 0, "at_least", 8}, {130, 10, 60, -1, 22, "at_least", 0}, {160, 10, 70, -1, 42, "at_least", 10},
		},
		"an unknown log end is no lag, and says nothing of the next one": {
			{100, 10, -1, -1, 0, "", 0}, {130, 10, 20, -1, 0, "at_least", 0},
		},
		"no commit is nothing": {
			{100, -1, 50, -1, 0, "", 0}, {130, 10, 50, -1, 0, "at_least", 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var prev *collector.GroupPartition
			var before api.Times
			for _, p := range timeline {
				last := p.last
				if last > 0 {
					last = epoch.Add(time.Duration(last) * time.Second).UnixMilli()
				}
				at := api.Times{Sent: epoch.Add(time.Duration(p.at-p.took) * time.Second), Answered: epoch.Add(time.Duration(p.at) * time.Second)}
				got := collector.ObserveForTest(prev, before, p.committed, p.newest, last, at)
				if got.Seconds != p.want || collector.MethodName(got.Method) != p.method {
					t.Errorf("at %d s: %v %s, want %v %s", p.at, got.Seconds, collector.MethodName(got.Method), p.want, p.method)
				}
				if got.Lag() < 0 {
					t.Errorf("at %d s: lag %d", p.at, got.Lag())
				}
				prev, before = &got, at
			}
		})
	}
}
