// Command bench measures the exporter as it is delivered against its
// references, on simulated worlds of so many series, and prints what
// docs/performance.md shows. `make bench` builds and runs it.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are what to measure, with what.
type options struct {
	root       string
	exporter   string // the program
	prometheus string
	promtool   string
	shm        string // where files cost no disk
	dir        string // for everything else
	series     []int
	parts      map[string]bool
	out        io.Writer
	verdicts   *verdicts
}

func (o options) printf(format string, args ...any) { _, _ = fmt.Fprintf(o.out, format, args...) }

// verdicts are what was compared with bars and aims.
type verdicts struct {
	lines  []string
	missed int // bars
}

// bar notes whether a bar was taken. One that is missed fails the run.
func (o options) bar(what string, ok bool, format string, args ...any) {
	if !ok {
		o.verdicts.missed++
	}
	o.verdict("bar", map[bool]string{true: "ok", false: "MISSED"}[ok], what, format, args...)
}

// aim notes whether an aim was reached: what would be good to have, too.
func (o options) aim(what string, ok bool, format string, args ...any) {
	o.verdict("aim", map[bool]string{true: "ok", false: "missed"}[ok], what, format, args...)
}

func (o options) verdict(kind, word, what, format string, args ...any) {
	line := fmt.Sprintf("%s %-6s %s: %s", kind, word, what, fmt.Sprintf(format, args...))
	o.verdicts.lines = append(o.verdicts.lines, line)
	o.printf("\n%s\n", line)
}

// conclude prints all verdicts once more, and fails when a bar was missed.
func (o options) conclude(took time.Duration) error {
	o.printf("\n## After %s\n\n%s\n", took.Round(time.Second), strings.Join(o.verdicts.lines, "\n"))
	if n := o.verdicts.missed; n > 0 {
		return fmt.Errorf("bars that were missed: %d", n)
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := child(ctx, os.Args[1:])
	if !ok {
		err = run(ctx)
	}
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	o := options{out: os.Stdout, verdicts: &verdicts{}, parts: map[string]bool{}}
	series := flag.String("series", "10000,100000,1000000", "how many series the worlds have")
	parts := flag.String("parts", "reply,scrape,memory,readers,footprint", "what to measure")
	flag.StringVar(&o.root, "root", "../..", "the root of the repository")
	flag.StringVar(&o.exporter, "exporter", "../../bin/alikafka-exporter", "the program that is measured")
	flag.StringVar(&o.prometheus, "prometheus", "../../.cache/bin/prometheus", "a Prometheus of version 3")
	flag.StringVar(&o.promtool, "promtool", "../../.cache/bin/promtool", "its promtool")
	flag.StringVar(&o.shm, "shm", "/dev/shm", "a directory in memory, for the file server")
	flag.Parse()
	for part := range strings.SplitSeq(*parts, ",") {
		o.parts[part] = true
	}
	for s := range strings.SplitSeq(*series, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("-series: %w", err)
		}
		o.series = append(o.series, n)
	}
	var err error
	if o.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	return o.run(ctx)
}

func (o options) run(ctx context.Context) error {
	begin := time.Now()
	o.printf("%s %s/%s, %d processors\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if o.parts["reply"] {
		if err := reply(ctx, o); err != nil {
			return err
		}
	}
	for _, n := range o.series {
		if err := o.stage(ctx, n); err != nil {
			return fmt.Errorf("%d series: %w", n, err)
		}
	}
	if o.parts["footprint"] {
		if err := footprint(ctx, o); err != nil {
			return err
		}
	}
	return o.conclude(time.Since(begin))
}

// stage is a world that was read by the exporter and the reference.
type stage struct {
	size         size
	exporter     *exporter
	reference    *process
	referenceURL string
}

// stage measures what needs a world.
func (o options) stage(ctx context.Context, series int) error {
	if !o.parts["scrape"] && !o.parts["memory"] && !o.parts["readers"] {
		return nil
	}
	o.printf("\n## %d series\n", series)
	s, stop, err := o.set(ctx, series)
	defer stop()
	if err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func(context.Context, options, *stage) error
	}{{"memory", memory}, {"scrape", scrapes}, {"readers", readers}} {
		if !o.parts[part.name] {
			continue
		}
		if err := part.run(ctx, o, s); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// set starts a cloud, the exporter and, where it is compared with, the
// reference, one after the other, and has them read everything.
func (o options) set(ctx context.Context, series int) (s *stage, stop func(), err error) {
	var started []*process
	stop = func() {
		for _, p := range started {
			p.stop()
		}
	}
	_, size := newWorld(series)
	s = &stage{size: size}
	cloud, cloudURL, err := helper(ctx, "cloud", strconv.Itoa(series))
	if err != nil {
		return nil, stop, err
	}
	started = append(started, cloud)
	begin := time.Now()
	if s.exporter, err = startExporter(ctx, o, o.dir, cloudURL, size); err != nil {
		return nil, stop, err
	}
	started = append(started, s.exporter.process)
	if err := s.exporter.loaded(ctx); err != nil {
		return nil, stop, err
	}
	if err := s.exporter.calmDown(); err != nil {
		return nil, stop, err
	}
	o.printf("\nthe world was read twice within %s\n", time.Since(begin).Round(time.Second))
	if o.parts["scrape"] || o.parts["memory"] {
		if s.reference, s.referenceURL, err = helper(ctx, "reference", cloudURL); err != nil {
			return nil, stop, err
		}
		started = append(started, s.reference)
		err = referenceLoaded(ctx, s)
	}
	return s, stop, err
}

// referenceLoaded waits until the reference knows as much as the exporter.
func referenceLoaded(ctx context.Context, s *stage) error {
	want, err := countLines(ctx, s.exporter.url+"/metrics")
	if err != nil {
		return err
	}
	limit := time.Now().Add(5 * time.Minute)
	for time.Now().Before(limit) {
		n, err := countLines(ctx, s.referenceURL+"/ready-made")
		if err != nil {
			return err
		}
		// The exporter's own are on its page, too.
		if n > want-1000 && n >= s.size.newest+s.size.oldest+3*s.size.committed+s.size.owned {
			return s.reference.Signal(syscall.SIGHUP)
		}
		if err := sleep(ctx, pollEvery); err != nil {
			return err
		}
	}
	return errors.New("the reference did not read the world within five minutes")
}

func gunzip(page []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(page))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
