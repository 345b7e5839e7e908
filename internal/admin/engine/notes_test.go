package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// ledger is somebody else's state in the journal: it changes by notes alone.
type ledger struct{ entries []string }

func (b *ledger) install(o *engine.Options) {
	b.entries = nil
	o.SegmentSize = 4 << 10
	o.Replay = map[string]func(time.Time, json.RawMessage) error{"entry": func(_ time.Time, body json.RawMessage) error {
		var s string
		err := json.Unmarshal(body, &s)
		b.entries = append(b.entries, s)
		return err
	}}
	o.Carry = func() []engine.Note {
		var notes []engine.Note
		for _, s := range b.entries {
			notes = append(notes, engine.Note{Kind: "entry", Body: s})
		}
		return notes
	}
}

func TestNotesOutliveSegmentsAndRestarts(t *testing.T) {
	t.Parallel()
	var book ledger
	running(t, func(l *lab, _ *sim.Options) { l.options = book.install }, func(l *lab) {
		ctx := l.t.Context()
		r := l.end(l.do(stepOf("ModifyPartitionNum").request("1")).ID)
		if err := l.engine.SetKillSwitch(ctx, alice, true, "drill"); err != nil {
			l.t.Fatal(err)
		}
		var want []string
		for i := range 40 {
			want = append(want, fmt.Sprintf("delivery %d, %040d", i, i))
			if err := l.engine.Note(ctx, "entry", want[i]); err != nil {
				l.t.Fatal(err)
			}
			if !slices.Equal(book.entries, want) {
				l.t.Fatal("a note that was made is not told")
			}
			if i%10 == 9 {
				l.stop()
				l.disk.Crash(func(int) int { return 0 })
				l.start()
			}
		}
		if !slices.Equal(book.entries, want) {
			l.t.Errorf("after restarts: %d notes of %d", len(book.entries), len(want))
		}
		again, ok := l.engine.Get(r.ID)
		if !ok || again.State != engine.StateApplied || !l.engine.KillSwitch().Stopped {
			l.t.Errorf("after restarts: run %s, kill switch %+v", again.State, l.engine.KillSwitch())
		}
		sum, err := journal.Scan(l.disk, l.dir+"/journal", func(journal.Record, journal.Hash) error { return nil })
		if err != nil || sum.Segments < 3 {
			l.t.Errorf("%+v, %v", sum, err)
		}
		if err := l.engine.Note(ctx, "entry", func() {}); err == nil {
			l.t.Error("what is no JSON was recorded")
		}
	})
}

// TestACoolDownOutlivesSegments: what a guard looks back at is carried over for
// as long, however many segments of the journal have gone by.
func TestACoolDownOutlivesSegments(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	var book ledger
	running(t, func(l *lab, _ *sim.Options) {
		l.options = book.install
		l.config.Guards.Partitions.CoolDown = model.Duration(30 * day)
	}, func(l *lab) {
		scale := stepOf("ModifyPartitionNum").request("1")
		l.end(l.do(scale).ID)
		for i, want := range []engine.State{engine.StateRefused, engine.StateQueued} {
			time.Sleep(20 * day)
			for range 100 {
				if err := l.engine.Note(l.t.Context(), "entry", "a line of the ledger"); err != nil {
					l.t.Fatal(err)
				}
			}
			scale.Key = fmt.Sprintf("again %d", i)
			scale.Params["TargetPartitionNum"] = "14"
			if r := l.do(scale); r.State != want {
				l.t.Errorf("after %d days: %s, %s", 20*(i+1), r.State, r.Why)
			}
		}
	})
}

// TestAJournalThatCannotRotateSaysSo: it goes on in the segment that is full,
// counts every attempt to begin another, and logs each reason once until an
// attempt succeeds.
func TestAJournalThatCannotRotateSaysSo(t *testing.T) {
	t.Parallel()
	var told bytes.Buffer
	running(t, func(l *lab, _ *sim.Options) {
		l.options = func(o *engine.Options) {
			o.SegmentSize = 4 << 10
			o.Logger = slog.New(slog.NewTextHandler(&told, nil))
		}
	}, func(l *lab) {
		broken := func(op, reason string) {
			l.disk.Fail(func(is, name string) error {
				if is == op && strings.HasSuffix(name, ".new") {
					return errors.New(reason)
				}
				return nil
			})
		}
		for _, phase := range []struct {
			op, reason string
			logged     int // lines in all
			rotated    bool
		}{
			{"create", "no inodes are left", 1, false},
			{"rename", "not permitted", 2, false},
			{"", "", 2, true},
			{"rename", "not permitted", 3, true},
		} {
			broken(phase.op, phase.reason)
			before := sample(l.t, l, "alikafka_journal_rotation_failures_total", "")
			for range 60 {
				if err := l.engine.Note(l.t.Context(), "entry", strings.Repeat("x", 60)); err != nil {
					l.t.Fatal(err)
				}
			}
			failed := sample(l.t, l, "alikafka_journal_rotation_failures_total", "") - before
			if phase.op == "" && failed != 0 || phase.op != "" && failed < 2 {
				l.t.Errorf("%q: %v attempts failed", phase.reason, failed)
			}
			if n := strings.Count(told.String(), "cannot begin a new segment"); n != phase.logged || !strings.Contains(told.String(), phase.reason) {
				l.t.Errorf("%q: %d lines in all, not %d:\n%s", phase.reason, n, phase.logged, &told)
			}
			sum, err := journal.Scan(l.disk, l.dir+"/journal", func(journal.Record, journal.Hash) error { return nil })
			if err != nil || (sum.Segments > 1) != phase.rotated {
				l.t.Errorf("%q: %+v, %v", phase.reason, sum, err)
			}
		}
	})
}
