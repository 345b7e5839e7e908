package admin_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// TestAStolenTokenDoesNotFillTheDisk: what the webhooks of a principal add to
// the journal is bounded, whatever they hold, and nobody else pays for it.
// Under -short a tenth of the bound is left when the flood begins.
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
		left := short.Of(atOnce)
		h.segment = int64(left) // the flood fills a segment
		h.restart()
		size := h.journalSize()
		if a := h.do(request{path: flood.path, as: "am2", body: tenAlerts()}); a.status != http.StatusAccepted {
			t.Fatal(a.text)
		}
		time.Sleep(time.Second)
		if one := h.journalSize() - size; 50*one > perSecond {
			t.Errorf("50 webhooks of ten alerts a second fill the journal: one adds %d bytes", one)
		}
		size = h.journalSize()
		h.server.Spend(engine.Actor{Principal: "am", Kind: engine.Webhook}, atOnce-left)
		var a answer
		n := 0
		for ; n < 100; n++ {
			if a = h.do(flood); a.status != http.StatusAccepted {
				break
			}
			// Deliveries that nobody has looked at yet are carried over into a
			// new segment and would count twice.
			synctest.Wait()
		}
		if a.status != http.StatusServiceUnavailable || a.member("reason") != "too_many_alerts" {
			t.Fatalf("after %d: %d %s", n, a.status, a.text)
		}
		h.do(flood)
		time.Sleep(time.Second)
		// The last delivery may exceed the bound by its megabyte. Frames and
		// what was carried over have less than another one.
		grown := h.journalSize() - size
		if grown < left || grown > left+2<<20 {
			t.Errorf("%d deliveries of %d bytes: the journal grew by %d bytes", n, len(flood.body), grown)
		}
		h.deliver("am2", firing(bound("orders")...))
		if got := h.counter("alikafka_webhook_deliveries_total", "outcome", "too_many_alerts"); got != 2 {
			t.Errorf("%v refusals counted", got)
		}
		if got := strings.Count(h.log.String(), "a principal asks for too much"); got != 1 {
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

// TestALoopingTokenIsSlowedDown: what a person's token may ask for is bounded,
// reads and dry runs too, but nothing by which people stop what goes on.
func TestALoopingTokenIsSlowedDown(t *testing.T) {
	t.Parallel()
	const atOnce, every = 500, 10 * time.Second
	left := short.Of(atOnce) // the others are spent already
	whitelist := func(blocks int) string {
		var list []string
		for i := range blocks {
			list = append(list, fmt.Sprintf("10.%d.%d.0/24", 1+i/256, i%256))
		}
		return `{"InstanceId": "` + mine + `", "UpdateType": "add", "AllowedListType": "vpc", "PortRange": "9092/9092", "AllowedListIp": "` + strings.Join(list, ",") + `"}`
	}
	loops := map[string]struct {
		request request
		// So many of them are taken, and at most one more for each ten seconds
		// of simulated time that pass meanwhile.
		least, most int
	}{
		"dry runs":                     {request{path: "/api/v1/actions/ModifyTopicRemark?dry_run=true", body: remark}, left, left + 1},
		"reads":                        {request{path: "/api/v1/actions/GetTopicList", body: `{"InstanceId": "` + mine + `"}`}, left, left + 1},
		"refusals":                     {request{path: "/api/v1/actions/DeleteTopic", body: `{"InstanceId": "` + mine + `", "Topic": "orders"}`}, left * 3 / 4, left - 1},
		"requests with much to record": {request{path: "/api/v1/actions/UpdateAllowedIp", body: whitelist(3_000)}, left / 25, left / 5},
	}
	for name, c := range loops {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inHouse(t, "", func(h *house) {
				t := h.t
				h.config.Principals[0].MayApprove = true // alice
				if err := h.reload(); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				run := h.act("alice", "first", "UpdateAllowedIp", whitelist(1), http.StatusAccepted)
				carols := h.act("carol", "hers", "ModifyTopicRemark?require_approval=true", remark, http.StatusAccepted)
				h.server.Spend(engine.Actor{Principal: "alice", Kind: engine.Person}, (atOnce-left)*admin.RequestCost)
				size := h.journalSize()
				c.request.as = "alice"
				var a answer
				n := 0
				for ; n <= 2*left; n++ {
					c.request.header = map[string]string{"Idempotency-Key": strconv.Itoa(n)}
					if a = h.do(c.request); a.status == http.StatusTooManyRequests {
						break
					}
				}
				c.most += int(time.Since(began) / every)
				if n++; n < c.least || n > c.most || a.member("reason") != "too_many_requests" { // and the first
					t.Fatalf("after %d: %d %s", n, a.status, a.text)
				}
				h.polls()
				if got := h.journalSize() - size; got > left*admin.RequestCost+1<<20 {
					t.Errorf("the journal has grown by %d bytes", got)
				}
				size, calls := h.journalSize(), h.cloud.Calls(sim.Match{}).Calls
				for range 20 {
					h.do(c.request)
				}
				if h.journalSize() != size || h.cloud.Calls(sim.Match{}).Calls != calls {
					t.Error("what is refused is recorded, or calls the cloud")
				}
				if got := h.counter("alikafka_admin_requests_total", "outcome", "too_many_requests"); got != 21 {
					t.Errorf("%v refusals counted", got)
				}
				if got := strings.Count(h.log.String(), "a principal asks for too much"); got != 1 {
					t.Errorf("%d lines in the log", got)
				}
				h.stillPasses(run, carols)
				wait, err := strconv.Atoi(a.header.Get("Retry-After"))
				if err != nil || wait < 1 || time.Duration(wait) > 20*every/time.Second+1 {
					t.Fatalf("Retry-After %q", a.header.Get("Retry-After"))
				}
				time.Sleep(20 * every)
				if a = h.do(c.request); a.status == http.StatusTooManyRequests {
					t.Errorf("after a while: %s", a.text)
				}
			})
		})
	}
}

// stillPasses checks what alice, who has asked for too much, may do all the
// same, with her run and with carol's, and what bob may.
func (h *house) stillPasses(run, carols answer) {
	t := h.t
	t.Helper()
	ok := func(what string, r request, status int) {
		t.Helper()
		if a := h.do(r); a.status != status {
			t.Errorf("%s: %d %s", what, a.status, a.text)
		}
	}
	about := func(run answer) (path, hash string) {
		return "/api/v1/runs/" + run.member("id"), `{"plan_hash": "` + run.member("plan", "hash") + `"}`
	}
	path, hash := about(run)
	ok("somebody else", request{path: "/api/v1/actions/GetTopicList", as: "bob", body: `{"InstanceId": "` + mine + `"}`}, http.StatusOK)
	ok("looking", request{path: path, as: "alice"}, http.StatusOK)
	ok("asking again for what was asked for", request{
		path: "/api/v1/actions/UpdateAllowedIp", as: "alice", header: map[string]string{"Idempotency-Key": "first"},
		body: `{"InstanceId": "` + mine + `", "UpdateType": "add", "AllowedListType": "vpc", "PortRange": "9092/9092", "AllowedListIp": "10.1.0.0/24"}`,
	}, http.StatusAccepted)
	before := strings.Count(h.journal(), `"kind":"kill_switch"`)
	for range 5 {
		ok("the kill switch", request{method: http.MethodPut, path: "/api/v1/kill-switch", as: "alice", body: `{"stop": true}`}, http.StatusOK)
	}
	if got := strings.Count(h.journal(), `"kind":"kill_switch"`); got != before+1 {
		t.Errorf("%d records of one stop", got-before)
	}
	ok("letting go on", request{method: http.MethodPut, path: "/api/v1/kill-switch", as: "bob", body: `{"stop": false}`}, http.StatusOK)
	ok("a rejection", request{path: path + "/reject", as: "alice", body: hash}, http.StatusOK)
	path, hash = about(carols)
	ok("an approval", request{path: path + "/approve", as: "alice", body: hash}, http.StatusAccepted)
}

// open is a runbook whose targets an alert makes up.
var open = runbook("create", `alertname="Missing"`, "CreateConsumerGroup",
	byInstance+`, ConsumerId: {label: consumer_group, type: new_consumer_group, pattern: "app-[0-9]+"}`, "wait_for: 1h")

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
		episodes := h.episodes()
		if got := len(episodes); got != 1001 {
			t.Errorf("%d episodes", got)
		}
		if got := h.counter("alikafka_runbook_runs_total", "runbook", "create", "outcome", "crowded"); got != 100 {
			t.Errorf("%v alerts counted as crowded", got)
		}
		for _, e := range episodes {
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
