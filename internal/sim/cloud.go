package sim

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// Edition is the age of the service.
type Edition uint8

// The editions.
const (
	EditionCurrent Edition = iota // what the current official SDK decodes
	Edition2022                   // only the fields and parameters of the reference of June 2022
)

// Options says what to simulate. The zero value is the demo: story lively,
// key testid with secret testsecret, no latency.
type Options struct {
	Seed  uint64            // equal seeds give equal clouds
	Story string            // one of [Stories]; empty means lively
	World *World            // instead of a story
	Keys  map[string]string // AccessKeyId to secret: more keys of the first account; none at all: testid, testsecret

	Latency time.Duration // of every answer, half of it before the request is judged
	Jitter  time.Duration // up to so much more, by the seed
	Skew    time.Duration // of the server's clock against time.Now

	Limits             Limits
	NonceAfterThrottle bool // a throttled request does not use up its nonce

	Delays     Delays
	ReadLag    time.Duration // reads show what actions changed only so much later
	FreshReads float64       // share of reads within ReadLag that show it nevertheless, by the seed
	FormerSize bool          // a topic that is created again has at least the partitions that it had before

	Edition          Edition
	Lists            Lists
	Strings          bool          // numbers and booleans of JSON answers as strings, as some samples show
	DoubleEscape     bool          // AllConfig escaped twice, as the samples show
	BrokerLag        time.Duration // BrokerOffset is read so much earlier than ConsumerOffset, which may then be greater
	RebalanceSeconds bool          // LastRebalanceTimestamp in seconds, as its example shows
	TagPage          int           // entries per page of ListTagResources; default 50
	Strict           bool          // parameters that the action does not know are refused; the real service ignores them

	Faults func(*Call) *Fault // asked about every call that is signed right; nil means no fault
	Log    bool               // keep a log of calls, see [Cloud.Log]
}

// Cloud is a simulated Alibaba Cloud. Its methods may be used concurrently.
type Cloud struct {
	opts    Options
	start   time.Time // of the server's clock
	limiter *limiter
	nonces  nonces
	books   books
	faults  faults
	story   func(*Call) *Fault
	serial  atomic.Uint64 // of request ids

	due atomic.Int64 // the time of the first event, so that readers need no lock to know it

	mu       sync.RWMutex // guards what follows and all they point to
	accounts []*account
	keys     map[string]*credential
	owners   map[string]*account // by instance id
	events   []event             // by time
	effects  effects
}

// New returns a cloud whose time starts now. It fails when the story is
// unknown or the world contradicts itself.
func New(o Options) (*Cloud, error) {
	orElse(&o.TagPage, 50)
	o.Delays.fill()
	c := &Cloud{
		opts:    o,
		start:   time.Now().Add(o.Skew).UTC(), // whose months subscriptions last
		limiter: newLimiter(o.Limits),
		keys:    make(map[string]*credential),
		owners:  make(map[string]*account),
	}
	c.due.Store(int64(never))
	var world World
	if o.World != nil {
		world = *o.World
	} else {
		orElse(&o.Story, "lively")
		tell, ok := stories[o.Story]
		if !ok {
			return nil, fmt.Errorf("sim: no such story: %q", o.Story)
		}
		world, c.story = tell.world(), tell.fault
	}
	if err := c.build(world); err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	if err := c.addKeys(o.Keys); err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	return c, nil
}

// addKeys opens the first account to the keys of the options.
func (c *Cloud) addKeys(keys map[string]string) error {
	if len(keys) == 0 && len(c.keys) == 0 {
		keys = map[string]string{"testid": "testsecret"}
	}
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		if len(c.accounts) == 0 {
			return errors.New("the world has no account to give keys to")
		}
		if c.keys[id] != nil {
			return fmt.Errorf("access key %s is in use", id)
		}
		c.keys[id] = &credential{Key: Key{ID: id, Secret: keys[id]}, account: c.accounts[0]}
	}
	return nil
}

// SetKey adds or replaces an access key of an account at run time.
func (c *Cloud) SetKey(accountName string, k Key) error {
	return c.editAccount(accountName, func(a *account, _ time.Duration) error {
		c.keys[k.ID] = &credential{Key: k, account: a}
		return nil
	})
}

// RemoveKey makes an access key unknown.
func (c *Cloud) RemoveKey(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.keys, id)
}

func (c *Cloud) key(id string) *credential {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.keys[id]
}

// now returns the server's time and how long the cloud has existed.
func (c *Cloud) now() (time.Time, time.Duration) {
	now := time.Now().Add(c.opts.Skew)
	return now, now.Sub(c.start)
}

// millis returns a time since the start as the service prints times.
func (c *Cloud) millis(t time.Duration) int64 { return c.start.Add(t).UnixMilli() }

// answer is what goes back over the wire, unless fate is set.
type answer struct {
	status int
	kind   string // Content-Type
	header http.Header
	body   []byte
	blanks int // after the body
	id     string
	fate   fate
}

// fate is what happens to an answer on its way.
type fate uint8

const (
	arrives fate = iota
	isReset      // the connection breaks before the first byte
	isCut        // the connection breaks halfway
)

// serve plays one request through latency, faults and the gateway. It fails
// only with ctx.
func (c *Cloud) serve(ctx context.Context, rq *request, no *refusal) (*answer, error) {
	serial := c.serial.Add(1)
	delay := c.opts.Latency + time.Duration(float64(c.opts.Jitter)*c.roll(hash("latency"), serial))
	if err := sleep(ctx, delay/2); err != nil {
		return nil, err
	}
	a, err := c.gateway(ctx, rq, no, c.requestID(serial))
	if err != nil {
		return nil, err
	}
	return a, sleep(ctx, delay-delay/2)
}

// sleep waits for d or for ctx to end.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// requestID returns the id of the n-th request.
func (c *Cloud) requestID(n uint64) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], mix(c.opts.Seed^mix(2*n)))
	binary.BigEndian.PutUint64(raw[8:], mix(c.opts.Seed^mix(2*n+1)))
	raw[6] = raw[6]&0x0f | 0x50
	raw[8] = raw[8]&0x3f | 0x80
	h := strings.ToUpper(hex.EncodeToString(raw[:]))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// gateway judges a request in the order of the real one and answers it.
func (c *Cloud) gateway(ctx context.Context, rq *request, no *refusal, id string) (*answer, error) {
	now, t := c.now()
	call := &Call{cloud: c, request: rq, ID: id, At: now, since: t, operation: &operation{}}
	w := &reply{style: call.style(), buf: make([]byte, 0, 2048)}
	if no == nil {
		no = call.resolve()
	}
	if no == nil {
		no = call.authenticate()
	}
	f := &Fault{}
	if no == nil {
		f = c.fault(call)
		if err := sleep(ctx, f.latency(call)); err != nil {
			return nil, err
		}
		call.At, call.since = c.now()
		if no = f.instead(); no != nil {
			if used := call.arrive(f, no.code); used != nil {
				f, no = &Fault{}, used
			}
		}
		w.xml = w.xml != (f.Kind == Garble)
	}
	if no == nil {
		call.after = f.ApplyAfter
		no = call.execute(w)
	}
	if no != nil {
		w.refuse(no, id, call.host())
	}
	c.books.add(call, no, c.opts.Log)
	if err := sleep(ctx, f.AnswerAfter); err != nil {
		return nil, err
	}
	return f.distort(ctx, call, w.answer(no, id))
}

// answer wraps the written document.
func (w *reply) answer(no *refusal, id string) *answer {
	a := &answer{status: http.StatusOK, kind: "application/json;charset=utf-8", body: w.buf, id: id}
	if w.xml {
		a.kind = "text/xml;charset=utf-8"
	}
	if no != nil {
		a.status = no.status
	}
	return a
}

// refuse replaces what was written by an error document.
func (w *reply) refuse(no *refusal, id, host string) {
	w.buf, w.comma, w.strings = w.buf[:0], false, false
	w.begin("")
	w.text("RequestId", id)
	w.text("HostId", host)
	w.text("Code", no.code)
	w.text("Message", no.message)
	w.finish("")
}

// RoundTrip answers r in the calling goroutine, without a socket. The source
// address is always 203.0.113.1.
func (c *Cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	rq, no := read(r, "203.0.113.1")
	if r.Body != nil {
		_ = r.Body.Close() // a transport must; nobody can use its error
	}
	a, err := c.serve(r.Context(), rq, no)
	if err != nil {
		return nil, err
	}
	if a.fate == isReset {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: errReset}
	}
	resp := &http.Response{
		Status: itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: c.header(a), ContentLength: int64(a.blanks + len(a.body)), Request: r,
		Body: &body{blanks: a.blanks, rest: a.body, end: io.EOF},
	}
	if a.fate == isCut {
		resp.Body = &body{rest: a.body[:len(a.body)/2], end: io.ErrUnexpectedEOF}
	}
	return resp, nil
}

// ServeHTTP answers over a real connection.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	source, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		source = r.RemoteAddr
	}
	rq, no := read(r, source)
	a, err := c.serve(r.Context(), rq, no)
	switch {
	case err != nil:
		panic(http.ErrAbortHandler) // the client has gone
	case a.fate == isReset:
		reset(w)
		return
	}
	maps.Copy(w.Header(), c.header(a))
	w.Header().Set("Content-Length", itoa(a.blanks+len(a.body)))
	w.WriteHeader(a.status)
	if a.fate == isCut {
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // breaks the connection
	}
	_, _ = io.Copy(w, &body{blanks: a.blanks, rest: a.body, end: io.EOF}) // a client that left is no concern of the cloud
}

// header returns the headers of an answer.
func (c *Cloud) header(a *answer) http.Header {
	now, _ := c.now()
	h := http.Header{
		"Content-Type":     {a.kind},
		"Date":             {now.UTC().Format(http.TimeFormat)},
		"X-Acs-Request-Id": {a.id},
	}
	maps.Copy(h, a.header)
	return h
}

// body is an answer on its way.
type body struct {
	rest   []byte
	blanks int   // after rest
	end    error // after all
}

func (b *body) Read(p []byte) (int, error) {
	switch {
	case len(b.rest) > 0:
		n := copy(p, b.rest)
		b.rest = b.rest[n:]
		return n, nil
	case b.blanks > 0:
		n := min(len(p), b.blanks)
		for i := range p[:n] {
			p[i] = ' '
		}
		b.blanks -= n
		return n, nil
	}
	return 0, b.end
}

func (b *body) Close() error { return nil }

// regionKnown reports whether the service has that region.
func regionKnown(id string) bool {
	return slices.ContainsFunc(api.Regions(), func(r api.Region) bool { return r.ID == id })
}
