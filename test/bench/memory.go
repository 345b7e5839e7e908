package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// watching is for how long peaks are looked for.
const watching = time.Minute

// memory is point 2, and the bounds of point 6: the peak of the whole
// exporter while it polls and is scraped, by itself and beset by fifty
// scrapers of which every other one is slow or stuck.
func memory(ctx context.Context, o options, s *stage) error {
	million := s.size.series() >= 900_000
	_, loadPeak, err := s.exporter.memory()
	if err != nil {
		return err
	}
	if err := settled(ctx, s.exporter.process, 150*time.Second); err != nil {
		return err
	}
	before, err := ownMetrics(ctx, s.exporter.url, "go_memstats_heap_alloc_bytes", "go_memstats_next_gc_bytes")
	if err != nil {
		return err
	}
	rss, peak, err := peakWhile(ctx, s.exporter.process, s.exporter.url, time.Second)
	if err != nil {
		return err
	}
	o.printf("\n| At %d series | RSS MB | peak MB |\n|---|---|---|\n", s.size.series())
	o.printf("| exporter since its start: reading the world, a reload | | %.0f |\n", mb(loadPeak))
	o.printf("| exporter, polled and scraped every second for a minute | %.0f | %.0f |\n", mb(rss), mb(peak))
	if million {
		o.bar("2 peak RSS at 1M", peak < 300e6, "%.0f MB; bar 300 (heap %.0f MB, next collection at %.0f MB)", mb(peak), before[0]/1e6, before[1]/1e6)
		o.aim("2 peak RSS at 1M", peak < 150e6, "%.0f MB; aim 150", mb(peak))
	}
	pages, refused, err := beset(ctx, s.exporter)
	if err != nil {
		return err
	}
	rss, peak, err = s.exporter.memory()
	if err != nil {
		return err
	}
	o.printf("| exporter, beset by 50 scrapers, half of them slow or stuck (%d whole pages, %d refused) | %.0f | %.0f |\n", pages, refused, mb(rss), mb(peak))
	if s.reference == nil {
		return nil
	}
	if rss, peak, err = peakWhile(ctx, s.reference, s.referenceURL, 10*time.Second); err != nil {
		return err
	}
	o.printf("| client_golang, polled and scraped every ten seconds for a minute | %.0f | %.0f |\n", mb(rss), mb(peak))
	return nil
}

// settled waits for a while and then until memory does not shrink any more, at
// most six minutes. The garbage of reading a large world goes with the collection
// that the runtime makes every two minutes at least, and back to the kernel
// little by little.
func settled(ctx context.Context, p *process, atLeast time.Duration) error {
	const step = 30 * time.Second
	last := int64(1 << 62)
	for n := range 12 {
		rss, _, err := p.memory()
		if err != nil {
			return err
		}
		if time.Duration(n)*step >= atLeast && float64(rss) > 0.98*float64(last) {
			return nil
		}
		last = rss
		if err := sleep(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// peakWhile scrapes for a while and returns memory at the end and at the peak.
func peakWhile(ctx context.Context, p *process, base string, every time.Duration) (rss, peak int64, err error) {
	if err := p.forgetPeak(); err != nil {
		return 0, 0, err
	}
	t := &target{server: p, url: base + "/metrics", coding: "gzip", client: newClient(), buffer: make([]byte, 256<<10)}
	defer t.client.CloseIdleConnections()
	for begin := time.Now(); time.Since(begin) < watching; {
		next := time.Now().Add(every)
		if err := t.scrape(ctx); err != nil {
			return 0, 0, err
		}
		if err := sleep(ctx, time.Until(next)); err != nil {
			return 0, 0, err
		}
	}
	return p.memory()
}

// beset has fifty clients scrape for half a minute; of every two one reads
// slowly or not at all.
func beset(ctx context.Context, e *exporter) (pages, refused int64, err error) {
	u, err := url.Parse(e.url)
	if err != nil {
		return 0, 0, err
	}
	if err := e.forgetPeak(); err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var whole, turnedAway atomic.Int64
	for n := range 50 {
		wg.Go(func() {
			for ctx.Err() == nil {
				switch n % 4 {
				case 1:
					idle(ctx, u.Host, 0)
				case 3:
					idle(ctx, u.Host, 4<<10)
				default:
					if _, _, err := fetch(ctx, e.url+"/metrics"); err == nil {
						whole.Add(1)
					} else if ctx.Err() == nil {
						turnedAway.Add(1)
					}
					_ = sleep(ctx, 250*time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	return whole.Load(), turnedAway.Load(), nil
}

// idle asks for the page and reads so many bytes of it a second until ctx
// ends or the server has enough.
func idle(ctx context.Context, host string, perSecond int64) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	_, err = fmt.Fprintf(c, "GET /metrics HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\n\r\n", host)
	for err == nil && sleep(ctx, time.Second) == nil {
		_, err = io.CopyN(io.Discard, c, perSecond)
	}
}

// sleep waits or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }
