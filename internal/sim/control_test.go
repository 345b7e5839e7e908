package sim_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// steer makes a request to the control endpoint from this machine.
func steer(t *testing.T, h http.Handler, method, target, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:18081"+target, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:40000"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// Faults over the control endpoint, and what they led to.
func TestControlFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{World: stocked()})
		h := cloud.Control()
		status, body := steer(t, h, http.MethodPost, "/control/faults",
			`{"match":{"action":"ModifyPartitionNum","params":{"Topic":"orders"}},"fault":{"kind":"refuse","code":"InternalError","apply_after":"5m","times":1}}`)
		if status != http.StatusOK || !strings.Contains(body, `"id": 1`) {
			t.Fatalf("%d %s", status, body)
		}
		steer(t, h, http.MethodPost, "/control/faults", `{"match":{"account":"own","action":"GetQuotaTip"},"fault":{"kind":"gateway","latency":"1s","rate":0.5}}`)
		c.mustRefuse("InternalError", "ModifyPartitionNum", goodWrite(t, "ModifyPartitionNum")...)
		_, body = steer(t, h, http.MethodGet, "/control/faults", "")
		var list, want any
		wanted := `{"faults":[
			{"id":1,"match":{"action":"ModifyPartitionNum","params":{"Topic":"orders"}},"left":0,
				"fault":{"kind":"refuse","code":"InternalError","apply_after":"5m0s","times":1}},
			{"id":2,"match":{"account":"own","action":"GetQuotaTip"},"fault":{"kind":"gateway","latency":"1s","rate":0.5}}]}`
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(wanted), &want); err != nil {
			t.Fatal(err)
		}
		got, _ := json.Marshal(list)
		if wanted, _ := json.Marshal(want); !bytes.Equal(got, wanted) {
			t.Errorf("got %s, want %s", got, wanted)
		}
		effects := func(query string) (n int) {
			t.Helper()
			status, body := steer(t, h, http.MethodGet, "/control/effects"+query, "")
			var got struct {
				Count   int
				Effects []sim.Effect
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK || got.Count != len(got.Effects) || got.Effects == nil {
				t.Fatalf("%d %v %s", status, err, body)
			}
			return got.Count
		}
		if n := effects(""); n != 0 {
			t.Errorf("%d effects too early", n)
		}
		time.Sleep(5 * time.Minute)
		if effects("?action=ModifyPartitionNum&Topic=orders&account=own") != 1 || effects("?Topic=state") != 0 {
			t.Error("not found")
		}
		for _, id := range []string{"2", ""} {
			if status, body := steer(t, h, http.MethodDelete, strings.TrimSuffix("/control/faults/"+id, "/"), ""); status != http.StatusNoContent || body != "" {
				t.Errorf("delete %s: %d %s", id, status, body)
			}
		}
		if _, body := steer(t, h, http.MethodGet, "/control/faults", ""); !strings.Contains(body, `"faults": []`) {
			t.Errorf("left: %s", body)
		}
		if status, _ := steer(t, h, http.MethodDelete, "/control/faults/2", ""); status != http.StatusNotFound {
			t.Errorf("delete twice: %d", status)
		}
	})
}

// Limits and calls.
func TestControlLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: stocked()})
		c, h := newClient(t, cloud), cloud.Control()
		if _, body := steer(t, h, http.MethodGet, "/control/limits", ""); !strings.Contains(body, `"default": 3`) || !strings.Contains(body, `"per_source_ip": 100`) {
			t.Errorf("got %s", body)
		}
		status, body := steer(t, h, http.MethodPatch, "/control/limits", `{"actions":{"GetInstanceList":1},"per_source_ip":50}`)
		if status != http.StatusOK || !strings.Contains(body, `"GetInstanceList": 1`) || !strings.Contains(body, `"per_source_ip": 50`) || !strings.Contains(body, `"default": 3`) {
			t.Errorf("%d %s", status, body)
		}
		c.mustCall("GetInstanceList")
		c.mustRefuse("Throttling.User", "GetInstanceList")
		if _, body := steer(t, h, http.MethodGet, "/control/calls?action=GetInstanceList", ""); strings.Join(strings.Fields(body), "") != `{"calls":2,"throttled":1,"refused":0}` {
			t.Errorf("got %s", body)
		}
	})
}

// The world can be changed and looked at.
func TestControlEdits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{World: stocked()})
		h := cloud.Control()
		edit := func(what, body string, want int) {
			t.Helper()
			if status, answer := steer(t, h, http.MethodPost, "/control/edit/"+what, body); status != want || (answer == "") != (want == http.StatusNoContent) {
				t.Errorf("%s %s: %d %s", what, body, status, answer)
			}
		}
		in := `{"account":"own","instance":"` + main + `",`
		for _, e := range [][2]string{
			{"topic", in + `"topic":"made","partitions":2,"rate":10}`},
			{"group", in + `"group":"reader","topics":["made"],"members":3}`},
			{"partitions", in + `"topic":"made","partitions":1}`},
			{"pause", in + `"group":"reader"}`},
		} {
			edit(e[0], e[1], http.StatusNoContent)
		}
		time.Sleep(time.Minute)
		if got := c.progress(main, "reader").ConsumerProgress; got.TotalDiff < 500 || len(got.TopicList.TopicList[0].OffsetList.OffsetList) != 3 {
			t.Errorf("paused: %+v", got)
		}
		edit("resume", in+`"group":"reader","speed":100}`, http.StatusNoContent)
		time.Sleep(time.Minute)
		if got := c.progress(main, "reader").ConsumerProgress.TotalDiff; got > 100 {
			t.Errorf("resumed: %d behind", got)
		}
		edit("seek", in+`"group":"reader","ago":"30s","speed":0}`, http.StatusNoContent)
		edit("members", in+`"group":"reader","members":0}`, http.StatusNoContent)
		if got := c.progress(main, "reader").ConsumerProgress; got.State != "EMPTY" || got.TotalDiff < 200 {
			t.Errorf("moved: %+v", got)
		}
		edit("remove", in+`"group":"reader"}`, http.StatusNoContent)
		edit("remove", in+`"topic":"made"}`, http.StatusNoContent)
		edit("status", in+`"status":8}`, http.StatusNoContent)
		if got := c.one(main).ServiceStatus; got != 8 {
			t.Errorf("status %d", got)
		}
		edit("status", in+`"status":-3}`, http.StatusBadRequest)
		edit("balance", `{"account":"own","balance":1}`, http.StatusNoContent)
		c.mustRefuse("InsufficientBalance", "CreatePostPayOrder", goodWrite(t, "CreatePostPayOrder")...)
		edit("remove", in+`"topic":"made"}`, http.StatusNotFound)
		edit("balance", `{"account":"nobody"}`, http.StatusNotFound)
		edit("members", in+`"group":"billing","members":-1}`, http.StatusBadRequest)
		edit("topic", in+`"topic":"huge","partitions":100000000}`, http.StatusBadRequest)
		edit("explode", in+`"topic":"x"}`, http.StatusNotFound)

		_, body := steer(t, h, http.MethodGet, "/control/world", "")
		var world sim.World
		if err := json.Unmarshal([]byte(body), &world); err != nil || len(world.Accounts) != 1 || world.Accounts[0].Instances[0].Topics[0].Partitions != 6 {
			t.Errorf("%v %+v", err, world)
		}
		if strings.Contains(body, "s3cret") || strings.Contains(body, "testsecret") {
			t.Error("shows secrets")
		}
	})
}

// What cannot be served says why, in JSON, and changes nothing.
func TestControlMistakes(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, sim.Options{World: stocked()})
	h := cloud.Control()
	for _, tt := range []struct {
		name, method, target, body string
		status                     int
		message                    string
	}{
		{"no JSON", "POST", "/control/faults", "{", 400, "unexpected EOF"},
		{"unknown field", "POST", "/control/faults", `{"fault":{"kind":"hang","latencyy":"1s"}}`, 400, "latencyy"},
		{"two values", "POST", "/control/faults", `{"fault":{"kind":"hang"}} {}`, 400, "more than one value"},
		{"unknown kind", "POST", "/control/faults", `{"fault":{"kind":"explode"}}`, 400, "explode"},
		{"unknown action", "POST", "/control/faults", `{"match":{"action":"DropTopic"},"fault":{"kind":"hang"}}`, 400, "DropTopic"},
		{"no duration", "POST", "/control/faults", `{"fault":{"kind":"slow","latency":"soon"}}`, 400, "soon"},
		{"negative duration", "POST", "/control/faults", `{"fault":{"kind":"slow","latency":"-1s"}}`, 400, "latency is negative"},
		{"no status", "POST", "/control/faults", `{"fault":{"kind":"refuse","status":99}}`, 400, "status"},
		{"no rate", "POST", "/control/faults", `{"fault":{"kind":"refuse","rate":2}}`, 400, "rate"},
		{"no times", "POST", "/control/faults", `{"fault":{"kind":"refuse","times":-1}}`, 400, "times"},
		{"no id", "DELETE", "/control/faults/x", "", 404, "fault x"},
		{"limit of no action", "PATCH", "/control/limits", `{"actions":{"DropTopic":1}}`, 400, "DropTopic"},
		{"calls by parameter", "GET", "/control/calls?Topic=x", "", 400, "only"},
		{"too much", "POST", "/control/faults", `{"fault":{"code":"` + strings.Repeat("x", 2<<20) + `"}}`, 400, "too large"},
	} {
		status, body := steer(t, h, tt.method, tt.target, tt.body)
		var got struct{ Error string }
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != tt.status || !strings.Contains(got.Error, tt.message) {
			t.Errorf("%s: %d %s", tt.name, status, body)
		}
	}
	if status, _ := steer(t, h, http.MethodPut, "/control/faults", "{}"); status != http.StatusMethodNotAllowed {
		t.Errorf("another method: %d", status)
	}
	if status, body := steer(t, h, http.MethodGet, "/control/", ""); status != http.StatusOK || !strings.Contains(body, "GET /control/effects") {
		t.Errorf("index: %d %s", status, body)
	}
	if status, _ := steer(t, h, http.MethodGet, "/", ""); status != http.StatusNotFound {
		t.Errorf("another path: %d", status)
	}
	if _, body := steer(t, h, http.MethodGet, "/control/faults", ""); !strings.Contains(body, `"faults": []`) {
		t.Errorf("got %s", body)
	}
}

// Only this machine may steer, under a name of this machine, and no page that
// a browser shows.
func TestControlStrangers(t *testing.T) {
	t.Parallel()
	h := newCloud(t, sim.Options{}).Control()
	for _, tt := range []struct {
		name, from, host string
		header           [2]string
		method           string
		status           int
	}{
		{"this machine", "127.0.0.1:5", "127.0.0.1:18081", [2]string{}, "GET", 200},
		{"by name", "127.0.0.1:5", "localhost:18081", [2]string{}, "GET", 200},
		{"IPv6", "[::1]:5", "[::1]:18081", [2]string{}, "GET", 200},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:5", "127.0.0.1", [2]string{}, "GET", 200},
		{"another machine", "192.0.2.7:5", "127.0.0.1:18081", [2]string{}, "GET", 403},
		{"no address", "@", "127.0.0.1:18081", [2]string{}, "GET", 403},
		{"a name that leads here", "127.0.0.1:5", "evil.example:18081", [2]string{}, "GET", 403},
		{"another address", "127.0.0.1:5", "192.0.2.7", [2]string{}, "GET", 403},
		{"no host", "127.0.0.1:5", "", [2]string{}, "GET", 403},
		{"a page", "127.0.0.1:5", "127.0.0.1:18081", [2]string{"Sec-Fetch-Site", "cross-site"}, "DELETE", 403},
		{"a page, as older browsers say it", "127.0.0.1:5", "127.0.0.1:18081", [2]string{"Origin", "https://evil.example"}, "DELETE", 403},
		{"a page of its own", "127.0.0.1:5", "127.0.0.1:18081", [2]string{"Sec-Fetch-Site", "same-origin"}, "DELETE", 204},
	} {
		r := httptest.NewRequestWithContext(t.Context(), tt.method, "http://x/control/faults", http.NoBody)
		r.RemoteAddr, r.Host = tt.from, tt.host
		if tt.header[0] != "" {
			r.Header.Set(tt.header[0], tt.header[1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
	}
}

// Whatever is sent to the control endpoint, it answers JSON or nothing, and
// the cloud goes on.
func FuzzControl(f *testing.F) {
	f.Add("POST", "/control/faults", `{"match":{"action":"CreateTopic"},"fault":{"kind":"refuse","times":1}}`)
	f.Add("PATCH", "/control/limits", `{"default":-1,"actions":{"GetTopicList":0.5}}`)
	f.Add("POST", "/control/edit/seek", `{"account":"own","instance":"`+main+`","group":"billing","ago":"1h","speed":2}`)
	f.Add("POST", "/control/edit/topic", `{"account":"own","instance":"`+main+`","topic":"x","rate":1e300}`)
	f.Add("GET", "/control/effects?Topic=x", "")
	f.Fuzz(func(t *testing.T, method, target, body string) {
		cloud := newCloud(t, sim.Options{World: stocked(), Limits: sim.Limits{PerSourceIP: -1}})
		r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:18081"+target, strings.NewReader(body))
		if err != nil {
			t.Skip()
		}
		r.RemoteAddr = "127.0.0.1:40000"
		w := httptest.NewRecorder()
		cloud.Control().ServeHTTP(w, r)
		if w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if method == http.MethodPost && strings.HasPrefix(target, "/control/edit/") {
			c := newClient(t, cloud)
			c.call("GetTopicStatus", "InstanceId", main, "Topic", "x")
			c.call("GetConsumerProgress", "InstanceId", main, "ConsumerId", "billing")
		}
	})
}
