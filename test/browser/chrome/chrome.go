// Package chrome drives a headless Chromium by its own protocol over a pair of
// pipes: no port, no library.
package chrome

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// ErrMissing is returned where no Chromium is installed.
var ErrMissing = errors.New("no chromium (Debian: apt-get install chromium)")

// Browser is a running Chromium.
type Browser struct {
	cmd     *exec.Cmd
	profile string
	in      *os.File
	done    chan struct{} // closed when nothing more is read

	mu      sync.Mutex
	last    int64
	waiting map[int64]chan message
	pages   map[string]*Page // by session
}

// message is what goes through the pipes.
type message struct {
	ID      int64           `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// Start starts a browser that reaches nothing but this machine.
func Start(ctx context.Context) (*Browser, error) {
	program := ""
	for _, name := range []string{"chromium", "google-chrome", "chromium-browser"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		return nil, ErrMissing
	}
	profile, err := os.MkdirTemp("", "chrome-")
	if err != nil {
		return nil, err
	}
	args := []string{
		"--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + profile, "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars", "--force-color-profile=srgb",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--no-proxy-server", "about:blank",
	}
	if os.Getuid() == 0 {
		args = append([]string{"--no-sandbox"}, args...)
	}
	b := &Browser{profile: profile, done: make(chan struct{}), waiting: map[int64]chan message{}, pages: map[string]*Page{}}
	b.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, args...) //nolint:gosec // one of three names; Close ends it
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	b.cmd.ExtraFiles, b.in = []*os.File{theirIn, theirOut}, ourOut
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	_ = theirIn.Close()
	_ = theirOut.Close()
	go b.read(ourIn)
	if err := b.call(ctx, "", "Browser.getVersion", nil, nil); err != nil {
		b.Close(ctx)
		return nil, fmt.Errorf("chromium: %w", err)
	}
	return b, nil
}

// Close ends the browser, even when ctx has ended.
func (b *Browser) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if b.call(ctx, "", "Browser.close", nil, nil) != nil {
		_ = b.cmd.Process.Kill()
	}
	_ = b.in.Close()
	_ = b.cmd.Wait()
	<-b.done
	_ = os.RemoveAll(b.profile)
}

// read takes replies to those who wait, and events to their pages.
func (b *Browser) read(from *os.File) {
	defer close(b.done)
	defer from.Close()
	for r := bufio.NewReaderSize(from, 1<<20); ; {
		data, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(data[:len(data)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		waiting, page := b.waiting[m.ID], b.pages[m.Session]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		switch {
		case waiting != nil:
			waiting <- m
		case page != nil && m.Method != "":
			page.event(m)
		}
	}
}

// call sends a command and decodes its result.
func (b *Browser) call(ctx context.Context, session, method string, params, result any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return err
	}
	if params == nil {
		body = nil
	}
	reply := make(chan message, 1)
	b.mu.Lock()
	b.last++
	m := message{ID: b.last, Session: session, Method: method, Params: body}
	b.waiting[m.ID] = reply
	data, err := json.Marshal(m)
	if err == nil {
		_, err = b.in.Write(append(data, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m := <-reply:
		if m.Error != nil {
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-b.done:
		return fmt.Errorf("%s: the browser has ended", method)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}
