package main

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"net/url"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
)

// scrapesAtOnce bounds concurrent scrapes; more are told to come back.
const scrapesAtOnce = 16

// handler returns every page of the telemetry listener, at the root and below
// the path of the external URL. The error is that of a --web.telemetry-path
// where there is another page.
func (a *app) handler() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sd/prometheus", a.serveDiscovery)
	mux.HandleFunc("GET /api/v1/explain", a.serveExplain)
	a.handlePages(mux)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "healthy") })
	mux.HandleFunc("GET /-/ready", a.serveReady)
	mux.HandleFunc("POST /-/reload", a.serveReload)
	mux.HandleFunc("PUT /-/reload", a.serveReload)
	if a.flags.pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	if err := a.handleMetrics(mux); err != nil {
		return nil, err
	}
	prefix := a.flags.prefix()
	if prefix == "" {
		return mux, nil
	}
	outer := http.NewServeMux()
	outer.Handle("/", mux)
	outer.Handle(prefix+"/", http.StripPrefix(prefix, mux))
	return outer, nil
}

// handleMetrics adds the metrics, after everything else.
func (a *app) handleMetrics(mux *http.ServeMux) error {
	metrics := exposition.NewHandler(exposition.Options{
		Page:         func() *exposition.Page { return a.current.Load().collector.Page() },
		Own:          a.registry,
		MaxInFlight:  scrapesAtOnce,
		WriteTimeout: writeTimeout,
		Logger:       a.log,
	})
	root := a.flags.telemetryPath
	for at, h := range map[string]http.Handler{
		root:                            promhttp.InstrumentMetricHandler(a.registry, metrics),
		root + "/instance":              http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serveInstance(w, r, metrics) }),
		root + "/compat/kafka_exporter": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serveKafkaExporter(w, r, metrics) }),
	} {
		if _, taken := mux.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: at}}); taken != "" {
			return usageError{fmt.Errorf("--web.telemetry-path: %q is the path of another page", root)}
		}
		mux.Handle("GET "+at, h)
	}
	return nil
}

// serveInstance answers with the metrics of one cloud instance.
func (a *app) serveInstance(w http.ResponseWriter, r *http.Request, metrics *exposition.Handler) {
	id := r.URL.Query().Get("instance_id")
	if id == "" {
		say(w, http.StatusBadRequest, "parameter instance_id is missing")
		return
	}
	if !a.current.Load().collector.HasInstance(id) {
		say(w, http.StatusNotFound, fmt.Sprintf("instance %q is not known", id))
		return
	}
	metrics.ServeInstance(w, r, id)
}

func (a *app) serveReady(w http.ResponseWriter, _ *http.Request) {
	if !a.current.Load().isReady() {
		say(w, http.StatusServiceUnavailable, "not ready: not every source was tried yet")
		return
	}
	say(w, http.StatusOK, "ready")
}

func (a *app) serveReload(w http.ResponseWriter, r *http.Request) {
	if !a.flags.lifecycle {
		say(w, http.StatusForbidden, "reloading by HTTP is off (--web.enable-lifecycle)")
		return
	}
	if err := a.reload(r.Context()); err != nil {
		say(w, http.StatusInternalServerError, err.Error())
		return
	}
	say(w, http.StatusOK, "reloaded")
}

// say answers with a line of plain text.
func say(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, line) //nolint:gosec // plain text, and browsers are told not to guess
}
