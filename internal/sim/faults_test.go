package sim_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// What each fault looks like to a caller without sockets.
func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fault  sim.Fault
		status int
		err    error
		body   string // substring
		took   time.Duration
	}{
		{"slow", sim.Fault{Latency: 31 * time.Second}, 200, nil, `"InstanceVO"`, 31 * time.Second},
		{"error", sim.Fault{Kind: sim.Refuse, Code: "ServiceUnavailable"}, 503, nil, `"Code":"ServiceUnavailable"`, 0},
		{"error without a code", sim.Fault{Kind: sim.Refuse}, 500, nil, `"Code":"InternalError"`, 0},
		{"error with a status", sim.Fault{Kind: sim.Refuse, Code: "ONS_SYSTEM_ERROR", Status: 418}, 418, nil, `"Code":"ONS_SYSTEM_ERROR"`, 0},
		{"throttling", *sim.Throttle(), 400, nil, `"Code":"Throttling.User"`, 0},
		{"failure called a success", sim.Fault{Kind: sim.Unsuccessful, Code: "400", Message: "no"}, 200, nil, `"Message":"no","Code":400,"Success":false`, 0},
		{"proxy", sim.Fault{Kind: sim.Gateway}, 502, nil, "<html>", 0},
		{"proxy in maintenance", sim.Fault{Kind: sim.Gateway, Status: 503}, 503, nil, "503 Service Unavailable", 0},
		{"cut", sim.Fault{Kind: sim.Truncate}, 200, io.ErrUnexpectedEOF, "RequestId", 0},
		{"reset", sim.Fault{Kind: sim.Reset}, 0, syscall.ECONNRESET, "", 0},
		{"hang", sim.Fault{Kind: sim.Hang}, 0, context.DeadlineExceeded, "", time.Minute},
		{"wrong format", sim.Fault{Kind: sim.Garble}, 200, nil, "<GetInstanceListResponse>", 0},
		{"redirect", sim.Fault{Kind: sim.Redirect}, 302, nil, "", 0},
		{"late error", sim.Fault{Kind: sim.Refuse, Latency: time.Second}, 500, nil, "InternalError", time.Second},
		{"executed, then an error", sim.Fault{Kind: sim.Refuse, Code: "InternalError", Executed: true}, 500, nil, "InternalError", 0},
		{"executed, then a reset", sim.Fault{Kind: sim.Reset, Executed: true}, 0, syscall.ECONNRESET, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := newCloud(t, sim.Options{Story: "calm", Log: true})
				remove := cloud.SetFault(sim.Match{Action: "GetInstanceList"}, tt.fault)
				c := newClient(t, cloud)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				status, body, err := roundTrip(cloud, c.request(ctx, c.params("GetInstanceList")))
				if status != tt.status || !errors.Is(err, tt.err) || !strings.Contains(body, tt.body) || time.Since(start) != tt.took {
					t.Errorf("got %d %v after %v: %.300s", status, err, time.Since(start), body)
				}
				wantExecuted := tt.fault.Executed || tt.status == 200 && tt.fault.Kind != sim.Unsuccessful
				if executed := cloud.Log()[0].Code == "OK"; executed != wantExecuted {
					t.Errorf("executed: %t", executed)
				}
				if status, _ := c.call("GetTopicList", "InstanceId", stage); status != 200 {
					t.Errorf("another action: %d", status)
				}
				remove()
				if status, _ := c.call("GetInstanceList"); status != 200 {
					t.Errorf("afterwards: %d", status)
				}
			})
		})
	}
}

func roundTrip(transport http.RoundTripper, r *http.Request) (int, string, error) {
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// An answer larger than anyone should read.
func TestOversize(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, sim.Options{Story: "calm"})
	cloud.SetFault(sim.Match{}, sim.Fault{Kind: sim.Oversize})
	c := newClient(t, cloud)
	resp, err := cloud.RoundTrip(c.request(t.Context(), c.params("GetInstanceList")))
	if err != nil {
		t.Fatal(err)
	}
	if resp.ContentLength < 64<<20 {
		t.Errorf("%d bytes", resp.ContentLength)
	}
	want := short.Of(resp.ContentLength)
	if n, err := io.CopyN(io.Discard, resp.Body, want); n != want || err != nil {
		t.Errorf("%d of %d bytes, %v", n, want, err)
	}
	if want == resp.ContentLength {
		if n, err := io.Copy(io.Discard, resp.Body); n != 0 || err != nil {
			t.Errorf("%d bytes more than %d, %v", n, want, err)
		}
	}
}

// The hook decides call by call; rules can count and throw dice.
func TestFaultSelection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{
			Story: "calm", Limits: sim.Limits{Default: -1},
			Faults: func(c *sim.Call) *sim.Fault {
				if c.Action == "GetTopicStatus" && c.Param("Topic") == "orders" && c.Number%2 == 1 && c.Account == "demo" && c.RegionID == "cn-hangzhou" {
					return &sim.Fault{Kind: sim.Refuse}
				}
				return nil
			},
		})
		c := newClient(t, cloud)
		for i := range 4 {
			if status, _ := c.call("GetTopicStatus", "InstanceId", stage, "Topic", "orders"); (status == 500) != (i%2 == 0) {
				t.Errorf("call %d: %d", i, status)
			}
		}
		cloud.SetFault(sim.Match{Params: map[string]string{"Topic": "invoices"}}, sim.Fault{Kind: sim.Refuse, Times: 2})
		for i := range 4 {
			if status, _ := c.call("GetTopicStatus", "InstanceId", stage, "Topic", "invoices"); (status == 500) != (i < 2) {
				t.Errorf("call %d: %d", i, status)
			}
		}
		cloud.SetSourceLimit(-1)
		cloud.SetFault(sim.Match{Action: "GetInstanceList"}, sim.Fault{Kind: sim.Refuse, Code: "FlowControl", Rate: 0.3})
		for range 1000 {
			c.call("GetInstanceList")
		}
		if got := cloud.Calls(sim.Match{Action: "GetInstanceList"}); got.Calls != 1000 || got.Throttled < 250 || got.Throttled > 350 || got.Refused != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

// Latency passes on the fake clock and ends with the caller's patience.
func TestLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{Story: "calm", Latency: 2 * time.Second, Jitter: time.Second})
		c := newClient(t, cloud)
		var all []time.Duration
		for range 20 {
			start := time.Now()
			c.call("GetInstanceList")
			took := time.Since(start)
			if took < 2*time.Second || took >= 3*time.Second {
				t.Errorf("took %v", took)
			}
			all = append(all, took)
		}
		if all[0] == all[1] {
			t.Error("no jitter")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, _, err := roundTrip(cloud, c.request(ctx, c.params("GetInstanceList"))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if time.Since(start) != 500*time.Millisecond {
			t.Errorf("gave up after %v", time.Since(start))
		}
		if n := cloud.Calls(sim.Match{}).Calls; n != 20 {
			t.Errorf("the last request must not have arrived: %d calls", n)
		}
	})
}

// RoundTrip closes the body and answers the request it was given.
func TestRoundTripContract(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, sim.Options{Story: "calm"})
	c := newClient(t, cloud)
	c.inForm = true
	r := c.request(t.Context(), c.params("GetInstanceList"))
	body := &closed{Reader: r.Body}
	r.Body = body
	resp, err := cloud.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if !body.closed || resp.Request != r || resp.Header.Get("X-Acs-Request-Id") == "" || resp.ContentLength <= 0 {
		t.Errorf("closed %t, %+v", body.closed, resp)
	}
}

type closed struct {
	io.Reader

	closed bool
}

func (c *closed) Close() error {
	c.closed = true
	return nil
}

// The same over real connections.
func TestFaultsOverSockets(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 100) // more than there are calls
	cloud := newCloud(t, sim.Options{Story: "calm", Limits: sim.Limits{Default: -1}, Faults: func(*sim.Call) *sim.Fault {
		arrived <- struct{}{}
		return nil
	}})
	server := httptest.NewServer(cloud)
	defer server.Close()
	c := newClient(t, server.Client().Transport)
	get := func() (int, string, error) {
		r := c.request(t.Context(), c.params("GetInstanceList"))
		r.URL.Scheme, r.URL.Host, r.Host = "http", strings.TrimPrefix(server.URL, "http://"), ""
		return roundTrip(c.transport, r)
	}
	if status, body, err := get(); status != 200 || err != nil {
		t.Fatalf("%d %v %s", status, err, body)
	}
	for kind, want := range map[sim.Kind]func(int, error) bool{
		sim.Reset:    func(_ int, err error) bool { return err != nil },
		sim.Truncate: func(status int, err error) bool { return status == 200 && errors.Is(err, io.ErrUnexpectedEOF) },
		sim.Gateway:  func(status int, err error) bool { return status == 502 && err == nil },
		sim.Redirect: func(status int, err error) bool { return status == 302 && err == nil },
	} {
		remove := cloud.SetFault(sim.Match{}, sim.Fault{Kind: kind})
		if status, body, err := get(); !want(status, err) {
			t.Errorf("%v: %d %v %s", kind, status, err, body)
		}
		remove()
	}
	// A client that leaves ends a hanging call: or else the server does not close.
	cloud.SetFault(sim.Match{}, sim.Fault{Kind: sim.Hang})
	for len(arrived) > 0 {
		<-arrived
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	r := c.request(t.Context(), c.params("GetInstanceList"))
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	<-arrived
	conn.Close()
}
