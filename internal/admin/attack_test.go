package admin_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// TestAttacks holds every refusal to its status, its reason and its counter,
// and sees to it that nothing reaches the cloud.
func TestAttacks(t *testing.T) {
	t.Parallel()
	scaleTo24 := `{"InstanceId": "` + mine + `", "Topic": "orders", "TargetPartitionNum": 24}`
	key := map[string]string{"Idempotency-Key": "k"}
	const scalePath, runsPath, webhook = "/api/v1/actions/ModifyPartitionNum", "/api/v1/runs", "/api/v1/webhook/alertmanager"
	for name, c := range map[string]struct {
		request
		status int
		reason string
		action string // label; "" means other
	}{
		"no token":                  {request{path: scalePath, body: scaleTo24, header: key}, 401, "no_token", "ModifyPartitionNum"},
		"no token, to read":         {request{path: runsPath}, 401, "no_token", ""},
		"no token, the description": {request{path: "/api/v1/openapi.json"}, 401, "no_token", ""},
		"no token, the guards":      {request{path: "/api/v1/guards"}, 401, "no_token", ""},
		"no token, the webhook":     {request{path: webhook, body: message(t, 0, firing(bound("orders")...))}, 401, "no_token", ""},
		"a wrong token":             {request{path: runsPath, header: map[string]string{"Authorization": "Bearer " + strings.Repeat("x", 40)}}, 401, "wrong_token", ""},
		"the hash of a token":       {request{path: runsPath, header: map[string]string{"Authorization": "Bearer 5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"}}, 401, "wrong_token", ""},
		"a token in another scheme": {request{path: runsPath, header: map[string]string{"Authorization": "Basic YWxpY2U6YWxpY2U="}}, 401, "no_token", ""},
		"a token in the URL":        {request{path: runsPath + "?access_token=" + "alice"}, 401, "no_token", ""},
		"another's instance":        {request{path: scalePath, as: "alice", body: strings.ReplaceAll(scaleTo24, mine, other), header: key}, 403, "forbidden", "ModifyPartitionNum"},
		"another's instance, to read": {
			request{path: "/api/v1/actions/GetTopicList", as: "alice", body: `{"InstanceId": "` + other + `"}`}, 403, "forbidden", "GetTopicList",
		},
		"another's instance as a resource": {
			request{path: "/api/v1/actions/TagResources", as: "alice", body: `{"ResourceType": "TOPIC", "ResourceId.1": "Kafka_` + other + `_orders", "Tag.1.Key": "a"}`, header: key}, 403, "forbidden", "TagResources",
		},
		"another's instance as the second resource": {
			request{path: "/api/v1/actions/TagResources", as: "alice", body: `{"ResourceType": "INSTANCE", "ResourceId.1": "` + mine + `", "ResourceId.2": "` + other + `", "Tag.1.Key": "a"}`, header: key}, 403, "forbidden", "TagResources",
		},
		"all instances at once":        {request{path: "/api/v1/actions/GetInstanceList", as: "alice", body: `{"RegionId": "cn-hangzhou"}`}, 403, "forbidden", "GetInstanceList"},
		"an instance that is not":      {request{path: scalePath, as: "alice", body: strings.ReplaceAll(scaleTo24, mine, mine+"x"), header: key}, 404, "not_found", "ModifyPartitionNum"},
		"an action of others":          {request{path: "/api/v1/actions/DeleteTopic", as: "carol", body: `{"InstanceId": "` + mine + `", "Topic": "orders"}`, header: key}, 403, "forbidden", "DeleteTopic"},
		"an effect of others":          {request{path: "/api/v1/actions/CreatePostPayOrder", as: "alice", body: `{"RegionId": "cn-hangzhou"}`, header: key}, 403, "forbidden", "CreatePostPayOrder"},
		"a principal without rights":   {request{path: scalePath, as: "dave", body: scaleTo24, header: key}, 403, "forbidden", "ModifyPartitionNum"},
		"a webhook that acts":          {request{path: scalePath, as: "am", body: scaleTo24, header: key}, 403, "forbidden", "ModifyPartitionNum"},
		"a webhook that reads":         {request{path: runsPath, as: "am"}, 403, "forbidden", ""},
		"a person as Alertmanager":     {request{path: webhook, as: "alice", body: message(t, 0, firing(bound("orders")...))}, 403, "forbidden", ""},
		"restart without privilege":    {request{method: "PUT", path: "/api/v1/kill-switch", as: "alice", body: `{"stop": false}`}, 403, "forbidden", ""},
		"restart by a webhook":         {request{method: "PUT", path: "/api/v1/kill-switch", as: "am", body: `{"stop": false}`}, 403, "forbidden", ""},
		"DNS rebinding":                {request{path: runsPath, as: "alice", host: "evil.example:19309"}, 421, "misdirected_host", ""},
		"a page of another origin":     {request{path: scalePath, as: "alice", body: scaleTo24, header: map[string]string{"Origin": "http://localhost:19309"}}, 403, "cross_origin", "ModifyPartitionNum"},
		"our origin, but not the page": {request{path: scalePath, as: "alice", body: scaleTo24, header: map[string]string{"Origin": "http://localhost:19309", "Sec-Fetch-Site": "same-origin"}}, 403, "cross_origin", "ModifyPartitionNum"},
		"another port's page":          {request{path: scalePath, as: "alice", body: scaleTo24, header: map[string]string{"Origin": "http://localhost:8080", "Alikafka-Exporter-Page": "1"}}, 403, "cross_origin", "ModifyPartitionNum"},
		"another site as the page":     {request{path: scalePath, as: "alice", body: scaleTo24, header: map[string]string{"Origin": "http://localhost:19309", "Alikafka-Exporter-Page": "1", "Sec-Fetch-Site": "cross-site"}}, 403, "cross_origin", "ModifyPartitionNum"},
		"no origin at all as the page": {request{path: scalePath, as: "alice", body: scaleTo24, header: map[string]string{"Origin": "null", "Alikafka-Exporter-Page": "1"}}, 403, "cross_origin", "ModifyPartitionNum"},
		"the page without a token":     {request{path: scalePath, body: scaleTo24, header: map[string]string{"Origin": "http://localhost:19309", "Alikafka-Exporter-Page": "1", "Sec-Fetch-Site": "same-origin"}}, 401, "no_token", "ModifyPartitionNum"},
		"a page's preflight":           {request{method: "OPTIONS", path: scalePath, header: map[string]string{"Origin": "https://evil.example"}}, 403, "cross_origin", "ModifyPartitionNum"},
		"a form":                       {request{path: scalePath, as: "alice", body: scaleTo24, header: map[string]string{"Content-Type": "text/plain"}}, 415, "unsupported_media_type", "ModifyPartitionNum"},
		"a huge body":                  {request{path: scalePath, as: "alice", body: `"` + strings.Repeat("x", 2<<20) + `"`, header: key}, 413, "too_large", "ModifyPartitionNum"},
		"a huge webhook":               {request{path: webhook, as: "am", body: `{"version": "` + strings.Repeat("4", 2<<20) + `"}`}, 413, "too_large", ""},
		"a deep body":                  {request{path: scalePath, as: "alice", body: strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), header: key}, 400, "bad_request", "ModifyPartitionNum"},
		"a deep webhook":               {request{path: webhook, as: "am", body: strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)}, 400, "bad_request", ""},
		"a parameter twice":            {request{path: scalePath, as: "alice", body: `{"Topic": "closed", "Topic": "orders"}`, header: key}, 400, "bad_request", "ModifyPartitionNum"},
		"a parameter of signing":       {request{path: scalePath, as: "alice", body: `{"Action": "DeleteTopic"}`, header: key}, 400, "invalid_parameter", "ModifyPartitionNum"},
		"a region of another kind":     {request{path: "/api/v1/actions/GetTopicList", as: "alice", body: `{"InstanceId": {"$ne": ""}}`}, 400, "invalid_parameter", "GetTopicList"},
		"a secret in the body":         {request{path: "/api/v1/actions/CreateSaslUser", as: "alice", body: `{"InstanceId": "` + mine + `", "Username": "u", "Password": "` + canary + `"}`, header: key}, 400, "invalid_parameter", "CreateSaslUser"},
		"no key":                       {request{path: scalePath, as: "alice", body: scaleTo24}, 400, "key_missing", "ModifyPartitionNum"},
		"a key of another shape":       {request{path: scalePath, as: "alice", body: scaleTo24, header: map[string]string{"Idempotency-Key": strings.Repeat("k", 200)}}, 400, "key_missing", "ModifyPartitionNum"},
		"an unknown query":             {request{path: scalePath + "?dryrun=true", as: "alice", body: scaleTo24, header: key}, 400, "bad_request", "ModifyPartitionNum"},
		"a query twice":                {request{path: scalePath + "?dry_run=true&dry_run=false", as: "alice", body: scaleTo24, header: key}, 400, "bad_request", "ModifyPartitionNum"},
		"an action that is not":        {request{path: "/api/v1/actions/DropEverything", as: "alice", body: `{}`, header: key}, 404, "not_found", ""},
		"an action in another case":    {request{path: "/api/v1/actions/modifypartitionnum", as: "alice", body: scaleTo24, header: key}, 404, "not_found", ""},
		"two slashes":                  {request{path: "//api/v1/runs", as: "alice"}, 404, "not_found", ""},
		"a path upwards":               {request{path: "/api/v1/runs/../kill-switch", as: "alice"}, 404, "not_found", ""},
		"an escaped path upwards":      {request{path: "/api/v1/runs/%2e%2e%2fkill-switch", as: "alice"}, 404, "not_found", ""},
		"a slash at the end":           {request{path: runsPath + "/", as: "alice"}, 404, "not_found", ""},
		"a dot":                        {request{path: "/api/./v1/runs", as: "alice"}, 404, "not_found", ""},
		"a path of another listener":   {request{path: "/metrics", as: "alice"}, 404, "not_found", ""},
		"another method":               {request{method: "DELETE", path: runsPath, as: "alice"}, 405, "method_not_allowed", ""},
		"a GET that acts":              {request{method: "GET", path: scalePath, as: "alice"}, 405, "method_not_allowed", "ModifyPartitionNum"},
		"another version's webhook":    {request{path: webhook, as: "am", body: `{"version": "5", "alerts": []}`}, 400, "bad_request", ""},
		"labels of 32 KiB":             {request{path: webhook, as: "am", body: message(t, 0, firing("alertname", strings.Repeat("x", 32<<10)))}, 400, "bad_request", ""},
		"a run that is not":            {request{path: runsPath + "/0b9fa5e2", as: "alice"}, 404, "not_found", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inHouse(t, scale, func(h *house) {
				t := h.t
				h.polls()
				time.Sleep(time.Second)
				label := c.action
				if label == "" {
					label = "other"
				}
				before := h.cloud.Calls(sim.Match{}).Calls
				a := h.do(c.request)
				if a.status != c.status || a.member("reason") != c.reason {
					t.Errorf("%d %s, want %d %s:\n%s", a.status, a.member("reason"), c.status, c.reason, a.text)
				}
				if got := a.header.Get("Content-Type"); got != "application/problem+json" {
					t.Errorf("Content-Type %s", got)
				}
				if a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Set-Cookie") != "" {
					t.Errorf("headers %v", a.header)
				}
				if got := h.counter("alikafka_admin_requests_total", "action", label, "outcome", c.reason); got != 1 {
					t.Errorf("counted %v times as %s, %s", got, label, c.reason)
				}
				if strings.HasPrefix(c.path, webhook) && h.counter("alikafka_webhook_deliveries_total", "outcome", c.reason) != 1 {
					t.Error("the delivery is not counted")
				}
				time.Sleep(time.Hour)
				if after := h.cloud.Calls(sim.Match{}).Calls; after != before {
					t.Errorf("%d calls reached the cloud", after-before)
				}
				h.noSecrets()
			})
		})
	}
}

// segments returns the files of the journal.
func (h *house) segments() []string {
	h.t.Helper()
	segments, err := filepath.Glob(filepath.Join(h.dir, "journal", "*"))
	if err != nil || len(segments) == 0 {
		h.t.Fatal("no journal", err)
	}
	return segments
}

// journalSize returns how many bytes the journal has.
func (h *house) journalSize() int {
	h.t.Helper()
	size := 0
	for _, name := range h.segments() {
		info, err := os.Stat(name)
		if err != nil {
			h.t.Fatal(err)
		}
		size += int(info.Size())
	}
	return size
}

// journal returns what is in the journal.
func (h *house) journal() string {
	h.t.Helper()
	var all strings.Builder
	for _, name := range h.segments() {
		text, err := os.ReadFile(name)
		if err != nil {
			h.t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// noSecrets fails the test where a secret is in the log or in the journal.
func (h *house) noSecrets() {
	h.t.Helper()
	for place, text := range map[string]string{"log": h.log.String(), "journal": h.journal()} {
		if strings.Contains(text, canary) {
			h.t.Errorf("a secret is in the %s:\n%s", place, text)
		}
	}
}

func TestFailedTokensAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	inHouse(t, "", func(h *house) {
		t := h.t
		wrong := request{path: "/api/v1/runs", header: map[string]string{"Authorization": "Bearer wrong"}}
		for range 10 {
			if a := h.do(wrong); a.status != http.StatusUnauthorized {
				t.Fatalf("%d", a.status)
			}
		}
		limited := func() {
			t.Helper()
			a := h.do(wrong)
			if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || a.member("reason") != "too_many_failures" {
				t.Errorf("%d %v", a.status, a.header)
			}
		}
		limited()
		// Who shares the address, as behind a proxy, is not kept out, the kill
		// switch least of all.
		for _, r := range []request{
			{path: "/api/v1/runs", as: "alice"},
			{method: http.MethodPut, path: "/api/v1/kill-switch", as: "am", body: `{"stop": true}`},
		} {
			if a := h.do(r); a.status != http.StatusOK {
				t.Errorf("a right token: %d %s", a.status, a.text)
			}
		}
		limited() // a right token forgives nothing
		if n := h.counter("alikafka_admin_requests_total", "outcome", "wrong_token"); n != 10 {
			t.Errorf("%v failures counted", n)
		}
		time.Sleep(6 * time.Second)
		if a := h.do(wrong); a.status != http.StatusUnauthorized {
			t.Errorf("after a while: %d", a.status)
		}
		limited()
		if n := strings.Count(h.log.String(), "admin request refused"); n != 11 {
			t.Errorf("%d failures are in the log, want those that count", n)
		}
	})
}

func TestApprovalsCannotBeHad(t *testing.T) {
	t.Parallel()
	allow := `{"InstanceId": "` + mine + `", "UpdateType": "add", "AllowedListType": "vpc", "PortRange": "9092/9092", "AllowedListIp": "10.1.2.0/24"}`
	inHouse(t, "", func(h *house) {
		t := h.t
		a := h.act("alice", "k1", "UpdateAllowedIp", allow, http.StatusAccepted)
		run, hash := a.member("id"), a.member("plan", "hash")
		if a.member("state") != "pending_approval" || a.header.Get("Location") != "/api/v1/runs/"+run {
			t.Fatalf("%s %v", a.text, a.header)
		}
		refused := func(who, body string, status int, reason string) {
			t.Helper()
			a := h.do(request{path: "/api/v1/runs/" + run + "/approve", as: who, body: body})
			if a.status != status || a.member("reason") != reason {
				t.Errorf("%s: %d %s, want %d %s\n%s", who, a.status, a.member("reason"), status, reason, a.text)
			}
		}
		refused("alice", `{"plan_hash": "`+hash+`"}`, 403, "forbidden") // may not approve at all
		refused("dave", `{"plan_hash": "`+hash+`"}`, 404, "not_found")  // sees nothing of it
		refused("bob", `{}`, 400, "invalid_parameter")
		refused("bob", `{"plan_hash": "0000"}`, 409, "conflict")
		refused("bob", `{"plan_hash": "`+hash+`", "force": true}`, 400, "bad_request")
		h.config.Principals[0].MayApprove = true
		h.restart()
		refused("alice", `{"plan_hash": "`+hash+`"}`, 409, "conflict") // her own

		// What guards refuse meanwhile is told with the run, which waits on.
		stop := func(how string) {
			if a := h.do(request{method: http.MethodPut, path: "/api/v1/kill-switch", as: "bob", body: `{"stop": ` + how + `, "reason": "migration"}`}); a.status != http.StatusOK {
				t.Fatal(a.text)
			}
		}
		stop("true")
		refused("bob", `{"plan_hash": "`+hash+`"}`, 403, "guard_refused")
		a = h.do(request{path: "/api/v1/runs/" + run + "/approve", as: "bob", body: `{"plan_hash": "` + hash + `"}`})
		if a.member("run") != "/api/v1/runs/"+run || a.header.Get("Location") != a.member("run") || !strings.Contains(a.member("detail"), "bob: migration") {
			t.Errorf("%s %v", a.text, a.header)
		}
		stop("false")

		// Somebody else adds the entry: the plan is void.
		if _, err := h.cloudCall("UpdateAllowedIp", map[string]string{
			"RegionId": "cn-hangzhou", "InstanceId": mine, "UpdateType": "add", "AllowedListType": "vpc", "PortRange": "9092/9092", "AllowedListIp": "10.1.2.0/24",
		}); err != nil {
			t.Fatal(err)
		}
		before := h.mutations()
		b := h.do(request{path: "/api/v1/runs/" + run + "/approve", as: "bob", body: `{"plan_hash": "` + hash + `"}`})
		time.Sleep(time.Hour)
		after := h.do(request{path: "/api/v1/runs/" + run, as: "bob"})
		if after.member("state") != "void" {
			t.Errorf("after drift: %d %s", b.status, after.text)
		}
		if h.mutations() != before {
			t.Error("a mutation reached the cloud")
		}
		h.noSecrets()
	})
}
