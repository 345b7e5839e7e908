package exposition

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// Options are how pages are served.
type Options struct {
	// Page returns the page to serve.
	Page func() *Page
	// Own, when it is not nil, are the metrics of the exporter itself. They
	// are shown after the page, but for families that the page has.
	Own prometheus.Gatherer
	// MaxInFlight bounds concurrent scrapes, whether of all or of an
	// instance; what is beyond is told to come back. 0: no bound.
	MaxInFlight int
	// WriteTimeout bounds how long a client may take to read a scrape, and so
	// how long what was replaced meanwhile stays in memory. 0: no bound.
	WriteTimeout time.Duration
	// Logger is told when metrics of Own cannot be shown; nil: nobody is.
	Logger *slog.Logger
}

// Handler serves a page, in the text format or OpenMetrics, deflated or not, as
// the client prefers. The parameter name[] limits the answer to families.
type Handler struct {
	o        Options
	inFlight chan struct{}
	answers  sync.Pool
}

// NewHandler returns a handler of what o.Page returns.
func NewHandler(o Options) *Handler {
	h := &Handler{o: o, answers: sync.Pool{New: func() any { return newAnswer() }}}
	if o.MaxInFlight > 0 {
		h.inFlight = make(chan struct{}, o.MaxInFlight)
	}
	if o.Logger == nil {
		h.o.Logger = slog.New(slog.DiscardHandler)
	}
	return h
}

// ServeHTTP serves the whole page and the exporter's own metrics.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.serve(w, r, h.o.Page(), "", h.o.Own)
}

// ServeInstance serves what the page has of an instance, without the
// exporter's own metrics. An unknown instance has an empty page.
func (h *Handler) ServeInstance(w http.ResponseWriter, r *http.Request, instance string) {
	h.serve(w, r, h.o.Page(), instance, nil)
}

// ServePage serves a page of its own in place of the one in Options, without
// the exporter's own metrics. It counts among the scrapes in flight.
func (h *Handler) ServePage(w http.ResponseWriter, r *http.Request, page *Page) {
	h.serve(w, r, page, "", nil)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, page *Page, instance string, own prometheus.Gatherer) {
	if h.inFlight != nil {
		select {
		case h.inFlight <- struct{}{}:
			defer func() { <-h.inFlight }()
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, fmt.Sprintf("%d scrapes are in flight already.", h.o.MaxInFlight), http.StatusServiceUnavailable)
			return
		}
	}
	coding, ok := negotiateCoding(r.Header.Values("Accept-Encoding"))
	w.Header().Add("Vary", "Accept")
	w.Header().Add("Vary", "Accept-Encoding")
	if !ok {
		http.Error(w, "Metrics are to be had with gzip and as they are (identity).", http.StatusNotAcceptable)
		return
	}
	if h.o.WriteTimeout > 0 {
		// A writer that knows no deadlines has no client that could be slow.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(h.o.WriteTimeout))
	}
	a := h.answers.Get().(*answer)
	defer func() {
		a.reset()
		h.answers.Put(a)
	}()
	q := newQuery(r, instance)
	a.page(page, q)
	if err := a.finish(page, own, q); err != nil {
		h.o.Logger.Error("own metrics are incomplete", "err", err)
	}
	send(w, r, a, q, coding)
}

func newQuery(r *http.Request, instance string) query {
	q := query{
		format:   expfmt.NegotiateAccept(r.Header, expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtOpenMetrics_0_0_1, expfmt.FmtText),
		instance: instance,
	}
	if names := r.URL.Query()["name[]"]; len(names) > 0 {
		q.names = make(map[string]bool, len(names))
		for _, n := range names {
			q.names[n] = true
		}
	}
	return q
}

// send writes the answer. The length is known beforehand in either coding.
func send(w http.ResponseWriter, r *http.Request, a *answer, q query, c coding) {
	length, write := a.sum.text, a.writeText
	if c == gzip {
		w.Header().Set("Content-Encoding", string(gzip))
		length, write = a.gzipSize(), a.writeGzip
	}
	w.Header().Set("Content-Type", string(q.format))
	w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	if r.Method == http.MethodHead {
		return
	}
	// A client that is gone or too slow has nobody to tell; one that is not
	// sees that the length is not what was announced.
	_ = write(w)
}

// coding is a content coding.
type coding string

const (
	identity coding = "identity"
	gzip     coding = "gzip"
)

// negotiateCoding returns the coding that the client prefers; gzip when it has
// no preference but allows it by name. Without a header it is identity. There
// may be none that is acceptable.
func negotiateCoding(accept []string) (coding, bool) {
	quality := map[coding]float64{}
	for name := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, params, _ := strings.Cut(name, ";")
		q := 1.0
		for p := range strings.SplitSeq(params, ";") {
			if v, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(p)), "q="); ok {
				q, _ = strconv.ParseFloat(v, 64) // what is no number is a refusal
			}
		}
		quality[coding(strings.ToLower(strings.TrimSpace(name)))] = q
	}
	if q, ok := quality["x-gzip"]; ok {
		quality[gzip] = max(q, quality[gzip])
	}
	others, wildcard := quality["*"]
	plain, named := quality[identity]
	if !named {
		plain = 0.001 // acceptable, and nobody's wish
		if wildcard {
			plain = others
		}
	}
	packed, named := quality[gzip]
	if !named && wildcard && plain <= 0 {
		packed = others
	}
	switch {
	case packed > 0 && packed >= plain:
		return gzip, true
	case plain > 0:
		return identity, true
	}
	return "", false
}
