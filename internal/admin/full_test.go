package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal/journaltest"
)

// TestAFullDiskLosesNoWebhook: the exporter acts, its disk fills up, and
// somebody makes room; nobody restarts it.
func TestAFullDiskLosesNoWebhook(t *testing.T) {
	t.Parallel()
	inHouse(t, scale, func(h *house) {
		t := h.t
		h.stop()
		disk := journaltest.New()
		h.disk = disk
		h.start()
		post := func(topic string) answer {
			return h.do(request{path: "/api/v1/webhook/alertmanager", as: "am", body: message(t, 0, firing(bound(topic)...))})
		}
		notActing := func() string { return h.do(request{path: "/api/v1/principal", as: "bob"}).member("not_acting") }
		if h.counter("alikafka_journal_writable") != 1 || notActing() != "" {
			t.Fatalf("before: %q", notActing())
		}
		h.deliver("am", firing(bound("orders")...)) // is to be decided in a minute
		time.Sleep(10 * time.Second)

		disk.Limit(0)
		for range 20 { // Alertmanager sends it again
			a := post("invoices")
			if a.status != http.StatusServiceUnavailable || a.member("reason") != "not_acting" || !strings.Contains(a.member("detail"), "no space left on device") {
				t.Fatalf("%d %s", a.status, a.text)
			}
			if h.counter("alikafka_journal_writable") != 0 || !strings.Contains(notActing(), "no space left on device") {
				t.Fatalf("the disk is full: %q", notActing())
			}
			time.Sleep(30 * time.Second)
		}
		if a := h.act("alice", "k", "ModifyTopicRemark", remark, http.StatusServiceUnavailable); !strings.Contains(a.member("detail"), "no space left on device") {
			t.Error(a.text)
		}
		if n := h.mutations(); n > 0 {
			t.Errorf("%d changes that could not be recorded", n)
		}
		if n := h.counter("alikafka_webhook_deliveries_total", "outcome", "not_acting"); n != 20 {
			t.Errorf("%v refusals counted", n)
		}

		disk.Limit(-1)
		time.Sleep(31 * time.Second)
		if h.counter("alikafka_journal_writable") != 1 || notActing() != "" {
			t.Fatalf("there is room again: %q", notActing())
		}
		for range 3 { // again because the answer was lost, say
			if a := post("invoices"); a.status != http.StatusAccepted {
				t.Fatalf("%d %s", a.status, a.text)
			}
		}
		time.Sleep(5 * time.Minute)
		h.restart()
		time.Sleep(5 * time.Minute)
		times := map[string]int{}
		for _, e := range h.effects("ModifyPartitionNum") {
			times[e.Params["Topic"]]++
		}
		if len(times) != 2 || times["orders"] != 1 || times["invoices"] != 1 {
			t.Errorf("changed: %v", times)
		}
		for _, e := range h.episodes() {
			if e["outcome"] != "applied" {
				t.Errorf("%v: %v %v", e["key"], e["outcome"], e["why"])
			}
		}
		if n := len(h.episodes()); n != 2 {
			t.Errorf("%d episodes", n)
		}
	})
}
