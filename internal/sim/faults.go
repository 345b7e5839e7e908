package sim

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Kind is what goes wrong with a call.
type Kind uint8

// The kinds of faults.
const (
	Slow         Kind = iota // only the latency of the fault
	Refuse                   // an error document: Status, Code and Message
	Unsuccessful             // HTTP 200 with Success false, Code and Message
	Gateway                  // an HTML page of a proxy: Status, default 502
	Truncate                 // the good answer, whose connection breaks halfway
	Oversize                 // the good answer and 64 MiB of blanks after it
	Reset                    // the connection breaks before an answer
	Hang                     // no answer until the caller gives up
	Garble                   // the good answer's content in the other format
	Redirect                 // HTTP 302 to another host
)

func kindNames() []string {
	return []string{"slow", "refuse", "unsuccessful", "gateway", "truncate", "oversize", "reset", "hang", "garble", "redirect"}
}

// String returns the name of the kind, which the log shows as the code of a
// call that was not executed and got no error document.
func (k Kind) String() string {
	if names := kindNames(); int(k) < len(names) {
		return names[k]
	}
	return "Kind?"
}

// MarshalText returns the name of the kind.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the name of a kind.
func (k *Kind) UnmarshalText(text []byte) error {
	i := slices.Index(kindNames(), string(text))
	if i < 0 {
		return fmt.Errorf("sim: no such kind of fault: %q", text)
	}
	*k = Kind(i)
	return nil
}

// Fault is what goes wrong with a call. Faults other than Slow, Truncate,
// Oversize and Garble keep it from being executed, unless Executed is set.
// Refuse and Unsuccessful use up the nonce of the request, but for throttling
// with Options.NonceAfterThrottle; the others that are not executed stand for
// a request that never reached the gateway, and do not.
type Fault struct {
	Kind          Kind
	Latency       time.Duration // before the call is executed or refused
	Jitter        time.Duration // up to so much more, by the seed
	Status        int           // default 400 for Refuse, by the code for well-known ones
	Code, Message string
	Executed      bool          // the call is executed and its answer lost: for Reset, Hang, Gateway, Refuse, Unsuccessful and Redirect
	AnswerAfter   time.Duration // between the execution and the answer
	ApplyAfter    time.Duration // the call is executed, but what it changes is changed so much later, if it is still possible then

	Times int     // with SetFault: only so many calls; 0 means all
	Rate  float64 // with SetFault: only this share of calls, by the seed; 0 means all
}

// rule is a fault set at run time.
type rule struct {
	id    int
	match Match
	fault Fault
	left  int
}

type faults struct {
	mu    sync.Mutex
	rules []*rule
	last  int // id
}

// SetFault makes the calls that match fail, beside what Options.Faults says,
// and returns a function that ends it. The rule that was set last is tried
// first.
func (c *Cloud) SetFault(m Match, f Fault) (remove func()) {
	id := c.faults.add(m, f)
	return func() { c.faults.remove(id) }
}

func (fs *faults) add(m Match, f Fault) (id int) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.last++
	fs.rules = append(fs.rules, &rule{id: fs.last, match: m, fault: f, left: f.Times})
	return fs.last
}

// remove ends a fault, or with id 0 all, and reports whether there was one.
func (fs *faults) remove(id int) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	before := len(fs.rules)
	fs.rules = slices.DeleteFunc(slices.Clone(fs.rules), func(r *rule) bool { return id == 0 || r.id == id })
	return len(fs.rules) < before
}

// fault returns what shall go wrong with a call; the zero Fault is nothing.
func (c *Cloud) fault(call *Call) *Fault {
	for _, find := range []func(*Call) *Fault{c.opts.Faults, c.ruled, c.story} {
		if find == nil {
			continue
		}
		if f := find(call); f != nil {
			return f
		}
	}
	return &Fault{}
}

func (c *Cloud) ruled(call *Call) *Fault {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	for _, r := range slices.Backward(c.faults.rules) {
		if !r.match.names(call.Account, call.Action, call.RegionID) || !r.match.holds(call.Param) || r.fault.Times > 0 && r.left == 0 {
			continue
		}
		if r.fault.Rate > 0 && call.roll("rate") >= r.fault.Rate {
			continue
		}
		r.left--
		return &r.fault
	}
	return nil
}

// roll returns a number from 0 to below 1 that is the same for the same call
// of every cloud with the same seed.
func (c *Call) roll(what string) float64 {
	return c.cloud.roll(hash(what, c.Account, c.Action), uint64(c.Number))
}

// Throttle returns the fault of a refusal by flow control.
func Throttle() *Fault {
	return &Fault{Kind: Refuse, Code: "Throttling.User", Message: "Request was denied due to user flow control."}
}

func throttles(code string) bool {
	return strings.HasPrefix(code, "Throttling") || code == "Rejected.Throttling" || code == "FlowControl" ||
		code == "ONS_SYSTEM_FLOW_CONTROL"
}

func (f *Fault) latency(call *Call) time.Duration {
	return f.Latency + time.Duration(float64(f.Jitter)*call.roll("jitter"))
}

// instead returns the refusal of a call that a fault keeps from being
// executed. What it says is not always sent, see distort.
func (f *Fault) instead() *refusal {
	if f.Executed || f.ApplyAfter > 0 {
		return nil
	}
	switch f.Kind {
	case Slow, Truncate, Oversize, Garble:
		return nil
	default:
		return f.refusal()
	}
}

// refusal returns the error that a fault names.
func (f *Fault) refusal() *refusal {
	no := refuse(f.Status, f.Code, f.Message)
	if f.Kind != Refuse {
		orElse(&no.code, f.Kind.String())
	}
	orElse(&no.code, "InternalError")
	orElse(&no.message, "The request processing has failed due to some unknown error, exception or failure.")
	if no.status == 0 {
		no.status = map[string]int{
			"InternalError":      http.StatusInternalServerError,
			"ServiceUnavailable": http.StatusServiceUnavailable,
			"Forbidden.RAM":      http.StatusForbidden,
		}[no.code]
		orElse(&no.status, http.StatusBadRequest)
	}
	return no
}

// distort does to an answer what the fault says.
func (f *Fault) distort(ctx context.Context, c *Call, a *answer) (*answer, error) {
	switch f.Kind {
	case Refuse:
		return f.document(c, a), nil
	case Unsuccessful:
		return f.unsuccessful(c, a), nil
	case Gateway:
		a.status, a.kind = f.Status, "text/html"
		orElse(&a.status, http.StatusBadGateway)
		title := itoa(a.status) + " " + http.StatusText(a.status)
		a.body = []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
			"</h1></center>\r\n<hr><center>Tengine</center>\r\n</body>\r\n</html>\r\n")
	case Truncate:
		a.fate = isCut
	case Oversize:
		a.blanks = oversize
	case Reset:
		a.fate = isReset
	case Hang:
		<-ctx.Done()
		return nil, ctx.Err()
	case Redirect:
		a.status, a.body = http.StatusFound, nil
		a.header = http.Header{"Location": {"https://elsewhere.example/"}}
	case Slow, Garble: // done already
	}
	return a, nil
}

// document is a refusal in the place of whatever was answered.
func (f *Fault) document(c *Call, a *answer) *answer {
	w := &reply{style: c.style()}
	w.refuse(f.refusal(), c.ID, c.host())
	return w.answer(f.refusal(), a.id)
}

// unsuccessful is a failure that HTTP calls a success.
func (f *Fault) unsuccessful(c *Call, a *answer) *answer {
	w := &reply{style: c.style()}
	code, message := f.Code, f.Message
	orElse(&code, "500")
	orElse(&message, "operation failed.")
	w.begin(c.Action)
	w.text("RequestId", c.ID)
	w.text("Message", message)
	w.open("Code")
	if strings.Trim(code, "0123456789") == "" {
		w.buf = append(w.buf, code...)
	} else {
		w.value(code)
	}
	w.close("Code")
	w.flag("Success", false)
	w.finish(c.Action)
	return w.answer(nil, a.id)
}

// oversize is how many blanks follow the answer of an Oversize fault.
const oversize = 64 << 20

// errReset is what the reader of a broken connection gets.
var errReset error = syscall.ECONNRESET

// reset breaks the connection of a request.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // close with RST
	}
	_ = conn.Close()
}
