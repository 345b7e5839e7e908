package admin_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

const remark = `{"InstanceId": "` + mine + `", "Topic": "orders", "Remark": "hello"}`

func TestTheSameKeyIsTheSameRun(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		t := h.t
		first := h.act("alice", "k", "ModifyTopicRemark", remark, http.StatusOK)
		if first.member("state") != "applied" || first.header.Get("Preference-Applied") != "wait=120" || first.header.Get("Idempotency-Replayed") != "" {
			t.Fatalf("%s %v", first.text, first.header)
		}
		h.restart() // the key outlives the process
		again := h.act("alice", "k", "ModifyTopicRemark", remark, http.StatusOK)
		if again.member("id") != first.member("id") || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("another run: %s", again.text)
		}
		if a := h.act("alice", "k", "ModifyTopicRemark", strings.Replace(remark, "hello", "bye", 1), 422); a.member("reason") != "key_reused" || a.member("run") != "/api/v1/runs/"+first.member("id") {
			t.Errorf("other parameters: %s", a.text)
		}
		if a := h.act("alice", "k", "ModifyInstanceName", `{"InstanceId": "`+mine+`", "InstanceName": "x-y"}`, 422); a.member("reason") != "key_reused" {
			t.Errorf("another action: %s", a.text)
		}
		if got := h.effects(""); len(got) != 1 {
			t.Errorf("effects: %v", got)
		}
		// Keys are a principal's own.
		if a := h.act("carol", "k", "ModifyTopicRemark", strings.Replace(remark, "hello", "carols", 1), http.StatusForbidden); a.member("reason") != "guard_refused" {
			t.Errorf("carol: %s", a.text) // by the cool-down
		}
	})
}

func TestAKeyInFlightIsRefused(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		t := h.t
		h.cloud.SetFault(sim.Match{Action: "ModifyTopicRemark"}, sim.Fault{Kind: sim.Slow, Latency: 20 * time.Second})
		post := request{path: "/api/v1/actions/ModifyTopicRemark", as: "alice", body: remark, header: map[string]string{"Idempotency-Key": "k"}}
		a := h.do(post)
		if a.status != http.StatusAccepted {
			t.Fatalf("%d %s", a.status, a.text)
		}
		time.Sleep(5 * time.Second)
		b := h.do(post)
		if b.status != http.StatusConflict || b.member("reason") != "in_flight" || b.header.Get("Location") != a.header.Get("Location") {
			t.Errorf("%d %s", b.status, b.text)
		}
		// Somebody who waits gets the outcome of the one run.
		post.header["Prefer"] = "respond-async, wait=60"
		if c := h.do(post); c.status != http.StatusOK || c.member("id") != a.member("id") || c.member("state") != "applied" {
			t.Errorf("%d %s", c.status, c.text)
		}
		if got := h.cloud.Calls(sim.Match{Action: "ModifyTopicRemark"}).Calls; got != 1 {
			t.Errorf("%d calls", got)
		}
	})
}

func TestAReasonIsBounded(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		long := strings.Repeat("x", 1001)
		a := h.do(request{path: "/api/v1/actions/ModifyTopicRemark?reason=" + long, as: "alice", body: remark, header: map[string]string{"Idempotency-Key": "k"}})
		if a.status != http.StatusBadRequest || a.member("reason") != "invalid_parameter" || h.mutations() > 0 {
			h.t.Errorf("%d %s", a.status, a.text)
		}
		// A stop never fails for its words.
		a = h.do(request{method: http.MethodPut, path: "/api/v1/kill-switch", as: "am", body: `{"stop": true, "reason": "` + long + `"}`})
		if a.status != http.StatusOK || a.member("reason") != long[:1000] {
			h.t.Errorf("%d %s", a.status, a.text)
		}
	})
}

func TestADryRunLeavesNothing(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		t := h.t
		a := h.do(request{
			path: "/api/v1/actions/ModifyPartitionNum?dry_run=true&reason=why+not", as: "alice",
			body: `{"InstanceId": "` + mine + `", "Topic": "closed", "TargetPartitionNum": 100}`,
		})
		if a.status != http.StatusOK || a.member("state") != "dry_run" || a.member("plan", "params", "AddPartitionNum") != "94" || !strings.Contains(a.text, `"partition_opt_in"`) {
			t.Errorf("%d %s", a.status, a.text)
		}
		if runs := h.do(request{path: "/api/v1/runs", as: "alice"}); len(runs.json["runs"].([]any)) != 0 || h.mutations() != 0 {
			t.Errorf("%s", runs.text)
		}
	})
}

func TestReadsAnswerWithoutPasswords(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		t := h.t
		a := h.do(request{path: "/api/v1/actions/DescribeSaslUsers", as: "alice", body: `{"InstanceId": "` + mine + `"}`})
		if a.status != http.StatusOK || !strings.Contains(a.text, `"Username": "app"`) || !strings.Contains(a.text, `<secret>`) {
			t.Errorf("%d %s", a.status, a.text) // do looks for the canary
		}
		h.cloud.SetFault(sim.Match{Action: "GetTopicList"}, sim.Fault{Kind: sim.Refuse, Status: 403, Code: "Forbidden.RAM", Message: "no"})
		a = h.do(request{path: "/api/v1/actions/GetTopicList", as: "alice", body: `{"InstanceId": "` + mine + `"}`})
		if a.status != http.StatusBadGateway || a.member("code") != "Forbidden.RAM" || a.member("request_id") == "" {
			t.Errorf("%d %s", a.status, a.text)
		}
	})
}

func TestASecretGoesByItsName(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		t := h.t
		body := `{"InstanceId": "` + mine + `", "Username": "new", "Password": {"secret_ref": "kafka-user"}}`
		a := h.act("alice", "k", "CreateSaslUser", body, http.StatusAccepted)
		b := h.do(request{path: "/api/v1/runs/" + a.member("id") + "/approve", as: "bob", body: `{"plan_hash": "` + a.member("plan", "hash") + `"}`})
		time.Sleep(time.Minute)
		c := h.do(request{path: "/api/v1/runs/" + a.member("id"), as: "alice"})
		if b.status != http.StatusAccepted || c.member("state") != "applied" || c.member("secret_refs", "Password") != "kafka-user" {
			t.Errorf("%s\n%s", b.text, c.text)
		}
		for _, u := range h.cloud.World().Accounts[0].Instances[0].SaslUsers {
			if u.Username == "new" && u.Password != canary {
				t.Error("the user has another password")
			}
		}
		if a := h.act("alice", "k2", "CreateSaslUser", strings.Replace(body, "kafka-user", "none", 1), http.StatusBadRequest); a.member("reason") != "invalid_parameter" {
			t.Errorf("%s", a.text)
		}
		h.noSecrets()
	})
}

func TestTheKillSwitch(t *testing.T) {
	t.Parallel()
	inHouse(t, scale, func(h *house) {
		t := h.t
		const path = "/api/v1/kill-switch"
		if a := h.do(request{method: "PUT", path: path, as: "am", body: `{"stop": true, "reason": "an alert"}`}); a.status != http.StatusOK || a.json["stopped"] != true {
			t.Fatalf("%d %s", a.status, a.text)
		}
		h.restart()
		if a := h.act("alice", "k", "ModifyTopicRemark", remark, http.StatusForbidden); !strings.Contains(a.text, `"kill_switch"`) {
			t.Errorf("%s", a.text)
		}
		h.deliver("am", firing(bound("orders")...))
		time.Sleep(10 * time.Minute)
		if h.mutations() != 0 {
			t.Error("something was done all the same")
		}
		if a := h.do(request{method: "PUT", path: path, as: "bob", body: `{"stop": false}`}); a.status != http.StatusOK || a.json["stopped"] != false {
			t.Fatalf("%d %s", a.status, a.text)
		}
		h.act("alice", "k2", "ModifyTopicRemark", remark, http.StatusOK)
	})
}

func TestTheDescriptionIsThatOfTheTable(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		t := h.t
		a := h.do(request{path: "/api/v1/openapi.json", as: "dave"})
		if a.member("openapi") != "3.1.0" {
			t.Fatalf("%s", a.text)
		}
		paths := a.json["paths"].(map[string]any)
		for _, action := range api.Actions() {
			at, ok := paths["/api/v1/actions/"+action.Name].(map[string]any)
			if !ok {
				t.Errorf("%s is missing", action.Name)
				continue
			}
			text, err := json.Marshal(at)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range action.Params {
				name := p.Name
				if p.List {
					name = "^" + strings.ReplaceAll(regexp.QuoteMeta(name), `\.N`, `\.[1-9][0-9]*`) + "$"
				}
				quoted, err := json.Marshal(name)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(string(text), string(quoted)) {
					t.Errorf("%s: parameter %s is missing", action.Name, p.Name)
				}
				if p.Secret && !strings.Contains(string(text), "SecretRef") {
					t.Errorf("%s: %s is not by reference", action.Name, p.Name)
				}
			}
		}
		// Every reference leads somewhere, and every path without a parameter
		// is served.
		schemas := a.json["components"].(map[string]any)["schemas"].(map[string]any)
		for _, m := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllStringSubmatch(a.text, -1) {
			if schemas[m[1]] == nil {
				t.Errorf("no schema %s", m[1])
			}
		}
		for path, methods := range paths {
			if _, get := methods.(map[string]any)["get"]; get && !strings.Contains(path, "{") {
				if b := h.do(request{path: path, as: "bob"}); b.status != http.StatusOK {
					t.Errorf("GET %s: %d", path, b.status)
				}
			}
		}
		var catalogue struct {
			Actions []struct {
				Action, Effect   string
				Refused          string
				Allowed, Webhook bool
				Params           []struct {
					Name     string
					Required bool
				}
			}
		}
		if err := json.Unmarshal([]byte(h.do(request{path: "/api/v1/actions", as: "carol"}).text), &catalogue); err != nil {
			t.Fatal(err)
		}
		allowed, webhooks := 0, 0
		var nowhere []string // what has no instance that tells the region
		done := 0
		for _, e := range catalogue.Actions {
			if e.Effect != "Read" && e.Refused == "" {
				done++
			}
			for _, p := range e.Params {
				if p.Name == "RegionId" && p.Required && e.Effect != "Read" && e.Refused == "" {
					nowhere = append(nowhere, e.Action)
				}
			}
			if e.Allowed {
				allowed++
			}
			if e.Webhook {
				webhooks++
			}
		}
		if len(catalogue.Actions) != len(api.Actions()) || allowed != 1 || webhooks != 8 || done != 24 {
			t.Errorf("%d actions, %d allowed to carol, %d for webhooks, %d that the engine does", len(catalogue.Actions), allowed, webhooks, done)
		}
		if want := []string{"CreatePostPayOrder", "CreatePrePayOrder"}; !slices.Equal(slices.Sorted(slices.Values(nowhere)), want) {
			t.Errorf("RegionId is required by %v, want %v", nowhere, want)
		}
	})
}

func TestRunsOfOthersAreNotShown(t *testing.T) {
	t.Parallel()
	inHouse(t, scale, func(h *house) {
		t := h.t
		a := h.act("alice", "k", "DeleteConsumerGroup", `{"InstanceId": "`+mine+`", "ConsumerId": "gone"}`, http.StatusOK)
		if a.member("state") != "unchanged" { // there is no such group
			t.Fatalf("%s", a.text)
		}
		if all := h.do(request{path: "/api/v1/runs", as: "bob"}); !strings.Contains(all.text, "DeleteConsumerGroup") {
			t.Errorf("%d %s", all.status, all.text)
		}
		if none := h.do(request{path: "/api/v1/runs", as: "dave"}); strings.Contains(none.text, "DeleteConsumerGroup") || !strings.Contains(none.text, `"runs": []`) {
			t.Errorf("dave sees what is not his: %s", none.text)
		}
		basic := map[string]string{"Authorization": "Basic " + basicAuth("x", token("bob"))}
		if a := h.do(request{path: "/api/v1/runs", header: basic}); a.status != http.StatusUnauthorized {
			t.Errorf("%d", a.status)
		}
	})
}

func TestAWebhookIsNotTakenInWithoutAJournal(t *testing.T) {
	t.Parallel()
	inHouse(t, scale, func(h *house) {
		t := h.t
		h.stop()
		h.standby("another process holds the lock on --storage.path")
		a := h.do(request{path: "/api/v1/webhook/alertmanager", as: "am", body: message(t, 0, firing(bound("orders")...))})
		if a.status != http.StatusServiceUnavailable || a.member("reason") != "not_acting" {
			t.Errorf("%d %s", a.status, a.text)
		}
		if n := h.counter("alikafka_webhook_deliveries_total", "outcome", "not_acting"); n != 1 {
			t.Errorf("counted %v times", n)
		}
		if a := h.act("alice", "k", "ModifyTopicRemark", remark, http.StatusServiceUnavailable); a.member("reason") != "not_acting" {
			t.Errorf("%s", a.text)
		}
		// Watching goes on.
		if a := h.do(request{path: "/api/v1/actions/GetTopicList", as: "alice", body: `{"InstanceId": "` + mine + `"}`}); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.text)
		}
		h.stop()
		h.start()
		time.Sleep(10 * time.Minute)
		if h.mutations() != 0 {
			t.Error("what was refused was done")
		}
	})
}
