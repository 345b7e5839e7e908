// Package browser_test looks at the pages of the built program as people do:
// in a headless Chromium, with mouse and keyboard, on the demo. `make e2e`
// builds the program.
package browser_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/test/browser/chrome"
	"github.com/alikafka-exporter/alikafka-exporter/test/browser/demo"
)

// patience is how long a test waits for what must happen.
const patience = 3 * time.Minute

// shared are what tests need only one of: the browser, and a demo that nobody
// changes.
var shared struct {
	sync.Mutex
	browser *chrome.Browser
	demo    *demo.Demo
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.browser != nil {
		shared.browser.Close(context.Background())
	}
	if shared.demo != nil {
		shared.demo.Stop()
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

// house is a demo under test.
type house struct{ *demo.Demo }

// readOnly returns the demo that nobody changes.
func readOnly(t *testing.T) *house {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.demo == nil {
		d, err := demo.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		shared.demo = d
	}
	return &house{shared.demo}
}

// newDemo returns a demo of the test's own.
func newDemo(t *testing.T) *house {
	t.Helper()
	d, err := demo.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	return &house{d}
}

// api asks the admin endpoint, fails the test unless the status is as wanted,
// and decodes the answer.
func (d *house) api(t *testing.T, as, method, path string, body any, want int) map[string]any {
	t.Helper()
	header := map[string]string{}
	if method == http.MethodPost {
		header["Idempotency-Key"] = fmt.Sprintf("test-%d", time.Now().UnixNano())
	}
	status, text, err := d.Ask(t.Context(), as, method, d.Admin+"api/v1/"+path, body, header)
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

const (
	instance = demo.Instance
	group    = demo.Group
)

// token returns the token of a principal.
func (d *house) token(t *testing.T, principal string) string {
	t.Helper()
	token, err := d.Token(principal)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// askForAccess has alice ask for an address block to be allowed, and returns
// the run. It waits for an approval.
func (d *house) askForAccess(t *testing.T, block string) string {
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
func (p *tab) signIn(d *house, principal string) {
	p.t.Helper()
	p.goTo(d.Admin)
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
