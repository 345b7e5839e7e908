package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"time"
)

// DefaultSegmentSize is the size beyond which a segment is closed, in bytes.
const DefaultSegmentSize = 64 << 20

// Options say where a journal is. Dir is required.
type Options struct {
	Dir         string
	FS          FS    // nil: Disk
	SegmentSize int64 // 0: DefaultSegmentSize
	// Carry returns the records with which a new segment begins: all that Open
	// must tell of when it reads that segment alone. It is called within
	// Append and must not call the journal. Nil: none.
	Carry func() []Entry
	// Rotated is told of every attempt to go on in a new segment: nil, or why
	// the present one grows instead. It is called as Carry is. A failure that
	// latches the journal is Append's. Nil: nobody is told.
	Rotated func(error)
}

// Entry is a record to be.
type Entry struct {
	Kind string
	Body any // encoded as JSON
}

// ErrLatched is a journal to which nothing is appended any more until it is
// opened anew. It comes wrapped with the reason.
var ErrLatched = errors.New("the journal is closed for good")

// Journal is an open journal. Its methods may be used concurrently.
type Journal struct {
	o    Options
	turn chan struct{} // holds a token while nobody appends
	// What follows belongs to who has the token.
	file    File
	segment segment
	grow    int64 // the segment's size at which the next one is tried

	head   atomic.Pointer[Position]
	err    atomic.Pointer[error]   // why it is latched
	failed atomic.Pointer[Failure] // nil: nothing is known against it
	size   atomic.Int64            // see Size
}

// Failure is a journal that could not be written when it was last tried, and
// may be when it is tried again: its disk is full.
type Failure struct {
	Since, Last time.Time // when an append failed first, and last
	Err         error     // of the last
	// Room is how many bytes must be appended at once to prove that there is
	// room again: as many as could not be. Less may fit in what the file has of
	// its last block.
	Room int
}

// maxRoom bounds the proof that a journal can be written again, in bytes.
const maxRoom = 1 << 20

// Position is the end of the journal.
type Position struct {
	Seq  uint64
	Hash Hash
}

// Open opens the journal in o.Dir, or makes one. It cuts an unfinished write
// off and tells replay of the records of the last segment, but its first. Where
// the journal is damaged Open tells of what comes before the damage and returns
// a journal that is latched: see Err. An error means that the file system
// failed, or replay.
func Open(o Options, replay func(Record) error) (*Journal, error) {
	if o.FS == nil {
		o.FS = Disk{}
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	j := &Journal{o: o, turn: make(chan struct{}, 1), grow: o.SegmentSize}
	j.turn <- struct{}{}
	j.head.Store(&Position{})
	if err := o.FS.MkdirAll(o.Dir); err != nil {
		return nil, err
	}
	if err := o.FS.SyncDir(filepath.Dir(o.Dir)); err != nil {
		return nil, err
	}
	numbers, leftovers, err := segments(o.FS, o.Dir)
	if err != nil {
		return nil, err
	}
	for _, name := range leftovers {
		if err := o.FS.Remove(filepath.Join(o.Dir, name)); err != nil {
			return nil, err
		}
	}
	if len(numbers) == 0 {
		err = j.start(1, nil)
	} else {
		err = j.resume(numbers[len(numbers)-1], replay)
	}
	if err == nil {
		err = j.Measure()
	}
	return j, err
}

// Size returns how many bytes the segments in the directory have together, those
// too that are closed: as of the last Measure, and what was appended since.
func (j *Journal) Size() int64 { return j.size.Load() }

// Measure looks at the directory, from which somebody may have taken segments.
func (j *Journal) Measure() error {
	<-j.turn
	defer func() { j.turn <- struct{}{} }()
	numbers, _, err := segments(j.o.FS, j.o.Dir)
	if err != nil {
		return err
	}
	var sum int64
	for _, n := range numbers {
		size, err := j.o.FS.Size(j.path(n))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may be taken away just now
			return err
		}
		sum += size
	}
	j.size.Store(sum)
	return nil
}

// resume goes on with a segment that exists.
func (j *Journal) resume(number int, replay func(Record) error) error {
	s, err := readSegment(j.o.FS, j.o.Dir, number, nil, func(r Record, _ Hash) error { return replay(r) })
	j.segment = s
	j.head.Store(&Position{s.seq, s.head})
	if corrupt, ok := errors.AsType[*CorruptError](err); ok {
		_ = j.latch(corrupt) // Err tells
		return nil
	}
	if err != nil {
		return err
	}
	if s.records == 0 {
		return j.start(1, nil) // nothing in it was ever on the disk
	}
	if j.file, err = j.o.FS.Open(j.path(number)); err != nil {
		return err
	}
	if s.torn == 0 {
		return nil
	}
	if err := j.file.Truncate(s.size); err != nil {
		return err
	}
	return j.file.Sync()
}

func (j *Journal) path(number int) string { return filepath.Join(j.o.Dir, segmentName(number)) }

// start makes a segment and goes on in it. It appears under its name when it
// is whole and on the disk.
func (j *Journal) start(number int, carried []Entry) error {
	s := segment{number: number, prev: j.segment.head, head: j.segment.head, seq: j.segment.seq}
	var frames []byte
	first := Entry{kindSegment, opening{Format: format, Segment: number, Prev: s.prev.String(), Carried: len(carried)}}
	for _, e := range append([]Entry{first}, carried...) {
		frame, err := s.frame(e)
		if err != nil {
			return err
		}
		frames = append(frames, frame...)
	}
	s.size = int64(len(frames))
	name := j.path(number)
	file, err := j.o.FS.Create(name + unready)
	if err != nil {
		return err
	}
	err = j.publish(file, name, frames)
	if err != nil {
		err = errors.Join(err, file.Close())
		_ = j.o.FS.Remove(name + unready) // on a full disk it would take what is left
		return err
	}
	old := j.file
	j.file, j.segment, j.grow = file, s, j.o.SegmentSize
	j.size.Add(s.size)
	if s.size > j.grow/2 {
		j.grow = 2 * s.size // what is carried would fill it: let it grow
	}
	j.head.Store(&Position{s.seq, s.head})
	if old != nil {
		_ = old.Close() // all of it is on the disk
	}
	return nil
}

// publish writes a new segment and gives it its name.
func (j *Journal) publish(file File, name string, frames []byte) error {
	if _, err := file.Write(frames); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return &syncError{err}
	}
	if err := j.o.FS.Rename(name+unready, name); err != nil {
		return err
	}
	if err := j.o.FS.SyncDir(j.o.Dir); err != nil {
		return &syncError{err}
	}
	return nil
}

// frame encodes the next record of the segment and counts it.
func (s *segment) frame(e Entry) ([]byte, error) {
	body, err := json.Marshal(e.Body)
	if err != nil {
		return nil, fmt.Errorf("record of kind %s: %w", e.Kind, err)
	}
	frame, h, err := encode(Record{Seq: s.seq + 1, At: time.Now().UTC(), Kind: e.Kind, Body: body}, s.head)
	if err != nil {
		return nil, fmt.Errorf("record of kind %s: %w", e.Kind, err)
	}
	s.seq, s.head, s.records = s.seq+1, h, s.records+1
	s.size += int64(len(frame))
	return frame, nil
}

// syncError is a failed fsync: what is on the disk is not known, and asking
// again may lie.
type syncError struct{ err error }

func (e *syncError) Error() string {
	return "fsync: " + e.err.Error() + "; see to the disk, then restart"
}
func (e *syncError) Unwrap() error { return e.err }

// Append adds a record; when it returns nil the record is on the disk. After a
// failed write the journal is as it was, Failed tells of it, and the next one
// may succeed; after a failed fsync it is latched, and the error is ErrLatched
// with the reason. A record whose append failed may nevertheless be there after
// a crash.
func (j *Journal) Append(kind string, body any) error {
	<-j.turn
	defer func() { j.turn <- struct{}{} }()
	if err := j.Err(); err != nil {
		return err
	}
	if j.segment.size >= j.grow {
		if err := j.rotate(); err != nil {
			return err
		}
	}
	s := j.segment
	frame, err := s.frame(Entry{kind, body})
	if err != nil {
		return err
	}
	if _, err := j.file.Write(frame); err != nil {
		if undo := j.file.Truncate(j.segment.size); undo != nil {
			return j.latch(errors.Join(err, undo))
		}
		j.fail(err, len(frame))
		return err
	}
	if err := j.file.Sync(); err != nil {
		return j.latch(&syncError{err})
	}
	j.segment = s
	j.size.Add(int64(len(frame)))
	j.head.Store(&Position{s.seq, s.head})
	if f := j.failed.Load(); f != nil && len(frame) >= f.Room {
		j.failed.Store(nil)
	}
	return nil
}

// fail notes that a frame of so many bytes could not be written.
func (j *Journal) fail(err error, size int) {
	f := Failure{Since: time.Now(), Last: time.Now(), Err: err, Room: min(size, maxRoom)}
	if before := j.failed.Load(); before != nil {
		f.Since, f.Room = before.Since, max(f.Room, before.Room)
	}
	j.failed.Store(&f)
}

// Failed returns why the journal cannot be written at present; nil: it can, as
// far as is known. Err is about one that is latched.
func (j *Journal) Failed() *Failure { return j.failed.Load() }

// rotate goes on in a new segment. Where that fails, the present one is used
// until it is an eighth larger.
func (j *Journal) rotate() error {
	var carried []Entry
	if j.o.Carry != nil {
		carried = j.o.Carry()
	}
	err := j.start(j.segment.number+1, carried)
	if failed, ok := errors.AsType[*syncError](err); ok {
		return j.latch(failed)
	}
	if err != nil {
		j.grow += j.o.SegmentSize/8 + 1
	}
	if j.o.Rotated != nil {
		j.o.Rotated(err)
	}
	return nil
}

// latch closes the journal for good and returns what Append then returns.
func (j *Journal) latch(reason error) error {
	err := fmt.Errorf("%w: %w", ErrLatched, reason)
	j.err.Store(&err)
	return err
}

// Err says why the journal is latched; nil when it is not.
func (j *Journal) Err() error {
	if err := j.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Head returns the end of the journal.
func (j *Journal) Head() Position { return *j.head.Load() }

// Close closes the file. Nothing can be appended afterwards.
func (j *Journal) Close() error {
	<-j.turn
	defer func() { j.turn <- struct{}{} }()
	if j.Err() == nil {
		_ = j.latch(errors.New("it was closed")) // the reason is for Err
	}
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
