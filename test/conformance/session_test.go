package conformance_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

var update = flag.Bool("update", false, "rewrite the lists of fields that only one side knows")

// report counts what was done in all runs of one SDK.
type report struct {
	name                     string
	known                    int             // actions that the SDK has
	actions                  map[string]bool // that were driven
	beyond                   map[string]bool // that the simulated cloud does not have
	formats, methods         map[string]bool
	schemes                  map[string]bool
	calls, refusals, effects int
	held                     int // values of typed answers that were compared with the answer on the wire
	state                    int // values of typed answers that were compared with the state of the cloud
	world                    int // values of the world that were compared after a mutation
	failures                 int
	newer                    map[string]bool // fields of answers that the SDK does not have
	filled                   map[string]bool // fields that an answer has filled
	fields                   map[string]bool // fields that the SDK has
}

func newReport(name string) *report {
	r := &report{name: name}
	for _, m := range []*map[string]bool{&r.actions, &r.beyond, &r.formats, &r.methods, &r.schemes, &r.newer, &r.filled, &r.fields} {
		*m = make(map[string]bool)
	}
	return r
}

func sorted(m map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }

// print prints the report, whether or not tests are verbose.
func (r *report) print() {
	_, _ = fmt.Fprintf(os.Stdout, "%s: %d of %d actions%s; %d calls and %d refusals; formats %s; methods %s; signatures %s; "+
		"compared: %d values with the answer, %d with the state, %d of the world after %d mutations; failures: %d\n",
		r.name, len(r.actions), r.known, r.without(), r.calls, r.refusals, sorted(r.formats), sorted(r.methods), sorted(r.schemes),
		r.held, r.state, r.world, r.effects, r.failures)
}

// without tells which actions of the SDK the simulated cloud refuses.
func (r *report) without() string {
	if len(r.beyond) == 0 {
		return ""
	}
	return " (refused as unknown: " + sorted(r.beyond) + ")"
}

// golden compares what only one side knows with the list in testdata.
func (r *report) golden(t *testing.T) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Fields that the simulator answers and the SDK does not have.\n")
	for _, path := range slices.Sorted(maps.Keys(r.newer)) {
		b.WriteString(path + "\n")
	}
	b.WriteString("\n# Fields that the SDK has and the simulator never fills.\n")
	for _, path := range slices.Sorted(maps.Keys(r.fields)) {
		if !r.filled[path] {
			b.WriteString(path + "\n")
		}
	}
	name := filepath.Join("testdata", r.name+".txt")
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("%s differs from what was found, run the test with -update and look at git diff:\n%s", name, b.String())
	}
}

// session is one run of the scenario.
type session struct {
	*report

	t     *testing.T
	sdk   sdk
	cloud *served
	own   *api.Client // reads independently of the SDK
	start time.Time   // of the cloud, to the millisecond
	ran   map[string]bool
	views map[string]string // ViewInstanceStatusCode of instances where it does not follow from ServiceStatus

	// impossible are actions whose typed answer the SDK cannot read in the
	// format of this run, with what it says.
	impossible map[string]string
}

func newSession(t *testing.T, r *report, cloud *served, s sdk) *session {
	t.Helper()
	limits := api.RateLimits{Share: 1, Scope: "account", Default: 1000, PerSourceIP: 1000}
	own, err := api.NewClient(api.Options{
		Account: "own", Credentials: ownKey{}, Transport: cloud.Cloud, Limiter: api.NewLimiter(limits, api.NewSourceLimit(1000)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ss := &session{report: r, t: t, sdk: s, cloud: cloud, own: own, ran: make(map[string]bool), views: make(map[string]string)}
	r.known = len(s.actions())
	for _, action := range s.actions() {
		for path := range s.fields(action) {
			r.fields[action+": "+path] = true
		}
	}
	return ss
}

type ownKey struct{}

func (ownKey) Key(context.Context) (api.Key, error) {
	return api.Key{ID: key.ID, Secret: secret.New(key.Secret)}, nil
}

func (s *session) fail(format string, args ...any) {
	s.t.Helper()
	s.failures++
	s.t.Errorf(format, args...)
}

// can reports whether the SDK has an action.
func (s *session) can(action string) bool { return slices.Contains(s.sdk.actions(), action) }

// known leaves out the parameters that the SDK does not know and need not.
func (s *session) knownParams(action string, p params) params {
	sent := params{}
	for name, value := range p {
		name, optional := strings.CutSuffix(name, "?")
		if !optional || s.sdk.knows(action, name) {
			sent[name] = value
		}
	}
	if p["RegionId"] == nil && s.sdk.knows(action, "RegionId") {
		sent["RegionId"] = region
	}
	return sent
}

// call makes a call that must succeed and compares what the typed answer
// holds with the answer on the wire, value by value.
func (s *session) call(action string, p params) leaves {
	s.t.Helper()
	s.calls++
	s.actions[action], s.ran[action] = true, true
	p = s.knownParams(action, p)
	held, err := s.sdk.call(action, p)
	x := s.cloud.answered()
	if x.action != action {
		s.fail("%s: the wire says %q", action, x.action)
	}
	s.formats[x.format], s.methods[x.method], s.schemes[x.scheme] = true, true, true
	if says, ok := s.impossible[action]; ok && err != nil && strings.Contains(err.Error(), says) && x.status == 200 {
		return nil
	}
	if err != nil {
		s.fail("%s %v: %v; the cloud answered %d %s", action, p, err, x.status, x.answer)
		return nil
	}
	s.compareWire(action, x, held)
	return held
}

// compareWire compares a typed answer with the one on the wire.
func (s *session) compareWire(action string, x exchange, held leaves) {
	s.t.Helper()
	types := s.sdk.fields(action)
	wire, err := readJSON(x.answer)
	if x.format == "XML" {
		wire, err = readXML(x.answer, types)
	}
	if err != nil {
		s.fail("%s: %v", action, err)
		return
	}
	want := make(leaves)
	for path, value := range wire {
		// An empty XML element may as well be an object or a list without
		// anything in it.
		if types.has(path) {
			want[path] = value
			s.filled[action+": "+types.place(path)] = true
		} else if value != "" {
			s.newer[action+": "+typePath(path)] = true
		}
	}
	n, wrong := differences(want, held)
	s.held += n
	for _, w := range wrong {
		s.fail("%s %s: typed answer: %s", action, x.format, w)
	}
}

// refuse makes a call that the service must refuse with a code.
func (s *session) refuse(action string, p params, code string) {
	s.t.Helper()
	s.refusals++
	p = s.knownParams(action, p)
	_, err := s.sdk.call(action, p)
	var no *refused
	switch x := s.cloud.answered(); {
	case !errors.As(err, &no):
		s.fail("%s %v: want the refusal %s, got %v", action, p, code, err)
	case no.code == "" && x.format == "XML" && strings.Contains(no.Error(), "<Code>"+code+"</Code>"): // that SDK does not read XML refusals
	case no.code != code:
		s.fail("%s %v: want the refusal %s, got %q: %v", action, p, code, no.code, err)
	}
}

// expect compares the values of a typed answer below a prefix with what
// follows from the state. Paths of the answer that match derived are taken as
// they are.
func (s *session) expect(action, prefix string, want, held leaves, derived string) {
	s.t.Helper()
	if held == nil {
		return // told before
	}
	types := s.sdk.fields(action)
	free := regexp.MustCompile("^(RequestId|Code|Message|Success)$" + map[bool]string{true: "|" + derived}[derived != ""])
	w, g := make(leaves), make(leaves)
	for path, value := range want {
		if path = join(prefix, path); types.has(path) && !free.MatchString(path) {
			w[path] = value
		}
	}
	for path, value := range held {
		if !free.MatchString(path) && strings.HasPrefix(path, prefix) {
			g[path] = value
		}
	}
	n, wrong := differences(w, g)
	s.state += n
	for _, line := range wrong {
		s.fail("%s: state: %s", action, line)
	}
	s.expectDone(action, held)
}

// expectDone looks at what every answer says.
func (s *session) expectDone(action string, held leaves) {
	s.t.Helper()
	types := s.sdk.fields(action)
	for name, want := range map[string]string{"Code": "200", "Success": "true", "Message": "operation success."} {
		if types.has(name) {
			s.state++
			if got := held[name]; got != want && !(action == "ChangeResourceGroup" && name == "Success" && got == "1") {
				s.fail("%s: %s is %q", action, name, got)
			}
		}
	}
	if len(held["RequestId"]) != 36 {
		s.fail("%s: RequestId is %q", action, held["RequestId"])
	}
}

// mutate makes a call that changes the world as change does and in no other
// way, and that the cloud has carried out once, with the parameters that were
// sent.
func (s *session) mutate(action string, p params, change func(a *sim.Account)) leaves {
	s.t.Helper()
	want := s.cloud.World()
	before := len(s.cloud.Effects(sim.Match{Action: action}))
	held := s.call(action, p)
	got := s.cloud.World()
	change(&want.Accounts[0])
	w, g := make(leaves), make(leaves)
	w.addValue("", reflect.ValueOf(want))
	g.addValue("", reflect.ValueOf(got))
	n, wrong := differences(w, g)
	s.world += n
	for _, line := range wrong {
		s.fail("%s: world: %s", action, line)
	}
	effects := s.cloud.Effects(sim.Match{Action: action})
	if len(effects) != before+1 {
		s.fail("%s: carried out %d times", action, len(effects)-before)
		return held
	}
	s.effects++
	done := effects[len(effects)-1].Params
	for name, text := range flat(s.knownParams(action, p)) {
		if got, ok := done[name]; ok && got != text || !ok && name != "Password" {
			s.fail("%s: %s arrived as %q, was sent as %q", action, name, got, text)
		}
	}
	if held != nil {
		s.expectDone(action, held)
	}
	return held
}

// flat returns the parameters whose form on the wire is prescribed.
func flat(p params) map[string]string {
	out := make(map[string]string)
	for name, value := range p {
		switch value := value.(type) {
		case string:
			out[name] = value
		case []string:
			if name == "WeeklyTypes" {
				continue // JSON
			}
			for i, text := range value {
				out[name+"."+strconv.Itoa(i+1)] = text
			}
		case []map[string]string:
			if name == "Offsets" {
				continue // JSON
			}
			for i, object := range value {
				for member, text := range object {
					out[name+"."+strconv.Itoa(i+1)+"."+member] = text
				}
			}
		}
	}
	return out
}

// read is an independent reading of the same, by our own client over no
// socket: JSON, signature 1.0.
func (s *session) read(action string, p params) leaves {
	s.t.Helper()
	q := flat(p)
	if q["RegionId"] == "" {
		q["RegionId"] = region
	}
	body, err := s.own.Do(s.t.Context(), api.Raw{Action: action, RegionID: region, Params: q})
	if err != nil {
		s.fail("own %s: %v", action, err)
		return nil
	}
	l, err := readJSON(body)
	if err != nil {
		s.fail("own %s: %v", action, err)
	}
	for _, name := range []string{"RequestId", "Code", "Message", "Success"} {
		delete(l, name)
	}
	return l
}
