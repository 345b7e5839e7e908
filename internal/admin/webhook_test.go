package admin_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

func bound(topic string) []string {
	return []string{"alertname", "PartitionBound", "instance_id", mine, "topic", topic}
}

// inHouse runs a test in a house of simulated time.
func inHouse(t *testing.T, runbooks string, f func(*house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(build(t, runbooks)) })
}

func TestAnEpisodeDeliveredManyTimesIsOneOperation(t *testing.T) {
	t.Parallel()
	deliveries := short.Of(1000)
	inHouse(t, scale, func(h *house) {
		t := h.t
		for i := range deliveries {
			// Two peers, each with times of its own, and the exporter is
			// restarted in between.
			a := firing(bound("orders")...)
			a.StartsAt = time.Now().Add(-time.Duration(i) * time.Second)
			h.deliver([]string{"am", "am2"}[i%2], a)
			if i%(deliveries/50) == 0 {
				time.Sleep(20 * time.Second)
			}
			if i%(deliveries/10) == deliveries/20 {
				h.restart()
			}
		}
		time.Sleep(30 * time.Minute)
		if got := h.effects("ModifyPartitionNum"); len(got) != 1 || got[0].Params["AddPartitionNum"] != "12" {
			t.Fatalf("effects: %+v", got)
		}
		if n := h.cloud.Calls(sim.Match{Action: "ModifyPartitionNum"}).Calls; n != 1 {
			t.Errorf("%d calls", n)
		}
		e := h.episodes()
		if len(e) != 1 || e[0]["outcome"] != "applied" || e[0]["effect"] != "improved" {
			t.Errorf("episodes: %v", e)
		}
		if n := h.counter("alikafka_webhook_deliveries_total", "outcome", "accepted"); n != float64(deliveries) {
			t.Errorf("%v deliveries counted", n)
		}
	})
}

func TestWhatWasTakenInBeforeACrashIsDoneAfterwards(t *testing.T) {
	t.Parallel()
	inHouse(t, scale, func(h *house) {
		t := h.t
		h.stop()
		h.open() // answers, and never comes to process
		h.deliver("am", firing(bound("orders")...), firing(bound("invoices")...))
		h.restart()
		time.Sleep(10 * time.Minute)
		for range 3 { // nothing is done again
			h.restart()
			time.Sleep(10 * time.Minute)
		}
		if got := h.effects("ModifyPartitionNum"); len(got) != 2 {
			t.Errorf("effects: %+v", got)
		}
	})
}

func TestEpisodes(t *testing.T) {
	t.Parallel()
	resolve := func(labels []string, at time.Time) alert {
		a := resolvedNow(labels...)
		a.EndsAt = at
		return a
	}
	for name, c := range map[string]struct {
		runbooks string
		play     func(*house)
		effects  int
		counted  map[string]float64 // outcomes
	}{
		"what is resolved within wait_for is left alone": {scale, func(h *house) {
			h.deliver("am", firing(bound("orders")...))
			time.Sleep(30 * time.Second)
			h.deliver("am", resolvedNow(bound("orders")...))
		}, 0, map[string]float64{"resolved_early": 1}},
		"a late delivery opens no episode that has ended": {scale, func(h *house) {
			late := firing(bound("orders")...)
			time.Sleep(time.Minute)
			h.deliver("am", resolve(bound("orders"), time.Now()))
			h.deliver("am2", late)
			time.Sleep(2 * time.Minute)
			h.deliver("am2", late)
		}, 0, map[string]float64{"stale": 2}},
		"a second episode waits for the cool-down": {scale, func(h *house) {
			for range 2 {
				h.deliver("am", firing(bound("orders")...))
				time.Sleep(10 * time.Minute)
				h.deliver("am", resolvedNow(bound("orders")...))
				time.Sleep(10 * time.Minute)
			}
		}, 1, map[string]float64{"applied": 1, "cool_down": 1}},
		"an episode that is not heard of for twice the repeat interval is over": {scale, func(h *house) {
			h.deliver("am", firing(bound("orders")...))
			time.Sleep(2*time.Hour + 10*time.Minute)
			h.deliver("am", firing(bound("orders")...))
			time.Sleep(10 * time.Minute)
		}, 1, map[string]float64{"applied": 1, "refused": 1}}, // by the engine's own cool-down of a day
		"two targets of a mixed group are two operations": {scale, func(h *house) {
			h.deliver("am", firing(bound("orders")...), firing(bound("invoices")...), firing("alertname", "Other", "instance_id", mine))
			time.Sleep(10 * time.Minute)
		}, 2, map[string]float64{"applied": 2}},
		"a group that was cut short is a storm": {scale, func(h *house) {
			h.do(request{path: "/api/v1/webhook/alertmanager", as: "am", body: message(h.t, 5, firing(bound("orders")...))})
			time.Sleep(10 * time.Minute)
		}, 0, map[string]float64{"refused": 1}},
		"a topic that nobody opted in is refused, once": {scale, func(h *house) {
			for range 5 {
				h.deliver("am", firing(bound("closed")...))
				time.Sleep(5 * time.Minute)
			}
		}, 0, map[string]float64{"refused": 1}},
		"names that are not in the inventory are no targets": {scale, func(h *house) {
			time.Sleep(11 * time.Minute) // after the time in which they may yet become known
			for _, topic := range []string{"x&Action=DeleteTopic", "", "*", "orders\n", "ORDERS", "or.ers"} {
				h.deliver("am", firing("alertname", "PartitionBound", "instance_id", mine, "topic", topic))
			}
			h.deliver("am", firing("alertname", "PartitionBound", "instance_id", "*", "topic", "orders"))
			h.deliver("am", firing("alertname", "PartitionBound", "topic", "orders"))
			h.deliver("am", firing("alertname", "PartitionBound", "instance_id", mine, "topic", "orders", "account", "another"))
			time.Sleep(10 * time.Minute)
		}, 0, map[string]float64{"unresolved": 9}},
		"another's instance and another's runbook are forbidden": {scale, func(h *house) {
			h.deliver("am", firing("alertname", "PartitionBound", "instance_id", other, "topic", "orders"))
			h.deliver("stranger", firing(bound("orders")...))
			time.Sleep(10 * time.Minute)
		}, 0, map[string]float64{"forbidden": 2}},
		"a name becomes known after a start": {scale, func(h *house) {
			h.deliver("am", firing("alertname", "PartitionBound", "instance_id", mine, "topic", "brand-new"))
			time.Sleep(30 * time.Second)
			topic := sim.Topic{Name: "brand-new", Partitions: 6, Tags: []sim.Tag{{Key: "alikafka-exporter-scale", Value: "true"}}}
			if err := h.cloud.AddTopic(sim.Ref{Account: "main", Instance: mine}, topic); err != nil {
				h.t.Fatal(err)
			}
			time.Sleep(10 * time.Minute)
		}, 1, map[string]float64{"applied": 1, "unresolved": 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inHouse(t, c.runbooks, func(h *house) {
				t := h.t
				c.play(h)
				time.Sleep(10 * time.Minute)
				if got := h.effects(""); len(got) != c.effects {
					t.Errorf("effects: %+v, want %d", got, c.effects)
				}
				for outcome, want := range c.counted {
					if got := h.counter("alikafka_runbook_runs_total", "runbook", "scale", "outcome", outcome); got != want {
						t.Errorf("%s: %v, want %v; %v", outcome, got, want, h.episodes())
					}
				}
			})
		})
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	in := func(mode string) string {
		return runbook("tag", `severity="critical"`, "TagResources", byResource+", Tag.1.Value: {value: open}", "wait_for: 0s", "mode: "+mode)
	}
	inHouse(t, in("shadow"), func(h *house) {
		t := h.t
		h.deliver("am", firing("severity", "critical", "instance_id", mine))
		time.Sleep(time.Minute)
		e := h.episodes()
		if len(e) != 1 || e[0]["outcome"] != "shadow_allowed" || e[0]["plan"] == nil || h.mutations() != 0 {
			t.Errorf("shadow mode: %v", e)
		}
		h.configure(in("approve"))
		h.restart()
		h.deliver("am", resolvedNow("severity", "critical", "instance_id", mine))
		time.Sleep(65 * time.Minute) // the cool-down holds for the shadow, too
		h.deliver("am", firing("severity", "critical", "instance_id", mine))
		time.Sleep(time.Minute)
		runs := h.do(request{path: "/api/v1/runs?state=pending_approval", as: "bob"})
		list := runs.json["runs"].([]any)
		if len(list) != 1 || h.mutations() != 0 {
			t.Fatalf("approve mode: %s", runs.text)
		}
		run := answer{json: list[0].(map[string]any)}
		approve := "/api/v1/runs/" + run.member("id") + "/approve"
		if a := h.do(request{path: approve, as: "bob", body: fmt.Sprintf(`{"plan_hash": %q}`, run.member("plan", "hash"))}); a.status != http.StatusAccepted {
			t.Fatalf("approve: %d\n%s", a.status, a.text)
		}
		time.Sleep(time.Minute)
		if len(h.effects("TagResources")) != 1 {
			t.Errorf("effects: %v", h.effects(""))
		}
		h.configure(in("auto"))
		h.restart()
		h.deliver("am", resolvedNow("severity", "critical", "instance_id", mine))
		time.Sleep(65 * time.Minute)
		h.deliver("am", firing("severity", "critical", "instance_id", mine))
		time.Sleep(time.Minute)
		if e := h.episodes(); e[0]["outcome"] != "unchanged" || len(h.effects("TagResources")) != 1 {
			t.Errorf("auto mode, and the tag is there already: %v", e[0])
		}
	})
}

func TestCapsOfARunbook(t *testing.T) {
	t.Parallel()
	tags := runbook("tag", `severity="critical"`, "TagResources", byResource+`, Tag.1.Value: {label: ticket, type: text, pattern: "t[0-9]+"}`,
		"wait_for: 0s", "cool_down: 0s", "hourly_cap: 2", "daily_cap: 3", "mode: auto")
	inHouse(t, tags, func(h *house) {
		t := h.t
		fire := func(n int) {
			h.deliver("am", firing("severity", "critical", "instance_id", mine, "ticket", fmt.Sprintf("t%d", n)))
			time.Sleep(10 * time.Minute) // the engine's own cool-down passes
		}
		for n := range 4 {
			fire(n)
		}
		if got := len(h.effects("TagResources")); got != 2 {
			t.Errorf("%d effects within the hour, want 2", got)
		}
		h.restart()
		time.Sleep(time.Hour)
		for n := range 3 {
			fire(10 + n)
		}
		if got := len(h.effects("TagResources")); got != 3 {
			t.Errorf("%d effects within the day, want 3", got)
		}
		if got := h.counter("alikafka_runbook_runs_total", "outcome", "capped"); got == 0 {
			t.Error("nothing counted as capped")
		}
	})
}

// TestMoreThanARecordHolds: two alerts whose labels grow six-fold when they are
// written, and which concern 25 runbooks each. Under -short there are three
// runbooks, whose episodes are still more than one note may have.
func TestMoreThanARecordHolds(t *testing.T) {
	t.Parallel()
	count := max(3, short.Of(25))
	var runbooks strings.Builder
	for i := range count {
		runbooks.WriteString(runbook(fmt.Sprintf("r%d", i), `severity="critical"`, "ModifyTopicRemark", byTopic+", Remark: {value: in-trouble}", "wait_for: 0s"))
	}
	inHouse(t, runbooks.String(), func(h *house) {
		t := h.t
		long := strings.Repeat("<", 32<<10-200)
		if written := 2 * count * len(`\u003c`) * len(long); written <= admin.NoteSize {
			t.Fatalf("%d bytes of labels fit in one note", written)
		}
		body := message(t, 0, firing("severity", "critical", "instance_id", mine, "topic", "orders", "text", long),
			firing("severity", "critical", "instance_id", mine, "topic", "closed", "text", long))
		body = strings.ReplaceAll(body, `\u003c`, "<") // as other senders write it
		if a := h.do(request{path: "/api/v1/webhook/alertmanager", as: "am", body: body}); a.status != http.StatusAccepted {
			t.Fatal(a.status)
		}
		restored := func() {
			t.Helper()
			for line := range strings.Lines(h.journal()) { // a line is a record
				if len(line) > admin.NoteSize+4<<10 {
					t.Errorf("a record of %d bytes", len(line))
				}
			}
			h.stop()
			h.open() // knows what is in the journal and does nothing
			e := h.episodes()
			if len(e) != 2*count || slices.ContainsFunc(e, func(e map[string]any) bool { return e["outcome"] != "shadow_allowed" }) {
				t.Errorf("%d episodes", len(e))
			}
		}
		time.Sleep(time.Minute)
		restored()
		h.stop()
		h.segment = 1 // every record but the first begins a segment, with all that is carried over
		h.start()
		h.deliver("am", firing("severity", "none", "instance_id", mine))
		time.Sleep(time.Minute)
		restored()
		if strings.Contains(h.log.String(), "level=ERROR") {
			t.Errorf("%.2000s", h.log)
		}
	})
}

func TestAnOutageIsToldOnce(t *testing.T) {
	t.Parallel()
	inHouse(t, scale, func(h *house) {
		t := h.t
		restore := h.cloud.SetFault(sim.Match{Action: "GetTopicList"}, sim.Fault{Kind: sim.Refuse, Code: "ONS_SYSTEM_ERROR"})
		h.deliver("am", firing(bound("orders")...))
		time.Sleep(10 * time.Minute)
		if n := strings.Count(h.log.String(), "a runbook waits"); n != 1 {
			t.Errorf("%d times in the log", n)
		}
		if n := strings.Count(h.journal(), "runbook_progress"); n != 1 { // of the alert
			t.Errorf("%d notes in the journal", n)
		}
		restore()
		time.Sleep(10 * time.Minute)
		if got := h.effects("ModifyPartitionNum"); len(got) != 1 {
			t.Errorf("effects: %+v", got)
		}
	})
}
