package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

func gatherer(t *testing.T, l *lab) prometheus.Gatherer {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(l.metrics); err != nil {
		t.Fatal(err)
	}
	return reg
}

// sample returns the value of a metric with that value of its only label, or
// with none.
func sample(t *testing.T, l *lab, name, label string) float64 {
	t.Helper()
	families, err := gatherer(t, l).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s{%s}", name, label)
	return 0
}

// TestTheJournalSaysWhatBecomesOfARecord: a disk that fills up is told apart
// from a journal that only a restart opens again, also where the file system
// reports a full disk at fsync alone.
func TestTheJournalSaysWhatBecomesOfARecord(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		is := func(want string) {
			l.t.Helper()
			for _, status := range []string{"writable", "failing", "latched", "standby"} {
				if got := sample(l.t, l, "alikafka_journal_status", status); (got == 1) != (status == want) {
					l.t.Errorf("%s: %v, want %s", status, got, want)
				}
			}
		}
		note := func() error { return l.engine.Note(l.t.Context(), "intake", "x") }
		is("writable")
		l.disk.Limit(0)
		if err := note(); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, journal.ErrLatched) {
			l.t.Error(err)
		}
		is("failing")
		l.disk.Limit(-1)
		time.Sleep(proved)
		is("writable")
		l.disk.Fail(func(op, _ string) error {
			if op == "sync" {
				return syscall.ENOSPC
			}
			return nil
		})
		if err := note(); !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, journal.ErrLatched) {
			l.t.Error(err)
		}
		l.disk.Fail(nil)
		time.Sleep(proved)
		is("latched")
		if words := l.engine.Err().Error(); !strings.Contains(words, "closed for good: fsync: ") || !strings.Contains(words, "then restart") || !strings.Contains(words, "no space left on device") {
			l.t.Error(words)
		}
		l.stop()
		l.start()
		is("writable")
		l.stop()
		l.options = func(o *engine.Options) { o.Standby = "another process holds it" }
		l.start()
		is("standby")
	})
}

func TestTheJournalSaysHowLargeItIs(t *testing.T) {
	t.Parallel()
	running(t, func(l *lab, _ *sim.Options) {
		l.options = func(o *engine.Options) { o.SegmentSize = 4 << 10 }
	}, func(l *lab) {
		size := func() int64 { return int64(sample(l.t, l, "alikafka_journal_size_bytes", "")) }
		onDisk := func() (sum int64) {
			for n := 1; ; n++ {
				segment := l.disk.Read(fmt.Sprintf("%s/journal/%08d.journal", l.dir, n))
				if segment == nil && n > 1 {
					return sum
				}
				sum += int64(len(segment))
			}
		}
		for range 60 {
			if err := l.engine.Note(l.t.Context(), "entry", strings.Repeat("x", 100)); err != nil {
				l.t.Fatal(err)
			}
			if size() != onDisk() {
				l.t.Fatalf("%d bytes are told, %d there", size(), onDisk())
			}
		}
		before := size()
		if before < 8<<10 {
			l.t.Errorf("%d bytes are one segment", before)
		}
		if err := l.disk.Remove(segmentOne); err != nil {
			l.t.Fatal(err)
		}
		time.Sleep(5*time.Minute + time.Second)
		if size() != onDisk() || size() >= before {
			l.t.Errorf("%d bytes are told after one segment of %d was archived, %d there", size(), before, onDisk())
		}
		l.stop()
		l.start()
		if size() != onDisk() {
			l.t.Errorf("%d bytes are told after a restart, %d there", size(), onDisk())
		}
	})
}
