package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// This program is its own children: the cloud, the reference and the file
// server run in processes of their own, so that CPU and memory are theirs.

// child runs the child of that name; ok is false when there is none.
func child(ctx context.Context, args []string) (ok bool, err error) {
	if len(args) != 2 {
		return false, nil
	}
	var h http.Handler
	switch args[0] {
	case "cloud":
		h, err = cloud(args[1])
	case "reference":
		h, err = reference(ctx, args[1])
	case "file":
		h = file(args[1])
	default:
		return false, nil
	}
	if err != nil {
		return true, err
	}
	return true, listen(ctx, h)
}

// listen serves h on loopback until ctx ends.
func listen(ctx context.Context, h http.Handler) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	_, _ = fmt.Fprintf(os.Stdout, "listening on http://%s\n", l.Addr())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// cloud is a simulated cloud that throttles nobody.
func cloud(series string) (http.Handler, error) {
	n, err := strconv.Atoi(series)
	if err != nil {
		return nil, err
	}
	w := sim.World{Accounts: []sim.Account{{Name: "main"}}}
	if n > 0 {
		w, _ = newWorld(n)
	}
	return sim.New(sim.Options{World: &w, Limits: sim.Limits{Default: -1, PerSourceIP: -1}})
}

// file serves a file that is deflated already, as a file server does.
func file(path string) http.Handler {
	files := http.FileServer(http.Dir(filepath.Dir(path)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		r.URL.Path = "/" + filepath.Base(path)
		files.ServeHTTP(w, r)
	})
}

// reference polls like the exporter does and has client_golang make the page
// at every scrape. A hangup makes it poll at the rates of [measuring].
func reference(ctx context.Context, cloudURL string) (http.Handler, error) {
	limits := loading()
	limiter := api.NewLimiter(limits, api.NewSourceLimit(limits.PerSourceIP))
	account := collector.DefaultAccountConfig()
	account.Name, account.Regions = "main", regions()
	endpoints := map[string]string{}
	for _, r := range regions() {
		endpoints[r] = cloudURL
	}
	metrics := collector.NewMetrics()
	metrics.Watch(account.Name, limiter)
	client, err := api.NewClient(api.Options{
		Account: account.Name, Credentials: key{ID: "testid", Secret: secret.New("testsecret")},
		Limiter: limiter, Endpoints: endpoints, Observe: metrics.Observe,
	})
	if err != nil {
		return nil, err
	}
	config := collector.DefaultConfig()
	config.OwnerInfo = true
	for name, s := range config.Sources {
		config.Sources[name] = collector.Source{Interval: s.Interval, TTL: model.Duration(24 * time.Hour)}
	}
	for _, name := range offsetSources() {
		config.Sources[name] = collector.Source{Interval: model.Duration(pollEvery), TTL: model.Duration(24 * time.Hour)}
	}
	c := collector.New(collector.Options{
		Accounts: []collector.Account{{AccountConfig: account, Client: client}}, Config: config,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), Metrics: metrics,
	})
	go func() { _ = c.Run(ctx) }() // it fails with ctx only
	onHangup(ctx, func() { limiter.Configure(measuring()) })
	return referencePages(c, metrics), nil
}

func referencePages(c *collector.Collector, metrics *collector.Metrics) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(c.Families(""), metrics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.Handle("/ready-made", exposition.NewHandler(exposition.Options{Page: c.Page})) // quicker than the other, to see how far it is
	mux.HandleFunc("/allocations", func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		_, _ = fmt.Fprintln(w, m.Mallocs, m.TotalAlloc)
	})
	return mux
}

// onHangup calls f at every SIGHUP until ctx ends.
func onHangup(ctx context.Context, f func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				f()
			}
		}
	}()
}

type key api.Key

// Key implements api.Credentials.
func (k key) Key(context.Context) (api.Key, error) { return api.Key(k), nil }

// helper starts a child of this program and returns its URL.
func helper(ctx context.Context, args ...string) (*process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	p, err := start(ctx, self, args...)
	if err != nil {
		return nil, "", err
	}
	m, err := p.wait(`listening on (http://\S+)`)
	if err != nil {
		p.stop()
		return nil, "", err
	}
	return p, m[1], nil
}
