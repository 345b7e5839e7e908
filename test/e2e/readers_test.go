package e2e_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// scrape returns a page as it was sent: deflated.
func scrape(t *testing.T, page, accept string) ([]byte, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", "gzip") // which the transport then leaves alone
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("GET %s: %s, %v, %v", page, answer.Status, answer.Header, err)
	}
	return body, answer.Header
}

// inflate insists on one gzip member and nothing after it.
func inflate(t *testing.T, page []byte) []byte {
	t.Helper()
	in := bytes.NewReader(page)
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if in.Len() > 0 {
		t.Fatalf("%d bytes follow the gzip member", in.Len())
	}
	return text
}

// TestEveryReaderReadsTheWholePage has different implementations of HTTP and
// gzip read one and the same scrape of the demo.
func TestEveryReaderReadsTheWholePage(t *testing.T) {
	t.Parallel()
	_, page := startDemo(t)
	sent, header := scrape(t, page.String(), "*/*")
	want := bytes.Count(inflate(t, sent), []byte{'\n'})
	if want < 1000 {
		t.Fatalf("the page has %d lines", want)
	}
	// The page changes from one scrape to the next, so it is served again.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/lines.html" {
			http.ServeFile(w, r, "../readers/lines.html")
			return
		}
		for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Length", "Vary"} {
			w.Header()[name] = header[name]
		}
		_, _ = w.Write(sent)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "page.gz")
	if err := os.WriteFile(file, sent, 0o600); err != nil {
		t.Fatal(err)
	}
	newlines := func(said string) int { return strings.Count(said, "\n") }
	for _, reader := range []struct {
		name  string
		argv  []string
		lines func(said string) int
	}{
		{"curl", []string{"curl", "-sfS", "--compressed", server.URL + "/metrics"}, newlines},
		{"gunzip", []string{"gunzip", "-c", file}, newlines},
		{"Python", []string{"python3", "../readers/lines.py", server.URL + "/metrics"}, numberIn(`^(\d+)\n$`)},
		{"Node", []string{"node", "../readers/lines.js", server.URL + "/metrics"}, numberIn(`^(\d+)\n$`)},
		{"Chromium, script", append(chromium(t), server.URL+"/lines.html"), numberIn(`lines=(\d+)`)},
		// It shows text in an element of its own, and ends with a line of its own.
		{"Chromium, page", append(chromium(t), server.URL+"/metrics"), func(said string) int { return newlines(said) - 1 }},
	} {
		t.Run(reader.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(reader.argv[0]); err != nil {
				t.Skipf("%s is not installed", reader.argv[0])
			}
			var complaints bytes.Buffer
			cmd := exec.CommandContext(t.Context(), reader.argv[0], reader.argv[1:]...)
			cmd.Stderr = &complaints
			said, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%.1000s", err, complaints.String())
			}
			if got := reader.lines(string(said)); got != want {
				t.Errorf("%d lines, want %d; it ends in %q", got, want, said[max(0, len(said)-200):])
			}
		})
	}
}

// numberIn returns the number that an expression finds; -1 when it is not
// there.
func numberIn(expr string) func(string) int {
	return func(said string) int {
		m := regexp.MustCompile(expr).FindStringSubmatch(said)
		if m == nil {
			return -1
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return -1
		}
		return n
	}
}

// chromium is a headless browser that prints a page and leaves the network
// alone.
func chromium(t *testing.T) []string {
	t.Helper()
	return []string{
		"chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir=" + t.TempDir(), "--dump-dom",
	}
}

// TestPagesPassParsers has Prometheus' own parsers read every kind of page.
func TestPagesPassParsers(t *testing.T) {
	t.Parallel()
	_, page := startDemo(t)
	text, _ := scrape(t, page.String(), "text/plain")
	id := regexp.MustCompile(`instance_id="([^"]+)"`).FindSubmatch(inflate(t, text))
	if id == nil {
		t.Fatal("no instance on the page")
	}
	instance := page.String() + "/instance?instance_id=" + url.QueryEscape(string(id[1]))
	for _, target := range []string{page.String(), instance} {
		for _, accept := range []string{"text/plain", "application/openmetrics-text;version=1.0.0", "application/openmetrics-text;version=0.0.1"} {
			sent, header := scrape(t, target, accept)
			kind := header.Get("Content-Type")
			if !strings.HasPrefix(kind, strings.Split(accept, ";")[0]) {
				t.Errorf("GET %s: %s, want %s", target, kind, accept)
			}
			parse(t, inflate(t, sent), kind)
		}
	}
}

// parse reads a page as Prometheus does, and insists on what it forgives:
// families are in one piece, and samples are those of the family before them.
func parse(t *testing.T, text []byte, kind string) {
	t.Helper()
	p, err := textparse.New(text, kind, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	seen, series, current := map[string]bool{}, map[string]bool{}, ""
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		switch entry {
		case textparse.EntryHelp:
			name, _ := p.Help()
			if current = string(name); seen[current] {
				t.Errorf("%s: family %s is in several pieces", kind, current)
			}
			seen[current] = true
		case textparse.EntryType:
			if name, _ := p.Type(); string(name) != current {
				t.Errorf("%s: TYPE of %s follows HELP of %s", kind, name, current)
			}
		case textparse.EntrySeries:
			sample, _, _ := p.Series()
			if !strings.HasPrefix(string(sample), current) {
				t.Errorf("%s: %s is among the samples of %s", kind, sample, current)
			}
			if series[string(sample)] {
				t.Errorf("%s: %s is there twice", kind, sample)
			}
			series[string(sample)] = true
		default:
		}
	}
	if len(series) < 100 {
		t.Errorf("%s: %d series", kind, len(series))
	}
}
