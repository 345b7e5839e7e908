package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// target is a page that is scraped, and the process that serves it.
type target struct {
	name   string
	server *process
	url    string
	coding string
	rounds int
	// allocations returns what the server has allocated since its start.
	allocations func(context.Context) (objects, bytes float64, err error)

	client       *http.Client
	buffer       []byte
	wall, cpu    []time.Duration
	size         int64
	objects, mem float64 // per scrape
}

// scrape reads the page to its end, as it comes.
func (t *target) scrape(ctx context.Context) error {
	before, err := t.server.cpu()
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", acceptText)
	r.Header.Set("Accept-Encoding", t.coding)
	begin := time.Now()
	answer, err := t.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	t.size = 0
	for err == nil {
		var n int
		n, err = answer.Body.Read(t.buffer)
		t.size += int64(n)
	}
	t.wall = append(t.wall, time.Since(begin))
	if err != io.EOF || answer.StatusCode != http.StatusOK { //nolint:errorlint // readers return it as it is
		return fmt.Errorf("%s: %s, %w", t.url, answer.Status, err)
	}
	after, err := t.server.cpu()
	t.cpu = append(t.cpu, after-before)
	return err
}

// measure scrapes targets in turns, each as often as it wants, after one
// scrape that does not count.
func measure(ctx context.Context, targets []*target) error {
	most := 0
	defer func() {
		for _, t := range targets {
			if t.client != nil {
				t.client.CloseIdleConnections()
			}
		}
	}()
	for _, t := range targets {
		t.client, t.buffer = newClient(), make([]byte, 256<<10)
		if err := t.scrape(ctx); err != nil {
			return err
		}
		t.wall, t.cpu = nil, nil
		most = max(most, t.rounds)
	}
	for round := range most {
		for n := range targets {
			t := targets[(n+round)%len(targets)]
			if len(t.wall) >= t.rounds {
				continue
			}
			if err := t.scrape(ctx); err != nil {
				return err
			}
		}
	}
	for _, t := range targets {
		if err := t.countAllocations(ctx); err != nil {
			return err
		}
	}
	return nil
}

// countAllocations scrapes a few more times. What polling allocates meanwhile
// is counted, too.
func (t *target) countAllocations(ctx context.Context) error {
	if t.allocations == nil {
		return nil
	}
	const scrapes = 3
	objects, mem, err := t.allocations(ctx)
	if err != nil {
		return err
	}
	for range scrapes {
		if err := t.scrape(ctx); err != nil {
			return err
		}
	}
	n := len(t.wall) - scrapes
	t.wall, t.cpu = t.wall[:n], t.cpu[:n]
	moreObjects, moreMem, err := t.allocations(ctx)
	t.objects, t.mem = (moreObjects-objects)/scrapes, (moreMem-mem)/scrapes
	return err
}

// exporterAllocations reads them from the exporter's own metrics.
func exporterAllocations(url string) func(context.Context) (float64, float64, error) {
	return func(ctx context.Context) (objects, bytes float64, err error) {
		v, err := ownMetrics(ctx, url, "go_memstats_mallocs_total", "go_memstats_alloc_bytes_total")
		if err != nil {
			return 0, 0, err
		}
		return v[0], v[1], nil
	}
}

// ownMetrics reads metrics without labels.
func ownMetrics(ctx context.Context, url string, names ...string) ([]float64, error) {
	body, _, err := fetch(ctx, url+"/metrics?name[]="+strings.Join(names, "&name[]="))
	if err != nil {
		return nil, err
	}
	text, err := gunzip(body)
	if err != nil {
		return nil, err
	}
	values := make([]float64, len(names))
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n := slices.Index(names, name); n >= 0 {
			if values[n], err = strconv.ParseFloat(value, 64); err != nil {
				return nil, err
			}
		}
	}
	return values, nil
}

// referenceAllocations asks the reference.
func referenceAllocations(url string) func(context.Context) (float64, float64, error) {
	return func(ctx context.Context) (objects, bytes float64, err error) {
		body, _, err := fetch(ctx, url+"/allocations")
		if err == nil {
			_, err = fmt.Sscan(string(body), &objects, &bytes)
		}
		return objects, bytes, err
	}
}

// scrapes is point 1 for one number of series.
func scrapes(ctx context.Context, o options, s *stage) error {
	page, _, err := fetch(ctx, s.exporter.url+"/metrics")
	if err != nil {
		return err
	}
	series, err := countSamples(page)
	if err != nil {
		return err
	}
	text, err := gunzip(page)
	if err != nil {
		return err
	}
	path := filepath.Join(o.shm, fmt.Sprintf("page-%d.gz", os.Getpid()))
	if err := os.WriteFile(path, page, 0o600); err != nil {
		return err
	}
	defer os.Remove(path)
	server, fileURL, err := helper(ctx, "file", path)
	if err != nil {
		return err
	}
	defer server.stop()
	fast, slow := rounds(series)
	targets := []*target{
		{name: "exporter, gzip", server: s.exporter.process, url: s.exporter.url + "/metrics", coding: "gzip", rounds: fast, allocations: exporterAllocations(s.exporter.url)},
		{name: "file server, same bytes", server: server, url: fileURL, coding: "gzip", rounds: fast},
		{name: "client_golang, gzip", server: s.reference, url: s.referenceURL + "/metrics", coding: "gzip", rounds: slow, allocations: referenceAllocations(s.referenceURL)},
		{name: "exporter, identity", server: s.exporter.process, url: s.exporter.url + "/metrics", coding: "identity", rounds: slow, allocations: exporterAllocations(s.exporter.url)},
	}
	if err := measure(ctx, targets); err != nil {
		return err
	}
	o.printf("\n%d series on the page, %.1f bytes of text each; a world of %d instances, %d topics, %d partitions, %d groups\n\n", series, float64(len(text))/float64(series), s.size.instances, s.size.topics, s.size.partitions, s.size.groups)
	printScrapes(o, series, targets)
	us, files, golang := targets[0], targets[1], targets[2]
	wallA, wallB := ratio(golang.wall, us.wall), ratio(us.wall, files.wall)
	cpuA, cpuB := ratio(golang.cpu, us.cpu), ratio(us.cpu, files.cpu)
	o.printf("\nclient_golang : exporter  %.0f : 1 wall, %.0f : 1 CPU\nexporter : file server    %.2f : 1 wall, %.2f : 1 CPU\n", wallA, cpuA, wallB, cpuB)
	if series >= 900_000 {
		o.bar("1 scrape of 1M against client_golang", wallA >= 300 && cpuA >= 300, "%.0f times (wall), %.0f times (CPU); bar 300", wallA, cpuA)
		o.bar("1 scrape of 1M against a file", wallB <= 3 && cpuB <= 3, "%.2f times (wall), %.2f times (CPU); bar 3", wallB, cpuB)
		o.aim("1 scrape of 1M against a file", wallB <= 1.2 && cpuB <= 1.2, "%.2f times (wall), %.2f times (CPU); aim 1.2", wallB, cpuB)
	}
	return nil
}

// rounds is how often fast and slow targets are scraped.
func rounds(series int) (fast, slow int) {
	switch {
	case series > 500_000:
		return 41, 5
	case series > 50_000:
		return 61, 9
	}
	return 101, 15
}

func printScrapes(o options, series int, targets []*target) {
	o.printf("| Page | wall ms: median | min | max | CPU ms: median | allocations | MB allocated | bytes | bytes/series |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, t := range targets {
		allocated, objects := "", ""
		if t.allocations != nil {
			objects, allocated = fmt.Sprintf("%.0f", math.Max(0, t.objects)), fmt.Sprintf("%.2f", math.Max(0, t.mem)/1e6)
		}
		o.printf("| %s | %.3f | %.3f | %.3f | %.3f | %s | %s | %d | %.2f |\n", t.name, ms(median(t.wall)), ms(slices.Min(t.wall)), ms(slices.Max(t.wall)),
			ms(median(t.cpu)), objects, allocated, t.size, float64(t.size)/float64(series))
	}
}

func median(ds []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(ds))
	return s[len(s)/2]
}

func ratio(a, b []time.Duration) float64 { return float64(median(a)) / float64(median(b)) }

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
