package conformance_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// exchange is one request as it came over the wire, and its answer.
type exchange struct {
	action, method, format, scheme string
	status                         int
	answer                         []byte
}

// served is a simulated cloud on a loopback socket.
type served struct {
	*sim.Cloud

	address string

	mu   sync.Mutex
	last exchange
}

// serve serves a cloud until the test ends.
func serve(t *testing.T, o sim.Options) *served {
	t.Helper()
	cloud, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{Cloud: cloud}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.address = strings.TrimPrefix(server.URL, "http://")
	return s
}

// ServeHTTP passes a request on and keeps what was said.
func (s *served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	x := observe(r, body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	copied := httptest.NewRecorder()
	s.Cloud.ServeHTTP(copied, r)
	x.status, x.answer = copied.Code, copied.Body.Bytes()
	s.mu.Lock()
	s.last = x
	s.mu.Unlock()
	maps.Copy(w.Header(), copied.Header())
	w.WriteHeader(x.status)
	_, _ = w.Write(x.answer) // the SDK tells when it got nothing
}

// observe tells how a request is signed and what it asks for.
func observe(r *http.Request, body []byte) exchange {
	q := r.URL.Query()
	if form, err := url.ParseQuery(string(body)); err == nil {
		for name := range form {
			q[name] = append(q[name], form[name]...)
		}
	}
	x := exchange{action: q.Get("Action"), method: r.Method, format: strings.ToUpper(q.Get("Format"))}
	x.scheme = q.Get("SignatureMethod") + " " + q.Get("SignatureVersion")
	if algorithm, _, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		x.scheme, x.action = algorithm, r.Header.Get("X-Acs-Action")
		if x.format == "" && strings.Contains(r.Header.Get("Accept"), "json") {
			x.format = "JSON"
		}
	}
	if q.Get("SecurityToken") != "" || r.Header.Get("X-Acs-Security-Token") != "" {
		x.scheme += " with a security token"
	}
	return x
}

// answered returns the last exchange.
func (s *served) answered() exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}
