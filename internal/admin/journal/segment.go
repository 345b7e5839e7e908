package journal

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
)

// format is the version of the frames and of the segments' first records.
const format = 1

// kindSegment is the kind of a segment's first record.
const kindSegment = "segment"

// opening is the first record of a segment.
type opening struct {
	Format  int    `json:"format"`
	Segment int    `json:"segment"` // counts from 1
	Prev    string `json:"prev"`    // the chain's hash that the segment continues, in hex
	// Carried is how many records follow that were carried over. The segment
	// was not in use before they were all on the disk.
	Carried int `json:"carried"`
}

// CorruptError is a journal that is not as it was written.
type CorruptError struct {
	File   string
	Offset int64 // of the frame, in bytes
	Reason string
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("journal %s is damaged at byte %d: %s", e.File, e.Offset, e.Reason)
}

const (
	extension = ".journal"
	unready   = ".new" // of a segment that is being made
)

func segmentName(n int) string { return fmt.Sprintf("%08d", n) + extension }

// segments returns the numbers of the segments in dir, ascending. What was
// never finished is told apart.
func segments(fsys FS, dir string) (numbers []int, leftovers []string, err error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, extension+unready) {
			leftovers = append(leftovers, name)
		}
		if n, err := strconv.Atoi(strings.TrimSuffix(name, extension)); err == nil && name == segmentName(n) {
			numbers = append(numbers, n)
		}
	}
	return numbers, leftovers, nil
}

// segment is what a segment's file holds.
type segment struct {
	number  int
	prev    Hash // that it continues
	head    Hash // after its last record
	seq     uint64
	records int
	size    int64 // of its whole frames, in bytes
	torn    int64 // bytes behind them, of a write that was not finished
}

// readSegment reads a segment and tells fn of every record but the first. after
// is the hash that it must continue; nil: whichever it names. The error is a
// *CorruptError, or fn's or the file system's.
func readSegment(fsys FS, dir string, number int, after *Hash, fn func(Record, Hash) error) (segment, error) {
	s := segment{number: number}
	file := filepath.Join(dir, segmentName(number))
	data, err := readFile(fsys, file)
	if err != nil {
		return s, err
	}
	corrupt := func(format string, args ...any) error {
		return &CorruptError{File: file, Offset: s.size, Reason: fmt.Sprintf(format, args...)}
	}
	open, first, err := s.begin(data)
	if errors.Is(err, errShort) && number == 1 {
		s.torn = int64(len(data))
		return s, nil // the very first write
	}
	if err != nil {
		return s, corrupt("%v", err)
	}
	if after != nil && s.prev != *after {
		return s, corrupt("it continues another journal: a segment before it is missing or was changed")
	}
	s.size, s.seq, s.records = int64(first), open.seq, 1
	for rest := data[first:]; len(rest) > 0; {
		r, h, n, err := decode(rest, s.head)
		if errors.Is(err, errShort) || err != nil && blank(rest) {
			s.torn = int64(len(rest))
			break
		}
		if err == nil && r.Seq != s.seq+1 {
			err = fmt.Errorf("record %d follows record %d", r.Seq, s.seq)
		}
		if err != nil {
			return s, corrupt("%v", err)
		}
		if err := fn(r, h); err != nil {
			return s, err
		}
		rest = rest[n:]
		s.head, s.seq, s.size = h, r.Seq, s.size+int64(n)
		s.records++
	}
	if s.records < open.Carried+1 {
		return s, corrupt("%d of the %d records that begin it are missing", open.Carried+1-s.records, open.Carried+1)
	}
	return s, nil
}

// opened is the first record of a segment and its number.
type opened struct {
	opening
	seq uint64
}

// begin reads the first record and returns the length of its frame.
func (s *segment) begin(data []byte) (opened, int, error) {
	var o opened
	// The record itself says which hash it continues.
	if len(data) < headerLength {
		return o, 0, errShort
	}
	prev, err := prevOf(data)
	if err != nil {
		return o, 0, err
	}
	r, h, n, err := decode(data, prev)
	if err != nil {
		return o, 0, err
	}
	if err := json.Unmarshal(r.Body, &o.opening); err != nil || r.Kind != kindSegment {
		return o, 0, errors.New("it does not begin as a segment does")
	}
	switch {
	case o.Format != format:
		return o, 0, fmt.Errorf("it has format %d; this program knows format %d", o.Format, format)
	case o.Segment != s.number:
		return o, 0, fmt.Errorf("it is segment %d by its first record", o.Segment)
	}
	o.seq = r.Seq
	s.prev, s.head = prev, h
	return o, n, nil
}

// prevOf finds the hash that a segment's first record names. Decoding the
// frame with it proves it.
func prevOf(data []byte) (Hash, error) {
	var h Hash
	length, err := strconv.ParseUint(string(data[:8]), 16, 32)
	if err != nil {
		return h, errors.New("the length is not a number")
	}
	end := headerLength + int(length)
	if len(data) <= end || length < hashLength+1 {
		// Damaged or short: decode tells which.
		_, _, _, err := decode(data, h)
		return h, err
	}
	var r Record
	var o opening
	if json.Unmarshal(data[headerLength+hashLength+1:end], &r) != nil || json.Unmarshal(r.Body, &o) != nil {
		return h, errors.New("it does not begin as a segment does")
	}
	raw, err := hex.DecodeString(o.Prev)
	if err != nil || len(raw) != len(h) {
		return h, errors.New("it names no hash that it continues")
	}
	return Hash(raw), nil
}

func readFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// Summary is what Scan found.
type Summary struct {
	Segments int
	Records  uint64 // the first records of segments included
	First    uint64 // number of the first record: above 1 where older segments were taken away
	Prev     Hash   // that the first segment continues: the head of the one before it
	Last     uint64
	Head     Hash
	Torn     int64 // bytes of an unfinished write at the end
}

// Scan reads the journal in dir, checks its whole chain, and tells fn of every
// record but the first ones of segments, with the chain's hash after it. It
// changes nothing. The error is a *CorruptError where the journal is not as it
// was written, or fn's or the file system's.
func Scan(fsys FS, dir string, fn func(Record, Hash) error) (Summary, error) {
	var sum Summary
	numbers, _, err := segments(fsys, dir)
	if err != nil {
		return sum, err
	}
	var after *Hash
	for i, n := range numbers {
		if i > 0 && n != numbers[i-1]+1 {
			return sum, &CorruptError{File: filepath.Join(dir, segmentName(n)), Reason: fmt.Sprintf("segment %d is missing before it", n-1)}
		}
		s, err := readSegment(fsys, dir, n, after, fn)
		if i == 0 && s.records > 0 {
			sum.First, sum.Prev = s.seq-uint64(s.records)+1, s.prev
		}
		sum.Segments++
		sum.Records += uint64(s.records)
		sum.Last, sum.Head, sum.Torn = s.seq, s.head, s.torn
		if err == nil && s.torn > 0 && i < len(numbers)-1 {
			err = &CorruptError{File: filepath.Join(dir, segmentName(n)), Offset: s.size, Reason: "its last frame is cut short, and another segment follows"}
		}
		if err != nil {
			return sum, err
		}
		after = &s.head
	}
	return sum, nil
}
