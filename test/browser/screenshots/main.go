// Command screenshots takes the pictures of the pages that the documents show.
// It plays the demo for a few minutes, so that there is something to see.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/test/browser/chrome"
	"github.com/alikafka-exporter/alikafka-exporter/test/browser/demo"
)

func main() {
	out := flag.String("out", "../../docs/images", "directory of the pictures")
	settle := flag.Duration("settle", 3*time.Minute, "how long the demo plays before the first picture")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *out, *settle); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

// shot is a picture: of which page, and how much of it.
type shot struct {
	name   string
	page   string // below the telemetry listener
	admin  bool   // of the admin listener, signed in
	width  int
	height int
	themes []string
	ready  string // an expression that is true when there is something to see
}

// shots are the pictures.
func shots() []shot {
	both := []string{"light", "dark"}
	group := "consumer-group?" + url.Values{"instance_id": {demo.Instance}, "consumer_group": {demo.Group}}.Encode()
	return []shot{
		{"status", "", false, 1180, 760, both, `document.querySelectorAll('tbody tr').length > 5`},
		{"group", group, false, 1180, 900, both, `document.querySelectorAll('figure.chart').length > 1`},
		{"instance", "instance?instance_id=" + demo.Instance, false, 1180, 760, []string{"light"}, `document.querySelectorAll('tbody tr').length > 5`},
		{"operations", "", true, 1180, 760, both, `document.querySelector('[data-do=approve]') && document.querySelector('details.run')`},
		{"phone", group, false, 390, 800, []string{"dark"}, `document.querySelectorAll('figure.chart').length > 1`},
	}
}

func run(ctx context.Context, log io.Writer, out string, settle time.Duration) (err error) {
	ctx, cancel := context.WithTimeout(ctx, settle+5*time.Minute)
	defer cancel()
	d, err := demo.Start(ctx)
	if err != nil {
		return err
	}
	defer d.Stop()
	if err := act(ctx, d); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(log, "the demo plays for %s\n", settle)
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ask(ctx, d); err != nil {
		return err
	}
	b, err := chrome.Start(ctx)
	if err != nil {
		return err
	}
	defer b.Close(ctx)
	for _, s := range shots() {
		for _, theme := range s.themes {
			if e := take(ctx, b, d, s, theme, filepath.Join(out, s.name+"-"+theme+".png")); e != nil {
				err = errors.Join(err, fmt.Errorf("%s, %s: %w", s.name, theme, e))
				continue
			}
			_, _ = fmt.Fprintf(log, "%s-%s.png\n", s.name, theme)
		}
	}
	return err
}

// act makes runs to look at: one that is applied, one that is refused.
func act(ctx context.Context, d *demo.Demo) error {
	for _, q := range []struct {
		action string
		params map[string]any
		status int
	}{
		{"ModifyPartitionNum", map[string]any{"InstanceId": demo.Instance, "Topic": "refunds", "TargetPartitionNum": 12}, http.StatusOK},
		{"ModifyPartitionNum", map[string]any{"InstanceId": demo.Instance, "Topic": "payments", "TargetPartitionNum": 300}, http.StatusForbidden},
	} {
		header := map[string]string{"Idempotency-Key": fmt.Sprint("screenshot-", time.Now().UnixNano()), "Prefer": "wait=60"}
		status, text, err := d.Ask(ctx, "alice", http.MethodPost, d.Admin+"api/v1/actions/"+q.action, q.params, header)
		if err != nil {
			return err
		}
		if status != q.status {
			return fmt.Errorf("%s: %d: %s", q.action, status, text)
		}
	}
	return nil
}

// ask makes a run that waits for an approval.
func ask(ctx context.Context, d *demo.Demo) error {
	status, text, err := d.Ask(ctx, "alice", http.MethodPost, d.Admin+"api/v1/actions/UpdateAllowedIp?reason=billing+moves+to+a+new+subnet", map[string]any{
		"InstanceId": demo.Instance, "UpdateType": "add", "AllowedListType": "vpc", "PortRange": "9092/9092", "AllowedListIp": "10.20.30.0/24",
	}, map[string]string{"Idempotency-Key": "screenshot"})
	if err == nil && status != http.StatusAccepted {
		err = fmt.Errorf("UpdateAllowedIp: %d: %s", status, text)
	}
	return err
}

// take takes one picture.
func take(ctx context.Context, b *chrome.Browser, d *demo.Demo, s shot, theme, file string) error {
	p, err := b.Open(ctx, chrome.Look{Width: s.width, Height: s.height, Scale: 1.5, Dark: theme == "dark"})
	if err != nil {
		return err
	}
	base := d.Pages
	if s.admin {
		base = d.Admin
	}
	if err := p.Go(ctx, base+s.page); err != nil {
		return err
	}
	if s.admin {
		token, err := d.Token("bob")
		if err != nil {
			return err
		}
		if err := errors.Join(p.Await(ctx, `document.activeElement.id === 'token'`), p.Type(ctx, token), p.Press(ctx, "Enter")); err != nil {
			return err
		}
	}
	waiting, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := p.Await(waiting, s.ready); err != nil {
		return err
	}
	// The version is that of a working copy: nothing to show.
	if err := p.Eval(ctx, `document.activeElement.blur(), document.querySelector('.brand .dim').hidden = !document.getElementById('ops')`, nil); err != nil {
		return err
	}
	png, err := p.Screenshot(ctx, false)
	if err != nil {
		return err
	}
	return os.WriteFile(file, png, 0o644) //nolint:gosec // a picture for everybody
}
