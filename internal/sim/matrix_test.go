package sim_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// mishap is a fault as a test needs to know it.
type mishap struct {
	name    string
	fault   sim.Fault
	options func(*sim.Options)

	// What the caller sees, after so long.
	status int
	code   code  // of an error document, or of what HTTP calls a success; "200" for a good answer
	err    error // of reading the answer
	took   time.Duration

	effect    bool          // the call changes what it should
	after     time.Duration // so long after it was judged
	nonceUsed bool          // the same request once more is refused for its nonce
}

// mishaps are all that can go wrong with a call.
var mishaps = []mishap{
	{name: "nothing", fault: sim.Fault{Kind: sim.Slow}, status: 200, code: "200", effect: true, nonceUsed: true},
	{name: "throttled, with its nonce", fault: *sim.Throttle(), status: 400, code: "Throttling.User", nonceUsed: true},
	{
		name: "throttled, without its nonce", fault: *sim.Throttle(), status: 400, code: "Throttling.User",
		options: func(o *sim.Options) { o.NonceAfterThrottle = true },
	},
	{name: "4xx", fault: sim.Fault{Kind: sim.Refuse, Status: 403, Code: "NoPermission"}, status: 403, code: "NoPermission", nonceUsed: true},
	{name: "400 that means a failure of the server", fault: sim.Fault{Kind: sim.Refuse, Code: "ONS_SYSTEM_ERROR"}, status: 400, code: "ONS_SYSTEM_ERROR", nonceUsed: true},
	{name: "503", fault: sim.Fault{Kind: sim.Refuse, Code: "ServiceUnavailable"}, status: 503, code: "ServiceUnavailable", nonceUsed: true},
	{name: "500 before", fault: sim.Fault{Kind: sim.Refuse}, status: 500, code: "InternalError", nonceUsed: true},
	{name: "500 after", fault: sim.Fault{Kind: sim.Refuse, Executed: true}, status: 500, code: "InternalError", effect: true, nonceUsed: true},
	{name: "failure called a success", fault: sim.Fault{Kind: sim.Unsuccessful, Code: "400"}, status: 200, code: "400", nonceUsed: true},
	{name: "success called a failure", fault: sim.Fault{Kind: sim.Unsuccessful, Code: "ONS_SYSTEM_ERROR", Executed: true}, status: 200, code: "ONS_SYSTEM_ERROR", effect: true, nonceUsed: true},
	{name: "dropped before", fault: sim.Fault{Kind: sim.Reset}, err: syscall.ECONNRESET},
	{name: "dropped after", fault: sim.Fault{Kind: sim.Reset, Executed: true}, err: syscall.ECONNRESET, effect: true, nonceUsed: true},
	{name: "no answer before", fault: sim.Fault{Kind: sim.Hang}, err: context.DeadlineExceeded, took: 40 * time.Second},
	{name: "no answer after", fault: sim.Fault{Kind: sim.Hang, Executed: true}, err: context.DeadlineExceeded, took: 40 * time.Second, effect: true, nonceUsed: true},
	{name: "proxy before", fault: sim.Fault{Kind: sim.Gateway}, status: 502},
	{name: "proxy after", fault: sim.Fault{Kind: sim.Gateway, Status: 504, Executed: true}, status: 504, effect: true, nonceUsed: true},
	{name: "late, but in time", fault: sim.Fault{Kind: sim.Slow, Latency: 31 * time.Second}, status: 200, code: "200", took: 31 * time.Second, effect: true, nonceUsed: true},
	{name: "answered late", fault: sim.Fault{Kind: sim.Slow, AnswerAfter: 31 * time.Second}, status: 200, code: "200", took: 31 * time.Second, effect: true, nonceUsed: true},
	{name: "answered too late", fault: sim.Fault{Kind: sim.Slow, AnswerAfter: time.Minute}, err: context.DeadlineExceeded, took: 40 * time.Second, effect: true, nonceUsed: true},
	{name: "never arrived", fault: sim.Fault{Kind: sim.Slow, Latency: time.Minute}, err: context.DeadlineExceeded, took: 40 * time.Second},
	{name: "applied late, answered well", fault: sim.Fault{Kind: sim.Slow, ApplyAfter: 5 * time.Minute}, status: 200, code: "200", effect: true, after: 5 * time.Minute, nonceUsed: true},
	{name: "applied late, answered badly", fault: sim.Fault{Kind: sim.Refuse, ApplyAfter: time.Minute}, status: 500, code: "InternalError", effect: true, after: time.Minute, nonceUsed: true},
	{name: "applied late, without an answer", fault: sim.Fault{Kind: sim.Hang, ApplyAfter: 5 * time.Minute}, err: context.DeadlineExceeded, took: 40 * time.Second, effect: true, after: 5 * time.Minute, nonceUsed: true},
	{name: "half a body", fault: sim.Fault{Kind: sim.Truncate}, status: 200, err: io.ErrUnexpectedEOF, effect: true, nonceUsed: true},
	{name: "wrong format", fault: sim.Fault{Kind: sim.Garble}, status: 200, effect: true, nonceUsed: true},
	{name: "redirect", fault: sim.Fault{Kind: sim.Redirect}, status: 302},
}

// For every action that changes something and all that can go wrong: what the
// cloud counts, what the state shows and what becomes of the nonce is what the
// mishap says. At a tenth of its length each action meets other mishaps than
// the one before it, so that all of them are met.
func TestMishaps(t *testing.T) {
	t.Parallel()
	each := short.Of(len(mishaps))
	for i, call := range everyWrite {
		t.Run(call[0], func(t *testing.T) {
			t.Parallel()
			for k := range each {
				m := mishaps[(i*each+k)%len(mishaps)]
				synctest.Test(t, func(t *testing.T) { m.play(t, call) })
			}
		})
	}
}

func (m mishap) play(t *testing.T, call []string) {
	t.Helper()
	o := sim.Options{World: stocked()}
	if m.options != nil {
		m.options(&o)
	}
	cloud, c := unlimited(t, o)
	before := inventory(t, cloud)
	remove := cloud.SetFault(sim.Match{Action: call[0]}, m.fault)
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	ps := c.params(call[0], call[1:]...)
	start := time.Now()
	status, body, err := roundTrip(cloud, c.request(ctx, ps))
	want := m.code
	if strings.HasSuffix(call[0], "tagResources") || strings.HasSuffix(call[0], "TagResources") {
		want = code(strings.TrimPrefix(string(want), "200")) // neither says that all is well
	}
	if status != m.status && m.err == nil || !errors.Is(err, m.err) || time.Since(start) != m.took ||
		m.code != "" && decodeError(t, body).Code != want {
		t.Errorf("%s: got %d %v after %v: %.300s", m.name, status, err, time.Since(start), body)
	}
	remove()

	// Not before its time.
	if m.after > m.took {
		time.Sleep(m.after - m.took - time.Nanosecond)
		if got := cloud.Effects(sim.Match{}); len(got) != 0 || inventory(t, cloud) != before {
			t.Errorf("%s: applied early: %+v", m.name, got)
		}
	}
	time.Sleep(time.Nanosecond)
	effects := cloud.Effects(sim.Match{Action: call[0]})
	if (len(effects) == 1) != m.effect || len(effects) > 1 {
		t.Errorf("%s: %d effects", m.name, len(effects))
	}
	for _, e := range effects {
		judged := start.Add(m.fault.Latency)
		if e.Late != (m.after > 0) || !e.At.Equal(judged.Add(m.after)) || !e.Asked.Equal(judged) {
			t.Errorf("%s: got %+v", m.name, e)
		}
	}
	// The very same request once more, within the life of its timestamp.
	if _, body, err := roundTrip(cloud, c.request(t.Context(), ps)); err != nil ||
		!strings.HasPrefix(body, "<") && (decodeError(t, body).Code == "SignatureNonceUsed") != m.nonceUsed {
		t.Errorf("%s: sent again: %v %s", m.name, err, body)
	}
	time.Sleep(48 * time.Hour)
	if changed := inventory(t, cloud) != before; changed != (m.effect || !m.nonceUsed) && !slices.Contains(invisible, call[0]) {
		t.Errorf("%s: changed: %t", m.name, changed)
	}
}

// A call that was put off is carried out on what there is then.
func TestLateOnAnotherWorld(t *testing.T) {
	t.Parallel()
	late := sim.Fault{Kind: sim.Reset, ApplyAfter: 5 * time.Minute, Times: 1}
	for _, tt := range []struct {
		name      string
		put       []string // the call that is put off
		meanwhile [][]string
		want      int // effects of it
	}{
		{
			"twice the same topic",
			[]string{"CreateTopic", "InstanceId", main, "Topic", "fresh", "Remark", "abc"},
			[][]string{{"CreateTopic", "InstanceId", main, "Topic", "fresh", "Remark", "abc"}},
			1,
		},
		{
			"partitions of a topic that is gone",
			[]string{"ModifyPartitionNum", "InstanceId", main, "Topic", "orders", "AddPartitionNum", "6"},
			[][]string{{"DeleteTopic", "InstanceId", main, "Topic", "orders"}},
			0,
		},
		{
			"partitions are added twice",
			[]string{"ModifyPartitionNum", "InstanceId", main, "Topic", "orders", "AddPartitionNum", "6"},
			[][]string{{"ModifyPartitionNum", "InstanceId", main, "Topic", "orders", "AddPartitionNum", "6"}},
			2,
		},
		{
			"deletes a namesake",
			[]string{"DeleteTopic", "InstanceId", main, "Topic", "orders"},
			[][]string{{"DeleteTopic", "InstanceId", main, "Topic", "orders"}, {"CreateTopic", "InstanceId", main, "Topic", "orders", "Remark", "new"}},
			2,
		},
		{
			"an instance that is not in service",
			[]string{"ModifyTopicRemark", "InstanceId", main, "Topic", "orders", "Remark", "abc"},
			[][]string{{"StopInstance", "InstanceId", main}},
			0,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud, c := unlimited(t, sim.Options{World: stocked()})
				cloud.SetFault(sim.Match{Action: tt.put[0]}, late)
				if _, _, err := c.send(c.params(tt.put[0], tt.put[1:]...)); !errors.Is(err, syscall.ECONNRESET) {
					t.Fatal(err)
				}
				for _, call := range tt.meanwhile {
					time.Sleep(time.Minute)
					c.mustCall(call[0], call[1:]...)
				}
				time.Sleep(10 * time.Minute)
				if got := cloud.Effects(sim.Match{Action: tt.put[0]}); len(got) != tt.want {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
}

// Faults that are put on reads put nothing off.
func TestLateRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{World: stocked()})
		cloud.SetFault(sim.Match{}, sim.Fault{ApplyAfter: time.Minute, AnswerAfter: time.Second})
		start := time.Now()
		if status, _ := c.call("GetInstanceList"); status != http.StatusOK || time.Since(start) != time.Second {
			t.Errorf("%d after %v", status, time.Since(start))
		}
		time.Sleep(time.Hour)
		if got := cloud.Effects(sim.Match{}); got != nil {
			t.Errorf("got %+v", got)
		}
	})
}
