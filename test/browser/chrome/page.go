package chrome

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Page is a tab with a profile of its own.
type Page struct {
	browser *Browser
	session string

	mu       sync.Mutex
	loaded   chan struct{} // closed when the page that was asked for has loaded
	asked    []string
	troubles []string
}

// Look is how a page is looked at.
type Look struct {
	Width, Height int
	Scale         float64 // of pixels; 0: 1
	Dark          bool
	NoScript      bool
}

// Open opens an empty page.
func (b *Browser) Open(ctx context.Context, l Look) (*Page, error) {
	var profile struct {
		ID string `json:"browserContextId"`
	}
	var target struct {
		ID string `json:"targetId"`
	}
	var attached struct {
		Session string `json:"sessionId"`
	}
	if err := b.call(ctx, "", "Target.createBrowserContext", nil, &profile); err != nil {
		return nil, err
	}
	if err := b.call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": profile.ID}, &target); err != nil {
		return nil, err
	}
	if err := b.call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": target.ID, "flatten": true}, &attached); err != nil {
		return nil, err
	}
	p := &Page{browser: b, session: attached.Session, loaded: make(chan struct{})}
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		if err := p.call(ctx, domain+".enable", nil, nil); err != nil {
			return nil, err
		}
	}
	if err := p.Look(ctx, l); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Page) call(ctx context.Context, method string, params, result any) error {
	return p.browser.call(ctx, p.session, method, params, result)
}

// Look changes how the page is looked at.
func (p *Page) Look(ctx context.Context, l Look) error {
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	if l.Scale == 0 {
		l.Scale = 1
	}
	if err := p.call(ctx, "Emulation.setDeviceMetricsOverride", map[string]any{
		"width": l.Width, "height": l.Height, "deviceScaleFactor": l.Scale, "mobile": false,
	}, nil); err != nil {
		return err
	}
	if err := p.call(ctx, "Emulation.setScriptExecutionDisabled", map[string]any{"value": l.NoScript}, nil); err != nil {
		return err
	}
	return p.call(ctx, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{
		{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"},
	}}, nil)
}

// event takes note of what the page did.
func (p *Page) event(m message) {
	var e struct {
		Type    string `json:"type"`
		Request struct {
			URL string `json:"url"`
		} `json:"request"`
		Entry struct {
			Level string `json:"level"`
			Text  string `json:"text"`
			URL   string `json:"url"`
		} `json:"entry"`
		Args []struct {
			Value       any    `json:"value"`
			Description string `json:"description"`
		} `json:"args"`
		ExceptionDetails struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	if json.Unmarshal(m.Params, &e) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch m.Method {
	case "Page.loadEventFired":
		select {
		case <-p.loaded:
		default:
			close(p.loaded)
		}
	case "Network.requestWillBeSent":
		p.asked = append(p.asked, e.Request.URL)
	case "Runtime.exceptionThrown":
		p.troubles = append(p.troubles, "exception: "+e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case "Log.entryAdded":
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			p.troubles = append(p.troubles, e.Entry.Level+": "+e.Entry.Text+" "+e.Entry.URL)
		}
	case "Runtime.consoleAPICalled":
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			p.troubles = append(p.troubles, fmt.Sprintf("console.%s: %v", e.Type, e.Args))
		}
	}
}

// Asked returns the URLs of everything that the page has asked for.
func (p *Page) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// Troubles returns what was written to the console as an error or a warning
// since the last call, and exceptions.
func (p *Page) Troubles() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.troubles
	p.troubles = nil
	return all
}

// Go loads a URL.
func (p *Page) Go(ctx context.Context, url string) error {
	p.mu.Lock()
	p.loaded = make(chan struct{})
	loaded := p.loaded
	p.mu.Unlock()
	var r struct {
		ErrorText string `json:"errorText"`
	}
	if err := p.call(ctx, "Page.navigate", map[string]any{"url": url}, &r); err != nil {
		return err
	}
	if r.ErrorText != "" {
		return fmt.Errorf("%s: %s", url, r.ErrorText)
	}
	select {
	case <-loaded:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s did not load: %w", url, ctx.Err())
	}
}

// Eval evaluates an expression in the page, waits for it where it is a
// promise, and decodes its value.
func (p *Page) Eval(ctx context.Context, expression string, into any) error {
	var r struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		ExceptionDetails *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	err := p.call(ctx, "Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &r)
	if err != nil {
		return err
	}
	if e := r.ExceptionDetails; e != nil {
		return fmt.Errorf("%s %s in %.200s", e.Text, e.Exception.Description, expression)
	}
	if into == nil || r.Result.Value == nil {
		return nil
	}
	return json.Unmarshal(r.Result.Value, into)
}

// Await waits until an expression is true.
func (p *Page) Await(ctx context.Context, expression string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var ok bool
		err := p.Eval(ctx, "Boolean("+expression+")", &ok)
		if err == nil && ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("still not: %s (%w)", expression, errOr(err, ctx.Err()))
		}
	}
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// Click clicks with the mouse on the first element that selector finds, which
// must be where the mouse can reach it.
func (p *Page) Click(ctx context.Context, selector string) error {
	var at struct {
		X, Y float64
		Hit  bool
	}
	quoted, err := json.Marshal(selector)
	if err != nil {
		return err
	}
	err = p.Eval(ctx, `(() => {
		const e = document.querySelector(`+string(quoted)+`)
		if (!e) throw new Error('nothing is ' + `+string(quoted)+`)
		e.scrollIntoView({block: 'center', behavior: 'instant'})
		const b = e.getBoundingClientRect(), x = b.left + b.width / 2, y = b.top + b.height / 2
		const hit = document.elementFromPoint(x, y)
		return {X: x, Y: y, Hit: e === hit || e.contains(hit) || (e.labels && [...e.labels].includes(hit))}
	})()`, &at)
	if err != nil {
		return err
	}
	if !at.Hit {
		return fmt.Errorf("%s is covered by something else", selector)
	}
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		if err := p.call(ctx, "Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}, nil); err != nil {
			return err
		}
	}
	return nil
}

// Hover moves the mouse to a part of an element.
func (p *Page) Hover(ctx context.Context, selector string, right float64) error {
	var at struct{ X, Y float64 }
	err := p.Eval(ctx, fmt.Sprintf(`(() => { const b = document.querySelector(%q).getBoundingClientRect(); return {X: b.left + b.width * %g, Y: b.top + b.height / 2} })()`, selector, right), &at)
	if err != nil {
		return err
	}
	return p.call(ctx, "Input.dispatchMouseEvent", map[string]any{"type": "mouseMoved", "x": at.X, "y": at.Y}, nil)
}

// Type types into what has the focus.
func (p *Page) Type(ctx context.Context, text string) error {
	return p.call(ctx, "Input.insertText", map[string]any{"text": text}, nil)
}

// Press presses a key: Tab, Shift+Tab, Enter, Space, Escape, or an arrow.
func (p *Page) Press(ctx context.Context, key string) error {
	codes := map[string]int{"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35}
	name, shift := strings.CutPrefix(key, "Shift+")
	code, ok := codes[name]
	if !ok {
		return fmt.Errorf("no key %s", key)
	}
	event := map[string]any{"type": "keyDown", "key": name, "code": name, "windowsVirtualKeyCode": code}
	switch name {
	case "Enter":
		event["text"] = "\r"
	case "Space":
		event["key"], event["text"] = " ", " "
	}
	if shift {
		event["modifiers"] = 8
	}
	if err := p.call(ctx, "Input.dispatchKeyEvent", event, nil); err != nil {
		return err
	}
	delete(event, "text")
	event["type"] = "keyUp"
	return p.call(ctx, "Input.dispatchKeyEvent", event, nil)
}

// Offline cuts the page off from the network, or connects it again.
func (p *Page) Offline(ctx context.Context, yes bool) error {
	return p.call(ctx, "Network.emulateNetworkConditions", map[string]any{"offline": yes, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}, nil)
}

// Screenshot returns a PNG of what is seen, or of the whole page.
func (p *Page) Screenshot(ctx context.Context, whole bool) ([]byte, error) {
	params := map[string]any{"format": "png"}
	if whole {
		var size struct {
			CSS struct{ Width, Height float64 } `json:"cssContentSize"`
		}
		if err := p.call(ctx, "Page.getLayoutMetrics", nil, &size); err != nil {
			return nil, err
		}
		params["captureBeyondViewport"] = true
		params["clip"] = map[string]any{"x": 0, "y": 0, "width": size.CSS.Width, "height": size.CSS.Height, "scale": 1}
	}
	var r struct{ Data string }
	if err := p.call(ctx, "Page.captureScreenshot", params, &r); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(r.Data)
}

// Text returns what the page says to those who read it, even where scripts do
// not run: what is hidden is left out.
func (p *Page) Text(ctx context.Context) (string, error) {
	var text string
	err := p.Eval(ctx, "document.body.innerText", &text)
	return text, err
}
