package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"
)

// footprint is point 7: what the exporter takes when it has little to do.
func footprint(ctx context.Context, o options) error {
	o.printf("\n## Footprint\n\n")
	info, err := os.Stat(o.exporter)
	if err != nil {
		return err
	}
	o.printf("binary: %.1f MB\n\n", mb(info.Size()))
	o.printf("| Series | start to first page ms: median of 9 | page ms | RSS MB | peak RSS MB | CPU %% of a core, polling | … and scraped every 15 s |\n|---|---|---|---|---|---|---|\n")
	for _, n := range []int{0, 10_000, 100_000} {
		if err := o.footprint(ctx, n); err != nil {
			return fmt.Errorf("%d series: %w", n, err)
		}
	}
	return nil
}

func (o options) footprint(ctx context.Context, series int) error {
	var s size
	if series > 0 {
		_, s = newWorld(series)
	}
	cloud, url, err := helper(ctx, "cloud", strconv.Itoa(series))
	if err != nil {
		return err
	}
	defer cloud.stop()
	var starts []time.Duration
	for range 8 {
		e, took, err := o.startTimed(ctx, url, s)
		if err != nil {
			return err
		}
		e.stop()
		starts = append(starts, took)
	}
	e, took, err := o.startTimed(ctx, url, s)
	if err != nil {
		return err
	}
	defer e.stop()
	starts = append(starts, took)
	if err := e.loaded(ctx); err != nil {
		return err
	}
	if err := e.calmDown(); err != nil {
		return err
	}
	if err := settled(ctx, e.process, 0); err != nil {
		return err
	}
	if err := e.forgetPeak(); err != nil {
		return err
	}
	quiet, err := e.load(ctx, time.Hour)
	if err != nil {
		return err
	}
	scraped, err := e.load(ctx, 15*time.Second)
	if err != nil {
		return err
	}
	page := &target{server: e.process, url: e.url + "/metrics", coding: "gzip", rounds: 31}
	if err := measure(ctx, []*target{page}); err != nil {
		return err
	}
	rss, peak, err := e.memory()
	if err != nil {
		return err
	}
	slices.Sort(starts)
	o.printf("| %d | %.0f | %.2f | %.0f | %.0f | %.2f | %.2f |\n", s.series(), ms(starts[len(starts)/2]), ms(median(page.wall)), mb(rss), mb(peak), 100*quiet, 100*scraped)
	return nil
}

// startTimed starts the exporter and returns how long it took until it had
// answered a scrape.
func (o options) startTimed(ctx context.Context, cloud string, s size) (*exporter, time.Duration, error) {
	begin := time.Now()
	e, err := startExporter(ctx, o, o.dir, cloud, s)
	if err != nil {
		return nil, 0, err
	}
	if _, _, err := fetch(ctx, e.url+"/metrics"); err != nil {
		e.stop()
		return nil, 0, err
	}
	return e, time.Since(begin), nil
}

// load returns the part of a core that the exporter takes over a minute.
func (e *exporter) load(ctx context.Context, scrapeEvery time.Duration) (float64, error) {
	before, err := e.cpu()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	client := newClient()
	defer client.CloseIdleConnections()
	t := &target{server: e.process, url: e.url + "/metrics", coding: "gzip", client: client, buffer: make([]byte, 256<<10)}
	for time.Since(begin) < watching {
		if err := sleep(ctx, min(scrapeEvery, watching)); err != nil {
			return 0, err
		}
		if scrapeEvery < watching {
			if err := t.scrape(ctx); err != nil {
				return 0, err
			}
		}
	}
	after, err := e.cpu()
	return float64(after-before) / float64(time.Since(begin)), err
}
