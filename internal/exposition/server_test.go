package exposition_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
)

func newServer(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

// fetch asks a server by a client that leaves codings alone.
func fetch(t testing.TB, srv *httptest.Server, method string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, srv.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// pipes is a listener of connections in memory, which a synctest bubble can
// wait for.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// ask sends a GET for the page.
func ask(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

// status reads an answer to its end.
func status(t *testing.T, r *bufio.Reader) (int, http.Header) {
	t.Helper()
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header
}

// inBubble serves h in a bubble of simulated time.
func inBubble(t *testing.T, h http.Handler, f func(t *testing.T, p *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		srv := &http.Server{Handler: h}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := srv.Serve(p); !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("Serve: %v", err)
			}
		})
		f(t, p)
		srv.Close()
		wg.Wait()
	})
}

func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	t.Parallel()
	page := manyBlocks(t)
	took := make(chan time.Duration, 10)
	h := handlerOf(page, exposition.Options{WriteTimeout: 10 * time.Second, MaxInFlight: 1})
	timed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		h.ServeHTTP(w, r)
		took <- time.Since(start)
	})
	// As the program does: an instrumented handler has to pass deadlines on.
	instrumented := promhttp.InstrumentMetricHandler(prometheus.NewRegistry(), timed)
	inBubble(t, instrumented, func(t *testing.T, p *pipes) {
		t.Helper()
		stuck := p.dial()
		defer stuck.Close()
		ask(t, stuck)
		if _, err := io.ReadFull(stuck, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		other := p.dial()
		defer other.Close()
		r := bufio.NewReader(other)
		ask(t, other)
		code, header := status(t, r)
		if code != http.StatusServiceUnavailable || header.Get("Retry-After") != "1" {
			t.Errorf("a scrape beyond the bound: %d, Retry-After %q", code, header.Get("Retry-After"))
		}
		// Publishing goes on.
		page.Publish(func(u *exposition.Update) { u.Set(0, "i1", "b0", nil) })
		time.Sleep(10 * time.Second)
		if refused, cut := <-took, <-took; refused != 0 || cut != 10*time.Second {
			t.Errorf("served for %v and %v, want nothing and 10s", refused, cut)
		}
		ask(t, other)
		if code, _ := status(t, r); code != http.StatusOK {
			t.Errorf("a scrape after that: %d", code)
		}
		// The deadline was that scrape's alone.
		time.Sleep(time.Minute)
		ask(t, other)
		if code, _ := status(t, r); code != http.StatusOK {
			t.Errorf("a scrape after a minute on the same connection: %d", code)
		}
	})
}

func TestASlowClientHasTheWholeTimeout(t *testing.T) {
	t.Parallel()
	h := handlerOf(manyBlocks(t), exposition.Options{WriteTimeout: 10 * time.Second})
	inBubble(t, h, func(t *testing.T, p *pipes) {
		t.Helper()
		for seconds, want := range map[int64]bool{9: true, 11: false} {
			slow := p.dial()
			ask(t, slow)
			answer, err := http.ReadResponse(bufio.NewReader(slow), nil)
			if err != nil {
				t.Fatal(err)
			}
			for err == nil {
				time.Sleep(100 * time.Millisecond)
				_, err = io.CopyN(io.Discard, answer.Body, answer.ContentLength/seconds/10)
			}
			if got := errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF); got != want {
				t.Errorf("a client that takes %d s read everything: %v (%v), want %v", seconds, got, err, want)
			}
			slow.Close()
		}
	})
}

const instances, buckets = 3, 5

// generation is one publish of the test below: the same number everywhere.
func generation(u *exposition.Update, g int) {
	for f := range families {
		for i := range instances {
			for b := range buckets {
				labels := exposition.Labels(nil).Append("instance_id", fmt.Sprint("i", i)).Append("b", strconv.Itoa(b))
				var lines []byte
				// As many lines as make blocks come and go in size.
				for n := range 20 + (g*(b+1))%100 {
					lines = exposition.AppendSample(lines, families[f].Name, labels.Append("n", strconv.Itoa(n)), float64(g))
				}
				u.Set(f, fmt.Sprint("i", i), fmt.Sprint("b", b), lines)
			}
		}
	}
}

// checkGeneration returns what is wrong with a page of one generation.
func checkGeneration(page string) error {
	want, lines := "", 0
	for l := range strings.Lines(page) {
		if l[0] == '#' {
			continue
		}
		v := l[strings.LastIndexByte(l, ' ')+1:]
		if want == "" {
			want = v
		}
		if v != want {
			return fmt.Errorf("%s is among those of %s", l, want)
		}
		lines++
	}
	g, err := strconv.Atoi(strings.TrimSpace(want))
	if err != nil {
		return fmt.Errorf("page of %d bytes: %w", len(page), err)
	}
	expected := 0
	for b := range buckets {
		expected += len(families) * instances * (20 + (g*(b+1))%100)
	}
	if lines != expected {
		return fmt.Errorf("generation %d has %d lines, want %d", g, lines, expected)
	}
	return nil
}

// TestScrapesSeeOneGeneration publishes while fifty clients read, of which
// every other one is slow, stuck, or goes away.
func TestScrapesSeeOneGeneration(t *testing.T) {
	t.Parallel()
	p := newPage(t, families...)
	p.Publish(func(u *exposition.Update) { generation(u, 1) })
	srv := httptest.NewUnstartedServer(handlerOf(p, exposition.Options{MaxInFlight: 25}))
	srv.Listener = narrow{srv.Listener}
	srv.Start()
	defer srv.Close()
	ctx, stop := context.WithCancel(t.Context())
	c := clients{t: t, ctx: ctx, addr: srv.Listener.Addr().String()}
	var good, bad sync.WaitGroup
	for n := range 25 {
		bad.Go(func() { c.misbehave(n) })
		good.Go(func() { c.read(n) })
	}
	served := make(chan struct{})
	go func() {
		good.Wait()
		close(served)
	}()
	g := 2
	for open := true; open; g++ {
		p.Publish(func(u *exposition.Update) { generation(u, g) })
		select {
		case <-served:
			open = false
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	bad.Wait()
	t.Logf("%d publishes, %d scrapes refused", g, c.refused.Load())
}

// narrow makes connections on which a client that does not read is felt soon.
type narrow struct{ net.Listener }

const socketBuffer = 8 << 10

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(socketBuffer)
	}
	return c, err
}

// clients of a server.
type clients struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's own end
	addr    string
	refused atomic.Int64
}

// ask sends a request on a connection that ends with the test.
func (c *clients) ask(coding string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(c.ctx, "tcp", c.addr)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(c.ctx, func() { conn.Close() })
	_ = conn.(*net.TCPConn).SetReadBuffer(socketBuffer)
	_, err = fmt.Fprintf(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s\r\nConnection: close\r\n\r\n", coding)
	return conn, err
}

// read reads some whole pages, and asks again when it is refused.
func (c *clients) read(n int) {
	coding := []string{"gzip", "identity"}[n%2]
	for pages := 0; pages < short.Of(4) && !c.t.Failed(); {
		conn, err := c.ask(coding)
		if err != nil {
			c.t.Errorf("client %d: %v", n, err)
			return
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		var b []byte
		if err == nil {
			b, err = io.ReadAll(answer.Body)
		}
		conn.Close()
		switch {
		case err != nil:
			c.t.Errorf("client %d: %v", n, err)
			return
		case answer.StatusCode == http.StatusServiceUnavailable:
			c.refused.Add(1)
			pause(c.ctx, 50*time.Millisecond)
			continue
		case coding == "gzip":
			b = gunzip(c.t, b)
		}
		if err := checkGeneration(string(b)); err != nil {
			c.t.Errorf("client %d: %v", n, err)
		}
		pages++
	}
}

// misbehave asks until the test ends and does not read as it should.
func (c *clients) misbehave(n int) {
	for c.ctx.Err() == nil {
		conn, err := c.ask("gzip")
		if err != nil {
			return
		}
		switch n % 4 {
		case 0: // reads nothing
			<-c.ctx.Done()
		case 1: // stops reading
			_, _ = io.ReadFull(conn, make([]byte, 5000))
			<-c.ctx.Done()
		case 2: // goes away
			_, _ = io.ReadFull(conn, make([]byte, 5000))
			pause(c.ctx, 10*time.Millisecond)
		case 3: // is slow
			_, _ = io.Copy(io.Discard, slowly{c.ctx, conn})
		}
		conn.Close()
	}
}

// slowly reads little at a time.
type slowly struct {
	ctx context.Context //nolint:containedctx // the test's own end
	r   io.Reader
}

func (s slowly) Read(p []byte) (int, error) {
	pause(s.ctx, 10*time.Millisecond)
	return s.r.Read(p[:min(len(p), 1<<10)])
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
