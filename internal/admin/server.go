// Package admin is the admin endpoint: people and Alertmanager ask for changes
// of the cloud, and every one of them goes through the engine.
//
// A request is authenticated, decoded strictly by the api's table of actions,
// authorised once it is known what it concerns, and answered with a run of the
// engine or an RFC 9457 problem. A webhook is made durable and answered; what
// its alerts lead to is decided by runbooks afterwards.
package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/page"
)

// Options make a Server. All but Runbooks, Readers and Engine.Accounts are
// required.
type Options struct {
	Config    Config
	Runbooks  []Runbook
	Collector *collector.Collector
	// Readers make the calls of Read actions, by account.
	Readers map[string]*api.Client
	// Engine is what the engine needs besides; Inventory, Config, Replay, Carry,
	// Admit and Recorded are set here.
	Engine  engine.Options
	Metrics *Metrics
	Logger  *slog.Logger
}

// Server answers the admin listener and runs what it was asked for.
type Server struct {
	metrics   *Metrics
	log       *slog.Logger
	settings  atomic.Pointer[settings]
	failures  *failures
	budgets   *budgets
	engine    *engine.Engine
	processor *processor
	routes    []route
	mux       *http.ServeMux
	page      *page.Page
}

// settings are what Configure replaces.
type settings struct {
	Options
	keys  *keyring
	since time.Time
}

// newSettings reads tokens.
func newSettings(o Options) (*settings, error) {
	keys, err := newKeyring(o.Config.Principals, o.Logger)
	if err != nil {
		return nil, err
	}
	return &settings{Options: o, keys: keys, since: time.Now()}, nil
}

// New reads tokens and opens the journal. Nothing acts until Run.
func New(o Options) (*Server, error) {
	first, err := newSettings(o)
	if err != nil {
		return nil, err
	}
	s := &Server{metrics: o.Metrics, log: o.Logger, failures: newFailures(), budgets: newBudgets(o.Logger), page: newPage()}
	s.settings.Store(first)
	s.processor = newProcessor(o, &s.settings, s.budgets)
	o.Metrics.configure(o.Runbooks)
	eo := o.Engine
	eo.Inventory, eo.Config, eo.Logger = o.Collector, o.Config.Engine, o.Logger
	eo.Replay, eo.Carry = s.processor.replay(), s.processor.carry
	eo.Admit, eo.Recorded = s.budgets.ask, s.budgets.take
	if s.engine, err = engine.Open(eo); err != nil {
		return nil, err
	}
	s.processor.engine = s.engine
	s.routes = routes()
	s.mux = http.NewServeMux()
	for _, r := range s.routes {
		s.mux.HandleFunc(r.method+" "+r.path, func(w http.ResponseWriter, req *http.Request) { s.serve(w, req, r) })
	}
	return s, nil
}

// Configure replaces Config, Runbooks, Collector, Readers and Engine.Accounts by
// those of o; all else stays as it was opened. Requests and runs that are under
// way go on. On an error nothing has changed. One call at a time.
func (s *Server) Configure(o Options) error {
	o.Logger = s.log
	next, err := newSettings(o)
	if err != nil {
		return err
	}
	s.settings.Store(next)
	s.metrics.configure(o.Runbooks)
	s.engine.Configure(o.Engine.Accounts, o.Collector, o.Config.Engine)
	s.processor.nudge()
	return nil
}

// Run executes, reconciles and processes alerts until ctx ends. It is called
// once.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.engine.Run(ctx) })
	g.Go(func() error { return s.processor.run(ctx) })
	return g.Wait()
}

// Close closes the journal. Run must have returned, and nobody may be served.
func (s *Server) Close() error { return s.engine.Close() }

// route is a row of the endpoint.
type route struct {
	method, path string
	about        string             // for the OpenAPI description
	body         bool               // takes a JSON body
	kinds        []engine.ActorKind // who may ask; nil: anybody, without a token
	serve        func(*Server, *exchange) error
}

// exchange is a request with who makes it.
type exchange struct {
	*http.Request
	w         http.ResponseWriter
	principal Principal
	body      []byte
}

func (x *exchange) actor() engine.Actor {
	return engine.Actor{Principal: x.principal.Name, Kind: engine.ActorKind(x.principal.Kind)}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if err := s.admit(r); err != nil {
		s.fail(w, r, nil, err)
		return
	}
	if _, pattern := s.mux.Handler(r); pattern == "" {
		s.fail(w, r, nil, s.unrouted(r))
		return
	}
	s.mux.ServeHTTP(w, r)
}

// admit refuses what no caller of ours sends, before anything else is looked
// at: names of other hosts, pages of other origins, and paths that a mux would
// answer with a redirect.
func (s *Server) admit(r *http.Request) error {
	switch {
	case !s.settings.Load().Config.hostAllowed(r.Host):
		return refuse(wrongHost, "admin.allowed_hosts does not list the Host of the request")
	case len(r.Header.Values("Origin")) > 0 && !fromPage(r):
		return refuse(crossOrigin, "the request has an Origin, which only web pages send, and is not of the operations page")
	case r.URL.RawPath != "" || r.URL.Path == "" || r.URL.Path != path.Clean(r.URL.Path) || r.Method == http.MethodConnect:
		return refuse(notFound, "no such path")
	}
	return nil
}

// unrouted says why no route fits: 404, or 405 with the methods that do.
func (s *Server) unrouted(r *http.Request) error {
	answer := headOnly{header: http.Header{}}
	s.mux.ServeHTTP(&answer, r)
	if answer.status != http.StatusMethodNotAllowed {
		return refuse(notFound, "no such path")
	}
	refusal := refuse(wrongMethod, r.Method+" does not fit the path")
	refusal.allow = answer.header.Get("Allow")
	return refusal
}

// headOnly keeps status and header of an answer, and nobody gets it.
type headOnly struct {
	header http.Header
	status int
}

func (h *headOnly) Header() http.Header         { return h.header }
func (h *headOnly) WriteHeader(status int)      { h.status = status }
func (h *headOnly) Write(p []byte) (int, error) { return len(p), nil }

// serve authenticates, reads the body and serves a route.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, to route) {
	x := &exchange{Request: r, w: w}
	var err error
	if to.kinds != nil {
		err = s.authenticate(x)
	}
	if err == nil && to.kinds != nil && !slices.Contains(to.kinds, engine.ActorKind(x.principal.Kind)) {
		err = refuse(forbidden, "not for principals of kind "+x.principal.Kind)
	}
	if err == nil && to.body {
		x.body, err = readJSON(w, r)
	}
	if err == nil {
		err = to.serve(s, x)
	}
	if err != nil {
		s.fail(w, r, &x.principal, err)
	}
}

// authenticate finds the principal of the request's token. Only tokens that are
// not known count against an address: behind a proxy it is everybody's, and one
// bad client must not keep the others from the kill switch.
func (s *Server) authenticate(x *exchange) error {
	token, ok := bearer(x.Request)
	if !ok {
		return refuse(noToken, "send Authorization: Bearer with a token of admin.principals")
	}
	principal, ok := s.settings.Load().keys.find(token)
	if ok {
		x.principal = principal
		return nil
	}
	address := x.RemoteAddr
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	if wait := s.failures.failed(address); wait > 0 {
		return &refusal{reason: tooManyFailures, detail: "too many failed authentications from your address, and no principal has this token", retry: wait}
	}
	return refuse(wrongToken, "no principal has this token")
}

// bearer returns the token of the request. Two headers are none.
func bearer(r *http.Request) (string, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// fail answers with a problem, counts and logs it.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, principal *Principal, err error) {
	problem, ok := errors.AsType[*refusal](err)
	if !ok {
		problem = explain(err)
	}
	name := ""
	if principal != nil {
		name = principal.Name
	}
	var level slog.Level
	switch problem.reason {
	case internalError, notActing:
		level = slog.LevelError
	case tooManyFailures, tooManyRequests, tooManyAlerts:
		level = slog.LevelDebug // those before it were told, and it may be a flood
	default:
		level = slog.LevelInfo
	}
	s.log.Log(r.Context(), level, "admin request refused", "principal", name, "remote", r.RemoteAddr, "method", r.Method,
		"path", shorten(r.URL.Path), "reason", string(problem.reason), "detail", problem.detail)
	s.count(r, string(problem.reason))
	problem.write(w)
}

// count counts a request by the action that its path names.
func (s *Server) count(r *http.Request, outcome string) {
	action, _ := strings.CutPrefix(r.URL.Path, actionsPath+"/")
	s.metrics.request(action, outcome)
	if r.URL.Path == webhookPath {
		s.metrics.delivery(outcome)
	}
}

// answer writes a JSON answer and counts the request.
func (s *Server) answer(x *exchange, status int, body any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(body); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	outcome := outcomeOK
	if status == http.StatusAccepted {
		outcome = outcomeAccepted
	}
	s.count(x.Request, outcome)
	x.w.Header().Set("Content-Type", "application/json")
	x.w.WriteHeader(status)
	_, _ = x.w.Write(b.Bytes())
	return nil
}

// explain turns an error of the engine or of the cloud into a problem.
func explain(err error) *refusal {
	if fields := paramErrors(err); fields != nil {
		return &refusal{reason: invalidParam, detail: "a parameter is not acceptable; nothing was sent", errors: fields}
	}
	if reused, ok := errors.AsType[*engine.KeyReusedError](err); ok {
		return &refusal{reason: keyReused, detail: err.Error(), run: &engine.Run{ID: reused.RunID}}
	}
	if _, ok := errors.AsType[*engine.KeyInFlightError](err); ok {
		return refuse(inFlight, err.Error())
	}
	if _, ok := errors.AsType[*engine.NotActingError](err); ok {
		return refuse(notActing, err.Error())
	}
	if _, ok := errors.AsType[*engine.UnknownError](err); ok {
		return refuse(notFound, err.Error())
	}
	if guards, ok := errors.AsType[*engine.RefusedError](err); ok {
		return &refusal{reason: guardRefused, detail: err.Error(), run: &engine.Run{Verdicts: guards.Verdicts}}
	}
	if e, ok := errors.AsType[*api.Error](err); ok {
		return &refusal{reason: cloudFailed, detail: err.Error(), code: e.Code, request: e.RequestID}
	}
	if _, ok := errors.AsType[*engine.PreStateError](err); ok {
		return refuse(cloudFailed, err.Error())
	}
	for _, conflict := range []error{engine.ErrPlanHash, engine.ErrSelfApproval, engine.ErrApprovedOnce, engine.ErrNotPending, engine.ErrNotUnresolved} {
		if errors.Is(err, conflict) {
			return refuse(stateConflict, err.Error())
		}
	}
	if errors.Is(err, engine.ErrNotAPerson) {
		return refuse(forbidden, err.Error())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return refuse(cloudFailed, "the cloud did not answer in time")
	}
	return refuse(internalError, err.Error())
}

// paramErrors returns the parameters that err, or several joined, complain
// about.
func paramErrors(err error) []fieldError {
	if one, ok := err.(*api.ParamError); ok { //nolint:errorlint // the tree is walked here
		return []fieldError{{one.Param, one.Reason}}
	}
	switch wrapped := err.(type) { //nolint:errorlint // the tree is walked here
	case interface{ Unwrap() []error }:
		var all []fieldError
		for _, e := range wrapped.Unwrap() {
			all = append(all, paramErrors(e)...)
		}
		return all
	case interface{ Unwrap() error }:
		return paramErrors(wrapped.Unwrap())
	}
	return nil
}

// maxWait bounds Prefer: wait.
const maxWait = 5 * time.Minute
