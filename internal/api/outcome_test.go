package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

var (
	modify = api.ModifyTopicRemark{RegionID: "cn-hangzhou", InstanceID: "i", Topic: "orders", Remark: "remark"}
	user   = api.CreateSaslUser{RegionID: "cn-hangzhou", InstanceID: "i", Username: "alice", Password: secret.New("canary-hunter2")}
)

// seen is what a server saw of its requests.
type seen struct {
	mu          sync.Mutex
	connections int
	requests    []*http.Request
}

func (s *seen) counts() (connections, requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections, len(s.requests)
}

// watch has a server answer with h, and counts.
func (s *seen) watch(srv *http.Server, h http.HandlerFunc) {
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		h(w, r)
	})
	srv.ErrorLog = log.New(io.Discard, "", 0)
	srv.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			s.connections++
			s.mu.Unlock()
		}
	}
}

// serve starts a server that answers with h, and counts.
func serve(t *testing.T, secure bool, h http.HandlerFunc) (*httptest.Server, *seen) {
	t.Helper()
	s := &seen{}
	srv := httptest.NewUnstartedServer(nil)
	s.watch(srv.Config, h)
	if secure {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv, s
}

// at returns a client of a server. Its calls end when they are answered: the
// clock of the machine shall not end them.
func at(t *testing.T, srv *httptest.Server, change func(*api.Options)) (*api.Client, *[]api.Attempt) {
	t.Helper()
	return client(t, srv.Client().Transport, func(o *api.Options) {
		o.Endpoints = map[string]string{"cn-hangzhou": srv.URL}
		o.Timeout = 24 * time.Hour
		if change != nil {
			change(o)
		}
	})
}

func TestEveryMutationHasAConnectionOfItsOwn(t *testing.T) {
	t.Parallel()
	answer := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"RequestId":"r-1"}`) }
	judge := func(t *testing.T, c *api.Client, seen *seen) {
		t.Helper()
		for range 3 {
			if _, err := api.Call(t.Context(), c, instances); err != nil {
				t.Fatal(err)
			}
		}
		if connections, _ := seen.counts(); connections != 1 {
			t.Errorf("3 reads made %d connections", connections)
		}
		for range 3 {
			done, err := api.Call(t.Context(), c, modify)
			if err != nil || done.RequestID != "r-1" || api.OutcomeOf(err) != api.OutcomeDone {
				t.Fatalf("got %+v, %v", done, err)
			}
		}
		if connections, _ := seen.counts(); connections != 4 {
			t.Errorf("3 mutations made %d connections", connections-1)
		}
		for _, r := range seen.requests {
			if r.Method != http.MethodPost || r.URL.RawQuery != "" || r.Header.Get("Idempotency-Key")+r.Header.Get("X-Idempotency-Key") != "" {
				t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
			}
			if mutation := r.Form.Get("Action") == "ModifyTopicRemark"; mutation && (r.Proto != "HTTP/1.1" || !r.Close) {
				t.Errorf("a mutation by %s, close %t", r.Proto, r.Close)
			}
		}
	}
	secure, seenSecure := serve(t, true, answer)
	c, _ := at(t, secure, nil)
	judge(t, c, seenSecure)
	// By the clock of the machine, a read in HTTP/1.1 makes another connection
	// when the writer of the one before did not have its turn for 50 ms. The
	// clock of a bubble stands while anything can run.
	synctest.Test(t, func(t *testing.T) {
		p, seen, plain := make(pipes), &seen{}, &http.Server{}
		seen.watch(plain, answer)
		served := make(chan error)
		go func() { served <- plain.Serve(p) }()
		c, _ := client(t, &http.Transport{DialContext: p.dial}, func(o *api.Options) {
			o.Endpoints = map[string]string{"cn-hangzhou": "http://localhost"}
		})
		judge(t, c, seen)
		c.CloseIdleConnections()
		plain.Close()
		<-served
	})
}

// TestOutcomesOfBrokenConversations breaks the conversation with a server of
// its own in every way; how often the request arrived there is what counts.
func TestOutcomesOfBrokenConversations(t *testing.T) {
	t.Parallel()
	elsewhere, strayed := serve(t, false, func(http.ResponseWriter, *http.Request) {})
	hijack := func(say string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, say)
				_ = conn.Close()
			}
		}
	}
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, tc := range map[string]struct {
		handle  http.HandlerFunc
		code    string
		arrived int // how often
		outcome api.Outcome
	}{
		"closed without an answer": {hijack(""), "connection_reset", 1, api.OutcomeUnknown},
		"half a header":            {hijack("HTTP/1.1 200 OK\r\nContent-"), "", 1, api.OutcomeUnknown},
		"half a body":              {hijack("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Requ"), "", 1, api.OutcomeUnknown},
		"nonsense":                 {hijack("SSH-2.0-OpenSSH_9.9\r\n\r\n"), "", 1, api.OutcomeUnknown},
		"an empty body":            {answer(200, ""), "unreadable_reply", 1, api.OutcomeUnknown},
		"a reply of nobody":        {answer(200, `{}`), "unreadable_reply", 1, api.OutcomeUnknown},
		"a reply of another":       {answer(200, `{"status":"ok","data":{"Success":true}}`), "unreadable_reply", 1, api.OutcomeUnknown},
		"a gateway's page":         {answer(502, "<html>Bad Gateway</html>"), "unreadable_reply", 1, api.OutcomeUnknown},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "redirect", 1, api.OutcomeUnknown},
		"a failed service":          {answer(500, `{"Code":"InternalError"}`), "InternalError", 1, api.OutcomeUnknown},
		"a failure with 200":        {answer(200, `{"Code":500,"Success":false}`), "500", 1, api.OutcomeUnknown},
		"a used nonce":              {answer(400, `{"Code":"SignatureNonceUsed"}`), "SignatureNonceUsed", 1, api.OutcomeUnknown},
		"a new code of status 400":  {answer(400, `{"Code":"BIZ_BRAND_NEW_ERROR"}`), "BIZ_BRAND_NEW_ERROR", 1, api.OutcomeUnknown},
		"a new code of a bad value": {answer(400, `{"Code":"InvalidRemark"}`), "InvalidRemark", 1, api.OutcomeNotDone},
		"a missing permission":      {answer(403, `{"Code":"NoPermission"}`), "NoPermission", 1, api.OutcomeNotDone},
		"an existing topic":         {answer(400, `{"Code":"BIZ_TOPIC_ALREADY_EXISTS"}`), "BIZ_TOPIC_ALREADY_EXISTS", 1, api.OutcomeNotDone},
		"an instance that is gone":  {answer(404, `{"Code":"Instance.NotFound"}`), "Instance.NotFound", 1, api.OutcomeNotDone},
		"an empty account":          {answer(400, `{"Code":"InsufficientBalance"}`), "InsufficientBalance", 1, api.OutcomeNotDone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, seen := serve(t, false, tc.handle)
			c, attempts := at(t, srv, nil)
			_, err := api.Call(t.Context(), c, modify)
			var e *api.Error
			if !errors.As(err, &e) || tc.code != "" && e.Code != tc.code {
				t.Errorf("got %v", err)
			}
			if o := api.OutcomeOf(err); o != tc.outcome {
				t.Errorf("%v: outcome %s, want %s", err, o, tc.outcome)
			}
			if _, requests := seen.counts(); requests != tc.arrived || len(*attempts) != tc.arrived {
				t.Errorf("it arrived %d times in %d attempts, want %d", requests, len(*attempts), tc.arrived)
			}
		})
	}
	t.Cleanup(func() {
		if _, requests := strayed.counts(); requests > 0 {
			t.Error("a redirect was followed")
		}
	})
}

// pipes is a listener of connections in memory, which a bubble can wait for.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error {
	close(p)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p <- theirs
	return ours, nil
}

func TestTheOutcomeOfACallWithoutAnAnswerInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var arrived atomic.Int64
		p := make(pipes)
		srv := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			arrived.Add(1)
			<-r.Context().Done()
		})}
		served := make(chan error)
		go func() { served <- srv.Serve(p) }()
		c, attempts := client(t, &http.Transport{DialContext: p.dial}, func(o *api.Options) {
			o.Endpoints = map[string]string{"cn-hangzhou": "http://localhost"}
		})
		start := time.Now()
		_, err := api.Call(t.Context(), c, modify)
		var e *api.Error
		if !errors.As(err, &e) || e.Code != "timeout" || api.OutcomeOf(err) != api.OutcomeUnknown || time.Since(start) != 40*time.Second {
			t.Errorf("after %v: %v, outcome %s", time.Since(start), err, api.OutcomeOf(err))
		}
		if n := arrived.Load(); n != 1 || len(*attempts) != 1 {
			t.Errorf("it arrived %d times in %d attempts", n, len(*attempts))
		}
		srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// TestARetryThatFindsNobodyNamesNoEndpoint has a mutation refused by flow
// control, and its caller give up while the retry dials.
func TestARetryThatFindsNobodyNamesNoEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := make(pipes)
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"Code":"Throttling.User","RequestId":"R-1"}`)
		})}
		served := make(chan error)
		go func() { served <- srv.Serve(p) }()
		dials, over := 0, make(chan struct{})
		c, attempts := client(t, &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials++; dials > 1 {
				<-over // a dial goes on when its request has ended
				return nil, net.ErrClosed
			}
			return p.dial(ctx, network, address)
		}}, func(o *api.Options) { o.Endpoints = map[string]string{"cn-hangzhou": "http://localhost"} })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := api.Call(ctx, c, modify)
		const want = "(given up before it was sent again, context deadline exceeded)"
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "localhost") {
			t.Errorf("%v, want %s", err, want)
		}
		if !errors.Is(err, context.DeadlineExceeded) || api.OutcomeOf(err) != api.OutcomeNotDone || len(*attempts) != 2 {
			t.Errorf("%d attempts, %s: %v", len(*attempts), api.OutcomeOf(err), err)
		}
		close(over)
		srv.Close()
		<-served
	})
}

func TestWhatWasNotSentIsNotDone(t *testing.T) {
	t.Parallel()
	stranger, _ := serve(t, true, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = deaf.Close() }) // takes connections and never shakes hands
	for name, tc := range map[string]struct {
		endpoint string
		change   func(*api.Options)
		attempts int
		hangs    bool
	}{
		"refused":                           {"http://" + nobodyListens, nil, 3, false},
		"a certificate that nobody signed":  {stranger.URL, nil, 1, false},
		"no handshake in time":              {"https://" + deaf.Addr().String(), func(o *api.Options) { o.Timeout = 100 * time.Millisecond }, 1, true},
		"credentials that cannot be had":    {"http://" + nobodyListens, func(o *api.Options) { o.Credentials = nobody{} }, 1, false},
		"an endpoint of an impossible form": {"", nil, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := func(t *testing.T) {
				t.Helper()
				c, attempts := client(t, nil, func(o *api.Options) {
					o.Endpoints = map[string]string{"cn-hangzhou": tc.endpoint}
					if tc.endpoint == "" {
						o.Endpoints = nil
					}
					if tc.change != nil {
						tc.change(o)
					}
				})
				q := modify
				if tc.endpoint == "" {
					q.RegionID = "not a region"
				}
				_, err := api.Call(t.Context(), c, q)
				if o := api.OutcomeOf(err); o != api.OutcomeNotDone || len(*attempts) != tc.attempts {
					t.Errorf("%v: outcome %s after %d attempts", err, o, len(*attempts))
				}
			}
			if tc.hangs {
				call(t) // the clock of a bubble would stand while the connection is silent
				return
			}
			synctest.Test(t, call)
		})
	}
}

// stub answers with an error, or with throttling.
type stub struct{ err error }

func (s stub) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.GetBody != nil {
		return nil, errors.New("a mutation that could be sent twice")
	}
	if s.err == nil {
		body := io.NopCloser(strings.NewReader(`{"Code":"Throttling.User"}`))
		return &http.Response{StatusCode: http.StatusBadRequest, Body: body, Request: r}, nil
	}
	return nil, s.err
}

func TestOutcomesByTransportsOfOthers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err     error
		outcome api.Outcome
	}{
		"refused":      {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, api.OutcomeNotDone},
		"no such host": {&net.DNSError{IsNotFound: true}, api.OutcomeNotDone},
		"reset":        {&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, api.OutcomeUnknown},
		"end of file":  {io.EOF, api.OutcomeUnknown},
		"anything":     {errors.New("anything"), api.OutcomeUnknown},
		"its timeout":  {os.ErrDeadlineExceeded, api.OutcomeUnknown},
		"throttled":    {nil, api.OutcomeNotDone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _ := client(t, stub{tc.err}, nil)
				_, err := api.Call(t.Context(), c, modify)
				if o := api.OutcomeOf(err); o != tc.outcome {
					t.Errorf("%v: outcome %s", err, o)
				}
			})
		})
	}
}

// silent never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestOutcomesOfCallsThatWereGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := client(t, silent{}, func(o *api.Options) {
			o.Limiter = api.NewLimiter(api.RateLimits{Share: 1, Scope: "account", Default: 1, PerSourceIP: 100, Actions: map[string]float64{"ModifyTopicRemark": 0.01}}, api.NewSourceLimit(100))
		})
		for _, want := range []api.Outcome{api.OutcomeUnknown, api.OutcomeNotDone} { // sent, then still waiting for its turn
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := api.Call(ctx, c, modify)
			cancel()
			if o := api.OutcomeOf(err); o != want {
				t.Errorf("%v: outcome %s, want %s", err, o, want)
			}
		}
	})
}

func TestOutcomeByClassOfCode(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("errors.tsv")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if f[0] == "code" {
			continue
		}
		want := api.OutcomeNotDone
		if f[3] == "ambiguous" || f[2] == "nonce" {
			want = api.OutcomeUnknown
		}
		e := &api.Error{Code: f[0], Class: api.ClassifyForTest(f[0], 400), Status: 400}
		if o := api.OutcomeOf(fmt.Errorf("wrapped: %w", e)); o != want {
			t.Errorf("%s (%s): outcome %s", f[0], f[2], o)
		}
		n++
	}
	if n < 290 {
		t.Errorf("%d codes", n)
	}
	for err, want := range map[error]api.Outcome{
		nil:                           api.OutcomeDone,
		errors.New("something"):       api.OutcomeUnknown,
		context.Canceled:              api.OutcomeUnknown,
		&api.ParamError{Param: "Tag"}: api.OutcomeNotDone,
	} {
		if o := api.OutcomeOf(err); o != want {
			t.Errorf("%v: outcome %s", err, o)
		}
	}
}

// The cloud may repeat parameters in its words, also where they are cut off.
func TestErrorsDoNotRepeatSecretParameters(t *testing.T) {
	t.Parallel()
	for _, padding := range []int{0, 270, 280, 290, 295} {
		body := `{"Code":"InvalidParameter","Message":"` + strings.Repeat("x", padding) + ` Password canary-hunter2 is too short"}`
		srv, _ := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, body)
		})
		c, _ := at(t, srv, nil)
		_, err := api.Call(t.Context(), c, user)
		if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(fmt.Sprintf("%#v", err), "canary") {
			t.Errorf("got %v", err)
		}
		if padding == 0 && !strings.Contains(err.Error(), "Password <secret> is too short") {
			t.Errorf("got %v", err)
		}
	}
	for _, repeated := range []string{"canary%20%2Bhunter2", "canary+%2Bhunter2", "canary%2520%252Bhunter2", "canary +hunter2"} {
		srv, _ := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"Code":"InvalidParameter","Success":false,"Message":"in Password=`+repeated+`&Type=plain"}`)
		})
		c, _ := at(t, srv, nil)
		q := user
		q.Password = secret.New("canary +hunter2")
		if _, err := api.Call(t.Context(), c, q); err == nil || !strings.Contains(err.Error(), "in Password=<secret>&Type=plain") {
			t.Errorf("%s: %v", repeated, err)
		}
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(format, user); strings.Contains(s, "canary") {
			t.Errorf("%s prints %s", format, s)
		}
	}
}
