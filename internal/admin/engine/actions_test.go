package engine_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

func TestEveryDocumentedActionIsDoneVerifiedAndAudited(t *testing.T) {
	t.Parallel()
	if n := len(steps()); n != 24 {
		t.Fatalf("%d steps", n)
	}
	for _, s := range steps() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for name, change := range services() {
				if name == "of 2022" && s.name == "UpgradePrePayOrder" {
					continue // it does not show what IoMaxSpec changed: refused
				}
				synctest.Test(t, func(t *testing.T) {
					t.Log(name)
					doneVerifiedAudited(t, s, change)
				})
			}
		})
	}
}

// services are the forms in which the service is met.
func services() map[string]func(*sim.Options) {
	return map[string]func(*sim.Options){
		"current":      func(*sim.Options) {},
		"of 2022":      func(o *sim.Options) { o.Edition, o.Strict = sim.Edition2022, false },
		"odd":          func(o *sim.Options) { o.Strings, o.DoubleEscape, o.FormerSize, o.TagPage = true, true, true, 1 },
		"stale reads":  func(o *sim.Options) { o.ReadLag, o.FreshReads = 20*time.Second, 0.5 },
		"slow answers": func(o *sim.Options) { o.Latency, o.Jitter = 3*time.Second, 3*time.Second },
	}
}

func doneVerifiedAudited(t *testing.T, s step, change func(*sim.Options)) {
	t.Helper()
	l := newLab(t, func(_ *lab, o *sim.Options) { change(o) })
	l.start()
	defer func() { l.stop() }()
	q := s.request("key-1")
	r := l.do(q)
	row, _ := api.Lookup(s.action)
	if above := row.Effect > api.Write; (r.State == engine.StatePending) != above {
		t.Fatalf("%s, whose effect is %s, is %s: %s", s.action, row.Effect, r.State, r.Why)
	}
	r = l.approve(r)
	r = l.end(r.ID)
	if r.State != engine.StateApplied || r.Verification.AttributedBy != "ack" || r.Verification.Agreed < 2 {
		t.Fatalf("%s: %s; verification %+v", r.State, r.Why, r.Verification)
	}
	if len(r.Calls) != 1 || r.Calls[0].Outcome != "done" || r.Calls[0].Nonce == "" || r.Calls[0].RequestID == "" {
		t.Errorf("calls %+v", r.Calls)
	}
	if effects := l.effects(s.action); len(effects) != 1 {
		t.Fatalf("%d effects", len(effects))
	}
	again, err := l.engine.Do(t.Context(), q)
	if err != nil || again.ID != r.ID {
		t.Errorf("the same key again: %s, %v", again.ID, err)
	}
	q.Key = "key-2" // the same wish under another key
	if r := l.do(q); r.State != engine.StateUnchanged && r.State != engine.StateRefused {
		t.Errorf("the same again: %s", r.State)
	}
	time.Sleep(time.Hour)
	if effects := l.effects(s.action); len(effects) != 1 {
		t.Errorf("%d effects after an hour", len(effects))
	}
	audited(t, l, r)
}

// audited looks for the run in the journal: planned, intended before its
// outcome, and no secret anywhere.
func audited(t *testing.T, l *lab, r engine.Run) {
	t.Helper()
	var events []string
	_, err := journal.Scan(l.disk, l.dir+"/journal", func(rec journal.Record, _ journal.Hash) error {
		var run engine.Run
		if err := json.Unmarshal(rec.Body, &run); err != nil {
			return err
		}
		if run.ID == r.ID {
			events = append(events, strings.TrimPrefix(rec.Kind, "run/"))
		}
		if strings.Contains(string(rec.Body), "canary-hunter2") {
			t.Error("a secret is in the journal")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "queued intent outcome applied"
	if r.Plan.Approvals > 0 {
		want = "pending_approval approved intent outcome applied"
	}
	if got := strings.Join(events, " "); got != want {
		t.Errorf("journal: %s; want %s", got, want)
	}
}

func TestEveryDocumentedActionHasARow(t *testing.T) {
	t.Parallel()
	rows := engine.Rows()
	for i, s := range steps() {
		if len(rows) != 24 || rows[i].Action == "" {
			t.Fatalf("%d rows", len(rows))
		}
		found := false
		for _, r := range rows {
			found = found || r.Action == s.action
		}
		a, ok := api.Lookup(s.action)
		if !found || !ok || a.Effect == api.Read || a.Confirm == "" {
			t.Errorf("%s: row %t, in the api's table %t", s.action, found, ok)
		}
	}
}

func TestOtherActionsAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		l.start()
		defer func() { l.stop() }()
		params := map[string]map[string]string{
			"StopInstance":            on(post),
			"UpdateTopicConfig":       on(post, "Topic", "orders", "Config", "retention.hours", "Value", "72"),
			"UpdateConsumerOffset":    on(post, "ConsumerId", "gone", "Topic", "", "Time", "-1"),
			"EnableAutoGroupCreation": on(post, "Enable", "true"),
			"FailoverTest":            on(post),
		}
		for action, p := range params {
			r := l.do(engine.Request{Key: action, Actor: alice, Action: action, Params: p})
			if r.State != engine.StateRefused || !refusedBy(r, "confirming_read") {
				t.Errorf("%s: %s %v", action, r.State, r.Refusals())
			}
			if n := len(l.effects(action)); n != 0 {
				t.Errorf("%s had %d effects", action, n)
			}
		}
	})
}

func refusedBy(r engine.Run, guard string) bool {
	for _, v := range r.Refusals() {
		if v.Guard == guard && v.Limit != "" && v.Message != "" {
			return true
		}
	}
	return false
}
