package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Control returns a handler that steers the cloud and asks what it did, in
// JSON: faults, limits, effects, calls, the world and changes of it. It
// answers /control/… and is for a listener of its own on a loopback address:
// requests that come from elsewhere, name another host than a loopback one or
// were sent by a page of another origin are refused. docs/simulator.md
// describes it.
func (c *Cloud) Control() http.Handler {
	mux := http.NewServeMux()
	routes := map[string]func(r *http.Request) (any, error){
		"GET /control/world":          c.controlWorld,
		"GET /control/effects":        c.controlEffects,
		"GET /control/calls":          c.controlCalls,
		"GET /control/faults":         c.controlFaults,
		"POST /control/faults":        c.controlAddFault,
		"DELETE /control/faults":      c.controlRemoveFault,
		"DELETE /control/faults/{id}": c.controlRemoveFault,
		"GET /control/limits":         c.controlLimits,
		"PATCH /control/limits":       c.controlSetLimits,
		"POST /control/edit/{what}":   c.controlEdit,
	}
	index := slices.Sorted(maps.Keys(routes))
	routes["GET /control/{$}"] = func(*http.Request) (any, error) { return index, nil }
	for pattern, do := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { respond(w, r, do) })
	}
	own := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if reason := stranger(r); reason != "" {
			writeJSON(w, http.StatusForbidden, problem{reason})
			return
		}
		own.ServeHTTP(w, r)
	})
}

// problem is the answer to a request that cannot be served.
type problem struct {
	Error string `json:"error"`
}

// stranger says why a request is not from this machine; empty when it is.
func stranger(r *http.Request) string {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return "the control endpoint serves this machine only"
	}
	host := hostname(r)
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return "the Host of the request is not a loopback address"
	}
	return ""
}

func respond(w http.ResponseWriter, r *http.Request, do func(*http.Request) (any, error)) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	switch answer, err := do(r); {
	case errors.Is(err, ErrNotFound):
		writeJSON(w, http.StatusNotFound, problem{err.Error()})
	case err != nil:
		writeJSON(w, http.StatusBadRequest, problem{err.Error()})
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		writeJSON(w, http.StatusOK, answer)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) //nolint:errchkjson // a client that left is no concern of the cloud
}

// decode reads the one JSON value of a request.
func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("body: more than one value")
	}
	return nil
}

// interval is a duration in JSON: text such as 1m30s.
type interval time.Duration

func (i interval) MarshalText() ([]byte, error) { return []byte(time.Duration(i).String()), nil }

func (i *interval) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*i = interval(d)
	return err
}

// queryMatch reads a Match from a query. What is not account, action or
// region_id is a parameter.
func queryMatch(q url.Values) Match {
	m := Match{Account: q.Get("account"), Action: q.Get("action"), RegionID: q.Get("region_id"), Params: make(map[string]string)}
	for name := range q {
		switch name {
		case "account", "action", "region_id":
		default:
			m.Params[name] = q.Get(name)
		}
	}
	return m
}

func (c *Cloud) controlWorld(*http.Request) (any, error) { return c.World(), nil }

func (c *Cloud) controlEffects(r *http.Request) (any, error) {
	found := c.Effects(queryMatch(r.URL.Query()))
	if found == nil {
		found = []Effect{}
	}
	return struct {
		Count   int      `json:"count"`
		Effects []Effect `json:"effects"`
	}{len(found), found}, nil
}

func (c *Cloud) controlCalls(r *http.Request) (any, error) {
	m := queryMatch(r.URL.Query())
	if len(m.Params) > 0 {
		return nil, errors.New("calls are counted by account, action and region_id only")
	}
	return c.Calls(m), nil
}

// wireFault is a Fault in JSON.
type wireFault struct {
	Kind        Kind     `json:"kind"`
	Latency     interval `json:"latency,omitzero"`
	Jitter      interval `json:"jitter,omitzero"`
	Status      int      `json:"status,omitempty"`
	Code        string   `json:"code,omitempty"`
	Message     string   `json:"message,omitempty"`
	Executed    bool     `json:"executed,omitempty"`
	AnswerAfter interval `json:"answer_after,omitzero"`
	ApplyAfter  interval `json:"apply_after,omitzero"`
	Times       int      `json:"times,omitempty"`
	Rate        float64  `json:"rate,omitempty"`
}

// check refuses what no fault can be.
func (f wireFault) check() error {
	for name, d := range map[string]interval{
		"latency": f.Latency, "jitter": f.Jitter, "answer_after": f.AnswerAfter, "apply_after": f.ApplyAfter,
	} {
		if d < 0 {
			return fmt.Errorf("fault: %s is negative", name)
		}
	}
	switch {
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return errors.New("fault: status is not between 200 and 599")
	case f.Times < 0:
		return errors.New("fault: times is negative")
	case f.Rate < 0 || f.Rate > 1:
		return errors.New("fault: rate is not between 0 and 1")
	}
	return nil
}

func (f wireFault) fault() Fault {
	return Fault{
		Kind: f.Kind, Latency: time.Duration(f.Latency), Jitter: time.Duration(f.Jitter),
		Status: f.Status, Code: f.Code, Message: f.Message, Executed: f.Executed,
		AnswerAfter: time.Duration(f.AnswerAfter), ApplyAfter: time.Duration(f.ApplyAfter), Times: f.Times, Rate: f.Rate,
	}
}

func wire(f Fault) wireFault {
	return wireFault{
		Kind: f.Kind, Latency: interval(f.Latency), Jitter: interval(f.Jitter),
		Status: f.Status, Code: f.Code, Message: f.Message, Executed: f.Executed,
		AnswerAfter: interval(f.AnswerAfter), ApplyAfter: interval(f.ApplyAfter), Times: f.Times, Rate: f.Rate,
	}
}

// wireRule is a fault that was set, in JSON.
type wireRule struct {
	ID    int       `json:"id,omitempty"`
	Match Match     `json:"match"`
	Fault wireFault `json:"fault"`
	Left  *int      `json:"left,omitempty"` // calls that it still hits, of a fault with times
}

func (c *Cloud) controlFaults(*http.Request) (any, error) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	list := make([]wireRule, 0, len(c.faults.rules))
	for _, r := range c.faults.rules {
		w := wireRule{ID: r.id, Match: r.match, Fault: wire(r.fault)}
		if r.fault.Times > 0 {
			left := r.left
			w.Left = &left
		}
		list = append(list, w)
	}
	return struct {
		Faults []wireRule `json:"faults"`
	}{list}, nil
}

func (c *Cloud) controlAddFault(r *http.Request) (any, error) {
	var body struct {
		Match Match     `json:"match"`
		Fault wireFault `json:"fault"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	if err := body.Fault.check(); err != nil {
		return nil, err
	}
	if body.Match.Action != "" && kafka.operations[body.Match.Action] == nil && amqp.operations[body.Match.Action] == nil {
		return nil, fmt.Errorf("match: no such action: %q", body.Match.Action)
	}
	return wireRule{ID: c.faults.add(body.Match, body.Fault.fault()), Match: body.Match, Fault: body.Fault}, nil
}

func (c *Cloud) controlRemoveFault(r *http.Request) (any, error) {
	id := 0
	if text := r.PathValue("id"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%w: fault %s", ErrNotFound, text)
		}
		id = n
	}
	if !c.faults.remove(id) && id != 0 {
		return nil, fmt.Errorf("%w: fault %d", ErrNotFound, id)
	}
	return nil, nil //nolint:nilnil // nothing to say
}

// wireLimits are Limits in JSON. Absent ones stay as they are.
type wireLimits struct {
	Default     *float64           `json:"default,omitempty"`
	Actions     map[string]float64 `json:"actions,omitempty"`
	PerSourceIP *float64           `json:"per_source_ip,omitempty"`
}

func (c *Cloud) controlLimits(*http.Request) (any, error) {
	now := c.limiter.current()
	return wireLimits{Default: &now.Default, Actions: now.Actions, PerSourceIP: &now.PerSourceIP}, nil
}

func (c *Cloud) controlSetLimits(r *http.Request) (any, error) {
	var body wireLimits
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	for action := range body.Actions {
		if kafka.operations[action] == nil && amqp.operations[action] == nil {
			return nil, fmt.Errorf("limits: no such action: %q", action)
		}
	}
	if body.Default != nil {
		c.SetLimit("", *body.Default)
	}
	if body.PerSourceIP != nil {
		c.SetSourceLimit(*body.PerSourceIP)
	}
	for action, qps := range body.Actions {
		c.SetLimit(action, qps)
	}
	return c.controlLimits(r)
}

// maxEdit is how many partitions or members one edit may ask for.
const maxEdit = 10_000

// wireEdit is what an edit names and what it needs to know.
type wireEdit struct {
	Account  string `json:"account"`
	Instance string `json:"instance"`
	Topic    string `json:"topic"`
	Group    string `json:"group"`

	Status     int64    `json:"status"`     // of status: a ServiceStatus, or one of Undeployed and Stopped
	Balance    float64  `json:"balance"`    // of balance: CNY
	Partitions int      `json:"partitions"` // of topic: how many; of partitions: how many more
	Rate       float64  `json:"rate"`       // of topic: messages per second
	Topics     []string `json:"topics"`     // of group: that it reads
	Members    int      `json:"members"`    // of group and members
	Speed      float64  `json:"speed"`      // of resume and seek
	Ago        interval `json:"ago"`        // of seek
}

func (c *Cloud) controlEdit(r *http.Request) (any, error) {
	var e wireEdit
	if err := decode(r, &e); err != nil {
		return nil, err
	}
	if most := maxEdit; max(e.Partitions, e.Members) > most || min(e.Partitions, e.Members) < 0 || min(e.Rate, e.Speed) < 0 {
		return nil, fmt.Errorf("edit: numbers must not be negative, nor partitions and members more than %d", most)
	}
	ref := Ref{Account: e.Account, Instance: e.Instance, Topic: e.Topic, Group: e.Group}
	what := r.PathValue("what")
	edits := map[string]func() error{
		"topic":      func() error { return c.AddTopic(ref, Topic{Name: e.Topic, Partitions: e.Partitions, Rate: e.Rate}) },
		"group":      func() error { return c.AddGroup(ref, e.newGroup()) },
		"partitions": func() error { return c.AddPartitions(ref, e.Partitions) },
		"members":    func() error { return c.SetMembers(ref, e.Members) },
		"pause":      func() error { return c.Pause(ref) },
		"resume":     func() error { return c.Resume(ref, e.Speed) },
		"seek":       func() error { return c.Seek(ref, time.Duration(e.Ago), e.Speed) },
		"status":     func() error { return c.SetStatus(ref, e.Status) },
		"balance":    func() error { return c.SetBalance(e.Account, e.Balance) },
		"remove":     func() error { return c.Remove(ref) },
	}
	edit, ok := edits[what]
	if !ok {
		return nil, fmt.Errorf("%w: edit %q", ErrNotFound, what)
	}
	return nil, edit()
}

func (e wireEdit) newGroup() Group {
	g := Group{Name: e.Group, Members: e.Members}
	for _, t := range e.Topics {
		g.Subscriptions = append(g.Subscriptions, Subscription{Topic: t})
	}
	return g
}
