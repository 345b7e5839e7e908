package sim_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// Whatever is sent, the answer is a document in one of the two formats, and
// nothing unsigned is executed.
func FuzzRequest(f *testing.F) {
	c := newClient(f, nil)
	good := c.request(f.Context(), c.params("GetTopicStatus", "InstanceId", stage, "Topic", "orders"))
	f.Add("POST", "/?"+good.URL.RawQuery, "", "")
	f.Add("GET", "/?Action=GetInstanceList&Format=JSON&Version=2019-09-16&Timestamp=x&AccessKeyId=testid", "", "")
	f.Add("POST", "/", "Action=GetInstanceList&Version=2019-09-16&InstanceId.1=%zz", "")
	f.Add("POST", "/x?a=b&a=c&&=&=d", "\xff=\xfe", "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host;x-acs-date,Signature=00")
	cloud, err := sim.New(sim.Options{Story: "calm", Limits: sim.Limits{Default: -1, PerSourceIP: -1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, target, form, authorization string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:18080"+target, strings.NewReader(form))
		if err != nil {
			t.Skip()
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Acs-Date", time.Now().UTC().Format(time.RFC3339))
		r.RemoteAddr = "192.0.2.7:40000"
		w := httptest.NewRecorder()
		cloud.ServeHTTP(w, r)
		body := w.Body.Bytes()
		isJSON := json.Valid(body)
		isXML := !isJSON && xml.Unmarshal(body, new(struct{})) == nil
		if !isJSON && !isXML {
			t.Errorf("neither JSON nor XML: %d %s", w.Code, body)
		}
		if w.Code == http.StatusOK && !strings.Contains(target+form, "Signature=") {
			t.Errorf("executed: %s", body)
		}
	})
}

// A signed request is understood whatever its values are, and a change of one
// value is noticed.
func FuzzSigned(f *testing.F) {
	f.Add("orders", "订单 *~+%&=")
	f.Add("a&b=c", "\x00\xff")
	cloud, err := sim.New(sim.Options{Story: "calm", Limits: sim.Limits{Default: -1, PerSourceIP: -1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, topic, other string) {
		c := newClient(t, cloud)
		ps := c.params("GetTopicList", "InstanceId", stage, "Topic", topic)
		if status, body, err := c.send(ps); status != http.StatusOK || err != nil {
			t.Errorf("%q: %d %v %s", topic, status, err, body)
		}
		if topic == other {
			return
		}
		ps = c.params("GetTopicList", "InstanceId", stage, "Topic", topic)
		ps["Topic"] = other
		_, body, err := c.send(ps)
		if err != nil {
			t.Fatal(err)
		}
		if e := decodeError(t, body); e.Code != "SignatureDoesNotMatch" {
			t.Errorf("%q sent as %q: %+v", topic, other, e)
		}
	})
}
