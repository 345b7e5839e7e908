package admin_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestAStolenTokenDoesNotFillTheDisk: what the webhooks of a principal add to
// the journal is bounded, whatever they hold, and nobody else pays for it.
func TestAStolenTokenDoesNotFillTheDisk(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		t := h.t
		var alerts []alert
		for i := range 30 {
			alerts = append(alerts, firing("n", strconv.Itoa(i), "x", strings.Repeat("x", 32<<10-10)))
		}
		flood := request{path: "/api/v1/webhook/alertmanager", as: "am", body: message(t, 0, alerts...)}
		const atOnce, perSecond = 64 << 20, 160 << 10
		size := len(h.journal())
		if a := h.do(request{path: flood.path, as: "am2", body: tenAlerts()}); a.status != http.StatusAccepted {
			t.Fatal(a.text)
		}
		time.Sleep(time.Second)
		if one := len(h.journal()) - size; 50*one > perSecond {
			t.Errorf("50 webhooks of ten alerts a second fill the journal: one adds %d bytes", one)
		}
		size = len(h.journal())
		var a answer
		n := 0
		for ; n < 100; n++ {
			if a = h.do(flood); a.status != http.StatusAccepted {
				break
			}
		}
		if a.status != http.StatusServiceUnavailable || a.member("reason") != "too_many_alerts" {
			t.Fatalf("after %d: %d %s", n, a.status, a.text)
		}
		h.do(flood)
		time.Sleep(time.Second)
		grown := len(h.journal()) - size
		if grown < atOnce || grown > atOnce+2<<20 {
			t.Errorf("%d deliveries of %d bytes: the journal grew by %d bytes", n, len(flood.body), grown)
		}
		h.deliver("am2", firing(bound("orders")...))
		if got := h.counter("alikafka_webhook_deliveries_total", "outcome", "too_many_alerts"); got != 2 {
			t.Errorf("%v refusals counted", got)
		}
		if got := strings.Count(h.log.String(), "webhooks fill the journal"); got != 1 {
			t.Errorf("%d lines in the log", got)
		}
		wait, err := strconv.Atoi(a.header.Get("Retry-After"))
		if err != nil || wait < 1 || wait > 2<<20/perSecond {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
		time.Sleep(time.Duration(wait) * time.Second)
		h.deliver("am", alerts...)
	})
}

// open is a runbook whose targets an alert makes up.
const open = `
  - name: create
    match: ['alertname="Missing"']
    action: CreateConsumerGroup
    params:
      InstanceId: {label: instance_id, type: instance}
      ConsumerId: {label: consumer_group, type: new_consumer_group, pattern: "app-[0-9]+"}
    wait_for: 1h
`

func missing(group int, more ...string) alert {
	return firing(append([]string{"alertname", "Missing", "instance_id", mine, "consumer_group", fmt.Sprintf("app-%d", group)}, more...)...)
}

func TestEpisodesOfAPrincipalAreBounded(t *testing.T) {
	t.Parallel()
	inHouse(t, open, func(h *house) {
		t := h.t
		var targets, fingerprints []alert
		for i := range 1100 {
			targets = append(targets, missing(i))
			fingerprints = append(fingerprints, missing(0, "n", strconv.Itoa(i)))
		}
		h.deliver("am", targets...)
		h.deliver("am", fingerprints...)
		h.deliver("am2", missing(2000))
		time.Sleep(time.Second)
		if got := len(h.episodes()); got != 1001 {
			t.Errorf("%d episodes", got)
		}
		if got := h.counter("alikafka_runbook_runs_total", "runbook", "create", "outcome", "crowded"); got != 100 {
			t.Errorf("%v alerts counted as crowded", got)
		}
		for _, e := range h.episodes() {
			if firing, _ := e["firing"].([]any); len(firing) > 1000 {
				t.Errorf("%d alerts keep %s open", len(firing), e["key"])
			}
		}
		// Those that are there go on, and an end makes room.
		h.deliver("am", resolvedNow("alertname", "Missing", "instance_id", mine, "consumer_group", "app-1"))
		time.Sleep(6 * time.Minute)
		h.deliver("am", missing(1050), missing(1051))
		time.Sleep(time.Second)
		if got := h.counter("alikafka_runbook_runs_total", "runbook", "create", "outcome", "crowded"); got != 101 {
			t.Errorf("%v alerts counted as crowded, after one has ended", got)
		}
	})
}

func TestAWebhookStopsOnce(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		stop := func(as, reason string) int {
			h.t.Helper()
			if a := h.do(request{method: http.MethodPut, path: "/api/v1/kill-switch", as: as, body: `{"stop": true, "reason": "` + reason + `"}`}); a.status != http.StatusOK || a.json["stopped"] != true {
				h.t.Errorf("%d %s", a.status, a.text)
			}
			return strings.Count(h.journal(), `"kind":"kill_switch"`)
		}
		first := stop("am", "first")
		if again := stop("am", "again"); again != first {
			h.t.Errorf("%d records, and %d after a stop that changed nothing", first, again)
		}
		if person := stop("bob", "mine"); person != first+1 {
			h.t.Errorf("%d records, and %d after a person's stop", first, person)
		}
	})
}
