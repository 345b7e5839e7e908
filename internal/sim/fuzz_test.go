package sim_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
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

// Any order of writes, right or wrong, leaves a world that can be read, in
// which offsets only grow, and has as many effects as good answers.
func FuzzWrites(f *testing.F) {
	f.Add([]byte{25, 26, 25, 4, 11, 12, 200, 13, 14, 32}, "orders")
	f.Add([]byte("StopInstance, then ReopenInstance"), "state")
	f.Fuzz(func(t *testing.T, steps []byte, text string) {
		synctest.Test(t, func(t *testing.T) {
			cloud, c := unlimited(t, sim.Options{World: stocked()})
			var good int
			low := make(map[int]int64)
			for _, step := range steps[:min(len(steps), 64)] {
				call := everyWrite[int(step)%len(everyWrite)]
				params := slices.Clone(call[1:])
				if step >= 128 && len(params) > 2 {
					params[3+2*(int(step)%(len(params)/2-1))] = text
				}
				status, body := c.call(call[0], params...)
				if !json.Valid([]byte(body)) {
					t.Fatalf("%s %q: %s", call[0], params, body)
				}
				if status == http.StatusOK {
					good++
				}
				time.Sleep(time.Duration(step) * time.Second)
				for p, o := range c.offsets(main, "state") {
					if o.MinOffset < low[p] || o.MaxOffset < o.MinOffset {
						t.Errorf("after %s %q: partition %d from %d to %+v", call[0], params, p, low[p], o)
					}
					low[p] = o.MinOffset
				}
				c.call("GetConsumerProgress", "InstanceId", main, "ConsumerId", "billing")
				c.call("GetInstanceList")
			}
			if got := cloud.Effects(sim.Match{}); len(got) != good {
				t.Errorf("%d good answers, %d effects", good, len(got))
			}
			cloud.World()
		})
	})
}

// offsets returns those of a topic if it can be read.
func (c *client) offsets(instance, topic string) []struct{ Partition, MinOffset, MaxOffset, LastUpdateTimestamp int64 } {
	c.t.Helper()
	var s status
	if code, body := c.call("GetTopicStatus", "InstanceId", instance, "Topic", topic); code == http.StatusOK {
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			c.t.Fatal(err)
		}
	}
	return s.TopicStatus.OffsetTable.OffsetTable
}
