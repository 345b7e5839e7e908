package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// buffer is what a program writes and a test reads meanwhile.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Not parallel: it counts the goroutines of the process.
func TestTwoLivesLeaveNothingBehind(t *testing.T) { //nolint:paralleltest // see above
	cloud, err := sim.New(sim.Options{Story: "calm", Limits: sim.Limits{Default: -1}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(cloud)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf(`
accounts:
  - name: main
    credentials: {access_key_id: testid, access_key_secret: testsecret}
    regions: [cn-hangzhou]
    endpoints: {cn-hangzhou: %q}
rate_limits: {default: 100}
`, server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// The goroutine that the first signal.Notify starts stays for good.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	signal.Stop(hangup)

	before := goroutines(server)
	for life := range 2 {
		liveOnce(t, file)
		if left := lingering(patience(t), server, before); left != "" {
			t.Fatalf("after life %d these goroutines are left:\n%s", life+1, left)
		}
	}
}

// TestSlowLivesAreForgottenOnceTheyHaveEnded has two old configurations outlast
// the wait of a reload, and one of them end before the next reload.
func TestSlowLivesAreForgottenOnceTheyHaveEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log buffer
		a := &app{log: slog.New(slog.NewTextHandler(&log, nil))}
		slow := func() *life { return &life{cancel: func() {}, done: make(chan struct{})} }
		first, second := slow(), slow()
		a.retire(first)
		a.retire(second)
		if len(a.late) != 2 || strings.Count(log.String(), "polling did not end") != 2 {
			t.Fatalf("%d lives are late:\n%s", len(a.late), &log)
		}
		close(first.done)
		quick := slow()
		quick.cancel = func() { close(quick.done) }
		a.retire(quick)
		if len(a.late) != 1 || a.late[0] != second.done {
			t.Errorf("%d lives are late after one of two has ended", len(a.late))
		}
	})
}

// TestAStopIsBounded stops an exporter with a request that does not end, and
// with polling that does not end, of this life and of earlier ones. Each of the
// two gets stopWait, and containers are given ten seconds.
func TestAStopIsBounded(t *testing.T) {
	t.Parallel()
	// The goroutine that the first signal.Notify starts stays for good, and so
	// must not start in the bubble.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	signal.Stop(hangup)
	synctest.Test(t, func(t *testing.T) {
		endless := func() *life {
			return &life{config: config.Default(), cancel: func() {}, done: make(chan struct{})}
		}
		asked, ended := make(chan struct{}), make(chan struct{})
		none, noFile := false, ""
		listener := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		a := &app{
			log: slog.New(slog.DiscardHandler), storage: &storage{},
			flags:     &webFlags{toolkit: &web.FlagConfig{WebSystemdSocket: &none, WebConfigFile: &noFile}},
			listeners: []net.Listener{listener},
			pages: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				close(asked)
				<-ended
			}),
		}
		first := endless()
		first.collector = collector.New(collector.Options{Logger: a.log, Metrics: collector.NewMetrics()})
		a.current.Store(first)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		result := make(chan error, 1)
		go func() { result <- a.run(ctx) }()

		client, server := net.Pipe()
		defer client.Close()
		listener.conns <- server
		if _, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: exporter\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-asked
		a.current.Store(endless())
		for range 5 {
			a.late = append(a.late, endless().done)
		}
		start := time.Now()
		stop()
		err := <-result
		if took := time.Since(start); took != 2*stopWait {
			t.Errorf("it took %s, want %s", took, 2*stopWait)
		}
		if err == nil || !wasTooSlow("alikafka-exporter: error: "+err.Error()+"\n") {
			t.Errorf("got %v", err)
		}
		close(ended)
	})
}

// pipeListener is a listener in simulated time.
type pipeListener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// liveOnce starts the exporter, reloads it and stops it again.
func liveOnce(t *testing.T, file string) {
	t.Helper()
	wait := patience(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stderr buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"--config.file=" + file, "--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle"}, io.Discard, &stderr)
	}()
	listening := regexp.MustCompile(`msg="Listening on" address=(\S+)`)
	if !eventually(wait, func() bool { return listening.MatchString(stderr.String()) }) {
		t.Fatalf("no listener:\n%s", &stderr)
	}
	address := listening.FindStringSubmatch(stderr.String())[1]
	if !listens(t, address) {
		t.Fatalf("nothing listens on %s", address)
	}
	fetch := func(method, path string) (int, string) {
		status, body, err := httpRequest{method: method, url: "http://" + address + path}.do(wait)
		if err != nil {
			t.Fatal(err)
		}
		return status, body
	}
	if !eventually(wait, func() bool { status, _ := fetch(http.MethodGet, "/-/ready"); return status == http.StatusOK }) {
		t.Fatalf("not ready:\n%s", &stderr)
	}
	knowsLag := func() bool {
		_, body := fetch(http.MethodGet, "/metrics")
		return strings.Contains(body, "\nalikafka_consumer_group_lag_messages{")
	}
	if !eventually(wait, knowsLag) {
		t.Fatalf("no lag:\n%s", &stderr)
	}
	if status, body := fetch(http.MethodPost, "/-/reload"); status != http.StatusOK {
		t.Fatalf("reload: %d %s", status, body)
	}
	if !knowsLag() {
		t.Error("no lag after a reload")
	}
	stop()
	if c := <-code; c != 0 && !wasTooSlow(stderr.String()) {
		t.Errorf("code %d:\n%s", c, &stderr)
	}
	if listens(t, address) {
		t.Error("the listener is still open")
	}
}

// listens reports whether this process listens on an address of 127.0.0.1.
// Who connects to it may find a program that was given the port meanwhile.
func listens(t *testing.T, address string) bool {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(open, func(e os.DirEntry) bool {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			return false
		}
		accepts, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
		if err != nil || accepts == 0 {
			return false
		}
		at, err := syscall.Getsockname(fd)
		v4, ok := at.(*syscall.SockaddrInet4)
		return err == nil && ok && strconv.Itoa(v4.Port) == port
	})
}

// goroutines returns the stacks of all goroutines but those of the server's
// connections, by id.
func goroutines(server *httptest.Server) map[string]string {
	server.CloseClientConnections()
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	byID := map[string]string{}
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		id, _, _ := strings.Cut(stack, " [")
		byID[id] = stack
	}
	return byID
}

// lingering returns the stacks of goroutines that were not there before and
// do not end.
func lingering(ctx context.Context, server *httptest.Server, before map[string]string) string {
	var left strings.Builder
	eventually(ctx, func() bool {
		left.Reset()
		for id, stack := range goroutines(server) {
			if _, old := before[id]; !old {
				left.WriteString(stack + "\n\n")
			}
		}
		return left.Len() == 0
	})
	return left.String()
}
