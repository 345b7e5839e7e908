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
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

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
	cloud, err := sim.New(sim.Options{Limits: sim.Limits{Default: -1}})
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
		if left := lingering(server, before); left != "" {
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

// liveOnce starts the exporter, reloads it and stops it again.
func liveOnce(t *testing.T, file string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stderr buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"--config.file=" + file, "--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle"}, io.Discard, &stderr)
	}()
	listening := regexp.MustCompile(`msg="Listening on" address=(\S+)`)
	if !eventually(func() bool { return listening.MatchString(stderr.String()) }) {
		t.Fatalf("no listener:\n%s", &stderr)
	}
	address := listening.FindStringSubmatch(stderr.String())[1]
	fetch := func(method, path string) (int, string) {
		status, body, err := httpRequest{method: method, url: "http://" + address + path}.do()
		if err != nil {
			t.Fatal(err)
		}
		return status, body
	}
	if !eventually(func() bool { status, _ := fetch(http.MethodGet, "/-/ready"); return status == http.StatusOK }) {
		t.Fatalf("not ready:\n%s", &stderr)
	}
	if status, body := fetch(http.MethodPost, "/-/reload"); status != http.StatusOK {
		t.Fatalf("reload: %d %s", status, body)
	}
	if _, body := fetch(http.MethodGet, "/metrics"); !strings.Contains(body, "\nalikafka_consumer_group_lag_messages{") {
		t.Errorf("no lag after a reload:\n%s", body)
	}
	stop()
	if c := <-code; c != 0 {
		t.Errorf("code %d:\n%s", c, &stderr)
	}
	if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address); err == nil {
		_ = conn.Close()
		t.Error("the listener is still open")
	}
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
func lingering(server *httptest.Server, before map[string]string) string {
	var left strings.Builder
	eventually(func() bool {
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
