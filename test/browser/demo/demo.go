// Package demo starts the program's demo for those who look at its pages.
package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// patience is how long is waited for what must happen.
const patience = 60 * time.Second

// Instance and Group are in every demo of the story that is played by default.
const (
	Instance = "alikafka_pre-cn-zvp2n4kd1001"
	Group    = "search-indexer"
)

// Demo is a running demo.
type Demo struct {
	Pages string // base of the telemetry listener, with a slash at the end
	Admin string // base of the admin listener, likewise

	cmd     *exec.Cmd
	output  *os.File
	storage string
}

// Start starts the program that the variable EXPORTER names, on free ports, and
// waits until it has something to show.
func Start(ctx context.Context) (*Demo, error) {
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
	d := &Demo{storage: storage}
	if d.output, err = os.Create(filepath.Join(storage, "output")); err != nil { //nolint:gosec // a directory of our own
		return nil, err
	}
	// Not ctx: stop ends it.
	d.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, "demo", "--web.listen-address=127.0.0.1:0", "--cloud.listen-address=127.0.0.1:0", //nolint:gosec // the program under test
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
		d.Pages, d.Admin = string(m[1]), string(m[2])
		status, body, err := d.Ask(ctx, "", http.MethodGet, d.Pages+"metrics", nil, nil)
		return err == nil && status == http.StatusOK && strings.Contains(body, "\nalikafka_consumer_group_status{") && strings.Contains(body, "\nalikafka_instance_partitions_limit{")
	}
	if err := until(ctx, ready); err != nil {
		d.Stop()
		text, _ := os.ReadFile(d.output.Name())
		return nil, fmt.Errorf("the demo has nothing to show: %w\n%s", err, text)
	}
	return d, nil
}

// Stop ends the demo and removes what it kept.
func (d *Demo) Stop() {
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

// Ask makes a request with the token of a principal; "" for none.
func (d *Demo) Ask(ctx context.Context, as, method, at string, body any, header map[string]string) (status int, text string, err error) {
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
		token, err := d.Token(as)
		if err != nil {
			return 0, "", err
		}
		r.Header.Set("Authorization", "Bearer "+token)
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

// Token returns the token of a principal.
func (d *Demo) Token(principal string) (string, error) {
	token, err := os.ReadFile(filepath.Join(d.storage, "state", "tokens", principal)) //nolint:gosec // one of our own directory
	return strings.TrimSpace(string(token)), err
}
