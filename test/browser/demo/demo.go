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
	"path/filepath"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/test/program"
)

// patience is how long is waited for what must happen.
const patience = 3 * time.Minute

// Instance and Group are in every demo of the story that is played by default.
const (
	Instance = "alikafka_pre-cn-zvp2n4kd1001"
	Group    = "search-indexer"
)

// Demo is a running demo.
type Demo struct {
	Pages string // base of the telemetry listener, with a slash at the end
	Admin string // base of the admin listener, likewise

	program *program.Program
	storage string
}

// Start starts the program that the variable EXPORTER names, on free ports, and
// waits until it has something to show.
func Start(ctx context.Context) (*Demo, error) {
	file := os.Getenv("EXPORTER")
	if file == "" {
		file = "../../bin/alikafka-exporter"
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	storage, err := os.MkdirTemp("", "browser-test-")
	if err != nil {
		return nil, err
	}
	d := &Demo{storage: storage}
	// Not ctx: Stop ends it.
	d.program, err = program.Start(context.WithoutCancel(ctx), file, "demo", "--web.listen-address=127.0.0.1:0", "--cloud.listen-address=127.0.0.1:0",
		"--admin.listen-address=127.0.0.1:0", "--storage.path="+filepath.Join(storage, "state"))
	if err != nil {
		_ = os.RemoveAll(storage)
		return nil, fmt.Errorf("%w (make build builds it)", err)
	}
	addresses, err := d.program.Await(`status +(http://\S+/)(?s:.*)admin +(http://\S+/)`, patience)
	if err != nil {
		d.Stop()
		return nil, err
	}
	d.Pages, d.Admin = addresses[1], addresses[2]
	ready := func() bool {
		status, body, err := d.Ask(ctx, "", http.MethodGet, d.Pages+"metrics", nil, nil)
		return err == nil && status == http.StatusOK && strings.Contains(body, "\nalikafka_consumer_group_status{") && strings.Contains(body, "\nalikafka_instance_partitions_limit{")
	}
	if err := until(ctx, ready); err != nil {
		d.Stop()
		return nil, fmt.Errorf("the demo has nothing to show: %w\n%s", err, d.program.Said())
	}
	return d, nil
}

// Stop ends the demo and removes what it kept.
func (d *Demo) Stop() {
	_ = d.program.Stop()
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
