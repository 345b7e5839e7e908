package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// fromPage are the headers of a request that a browser sends for the
// operations page.
func fromPage(more ...string) map[string]string {
	h := map[string]string{"Origin": "http://localhost:19309", "Sec-Fetch-Site": "same-origin", "Alikafka-Exporter-Page": "1"}
	for i := 0; i+1 < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	return h
}

func TestTheOperationsPageHoldsNoData(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		a := h.do(request{path: "/"})
		if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			t.Fatalf("%d %v", a.status, a.header)
		}
		for _, secret := range []string{mine, other, "alice", "orders"} {
			if strings.Contains(a.text, secret) {
				t.Errorf("the page tells anybody of %s", secret)
			}
		}
		policy := a.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "connect-src 'self'") {
			t.Errorf("policy %s", policy)
		}
		if with := h.do(request{path: "/", as: "alice"}); with.text != a.text {
			t.Error("a token makes another page")
		}
		if a.header.Get("Set-Cookie") != "" {
			t.Error("a cookie")
		}
	})
}

func TestTheOperationsPageMayWrite(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		a := h.do(request{method: http.MethodPut, path: "/api/v1/kill-switch", as: "bob", body: `{"stop": true, "reason": "a drill"}`, header: fromPage()})
		if a.status != http.StatusOK || a.json["stopped"] != true {
			t.Fatalf("%d\n%s", a.status, a.text)
		}
		if a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Error("other origins may read the answer")
		}
		a = h.do(request{method: http.MethodPut, path: "/api/v1/kill-switch", as: "bob", body: `{"stop": false}`, header: fromPage("Origin", "http://localhost:19310")})
		if a.status != http.StatusForbidden || a.member("reason") != "cross_origin" {
			t.Errorf("%d\n%s", a.status, a.text)
		}
		h.noSecrets()
	})
}

func TestAPrincipalIsToldWhoItIs(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		a := h.do(request{path: "/api/v1/principal", as: "bob"})
		if a.status != http.StatusOK || a.json["name"] != "bob" || a.json["kind"] != "person" || a.json["may_approve"] != true || a.json["privileged"] != true || a.json["not_acting"] != nil {
			t.Errorf("%d\n%s", a.status, a.text)
		}
		a = h.do(request{path: "/api/v1/principal", as: "dave"})
		if a.status != http.StatusOK || a.json["may_approve"] != false || a.json["effects"] != nil {
			t.Errorf("%d\n%s", a.status, a.text)
		}
		a = h.do(request{path: "/api/v1/guards", as: "dave"})
		if a.status != http.StatusOK || len(a.json["guards"].([]any)) < 15 || !strings.Contains(a.json["limits"].(string), "hourly_cap: 20") {
			t.Errorf("%d\n%s", a.status, a.text)
		}
	})
}

func TestARejectionSaysWhy(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		asked := h.do(request{
			path: "/api/v1/actions/UpdateAllowedIp", as: "alice", header: map[string]string{"Idempotency-Key": "k"},
			body: `{"InstanceId": "` + mine + `", "UpdateType": "add", "AllowedListType": "vpc", "PortRange": "9092/9092", "AllowedListIp": "10.1.2.0/24"}`,
		})
		if asked.status != http.StatusAccepted {
			t.Fatalf("%d\n%s", asked.status, asked.text)
		}
		path, hash := "/api/v1/runs/"+asked.member("id")+"/reject", asked.json["plan"].(map[string]any)["hash"].(string)
		long := h.do(request{path: path, as: "bob", body: `{"plan_hash": "` + hash + `", "reason": "` + strings.Repeat("x", 2000) + `"}`})
		if long.status != http.StatusBadRequest || long.member("reason") != "invalid_parameter" {
			t.Errorf("%d\n%s", long.status, long.text)
		}
		a := h.do(request{path: path, as: "bob", body: `{"plan_hash": "` + hash + `", "reason": "not before Monday"}`, header: fromPage()})
		if a.status != http.StatusOK || a.member("state") != "rejected" || a.member("why") != "rejected by bob: not before Monday" {
			t.Errorf("%d\n%s", a.status, a.text)
		}
		h.polls()
		before := h.cloud.Calls(sim.Match{}).Calls
		time.Sleep(time.Hour)
		if after := h.cloud.Calls(sim.Match{}).Calls; after != before {
			t.Errorf("%d calls reached the cloud", after-before)
		}
	})
}
