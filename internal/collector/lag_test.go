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
			{3600, 10, 10, 1, 0, "", 0}, {3630, 10, 11, 1, 15, "history", 0}, {3660, 10, 12, 1, 45, "history", 0},
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
			{100, 10, 50, -1, 0, "at_least", 0}, {130, 55, 60, -1, 13.5, "history", 0},
		},
		"a rewind to before what is remembered is at least the time since then": {
			{100, 50, 50, -1, 0, "", 0}, {130, 50, 60, -1, 28.5, "history", 0}, {160, 10, 60, -1, 60, "at_least", 0},
		},
		"a rewind to what is remembered": {
			{100, 10, 10, -1, 0, "", 0},
			{130, 40, 40, -1, 0, "", 0},
			{160, 70, 70, -1, 0, "", 0},
			{190, 15, 100, -1, 84.5, "history", 0},
			{220, 15, 130, -1, 114.5, "history", 0},
			{250, 45, 160, -1, 114.5, "history", 0},
		},
		"the last consumed message narrows what samples far apart leave open": {
			{0, 10, 10, -1, 0, "", 0}, {3600, 20, 30, 3400, 190, "history", 0},
		},
		"a timestamp from outside of the samples is none": {
			{0, 10, 10, -1, 0, "", 0}, {30, 20, 30, 500, 14.25, "history", 0},
		},
		"what was found stays when the history is gone": {
			{100, 10, 10, -1, 0, "", 0},
			{130, 10, 40, -1, 29.5, "history", 0},
			{100_000, 10, 50, -1, 99_899.5, "history", 0},
			{200_000, 10, 50, -1, 199_899.5, "history", 0},
			{200_030, 11, 50, -1, 199_930, "at_most", 0},
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
			{100, 60, 50, -1, 0, "", 0}, {130, 55, 58, -1, 9.375, "history", 0},
		},
		"of a slow answer the middle counts": {
			{108, 10, 10, -1, 0, "", 8}, {130, 10, 11, -1, 13, "history", 0},
		},
		"a slow answer lowers the lower bound": {
			{108, 10, 50, -1, 0, "at_least", 8}, {130, 10, 60, -1, 22, "at_least", 0}, {160, 10, 70, -1, 42, "at_least", 10},
		},
		"an unknown log end is no lag, and says nothing of the next one": {
			{100, 10, -1, -1, 0, "", 0}, {130, 10, 20, -1, 0, "at_least", 0},
		},
		"no commit is nothing": {
			{100, -1, 50, -1, 0, "", 0}, {130, 10, 50, -1, 30, "at_least", 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := collector.NewWatch()
			for _, p := range timeline {
				last := p.last
				if last > 0 {
					last = epoch.Add(time.Duration(last) * time.Second).UnixMilli()
				}
				at := api.Times{Sent: epoch.Add(time.Duration(p.at-p.took) * time.Second), Answered: epoch.Add(time.Duration(p.at) * time.Second)}
				got := w.Poll(progress(api.ConsumerOffsets{ConsumerOffset: p.committed, BrokerOffset: p.newest, LastTimestamp: last}), at).Topics[0].Partitions[0]
				if got.Seconds != p.want || collector.MethodName(got.Method) != p.method {
					t.Errorf("at %d s: %v %s, want %v %s", p.at, got.Seconds, collector.MethodName(got.Method), p.want, p.method)
				}
				if got.Lag() < 0 {
					t.Errorf("at %d s: lag %d", p.at, got.Lag())
				}
			}
		})
	}
}

// progress is an answer about one topic.
func progress(partitions ...api.ConsumerOffsets) (r api.ConsumerProgress) {
	r.Progress.Topics = []api.TopicProgress{{Topic: "orders", Offsets: partitions}}
	return r
}
