package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

var killed = flag.String("killed", "some",
	"the actions whose processes are killed: some or all; where it is not given, under -short a tenth of the processes")

// childEnv holds the order of a child, as JSON.
const childEnv = "ENGINE_TEST_CHILD"

// order is what a child does: it brings one operation to its end, and kills
// itself at a write of the journal.
type order struct {
	Endpoint string
	Dir      string
	Action   string
	KillAt   int  // the sync at which it is killed; 0: never
	Before   bool // before the sync, else after it
	Sent     bool // it is killed when the cloud has answered the call
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := child(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// die ends the process as the kernel would.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}

// deadly is a disk on which the n-th sync is the last thing that happens.
type deadly struct {
	journal.Disk
	o *order
	n *int
}

type deadlyFile struct {
	journal.File
	d deadly
}

func (d deadly) Create(name string) (journal.File, error) {
	f, err := d.Disk.Create(name)
	return deadlyFile{f, d}, err
}

func (d deadly) Open(name string) (journal.File, error) {
	f, err := d.Disk.Open(name)
	return deadlyFile{f, d}, err
}

func (f deadlyFile) Sync() error {
	*f.d.n++
	if *f.d.n == f.d.o.KillAt && f.d.o.Before {
		die()
	}
	err := f.File.Sync()
	if *f.d.n == f.d.o.KillAt {
		die()
	}
	return err
}

// deadlyWire kills the process when the cloud has answered what changes
// something.
type deadlyWire struct {
	o  *order
	to http.RoundTripper
}

func (w deadlyWire) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.ParseForm()
	action := r.PostForm.Get("Action")
	resp, err := w.to.RoundTrip(remake(r))
	if a, ok := api.Lookup(action); ok && a.Effect != api.Read && w.o.Sent {
		die()
	}
	return resp, err
}

// child is the process that is killed. It ends with its parent, whose end of a
// pipe its standard input is.
func child(text string) error {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	client, err := api.NewClient(api.Options{
		Account: "main", Credentials: fixed{ID: "testid", Secret: secret.New("testsecret")},
		Endpoints: map[string]string{region: o.Endpoint}, Transport: deadlyWire{&o, &http.Transport{DisableKeepAlives: true}},
		Timeout: time.Hour, // however busy the machine is: a call that times out may take effect later
		Limiter: api.NewLimiter(api.RateLimits{Share: 1, Scope: "account", Default: 10_000, PerSourceIP: 10_000}, api.NewSourceLimit(10_000)),
	})
	if err != nil {
		return err
	}
	config := allowed()
	config.Quiescence = model.Duration(3 * time.Second) // nothing in this cloud comes later
	e, err := engine.Open(engine.Options{
		Accounts: map[string]engine.Account{"main": {Client: client}}, Inventory: &inventory{}, Config: config, Dir: o.Dir,
		Logger: slog.New(slog.DiscardHandler), FS: deadly{o: &o, n: new(int)},
		Secret: func(string) (secret.String, error) { return secret.New("canary-hunter2"), nil },
	})
	if err != nil {
		return err
	}
	ctx := context.Background()
	go func() { _ = e.Run(ctx) }()
	r, err := e.Do(ctx, stepOf(o.Action).request("key"))
	if err != nil {
		return err
	}
	if r.State == engine.StatePending {
		if r, err = e.Approve(ctx, r.ID, bob, r.Plan.Hash); err != nil {
			return err
		}
	}
	if r, err = e.Wait(ctx, r.ID); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// TestKilledProcesses kills processes at every write of the journal and when
// the call was answered, and looks what their successors make of it. Under
// -short it does so with every tenth of the processes, unless -killed is given.
func TestKilledProcesses(t *testing.T) {
	t.Parallel()
	some := []string{"ModifyPartitionNum", "CreateTopic", "UpdateAllowedIp"}
	n := 0
	for _, s := range steps() {
		if *killed != "all" && !slices.Contains(some, s.action) {
			continue
		}
		orders := []order{{Sent: true}}
		for at := 1; at <= 6; at++ {
			orders = append(orders, order{KillAt: at, Before: true}, order{KillAt: at})
		}
		orders = slices.DeleteFunc(orders, func(order) bool {
			n++
			return !given("killed") && !sampled(n-1)
		})
		t.Run(s.action, func(t *testing.T) {
			t.Parallel()
			for _, o := range orders {
				t.Run(fmt.Sprintf("at %d, before %t, sent %t", o.KillAt, o.Before, o.Sent), func(t *testing.T) {
					t.Parallel()
					kill(t, s.action, o)
				})
			}
		})
	}
}

// kill runs a process that is killed, and another that is not.
func kill(t *testing.T, action string, o order) {
	t.Helper()
	none := -time.Second
	cloud, err := sim.New(sim.Options{
		World: world(), Limits: sim.Limits{Default: -1, PerSourceIP: -1},
		Delays: sim.Delays{Order: none, Deploy: none, Begin: none, Change: none, Upgrade: none, CreateTopic: none, DeleteTopic: none, Release: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(cloud)
	defer srv.Close()
	o.Endpoint, o.Action, o.Dir = srv.URL, action, filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(o.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// A run that needs no approval is over before the last syncs.
	if _, err := spawn(t, o); !wasKilled(err) && (err != nil || o.Sent || o.KillAt <= 3) {
		t.Fatalf("the process was not killed: %v", err)
	}
	o.KillAt, o.Sent = 0, false
	text, err := spawn(t, o)
	if err != nil {
		t.Fatal(err)
	}
	var r engine.Run
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	effects := len(cloud.Effects(sim.Match{Action: action}))
	want := map[engine.State]int{engine.StateApplied: 1, engine.StateNotApplied: 0}
	if n, ok := want[r.State]; !ok || effects != n {
		t.Errorf("%s (%s), %d effects; calls %+v", r.State, r.Why, effects, r.Calls)
	}
	if _, err := journal.Scan(journal.ReadOnly{}, filepath.Join(o.Dir, "journal"), func(journal.Record, journal.Hash) error { return nil }); err != nil {
		t.Error(err)
	}
}

func wasKilled(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signal() == syscall.SIGKILL
}

// spawn runs a child until its end, and returns what it printed.
func spawn(t *testing.T, o order) ([]byte, error) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // open until this process or the child ends
		t.Fatal(err)
	}
	return cmd.Output()
}
