package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// acceptOpen is what Prometheus 3 asks for first.
const acceptOpen = "application/openmetrics-text;version=1.0.0"

// readers is point 4: whoever reads the page reads all of it.
func readers(ctx context.Context, o options, s *stage) error {
	page, header, err := fetch(ctx, s.exporter.url+"/metrics")
	if err != nil {
		return err
	}
	if err := o.sameLines(ctx, page, header); err != nil {
		return err
	}
	open, header, err := fetchAs(ctx, s.exporter.url+"/metrics", acceptOpen)
	if err != nil {
		return err
	}
	if err := o.parseOpen(open, header); err != nil {
		return err
	}
	if err := o.checkMetrics(ctx, page); err != nil {
		return err
	}
	return o.ingest(ctx, s)
}

// sameLines serves one scrape again, byte by byte, to every reader there is,
// and has them count its lines.
func (o options) sameLines(ctx context.Context, page []byte, header http.Header) error {
	dir, err := os.MkdirTemp(o.dir, "readers")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "page.gz")
	if err := os.WriteFile(file, page, 0o600); err != nil {
		return err
	}
	scripts := filepath.Join(o.root, "test", "readers")
	server := replay(page, header, filepath.Join(scripts, "lines.html"))
	defer server.Close()
	want, err := goLines(page)
	if err != nil {
		return err
	}
	o.printf("\n| Reader | lines |\n|---|---|\n| Go, one gzip member | %d |\n", want)
	equal, number := true, regexp.MustCompile(`^(\d+)\s*$`)
	for _, r := range []struct {
		name string
		argv []string
		say  *regexp.Regexp // what it says; nil: its lines are counted
	}{
		{"curl", []string{"curl", "-sf", "--compressed", server.URL + "/metrics"}, nil},
		{"gunzip", []string{"gunzip", "-c", file}, nil},
		{"Python", []string{"python3", filepath.Join(scripts, "lines.py"), server.URL + "/metrics"}, number},
		{"Node", []string{"node", filepath.Join(scripts, "lines.js"), server.URL + "/metrics"}, number},
		{"Chromium", append(chromium(dir), server.URL+"/lines.html"), regexp.MustCompile(`lines=(\d+)`)},
	} {
		lines, err := count(ctx, r.argv, r.say)
		switch {
		case errors.Is(err, exec.ErrNotFound):
			o.printf("| %s | not installed |\n", r.name)
		case err != nil:
			return fmt.Errorf("%s: %w", r.name, err)
		default:
			o.printf("| %s | %d |\n", r.name, lines)
			equal = equal && lines == want
		}
	}
	o.bar("4 all readers read the same lines", equal, "%d of %d bytes deflated", want, len(page))
	return nil
}

// goLines counts lines and insists on there being one gzip member.
func goLines(page []byte) (int, error) {
	in := bytes.NewReader(page)
	z, err := gzip.NewReader(in)
	if err != nil {
		return 0, err
	}
	z.Multistream(false)
	var lines lineCounter
	if _, err := io.Copy(&lines, z); err != nil { //nolint:gosec // a page of our own
		return 0, err
	}
	if in.Len() > 0 {
		return 0, fmt.Errorf("%d bytes follow the gzip member", in.Len())
	}
	return lines.n, nil
}

// chromium returns a headless browser that prints a page and leaves the
// network alone.
func chromium(dir string) []string {
	return []string{
		"chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir=" + filepath.Join(dir, "chromium"), "--dump-dom",
	}
}

// replay serves a scrape that was made before, and a page that reads it.
func replay(page []byte, header http.Header, reader string) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Length", "Vary"} {
			w.Header()[name] = header[name]
		}
		_, _ = w.Write(page)
	})
	mux.HandleFunc("/lines.html", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, reader) })
	return httptest.NewServer(mux)
}

// count runs a reader and returns what it says, or how many lines.
func count(ctx context.Context, argv []string, say *regexp.Regexp) (int, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, argv[1:]...) //nolint:gosec // a table of ours
	var lines lineCounter
	var said, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &lines, &complaints
	if say != nil {
		cmd.Stdout = &said
	}
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%w: %.500s", err, complaints.String())
	}
	if say == nil {
		return lines.n, nil
	}
	m := say.FindSubmatch(said.Bytes())
	if m == nil {
		return 0, fmt.Errorf("it said %.300q", said.String())
	}
	return strconv.Atoi(string(m[1]))
}

// lineCounter counts what is written to it.
type lineCounter struct{ n int }

// Write implements io.Writer.
func (c *lineCounter) Write(p []byte) (int, error) {
	c.n += bytes.Count(p, []byte{'\n'})
	return len(p), nil
}

// parseOpen has Prometheus' parser of OpenMetrics read a page.
func (o options) parseOpen(page []byte, header http.Header) error {
	text, err := gunzip(page)
	if err != nil {
		return err
	}
	kind := header.Get("Content-Type")
	if !strings.HasPrefix(kind, "application/openmetrics-text") {
		return fmt.Errorf("asked for OpenMetrics, got %s", kind)
	}
	p, samples := textparse.NewOpenMetricsParser(text, labels.NewSymbolTable()), 0
	for err == nil {
		var entry textparse.Entry
		if entry, err = p.Next(); entry == textparse.EntrySeries && err == nil {
			samples++
		}
	}
	if !errors.Is(err, io.EOF) {
		o.bar("4 an OpenMetrics parser accepts the page", false, "%v", err)
		return nil
	}
	o.bar("4 an OpenMetrics parser accepts the page", true, "%d samples", samples)
	return nil
}

// checkMetrics has promtool read a page.
func (o options) checkMetrics(ctx context.Context, page []byte) error {
	text, err := gunzip(page)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.promtool, "check", "metrics") //nolint:gosec // a flag of ours
	cmd.Stdin = bytes.NewReader(text)
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	// It dislikes some of the Go runtime's own.
	var ours []string
	for lines := bufio.NewScanner(bytes.NewReader(said)); lines.Scan(); {
		if line := lines.Text(); !strings.HasPrefix(line, "go_") && !strings.HasPrefix(line, "process_") {
			ours = append(ours, line)
		}
	}
	o.bar("4 promtool check metrics is silent", len(ours) == 0, "%s", strings.Join(append(ours, "nothing said about our metrics")[:1], ""))
	return nil
}
