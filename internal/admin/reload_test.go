package admin_test

import (
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// reload gives the server that runs what the house has now.
func (h *house) reload() error {
	return h.server.Configure(admin.Options{
		Config: h.config, Runbooks: h.runbooks, Collector: h.collector, Readers: map[string]*api.Client{"main": h.client},
		Engine: engine.Options{Accounts: map[string]engine.Account{"main": {Client: h.client}}},
	})
}

func TestAReloadDisturbsNothingUnderWay(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		t := h.t
		h.cloud.SetFault(sim.Match{Action: "ModifyTopicRemark"}, sim.Fault{Kind: sim.Slow, Latency: 20 * time.Second})
		ended := make(chan answer, 1)
		go func() {
			ended <- h.do(request{path: "/api/v1/actions/ModifyTopicRemark", as: "alice", body: remark, header: map[string]string{"Idempotency-Key": "k", "Prefer": "wait=120"}})
		}()
		time.Sleep(5 * time.Second)
		h.config.Engine.Guards.Deny = []string{"ModifyInstanceName"}
		if err := h.reload(); err != nil {
			t.Fatal(err)
		}
		if a := <-ended; a.status != http.StatusOK || a.member("state") != "applied" {
			t.Errorf("who waited was told %d %s", a.status, a.text)
		}
		if n := h.cloud.Calls(sim.Match{Action: "ModifyTopicRemark"}).Calls; n != 1 {
			t.Errorf("%d calls", n)
		}
		a := h.act("alice", "n", "ModifyInstanceName", `{"InstanceId": "`+mine+`", "InstanceName": "renamed"}`, http.StatusForbidden)
		if a.member("reason") != "guard_refused" {
			t.Errorf("the new guards are not in force: %s", a.text)
		}
	})
}

func TestAReloadReplacesPrincipalsAndRunbooks(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		t := h.t
		scale := runbook("scale", `alertname="PartitionBound"`, "ModifyPartitionNum", doubled, "mode: auto", "wait_for: 0s")
		h.configure(scale)
		h.config.Principals = h.config.Principals[1:] // without alice
		if err := h.reload(); err != nil {
			t.Fatal(err)
		}
		if a := h.do(request{path: "/api/v1/runs", as: "alice"}); a.status != http.StatusUnauthorized {
			t.Errorf("alice still is somebody: %d", a.status)
		}
		h.deliver("am", firing("alertname", "PartitionBound", "instance_id", mine, "topic", "orders"))
		time.Sleep(time.Minute)
		if got := h.effects("ModifyPartitionNum"); len(got) != 1 {
			t.Errorf("the new runbook did %v: %v", got, h.episodes())
		}

		// A token that is not there changes nothing.
		h.config.Principals = slices.Clone(h.config.Principals[:1])
		h.config.Principals[0].TokenFile = filepath.Join(h.dir, "nosuch")
		if err := h.reload(); err == nil {
			t.Error("a principal without a token")
		}
		if a := h.do(request{path: "/api/v1/runs", as: "bob"}); a.status != http.StatusOK {
			t.Errorf("bob is nobody any more: %d", a.status)
		}
	})
}
