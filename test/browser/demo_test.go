// Package browser_test looks at the pages of the built program as people do:
// in a headless Chromium, with mouse and keyboard, on the demo. `make e2e`
// builds the program.
package browser_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/test/browser/chrome"
)

// patience is how long a test waits for what must happen.
const patience = 45 * time.Second

// shared are what tests need only one of: the browser, and a demo that nobody
// changes.
var shared struct {
	sync.Mutex
	browser *chrome.Browser
	demo    *demo
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.browser != nil {
		shared.browser.Close(context.Background())
	}
	if shared.demo != nil {
		shared.demo.stop()
	}
	os.Exit(code)
}

// open opens a page of the shared browser.
func open(t *testing.T, look chrome.Look) *tab {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.browser == nil {
		b, err := chrome.Start(t.Context())
		if errors.Is(err, chrome.ErrMissing) {
			t.Skipf("SKIPPED: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		shared.browser = b
	}
	p, err := shared.browser.Open(t.Context(), look)
	if err != nil {
		t.Fatal(err)
	}
	return &tab{t, p}
}

// demo is a running demo.
type demo struct {
	cmd     *exec.Cmd
	output  *os.File
	storage string
	pages   string // base of the telemetry listener, with a slash at the end
	admin   string // base of the admin listener, likewise
}

// readOnly returns the demo that nobody changes.
func readOnly(t *testing.T) *demo {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.demo == nil {
		d, err := startDemo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		shared.demo = d
	}
	return shared.demo
}

// newDemo returns a demo of the test's own.
func newDemo(t *testing.T) *demo {
	t.Helper()
	d, err := startDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	return d
}

// startDemo starts a demo on free ports and waits until it has something to
// show.
func startDemo(ctx context.Context) (*demo, error) {
	program := os.Getenv("EXPORTER")
	if program == "" {
		program = "../../bin/alikafka-exporter"
	}
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	storage, err := os.MkdirTemp("", "browser-test-")
	if err != nil {
		return nil, err
	}
	d := &demo{storage: storage}
	if d.output, err = os.Create(filepath.Join(storage, "output")); err != nil {
		return nil, err
	}
	// Not ctx: stop ends it.
	d.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, "demo", "--web.listen-address=127.0.0.1:0", "--cloud.listen-address=127.0.0.1:0",
		"--admin.listen-address=127.0.0.1:0", "--storage.path="+filepath.Join(storage, "state"))
	d.cmd.Stdout, d.cmd.Stderr = d.output, d.output
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w (make e2e builds the program)", err)
	}
	addresses := regexp.MustCompile(`status +(http://\S+/)(?s:.*)admin +(http://\S+/)`)
	ready := func() bool {
		text, _ := os.ReadFile(d.output.Name())
		m := addresses.FindSubmatch(text)
		if m == nil {
			return false
		}
		d.pages, d.admin = string(m[1]), string(m[2])
		status, body, err := d.get(ctx, d.pages+"metrics")
		return err == nil && status == http.StatusOK && strings.Contains(body, "\nalikafka_consumer_group_status{") && strings.Contains(body, "\nalikafka_instance_partitions_limit{")
	}
	if err := until(ctx, ready); err != nil {
		d.stop()
		text, _ := os.ReadFile(d.output.Name())
		return nil, fmt.Errorf("the demo has nothing to show: %w\n%s", err, text)
	}
	return d, nil
}

func (d *demo) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(15*time.Second, func() { _ = d.cmd.Process.Kill() })
	_ = d.cmd.Wait()
	late.Stop()
	_ = d.output.Close()
	_ = os.RemoveAll(d.storage)
}

// until waits until f reports that all is well.
func until(ctx context.Context, f func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (d *demo) get(ctx context.Context, at string) (status int, body string, err error) {
	return d.ask(ctx, "", http.MethodGet, at, nil, nil)
}

// ask makes a request with the token of a principal; "" for none.
func (d *demo) ask(ctx context.Context, as, method, at string, body any, header map[string]string) (status int, text string, err error) {
	data, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	if body == nil {
		data = nil
	}
	r, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(data))
	if err != nil {
		return 0, "", err
	}
	if as != "" {
		token, err := os.ReadFile(filepath.Join(d.storage, "state", "tokens", as))
		if err != nil {
			return 0, "", err
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	resp, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer), err
}

// api asks the admin endpoint, fails the test unless the status is as wanted,
// and decodes the answer.
func (d *demo) api(t *testing.T, as, method, path string, body any, want int) map[string]any {
	t.Helper()
	header := map[string]string{}
	if method == http.MethodPost {
		header["Idempotency-Key"] = fmt.Sprintf("test-%d", time.Now().UnixNano())
	}
	status, text, err := d.ask(t.Context(), as, method, d.admin+"api/v1/"+path, body, header)
	if err != nil {
		t.Fatal(err)
	}
	if status != want {
		t.Fatalf("%s %s as %s: %d, want %d\n%s", method, path, as, status, want, text)
	}
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// token returns the token of a principal.
func (d *demo) token(t *testing.T, principal string) string {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(d.storage, "state", "tokens", principal))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(token))
}

// instance and group are in every demo of the story that is played by default.
const (
	instance = "alikafka_pre-cn-zvp2n4kd1001"
	group    = "search-indexer"
)

// askForAccess has alice ask for an address block to be allowed, and returns
// the run. It waits for an approval.
func (d *demo) askForAccess(t *testing.T, block string) string {
	t.Helper()
	run := d.api(t, "alice", http.MethodPost, "actions/UpdateAllowedIp?reason=a+new+subnet+%3Cimg+src=x+onerror=%22document.title=%27mine%27%22%3E", map[string]string{
		"InstanceId": instance, "UpdateType": "add", "AllowedListType": "vpc", "PortRange": "9092/9092", "AllowedListIp": block,
	}, http.StatusAccepted)
	if run["state"] != "pending_approval" {
		t.Fatalf("%v", run)
	}
	return run["id"].(string)
}

// tab is a page under test.
type tab struct {
	t *testing.T
	*chrome.Page
}

func (p *tab) must(err error) {
	p.t.Helper()
	if err == nil {
		return
	}
	if dir := os.Getenv("BROWSER_TEST_SCREENSHOTS"); dir != "" {
		if png, err := p.Screenshot(context.WithoutCancel(p.t.Context()), true); err == nil {
			_ = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(p.t.Name(), "/", "_")+".png"), png, 0o600)
		}
	}
	p.t.Fatalf("%v\nconsole: %q", err, p.Troubles())
}

func (p *tab) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.t.Context(), patience)
}

func (p *tab) goTo(at string) {
	p.t.Helper()
	ctx, cancel := p.context()
	defer cancel()
	p.must(p.Go(ctx, at))
}

func (p *tab) await(expression string) {
	p.t.Helper()
	ctx, cancel := p.context()
	defer cancel()
	p.must(p.Await(ctx, expression))
}

func (p *tab) click(selector string) {
	p.t.Helper()
	ctx, cancel := p.context()
	defer cancel()
	p.must(p.Click(ctx, selector))
}

func (p *tab) press(keys ...string) {
	p.t.Helper()
	ctx, cancel := p.context()
	defer cancel()
	for _, key := range keys {
		p.must(p.Press(ctx, key))
	}
}

func (p *tab) types(text string) {
	p.t.Helper()
	ctx, cancel := p.context()
	defer cancel()
	p.must(p.Type(ctx, text))
}

// value evaluates an expression.
func value[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := p.context()
	defer cancel()
	var v T
	p.must(p.Eval(ctx, expression, &v))
	return v
}

// signIn opens the operations page and types a token.
func (p *tab) signIn(d *demo, principal string) {
	p.t.Helper()
	p.goTo(d.admin)
	p.await(`document.activeElement.id === 'token'`)
	p.types(d.token(p.t, principal))
	p.press("Enter")
	p.await(`document.querySelector('#ops b')?.textContent === '` + principal + `'`)
}

// quiet fails the test where the console holds an error, or the page asked
// anybody but its own listener.
func (p *tab) quiet(base string) {
	p.t.Helper()
	for _, trouble := range p.Troubles() {
		p.t.Errorf("console: %s", trouble)
	}
	want, err := url.Parse(base)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, asked := range p.Asked() {
		u, err := url.Parse(asked)
		if err != nil || u.Scheme != "data" && u.Host != want.Host {
			p.t.Errorf("the page asked for %s", asked)
		}
	}
}
