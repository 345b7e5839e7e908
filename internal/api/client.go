package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

const (
	// defaultTimeout of an attempt: a call answers within 30 s by the
	// platform's own word, the network not counted.
	defaultTimeout = 40 * time.Second

	// maxReply bounds what is read of a reply. The largest real one, a group
	// on a hundred topics of 360 partitions, is about 9 MiB.
	maxReply = 64 << 20

	// keepReply bounds the buffers that are used again.
	keepReply = 4 << 20
)

// Options make a Client. Account, Credentials and Limiter are required.
type Options struct {
	Account     string // our name of the account, for labels and errors
	Credentials Credentials
	Limiter     *Limiter
	Endpoints   map[string]string // base URL by region, where it is not the public one
	Transport   http.RoundTripper // nil: our own; it takes its proxy from the environment. Mutations get a copy without reuse of an *http.Transport
	Timeout     time.Duration     // of one attempt; 0 means 40 s
	UserAgent   string
	Observe     func(Attempt) // called after every attempt; nil: nobody listens
}

// Attempt is what became of one attempt of one call.
type Attempt struct {
	Account   string
	Action    string
	RegionID  string
	Lane      Lane
	Number    int // 1 for the first attempt of a call
	Code      string
	Class     Class
	RequestID string
	At        time.Time     // when it ended
	Waited    time.Duration // for a slot of the rate limit
	Took      time.Duration // from sending to the last byte
	// Unavailable: this attempt and the three before it, of the same call, all
	// ended in InternalError (500) or ServiceUnavailable (503), which is what
	// the provider's agreement counts as an unavailable minute.
	Unavailable bool
}

// Client makes the calls of one account. It is safe for concurrent use.
type Client struct {
	o       Options
	http    *http.Client
	fresh   *http.Client // for what changes something: a connection of its own for every request
	replies sync.Pool    // of *bytes.Buffer
}

// NewClient returns a client. Endpoints must be https, or http on loopback.
func NewClient(o Options) (*Client, error) {
	for region, endpoint := range o.Endpoints {
		if err := CheckEndpoint(endpoint); err != nil {
			return nil, fmt.Errorf("endpoint of region %s: %w", region, err)
		}
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.UserAgent == "" {
		o.UserAgent = "alikafka-exporter"
	}
	if o.Observe == nil {
		o.Observe = func(Attempt) {}
	}
	return &Client{
		o:       o,
		http:    newHTTP(o.Transport),
		fresh:   newHTTP(withoutReuse(o.Transport)),
		replies: sync.Pool{New: func() any { return new(bytes.Buffer) }},
	}, nil
}

func newHTTP(t http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: t,
		// Parameters, and with them secrets, never travel on to where a reply
		// points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// withoutReuse returns a transport that makes a connection for every request.
// A request on a connection that was used before may meet its end, and can then
// be neither sent again nor known to have been lost; Go's transport sends some
// of them again by itself.
func withoutReuse(t http.RoundTripper) http.RoundTripper {
	reusing, ok := t.(*http.Transport)
	if !ok {
		return t
	}
	once := reusing.Clone()
	once.DisableKeepAlives = true
	once.ForceAttemptHTTP2 = false
	once.Protocols = new(http.Protocols)
	once.Protocols.SetHTTP1(true)
	if once.TLSClientConfig != nil {
		once.TLSClientConfig.NextProtos = nil // it may have been told of HTTP/2
	}
	return once
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       60 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

// CloseIdleConnections ends connections that no call uses.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// CheckEndpoint reports why a base URL may not be called. Requests carry
// signatures and passwords, so http is for loopback only.
func CheckEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("must be a URL such as https://alikafka-vpc.cn-hangzhou.aliyuncs.com")
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return fmt.Errorf("scheme %q is not https", u.Scheme)
	case u.Hostname() == "localhost":
		return nil
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		return nil
	}
	return errors.New("http is refused off loopback; use https")
}

var regionID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// endpoint returns the URL to call for a region.
func (c *Client) endpoint(region string) (string, error) {
	if e, ok := c.o.Endpoints[region]; ok {
		return e, nil
	}
	if !regionID.MatchString(region) {
		return "", fmt.Errorf("region id %q has an impossible form", region)
	}
	return "https://alikafka." + region + ".aliyuncs.com/", nil
}

// Raw is a call of any action of any RPC product.
type Raw struct {
	Action   string
	Version  string // "" means Version
	RegionID string // picks the endpoint; send it as a parameter, too, where the action takes it
	Endpoint string // base URL that wins over the region's
	Format   string // JSON or XML; "" means JSON
	Params   map[string]string
}

// row returns the action's row, nil where the table has none.
func (r *Raw) row() *Action {
	if r.Version != "" && r.Version != Version {
		return nil
	}
	a, _ := Lookup(r.Action)
	return a
}

// Do makes a raw call and returns the body of a successful reply. Parameters of
// an action that the table lists are held to what it says. Only actions that
// it lists as Read are retried after a failure; an answer of flow control,
// after which nothing was executed, is retried for all.
func (c *Client) Do(ctx context.Context, r Raw) ([]byte, error) {
	if a := r.row(); a != nil {
		if err := a.validate(r.Params); err != nil {
			return nil, err
		}
	}
	ps := make([]pair, 0, len(r.Params))
	for name, value := range r.Params {
		ps = append(ps, pair{name, value})
	}
	var body []byte
	err := c.do(ctx, call{Raw: r, params: ps}, func(status int, reply []byte) (envelope, *Error) {
		_, env, failure := judge(status, reply)
		if failure == nil {
			body = bytes.Clone(reply)
		}
		return env, failure
	})
	return body, err
}

// Call makes one typed call. It waits for a slot of the rate limit in the
// lane of ctx, and retries what may be retried until ctx ends. The error is
// an *Error, or one or several joined *ParamError; OutcomeOf tells what it
// means for a call that changes something.
func Call[R any](ctx context.Context, c *Client, q Request[R]) (R, error) {
	var r R
	err := c.typed(ctx, q, func() any {
		r = *new(R)
		return &r
	})
	return r, err
}

// typed makes the call of a request struct. fresh returns a pointer to a zero
// reply for each attempt that is answered.
func (c *Client) typed(ctx context.Context, q any, fresh func() any) error {
	v := reflect.ValueOf(q)
	a, ok := Lookup(v.Type().Name())
	if !ok {
		return fmt.Errorf("api: %T is not in the table", q)
	}
	ps, err := a.wire(q)
	if err != nil {
		return err
	}
	raw := Raw{Action: a.Name} // of this version
	if f := v.FieldByName("RegionID"); f.IsValid() {
		raw.RegionID = f.String()
	}
	return c.do(ctx, call{Raw: raw, params: ps}, func(status int, reply []byte) (envelope, *Error) {
		return decode(status, reply, fresh())
	})
}

// call is a Raw with its parameters in the form that is signed.
type call struct {
	Raw
	params  []pair
	mutates bool
	after   string // the code of the attempt before
}

// reader judges a reply and takes what it needs of it: the bytes are used
// again when it returns.
type reader func(status int, reply []byte) (envelope, *Error)

// do runs the attempts of a call.
func (c *Client) do(ctx context.Context, q call, read reader) error {
	effect := Write // what the table does not know is not repeated
	if a := q.row(); a != nil {
		effect = a.Effect
	}
	q.mutates = effect != Read
	lane := laneOf(ctx)
	down := 0
	var before *Error // of the attempt before
	for n := 1; ; n++ {
		if n > 1 {
			lane = max(lane, LaneRetry)
		}
		at := Attempt{Account: c.o.Account, Action: q.Action, RegionID: q.RegionID, Lane: lane, Number: n, Code: CodeOK}
		err := c.attempt(ctx, q, &at, read)
		if err != nil {
			err.Action, err.RegionID = q.Action, q.RegionID
			at.Code, at.Class, at.RequestID = err.Code, err.Class, err.RequestID
			if err.unavailable() {
				down++
			}
			at.Unavailable = down == 4 && n == 4
		}
		at.At = time.Now()
		c.o.Observe(at)
		if err == nil {
			return nil
		}
		if before != nil && err.unsent && ctx.Err() != nil {
			return before.givenUp(err)
		}
		if n > retries(effect, err) || !pause(ctx, n) {
			return err
		}
		before, q.after = err, err.Code
	}
}

// retries returns how often a call of that effect may be repeated after err.
// A mutation is repeated only where the cloud was certainly not reached or
// said that it executed nothing.
func retries(e Effect, err *Error) int {
	switch {
	case err.Class == Throttled:
		return 3
	case err.Code == CodeCanceled, err.Code == CodeTLS, err.Code == CodeRedirect, err.Code == CodeOversized:
		return 0
	case err.Code == CodeRefused, err.Code == CodeDNS:
		if e == Read || err.unsent {
			return 2
		}
		return 0
	case e != Read:
		return 0
	case err.Class == Nonce, err.Code == CodeTimeout:
		return 1
	case err.Class == Server, err.Class == Network:
		return 3
	}
	return 0
}

// pause waits before attempt n+1: half a second doubled with every attempt,
// at most 8 s, of which half is jitter. It reports false when ctx ends before
// the pause would.
func pause(ctx context.Context, n int) bool {
	d := min(500*time.Millisecond<<(n-1), 8*time.Second)
	d = d/2 + rand.N(d/2+1) //nolint:gosec // jitter needs no cryptography
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// attempt sends a call once: slot, key, signature, request, reply, verdict.
func (c *Client) attempt(ctx context.Context, q call, at *Attempt, read reader) *Error {
	sent, waited, err := c.slot(ctx, q.Action, q.RegionID, at.Lane)
	at.Waited = waited
	if err != nil {
		return &Error{Class: Network, Code: CodeCanceled, cause: err, unsent: true, Message: "while waiting for the rate limit"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	key, err := c.o.Credentials.Key(ctx)
	if err != nil {
		return credentialsError(ctx, err)
	}
	signed := Signed{Nonce: uuid.NewString(), At: time.Now().UTC(), Number: at.Number, After: q.after}
	req, err := c.request(ctx, q, key, signed)
	if err != nil {
		return &Error{Class: Invalid, Code: "InvalidParameter", Message: err.Error(), cause: err, unsent: true}
	}
	if q.mutates {
		if held := pass(ctx, signed); held != nil {
			return held
		}
	}
	reply := c.replies.Get().(*bytes.Buffer)
	defer c.release(reply)
	start := time.Now()
	status, failure := c.roundTrip(q, req, reply)
	at.Took = time.Since(start)
	if failure != nil {
		return failure
	}
	note(ctx, Times{Sent: start, Answered: start.Add(at.Took)})
	env, failure := read(status, reply.Bytes())
	at.RequestID = env.RequestID
	if failure == nil && q.mutates && env == (envelope{}) {
		failure = &Error{Class: Server, Code: CodeUnreadable, Status: status, Message: "the reply does not say that it was done"}
	}
	if failure != nil && failure.said != "" { // in full: a secret may lie where the words are cut off
		failure.Message, failure.said = shorten(q.scrub(failure.said, key)), ""
	}
	// Only an answer says something of the limit.
	c.o.Limiter.Done(q.Action, q.RegionID, sent, failure != nil && failure.Class == Throttled)
	return failure
}

// credentialsError is a call that could not be signed. Nothing was sent.
func credentialsError(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		e := networkError(ctx, ctx.Err())
		e.unsent, e.Message = true, "while waiting for credentials"
		return e
	}
	return &Error{Class: Auth, Code: CodeCredentials, Message: shorten(err.Error()), cause: err, unsent: true}
}

// request builds the signed request. Every attempt has its own nonce and
// timestamp.
func (c *Client) request(ctx context.Context, q call, key Key, signed Signed) (*http.Request, error) {
	endpoint := q.Endpoint
	if endpoint == "" {
		var err error
		if endpoint, err = c.endpoint(q.RegionID); err != nil {
			return nil, err
		}
	} else if err := CheckEndpoint(endpoint); err != nil {
		return nil, err
	}
	ps := append(make([]pair, 0, len(q.params)+9), q.params...)
	ps = append(ps,
		pair{"Action", q.Action},
		pair{"Version", orDefault(q.Version, Version)},
		pair{"Format", orDefault(q.Format, "JSON")},
		pair{"AccessKeyId", key.ID},
		pair{"SignatureMethod", "HMAC-SHA1"},
		pair{"SignatureVersion", "1.0"},
		pair{"SignatureNonce", signed.Nonce},
		pair{"Timestamp", signed.At.Format("2006-01-02T15:04:05Z")},
	)
	if !key.Token.IsZero() {
		ps = append(ps, pair{"SecurityToken", key.Token.Reveal()})
	}
	form := sign(http.MethodPost, ps, key.Secret)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form))
	if err != nil {
		return nil, errors.New("the endpoint is not a usable URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", c.o.UserAgent)
	if q.mutates {
		req.GetBody = nil // so that no transport can send it twice
	}
	return req, nil
}

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

// release lets the buffer of a reply be used again, unless it is so large that
// it should not be kept.
func (c *Client) release(reply *bytes.Buffer) {
	if reply.Cap() <= keepReply {
		reply.Reset()
		c.replies.Put(reply)
	}
}

// roundTrip sends req and reads the reply, bounded.
func (c *Client) roundTrip(q call, req *http.Request, reply *bytes.Buffer) (status int, failure *Error) {
	client := c.http
	var connected atomic.Bool
	if q.mutates {
		client = c.fresh
		trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
	}
	resp, err := client.Do(req)
	if err != nil {
		failure := networkError(req.Context(), err)
		if _, traced := client.Transport.(*http.Transport); traced && q.mutates {
			failure.unsent = !connected.Load()
		}
		return 0, failure
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return resp.StatusCode, &Error{Class: Server, Code: CodeRedirect, Status: resp.StatusCode, Message: "redirects are refused"}
	}
	if n := resp.ContentLength; n > 0 && n <= maxReply {
		reply.Grow(int(n) + bytes.MinRead)
	}
	if _, err := reply.ReadFrom(io.LimitReader(resp.Body, maxReply+1)); err != nil {
		failure := networkError(req.Context(), err)
		if failure.Code == CodeConnection {
			failure.Code, failure.Class = CodeUnreadable, Server
		}
		failure.Status = resp.StatusCode
		return resp.StatusCode, failure
	}
	if reply.Len() > maxReply {
		return resp.StatusCode, &Error{Class: Server, Code: CodeOversized, Status: resp.StatusCode, Message: fmt.Sprintf("more than %d bytes", maxReply)}
	}
	return resp.StatusCode, nil
}

// scrub removes the key's secrets and those among the parameters from the
// cloud's words, should it ever repeat them.
func (q *call) scrub(message string, key Key) string {
	secrets := []string{key.Secret.Reveal(), key.Token.Reveal()}
	if a := q.row(); a != nil {
		for _, p := range q.params {
			if known := a.param(p.name); known != nil && known.Secret {
				secrets = append(secrets, p.value)
			}
		}
	}
	for _, s := range secrets {
		// The cloud may repeat a part of the request, or of what was signed.
		once := string(appendEscaped(nil, s))
		for _, form := range []string{string(appendEscaped(nil, once)), once, url.QueryEscape(s), s} {
			if form != "" {
				message = strings.ReplaceAll(message, form, secret.Redacted)
			}
		}
	}
	return message
}

// Pretty indents a JSON body for people; other bodies are returned as they
// are.
func Pretty(body []byte) []byte {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		return body
	}
	return b.Bytes()
}
