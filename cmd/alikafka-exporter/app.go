package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/sync/errgroup"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
)

// stopWait bounds each step of the shutdown, which has two: requests that are
// being answered, then polling.
const stopWait = 2 * time.Second

// app is the exporter: open listeners, pages, and the life that is polling
// now. What has to outlive a reload is here, everything else in the life.
type app struct {
	flags     *webFlags
	storage   *storage
	load      func() (*config.Config, error)
	log       *slog.Logger
	registry  *prometheus.Registry
	metrics   *collector.Metrics
	source    *api.SourceLimit
	failures  failures
	started   time.Time
	pages     http.Handler
	listeners []net.Listener

	admin adminEndpoint

	current     atomic.Pointer[life]
	reloadError atomic.Pointer[string] // why the last reload changed nothing
	reloading   sync.Mutex             // one reload at a time; guards stopped
	late        []<-chan struct{}      // closed at the ends of lives that a reload did not wait for
	stopped     bool
	restored    *collector.State // for the first life; nil for nothing
}

// newApp loads the configuration and opens the listeners. The storage stays
// the caller's.
func newApp(ctx context.Context, log *slog.Logger, flags *webFlags, store *storage, load func() (*config.Config, error)) (*app, error) {
	if err := errors.Join(flags.check(), flags.admin.check(store)); err != nil {
		return nil, err
	}
	c, err := load()
	if err != nil {
		return nil, fmt.Errorf("configuration:\n%w", err)
	}
	a := &app{
		flags: flags, storage: store, load: load, log: log,
		started:  time.Now(),
		registry: prometheus.NewRegistry(),
		metrics:  collector.NewMetrics(),
		source:   api.NewSourceLimit(c.RateLimits.PerSourceIP),
	}
	a.restored = loadState(store, log)
	a.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("alikafka_exporter"),
		a.metrics,
	)
	if err := a.adopt(c); err != nil {
		return nil, err
	}
	a.restored = nil
	if a.pages, err = a.handler(); err != nil {
		return nil, err
	}
	if err := a.openAdmin(ctx, c); err != nil {
		return nil, err
	}
	if a.listeners, err = flags.open(ctx); err != nil {
		return nil, errors.Join(err, a.admin.close())
	}
	return a, nil
}

// run serves and polls until ctx ends or a listener fails, then stops in
// order: listeners and requests first, then polling, then connections.
func (a *app) run(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	a.current.Load().start(ctx, a.log)
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range a.listeners {
		// A server for each: the toolkit wraps the handler of the one it is
		// given.
		server := a.server(a.pages)
		g.Go(func() error {
			return serveUntil(ctx, server, func() error { return web.Serve(l, server, a.flags.toolkit, a.log) })
		})
	}
	if *a.flags.toolkit.WebSystemdSocket {
		server := a.server(a.pages)
		g.Go(func() error {
			return serveUntil(ctx, server, func() error { return web.ListenAndServe(server, a.flags.toolkit, a.log) })
		})
	}
	g.Go(func() error {
		a.reloadOn(ctx, hangup)
		return nil
	})
	g.Go(func() error {
		a.keepState(ctx)
		return nil
	})
	g.Go(func() error { return a.serveAdmin(ctx) })
	err := g.Wait()
	a.reloading.Lock()
	defer a.reloading.Unlock()
	a.stopped = true
	err = errors.Join(err, a.admin.close())
	last := a.current.Load()
	last.cancel()
	err = errors.Join(err, await(append(a.late, last.done)...))
	a.saveState()
	return err
}

// server returns a server with the time limits of the telemetry listener.
func (a *app) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
}

// Time limits of our listeners. The longest answer is a scrape of a million
// series over a slow line.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = time.Minute
	idleTimeout       = 2 * time.Minute
)

// serveUntil runs serve until ctx ends, then closes the listener and lets
// requests finish for a while.
func serveUntil(ctx context.Context, server *http.Server, serve func() error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
		return nil
	})
	return g.Wait()
}

// reloadOn reloads on every signal until ctx ends.
func (a *app) reloadOn(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			_ = a.reload(ctx) // it logs
		}
	}
}

// reload reads the configuration again and moves to a new life, which knows
// what the old one knew. A configuration with a mistake changes nothing.
func (a *app) reload(ctx context.Context) error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if a.stopped {
		return errors.New("shutting down")
	}
	old := a.current.Load()
	c, err := a.load()
	if err == nil {
		err = a.storage.acquire()
	}
	if err == nil {
		err = a.admin.check(c)
	}
	if err == nil {
		err = a.adopt(c)
	}
	if err != nil {
		a.metrics.Configured(false)
		a.reloadError.Store(new(err.Error()))
		a.log.Error("reload failed, the old configuration stays in force", "err", err)
		return err
	}
	a.current.Load().start(ctx, a.log)
	err = a.reloadAdmin(ctx, c)
	if err != nil { // checked before, and so a matter of an instant
		err = fmt.Errorf("the admin endpoint: %w", err)
		a.metrics.Configured(false)
		a.reloadError.Store(new(err.Error()))
		a.log.Error("reload went halfway", "err", err)
	}
	a.retire(old)
	a.current.Load().collector.Forget(old.collector)
	for name := range old.limiters {
		if a.current.Load().limiters[name] == nil {
			a.metrics.Forget(name)
		}
	}
	if err == nil {
		a.log.Info("configuration reloaded", "accounts", len(c.Accounts))
	}
	return err
}

// retire ends a life. Of one that is slow to end no more is kept than what says
// when it has, and of those that have ended nothing. Called with a.reloading
// held.
func (a *app) retire(old *life) {
	a.late = slices.DeleteFunc(a.late, func(done <-chan struct{}) bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	if err := old.stop(); err != nil {
		a.log.Warn("old configuration", "err", err)
		a.late = append(a.late, old.done)
	}
}

// adopt makes a life of a configuration and puts it in place of the current
// one. On an error nothing has changed.
func (a *app) adopt(c *config.Config) error {
	next := &life{config: c, since: time.Now(), limiters: map[string]*api.Limiter{}, done: make(chan struct{})}
	old := a.current.Load()
	if old == nil {
		old = &life{}
	}
	var accounts []collector.Account
	for _, cfg := range c.Accounts {
		limiter, ok := old.limiters[cfg.Name]
		if !ok {
			limiter = api.NewLimiter(c.RateLimits, a.source)
		}
		client, err := newClient(cfg, readingKey, limiter, a.observe)
		if err != nil {
			return err
		}
		next.limiters[cfg.Name] = limiter
		next.clients = append(next.clients, client)
		accounts = append(accounts, collector.Account{AccountConfig: cfg, Client: client, PerRegion: c.RateLimits.Scope == "region"})
	}
	next.collector = collector.New(collector.Options{
		Accounts: accounts, Config: c.Collect, Logger: a.log, Metrics: a.metrics, Previous: old.collector, State: a.restored,
	})
	next.ready = old.isReady()
	a.source.Configure(c.RateLimits.PerSourceIP)
	for name, limiter := range next.limiters {
		limiter.Configure(c.RateLimits)
		a.metrics.Watch(name, limiter)
	}
	a.current.Store(next)
	a.reloadError.Store(nil)
	a.metrics.Configured(true)
	return nil
}

// observe takes note of an attempt of a call, of which parameters are no part.
func (a *app) observe(at api.Attempt) {
	a.metrics.Observe(at)
	a.failures.observe(at)
	a.log.Debug("call", "account", at.Account, "action", at.Action, "region_id", at.RegionID, "lane", at.Lane, "number", at.Number,
		"code", at.Code, "request_id", at.RequestID, "waited", at.Waited, "took", at.Took)
}

// readingKey and actingKey are the keys of an account.
const (
	readingKey = "credentials"
	actingKey  = "acting_credentials"
)

// newClient returns a client of an account with one of its keys; observe may be
// nil.
func newClient(a collector.AccountConfig, key string, limiter *api.Limiter, observe func(api.Attempt)) (*api.Client, error) {
	keys := map[string]*api.CredentialsConfig{readingKey: &a.Credentials, actingKey: a.ActingCredentials}
	credentials, err := keys[key].New()
	if err != nil {
		return nil, fmt.Errorf("account %s: %s: %w", a.Name, key, err)
	}
	client, err := api.NewClient(api.Options{
		Account: a.Name, Credentials: credentials, Limiter: limiter, Endpoints: a.Endpoints, UserAgent: userAgent(), Observe: observe,
	})
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", a.Name, err)
	}
	return client, nil
}

// userAgent is how the exporter introduces itself to the cloud.
func userAgent() string { return "alikafka-exporter/" + cmp.Or(version.Version, "devel") }

// life is the time between two reloads: one configuration, its clients and
// its collector.
type life struct {
	config    *config.Config
	since     time.Time // when the configuration was adopted
	collector *collector.Collector
	clients   []*api.Client
	limiters  map[string]*api.Limiter
	ready     bool // from the start: an earlier life was
	cancel    context.CancelFunc
	done      chan struct{} // closed when polling has ended and its connections are closed
}

// start begins polling. stop ends it, not the end of ctx: on shutdown the
// listeners go first.
func (l *life) start(ctx context.Context, log *slog.Logger) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	go func() {
		defer close(l.done)
		if err := l.collector.Run(ctx); err != nil && ctx.Err() == nil {
			log.Error("polling ended", "err", err)
		}
		for _, c := range l.clients {
			c.CloseIdleConnections()
		}
	}()
}

// stop ends polling, and waits a while for it.
func (l *life) stop() error {
	l.cancel()
	return await(l.done)
}

// await waits for the ends of lives, up to stopWait for all of them.
func await(ends ...<-chan struct{}) error {
	late := time.NewTimer(stopWait)
	defer late.Stop()
	for _, done := range ends {
		select {
		case <-done:
		case <-late.C:
			return fmt.Errorf("polling did not end within %s", stopWait)
		}
	}
	return nil
}

// isReady reports whether every source was tried once.
func (l *life) isReady() bool {
	if l.collector == nil {
		return false
	}
	select {
	case <-l.collector.Ready():
		return true
	default:
		return l.ready
	}
}
