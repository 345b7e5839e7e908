package journal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal/journaltest"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
)

const dir = "/state/journal"

// open opens the journal on a disk and returns the kinds that it replays.
func open(t *testing.T, d journal.FS, change func(*journal.Options)) (*journal.Journal, []string, error) {
	t.Helper()
	o := journal.Options{Dir: dir, FS: d}
	if change != nil {
		change(&o)
	}
	var kinds []string
	j, err := journal.Open(o, func(r journal.Record) error {
		kinds = append(kinds, r.Kind)
		return nil
	})
	return j, kinds, err
}

func mustOpen(t *testing.T, d journal.FS) (*journal.Journal, []string) {
	t.Helper()
	j, kinds, err := open(t, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return j, kinds
}

func kind(n int) string { return fmt.Sprintf("k%d", n) }

func kinds(n int) []string {
	var all []string
	for i := range n {
		all = append(all, kind(i))
	}
	return all
}

// written returns a disk whose journal has n records, and the file's size after
// each of them: sizes[0] is that of the segment's first record alone.
func written(t *testing.T, n int) (d *journaltest.Disk, sizes []int) {
	t.Helper()
	d = journaltest.New()
	j, _ := mustOpen(t, d)
	sizes = []int{len(d.Read(segmentFile(1)))}
	for i := range n {
		if err := j.Append(kind(i), map[string]any{"n": i, "text": "Grüße\n"}); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(d.Read(segmentFile(1))))
	}
	return d, sizes
}

func segmentFile(n int) string { return fmt.Sprintf("%s/%08d.journal", dir, n) }

func TestWhatWasAppendedIsReplayed(t *testing.T) {
	t.Parallel()
	at := filepath.Join(t.TempDir(), "journal")
	o := func(o *journal.Options) { o.Dir, o.FS = at, nil }
	j, got, err := open(t, nil, o)
	if err != nil || len(got) > 0 {
		t.Fatalf("a new journal: %v, %v", got, err)
	}
	for i := range 3 {
		if err := j.Append(kind(i), struct{ N int }{i}); err != nil {
			t.Fatal(err)
		}
	}
	head := j.Head()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append("late", nil); !errors.Is(err, journal.ErrLatched) {
		t.Errorf("after Close: %v", err)
	}
	j, got, err = open(t, nil, o)
	if err != nil || !slices.Equal(got, kinds(3)) || j.Head() != head || head.Seq != 4 {
		t.Fatalf("replayed %v, %v; head %v, before %v", got, err, j.Head(), head)
	}
	defer j.Close()
	info, err := os.Stat(filepath.Join(at, "00000001.journal"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	sum, err := journal.Scan(journal.ReadOnly{}, at, func(journal.Record, journal.Hash) error { return nil })
	if err != nil || sum.Records != 4 || sum.First != 1 || sum.Last != 4 || sum.Head != head.Hash {
		t.Errorf("%+v, %v", sum, err)
	}
}

// TestEveryPrefixKeepsWhatWasSynced: under -short it is every tenth, and those
// that end at a frame's end or a byte from it.
func TestEveryPrefixKeepsWhatWasSynced(t *testing.T) {
	t.Parallel()
	const n = 6
	d, sizes := written(t, n)
	whole := d.Read(segmentFile(1))
	for cut := range len(whole) + 1 {
		atEnd := slices.ContainsFunc(sizes, func(size int) bool { return cut >= size-1 && cut <= size+1 })
		if cut%10 >= short.Of(10) && !atEnd {
			continue
		}
		d := journaltest.New()
		d.Put(segmentFile(1), whole[:cut])
		j, got, err := open(t, d, nil)
		if err != nil || j.Err() != nil {
			t.Fatalf("%d bytes: %v, %v", cut, err, j.Err())
		}
		want := 0
		for i, size := range sizes {
			if cut >= size {
				want = i
			}
		}
		if !slices.Equal(got, kinds(want)) {
			t.Fatalf("%d bytes: replayed %v, not %d records", cut, got, want)
		}
		if err := j.Append("next", nil); err != nil {
			t.Fatalf("%d bytes: %v", cut, err)
		}
		_, got = mustOpen(t, d)
		if !slices.Equal(got, append(kinds(want), "next")) {
			t.Fatalf("%d bytes, another record: %v", cut, got)
		}
	}
}

// TestEveryBitThatFlipsIsDetected: under -short it is one bit of every byte, each
// time the one beside.
func TestEveryBitThatFlipsIsDetected(t *testing.T) {
	t.Parallel()
	const n = 4
	d, sizes := written(t, n)
	whole := d.Read(segmentFile(1))
	for i := range len(whole) * short.Of(8) {
		at, round := i%len(whole), i/len(whole)
		bit := 8*at + (at+round)%8
		bad := bytes.Clone(whole)
		bad[bit/8] ^= 1 << (bit % 8)
		d := journaltest.New()
		d.Put(segmentFile(1), bad)
		j, got, err := open(t, d, nil)
		var corrupt *journal.CorruptError
		if err != nil || !errors.As(j.Err(), &corrupt) {
			t.Fatalf("bit %d: %v, %v, replayed %v", bit, err, j.Err(), got)
		}
		before := 0 // whole records in front of the damage
		for i, size := range sizes {
			if bit/8 >= size {
				before = i
			}
		}
		if bit/8 >= sizes[0] && !slices.Equal(got, kinds(before)) {
			t.Fatalf("bit %d: replayed %v, not %d records", bit, got, before)
		}
		if err := j.Append("next", nil); !errors.Is(err, journal.ErrLatched) {
			t.Fatalf("bit %d: appended: %v", bit, err)
		}
		if !bytes.Equal(d.Read(segmentFile(1)), bad) {
			t.Fatalf("bit %d: the file was changed", bit)
		}
		if _, err := journal.Scan(d, dir, func(journal.Record, journal.Hash) error { return nil }); !errors.As(err, &corrupt) {
			t.Fatalf("bit %d: Scan: %v", bit, err)
		}
	}
}

func TestChangesThatKeepTheChecksumBreakTheChain(t *testing.T) {
	t.Parallel()
	d, sizes := written(t, 4)
	whole := d.Read(segmentFile(1))
	for name, bad := range map[string][]byte{
		"a record taken out":  slices.Concat(whole[:sizes[1]], whole[sizes[2]:]),
		"a record twice":      slices.Concat(whole[:sizes[2]], whole[sizes[1]:]),
		"two records swapped": slices.Concat(whole[:sizes[1]], whole[sizes[2]:sizes[3]], whole[sizes[1]:sizes[2]], whole[sizes[3]:]),
	} {
		d := journaltest.New()
		d.Put(segmentFile(1), bad)
		j, _ := mustOpen(t, d)
		if err := j.Err(); !errors.Is(err, journal.ErrLatched) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestZerosBehindTheEndAreATornTail(t *testing.T) {
	t.Parallel()
	d, _ := written(t, 2)
	whole := d.Read(segmentFile(1))
	d.Put(segmentFile(1), append(bytes.Clone(whole), make([]byte, 4096)...))
	j, got := mustOpen(t, d)
	if j.Err() != nil || !slices.Equal(got, kinds(2)) || !bytes.Equal(d.Read(segmentFile(1)), whole) {
		t.Errorf("%v, %v", j.Err(), got)
	}
}

func TestAFullDiskIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	d, _ := written(t, 1)
	before := d.Read(segmentFile(1))
	j, _ := mustOpen(t, d)
	d.Limit(int64(len(before)) + 40)
	for range 3 {
		if err := j.Append("big", strings.Repeat("x", 100)); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, journal.ErrLatched) {
			t.Fatal(err)
		}
		if !bytes.Equal(d.Read(segmentFile(1)), before) {
			t.Fatal("part of the record is there")
		}
	}
	d.Limit(-1) // somebody made room
	if err := j.Append(kind(1), nil); err != nil {
		t.Fatal(err)
	}
	if _, got := mustOpen(t, d); !slices.Equal(got, kinds(2)) {
		t.Errorf("replayed %v", got)
	}
}

func TestAsMuchMustFitAsDidNot(t *testing.T) {
	t.Parallel()
	d, _ := written(t, 1)
	j, _ := mustOpen(t, d)
	if f := j.Failed(); f != nil {
		t.Fatalf("%+v", f)
	}
	d.Limit(int64(len(d.Read(segmentFile(1)))) + 1000)
	for _, step := range []struct {
		size int  // of the record
		fits bool // or else the disk is full
		room int  // that must be proved afterwards; 0: it is
	}{
		{100, true, 0},
		{2000, false, 2000},
		{100, true, 2000}, // in what was left
		{1000, false, 2000},
		{3000, false, 3000},
		{10, true, 3000},
	} {
		err := j.Append("r", strings.Repeat("x", step.size))
		f := j.Failed()
		if step.fits != (err == nil) || (step.room > 0) != (f != nil) {
			t.Fatalf("%d bytes: %v, %+v", step.size, err, f)
		}
		if f != nil && (f.Room < step.room || f.Room > step.room+500 || !errors.Is(f.Err, syscall.ENOSPC)) {
			t.Errorf("%d bytes: %+v", step.size, f)
		}
	}
	d.Limit(-1)
	if err := j.Append("r", strings.Repeat("x", 2000)); err != nil || j.Failed() == nil {
		t.Errorf("less than did not fit is taken for a proof: %v", err)
	}
	// Not 3000 again: the same record is shorter where its time ends in a zero.
	if err := j.Append("r", strings.Repeat("x", j.Failed().Room)); err != nil || j.Failed() != nil {
		t.Errorf("%v, %+v", err, j.Failed())
	}
	if err := j.Append("r", func() {}); err == nil || j.Failed() != nil {
		t.Error("what cannot be a record is taken for a disk that is full")
	}
	d.Limit(0)
	_ = j.Append("r", strings.Repeat("x", 7<<20))
	if f := j.Failed(); f == nil || f.Room != 1<<20 {
		t.Errorf("the proof of a large record: %+v", f)
	}
}

// TestASegmentThatDoesNotFitTakesNoRoom: what is left is for the records.
func TestASegmentThatDoesNotFitTakesNoRoom(t *testing.T) {
	t.Parallel()
	d := journaltest.New()
	var tried []error
	j, err := journal.Open(journal.Options{
		Dir: dir, FS: d, SegmentSize: 1000, Rotated: func(err error) { tried = append(tried, err) },
		Carry: func() []journal.Entry { return []journal.Entry{{Kind: "carried", Body: strings.Repeat("x", 50_000)}} },
	}, func(journal.Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append("r", strings.Repeat("x", 1000)); err != nil {
		t.Fatal(err)
	}
	d.Limit(int64(len(d.Read(segmentFile(1)))) + 10_000)
	if err := j.Append("r", strings.Repeat("x", 5000)); err != nil || j.Failed() != nil {
		t.Errorf("%v, %+v", err, j.Failed())
	}
	if names, err := d.List(dir); err != nil || len(names) != 1 || len(tried) != 1 || !errors.Is(tried[0], syscall.ENOSPC) {
		t.Errorf("%v, %v; rotations: %v", names, err, tried)
	}
}

func TestAFailedSyncIsFinal(t *testing.T) {
	t.Parallel()
	d, _ := written(t, 1)
	j, _ := mustOpen(t, d)
	failing := func(ops ...string) func(op, _ string) error {
		return func(op, _ string) error {
			if slices.Contains(ops, op) {
				return syscall.EIO
			}
			return nil
		}
	}
	d.Fail(failing("sync"))
	if err := j.Append("lost", nil); !errors.Is(err, journal.ErrLatched) || !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	d.Fail(nil)
	if err := j.Append("later", nil); !errors.Is(err, journal.ErrLatched) || !errors.Is(j.Err(), syscall.EIO) {
		t.Fatal(err)
	}

	// A write that can neither be made nor taken back.
	d, _ = written(t, 1)
	j, _ = mustOpen(t, d)
	d.Fail(failing("write", "truncate"))
	if err := j.Append("lost", nil); !errors.Is(err, journal.ErrLatched) {
		t.Fatal(err)
	}
}

// TestASegmentIsWholeBeforeItIsUsed crashes at every operation of the disk
// while segments are closed, and looks whether anything that had returned is
// missing afterwards.
func TestASegmentIsWholeBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	const records = 12
	for crashAt := 1; ; crashAt++ {
		d := journaltest.New()
		done := runUntil(t, d, crashAt, records)
		d.Fail(nil)
		d.Crash(func(n int) int { return n * (crashAt % 3) / 2 })
		state := map[string]bool{}
		j, _, err := openState(t, d, state)
		if err != nil || j.Err() != nil {
			t.Fatalf("crash at %d: %v, %v", crashAt, err, j.Err())
		}
		for i := range done {
			if !state[kind(i)] {
				t.Fatalf("crash at %d: record %d of %d is lost", crashAt, i, done)
			}
		}
		if len(state) > done+1 {
			t.Fatalf("crash at %d: %d records, %d were appended", crashAt, len(state), done)
		}
		sum, err := journal.Scan(d, dir, func(journal.Record, journal.Hash) error { return nil })
		if err != nil || sum.First != 1 {
			t.Fatalf("crash at %d: %+v, %v", crashAt, sum, err)
		}
		if done == records {
			if sum.Segments < 3 {
				t.Errorf("only %d segments", sum.Segments)
			}
			return
		}
	}
}

// openState opens a journal with small segments. state is what its records
// say; it is carried over.
func openState(t *testing.T, d journal.FS, state map[string]bool) (*journal.Journal, *sync.Mutex, error) {
	t.Helper()
	var mu sync.Mutex
	j, err := journal.Open(journal.Options{Dir: dir, FS: d, SegmentSize: 1200, Carry: func() []journal.Entry {
		mu.Lock()
		defer mu.Unlock()
		var entries []journal.Entry
		for _, k := range slices.Sorted(maps.Keys(state)) {
			entries = append(entries, journal.Entry{Kind: k})
		}
		return entries
	}}, func(r journal.Record) error {
		state[r.Kind] = true
		return nil
	})
	return j, &mu, err
}

// runUntil appends records until the disk fails for good at its n-th
// operation, and returns how many appends returned.
func runUntil(t *testing.T, d *journaltest.Disk, n, records int) (done int) {
	t.Helper()
	ops := 0
	d.Fail(func(string, string) error {
		if ops++; ops >= n {
			return journaltest.ErrGone
		}
		return nil
	})
	state := map[string]bool{}
	j, mu, err := openState(t, d, state)
	if err != nil {
		return 0
	}
	for i := range records {
		if j.Append(kind(i), strings.Repeat("x", 60)) != nil {
			return i
		}
		mu.Lock()
		state[kind(i)] = true
		mu.Unlock()
	}
	return records
}

func TestASegmentIsMissing(t *testing.T) {
	t.Parallel()
	d := journaltest.New()
	if done := runUntil(t, d, 1<<30, 12); done != 12 {
		t.Fatal(done)
	}
	d.Fail(nil)
	scan := func() error {
		_, err := journal.Scan(d, dir, func(journal.Record, journal.Hash) error { return nil })
		return err
	}
	if err := scan(); err != nil {
		t.Fatal(err)
	}
	second := d.Read(segmentFile(2))
	if err := d.Remove(segmentFile(2)); err != nil {
		t.Fatal(err)
	}
	var corrupt *journal.CorruptError
	if err := scan(); !errors.As(err, &corrupt) {
		t.Errorf("without its second segment: %v", err)
	}
	d.Put(segmentFile(2), second[:len(second)-1])
	if err := scan(); !errors.As(err, &corrupt) {
		t.Errorf("second segment cut short: %v", err)
	}
	d.Put(segmentFile(2), second)
	if err := d.Remove(segmentFile(1)); err != nil {
		t.Fatal(err)
	}
	if sum, err := journal.Scan(d, dir, func(journal.Record, journal.Hash) error { return nil }); err != nil || sum.First == 1 {
		t.Errorf("without its first segment, which may be kept elsewhere: %+v, %v", sum, err)
	}
}

func TestANewerFormatIsNotTouched(t *testing.T) {
	t.Parallel()
	d := journaltest.New()
	d.Put(segmentFile(1), journal.Frame(t, "segment", `{"format":2,"segment":1,"prev":"`+strings.Repeat("0", 64)+`"}`))
	before := d.Read(segmentFile(1))
	j, _ := mustOpen(t, d)
	if err := j.Err(); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Error(err)
	}
	if !bytes.Equal(before, d.Read(segmentFile(1))) {
		t.Error("the file was changed")
	}
}

func TestAppendsAtOnceAreAllThere(t *testing.T) {
	t.Parallel()
	d := journaltest.New()
	j, _ := mustOpen(t, d)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if err := j.Append(kind(i), i); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	_, got := mustOpen(t, d)
	slices.Sort(got)
	want := kinds(40)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("replayed %v", got)
	}
}

func TestWhatCannotBeARecord(t *testing.T) {
	t.Parallel()
	d := journaltest.New()
	j, _ := mustOpen(t, d)
	for _, body := range []any{func() {}, strings.Repeat("x", 9<<20)} {
		if err := j.Append("bad", body); err == nil || j.Err() != nil {
			t.Errorf("%v, %v", err, j.Err())
		}
	}
	if err := j.Append("good", json.RawMessage(`{}`)); err != nil {
		t.Error(err)
	}
}

func FuzzOpen(f *testing.F) {
	d := journaltest.New()
	j, err := journal.Open(journal.Options{Dir: dir, FS: d}, func(journal.Record) error { return nil })
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if err := j.Append(kind(i), i); err != nil {
			f.Fatal(err)
		}
	}
	whole := d.Read(segmentFile(1))
	f.Add(whole)
	f.Add(whole[:len(whole)-5])
	f.Add([]byte("0000004b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := journaltest.New()
		d.Put(segmentFile(1), data)
		j, got, err := open(t, d, nil)
		if err != nil {
			t.Fatal(err)
		}
		if j.Err() != nil {
			if !bytes.Equal(d.Read(segmentFile(1)), data) {
				t.Fatal("a damaged journal was changed")
			}
			return
		}
		if kept := d.Read(segmentFile(1)); len(got) > 0 && !bytes.HasPrefix(data, kept) {
			t.Fatal("what is kept is not how the file began")
		}
		if err := j.Append("next", nil); err != nil {
			t.Fatal(err)
		}
		if _, again := mustOpen(t, d); len(again) != len(got)+1 {
			t.Fatalf("%d records, then one more, are %d", len(got), len(again))
		}
	})
}
