package collector

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// history are samples of the log ends of a topic, a row for each moment at
// which they were read, whoever asked. All groups share it.
//
// Rows are kept as the differences from one to the next, which take a byte or
// two for each partition. They are read backwards, from the newest row to the
// one at which a message was not there yet: what is sought is nearly always
// near the end.
//
// A row is: milliseconds since the row before was sent, milliseconds until it
// was answered, the number of columns, and for each column, which is the
// partition of that number, 0 where it was not read, 1 and the log end where
// it was read for the first time, and else the difference to the log end
// before plus 2; all as varints. What is appended to is never changed, so that
// copies that [history.share] made may go their own ways.
type history struct {
	rows   []byte
	starts []uint32 // of each row
	first  int64    // when the oldest row was sent, Unix ms
	last   poll     // of the newest row
	ends   []int64  // log ends after the newest row, by column; -1: never read
	lower  int      // answers in a row that gave a lower log end
}

// The codes of a column in a row.
const (
	notRead = iota
	firstRead
	readAgain // plus the difference
)

const (
	// maxColumns bounds the partitions of a topic of which there is history: a
	// nonsensical number in an answer must not take memory.
	maxColumns = 4096
	// createdAnew is how many answers in a row must give a lower log end for
	// the topic to count as created anew. A single one may be out of date.
	createdAnew = 2
	// clockSetBack is more than answers pass each other by.
	clockSetBack = 10 * 60_000
)

// HistoryConfig is the `collect.history` section.
type HistoryConfig struct {
	// MaxAge is how long samples are kept.
	MaxAge model.Duration `yaml:"max_age"`
	// MaxSamples is how many are kept of each partition. When there are more
	// they are thinned out, the older the more.
	MaxSamples int `yaml:"max_samples"`
	// Resolution is how exact a thinned history is while there is room, and
	// twice the least time between two samples.
	Resolution model.Duration `yaml:"resolution"`
}

func defaultHistory() HistoryConfig {
	return HistoryConfig{MaxAge: model.Duration(24 * time.Hour), MaxSamples: 120, Resolution: model.Duration(10 * time.Second)}
}

// The bounds of histories.
const (
	minSamples = 8
	maxSamples = 10_000
)

func (c *HistoryConfig) validate(bad func(path, format string, args ...any)) {
	if c.MaxAge <= 0 || time.Duration(c.MaxAge) > maxTTL {
		bad("history.max_age", "%s is not between 0 and %s", c.MaxAge, model.Duration(maxTTL))
	}
	if c.MaxSamples < minSamples || c.MaxSamples > maxSamples {
		bad("history.max_samples", "%d is not between %d and %d", c.MaxSamples, minSamples, maxSamples)
	}
	if c.Resolution < 0 || c.Resolution > c.MaxAge {
		bad("history.resolution", "%s is not between 0 and max_age, %s", c.Resolution, c.MaxAge)
	}
}

// share returns a copy that may grow without the other.
func (h *history) share() history {
	c := *h
	c.rows, c.starts, c.ends = slices.Clip(h.rows), slices.Clip(h.starts), slices.Clone(h.ends)
	return c
}

// add notes log ends, sorted by partition, that were read at that time.
func (h *history) add(ends []LogEnd, at poll, c *HistoryConfig) {
	if !h.inOrder(ends, at) {
		return
	}
	if len(h.starts) > 0 && 2*(at.sent-h.last.sent) < time.Duration(c.Resolution).Milliseconds() {
		return
	}
	h.appendRow(ends, at)
	h.forget(at.sent - time.Duration(c.MaxAge).Milliseconds())
	if len(h.starts) > c.MaxSamples {
		h.thin(c)
	}
}

// inOrder reports whether a row may follow those that are there. It forgets
// them when the topic was created anew or the clock was set back.
func (h *history) inOrder(ends []LogEnd, at poll) bool {
	if len(h.starts) == 0 {
		return len(ends) > 0
	}
	if at.sent <= h.last.sent {
		if h.last.sent-at.sent < clockSetBack {
			return false
		}
		*h = history{}
	}
	for _, e := range ends {
		if e.Offset >= h.end(e.Partition) {
			continue
		}
		if h.lower++; h.lower < createdAnew {
			return false
		}
		*h = history{}
		return true
	}
	h.lower = 0
	return len(ends) > 0
}

// end returns the newest log end of a partition; -1 for none.
func (h *history) end(partition int32) int64 {
	if partition < 0 || int(partition) >= len(h.ends) {
		return -1
	}
	return h.ends[partition]
}

func (h *history) appendRow(ends []LogEnd, at poll) {
	if len(h.starts) == 0 {
		h.first, h.last.sent = at.sent, at.sent
	}
	columns := min(max(0, int(ends[len(ends)-1].Partition)+1), maxColumns)
	for len(h.ends) < columns {
		h.ends = append(h.ends, -1)
	}
	took := max(0, at.answered-at.sent)
	h.starts = append(h.starts, uint32(len(h.rows)))
	h.rows = binary.AppendUvarint(h.rows, uint64(at.sent-h.last.sent))
	h.rows = binary.AppendUvarint(h.rows, uint64(took))
	h.rows = binary.AppendUvarint(h.rows, uint64(columns))
	h.last = poll{at.sent, at.sent + took}
	for p := range int32(columns) {
		for len(ends) > 0 && ends[0].Partition < p {
			ends = ends[1:]
		}
		switch {
		case len(ends) == 0 || ends[0].Partition != p:
			h.rows = append(h.rows, notRead)
			continue
		case h.ends[p] < 0:
			h.rows = binary.AppendUvarint(append(h.rows, firstRead), uint64(ends[0].Offset))
		default:
			h.rows = binary.AppendUvarint(h.rows, uint64(ends[0].Offset-h.ends[p])+readAgain)
		}
		h.ends[p] = ends[0].Offset
	}
}

// forget drops rows from before a time, but for the last of them: it is where
// the rows that stay begin.
func (h *history) forget(before int64) {
	n := 0
	for ; n+1 < len(h.starts); n++ {
		next := h.first + h.gap(n+1)
		if next > before {
			break
		}
		h.first = next
	}
	if n == 0 {
		return
	}
	cut := h.starts[n]
	h.starts = append([]uint32(nil), h.starts[n:]...)
	for i := range h.starts {
		h.starts[i] -= cut
	}
	h.rows = append([]byte(nil), h.rows[cut:]...)
}

// gap returns the milliseconds from row n-1 to row n.
func (h *history) gap(n int) int64 {
	d, _ := binary.Uvarint(h.rows[h.starts[n]:])
	return int64(d)
}

// sought is a message whose arrival is looked for in a history, and the two
// samples of its partition between which it came. An end below 0: none.
type sought struct {
	partition    int32
	offset       int64
	lower, upper sample // the message was not there yet, was there
	newest       int64  // log end in the answer that asks
	index        int    // of the partition in what the group consumes of the topic
	lastConsumed int64  // when the message before it was produced, Unix ms; 0 or -1: unknown
}

// sample is the log end of a partition at a poll.
type sample struct {
	at  poll
	end int64
}

// without takes a sample in which the message is not there yet, if it is later
// than the one that is known.
func (m *sought) without(s sample) {
	if m.lower.end < 0 || s.at.sent > m.lower.at.sent {
		m.lower = s
	}
}

// with takes a sample in which the message is there, if it is earlier than the
// one that is known.
func (m *sought) with(s sample) {
	if s.at.answered < m.upper.at.answered {
		m.upper = s
	}
}

// locate finds the samples around each of the messages: the newest one without
// it and the oldest after that with it. There is at most one message of each
// partition.
func (h *history) locate(messages []sought, r *rowReader) {
	if len(messages) == 0 {
		return
	}
	r.reset(h)
	r.wanted = slices.Grow(r.wanted[:0], len(h.ends))[:len(h.ends)]
	clear(r.wanted)
	open := 0
	for i, m := range messages {
		// A log end below what is known is that of a topic that was created anew,
		// or of an answer that was out of date.
		if end := h.end(m.partition); end >= 0 && end <= m.newest {
			r.wanted[m.partition] = int32(i) + 1
			open++
		}
	}
	for open > 0 && r.next() {
		for p, end := range r.read {
			if end < 0 || r.wanted[p] == 0 {
				continue
			}
			m := &messages[r.wanted[p]-1]
			if end > m.offset {
				m.with(sample{r.at, end})
				continue
			}
			m.without(sample{r.at, end})
			r.wanted[p] = 0
			open--
		}
	}
}

// rowReader reads the rows of a history from the newest to the oldest. It is
// used again and again, so that reading allocates nothing.
type rowReader struct {
	h    *history
	n    int
	sent int64 // of row n
	ends []int64

	at     poll    // of the row that was read
	read   []int64 // its log ends by column; -1: not read then
	wanted []int32 // see locate
	err    error
}

// errHistory is rows that nobody wrote.
var errHistory = errors.New("rows of offsets are damaged")

func (r *rowReader) reset(h *history) {
	r.h, r.n, r.sent, r.err = h, len(h.starts), h.last.sent, nil
	r.ends = append(r.ends[:0], h.ends...)
}

// next reads the row before the last that was read; false when there is none.
func (r *rowReader) next() bool {
	if r.n == 0 || r.err != nil {
		return false
	}
	r.n--
	row := r.h.rows[r.h.starts[r.n]:]
	gap, took, columns := r.uvarint(&row), r.uvarint(&row), r.uvarint(&row)
	if columns > uint64(len(r.ends)) {
		r.err = errHistory
		return false
	}
	r.at = poll{r.sent, r.sent + int64(took)}
	r.sent -= int64(gap)
	r.read = r.read[:0]
	for p := range r.ends[:columns] {
		end := r.ends[p]
		switch code := r.uvarint(&row); code {
		case notRead:
			end = -1
		case firstRead:
			r.uvarint(&row)
			r.ends[p] = -1
		default:
			r.ends[p] -= int64(code - readAgain)
		}
		r.read = append(r.read, end)
	}
	return r.err == nil
}

func (r *rowReader) uvarint(b *[]byte) uint64 {
	v, n := binary.Uvarint(*b)
	if n <= 0 || v > math.MaxInt64 {
		r.err = errHistory
		return 0
	}
	*b = (*b)[n:]
	return v
}

// check reports whether every row can be read and follows from the next.
func (h *history) check() error {
	for n, start := range h.starts {
		if int(start) >= len(h.rows) || n > 0 && start <= h.starts[n-1] {
			return errHistory
		}
	}
	var r rowReader
	r.reset(h)
	for r.next() {
		if r.at.sent < h.first || r.at.answered < r.at.sent {
			return errHistory
		}
		for _, end := range r.ends {
			if end < -1 {
				return errHistory
			}
		}
	}
	return r.err
}

// thinWindow is how many rows at most one row may stand for, in one go.
const thinWindow = 8

// thin drops rows that the others can do without: those of which every log end
// comes out at its time, but for half of the resolution, when one interpolates
// between the rows that stay. Where that leaves too many, older rows may be
// off by a growing part of their age. A quarter of the room is free then.
func (h *history) thin(c *HistoryConfig) {
	rows, room := h.decoded(), max(2, c.MaxSamples*3/4)
	allowed := time.Duration(c.Resolution).Milliseconds() / 2
	for part := int64(0); ; part = max(1, 2*part) { // of the age, in 64ths
		rows = thinned(rows, func(at poll) int64 { return max(allowed, (h.last.sent-at.sent)*part/64) })
		if len(rows) <= room || part > 64 {
			break
		}
	}
	rows = rows[max(0, len(rows)-room):]
	n := history{}
	var ends []LogEnd
	for _, row := range rows {
		ends = ends[:0]
		for p, end := range row.ends {
			if end >= 0 {
				ends = append(ends, LogEnd{Partition: int32(p), Offset: end})
			}
		}
		n.appendRow(ends, row.at)
	}
	n.rows, n.starts = slices.Clip(n.rows), slices.Clip(n.starts)
	*h = n
}

// historyRow is a row with its log ends by column; -1: not read.
type historyRow struct {
	at   poll
	ends []int64
}

// decoded returns all rows, the oldest first.
func (h *history) decoded() []historyRow {
	rows := make([]historyRow, 0, len(h.starts))
	var r rowReader
	r.reset(h)
	all := make([]int64, 0, len(h.starts)*len(h.ends))
	for r.next() {
		start := len(all)
		all = append(all, r.read...)
		rows = append(rows, historyRow{r.at, all[start:len(all):len(all)]})
	}
	slices.Reverse(rows)
	return rows
}

// thinned returns the rows that stay.
func thinned(rows []historyRow, tolerance func(poll) int64) []historyRow {
	if len(rows) < 3 {
		return rows
	}
	kept, anchor := rows[:1:1], 0
	for next := 2; next < len(rows); next++ {
		if next-anchor <= thinWindow && dispensable(rows[anchor:next+1], tolerance) {
			continue
		}
		anchor = next - 1
		kept = append(kept, rows[anchor])
	}
	return append(kept, rows[len(rows)-1])
}

// dispensable reports whether the first and the last of the rows say what all
// of them say.
func dispensable(rows []historyRow, tolerance func(poll) int64) bool {
	first, last := rows[0], rows[len(rows)-1]
	for _, row := range rows[1 : len(rows)-1] {
		limit := float64(tolerance(row.at))
		for p, end := range row.ends {
			if end < 0 {
				continue
			}
			if p >= len(first.ends) || p >= len(last.ends) || first.ends[p] < 0 || last.ends[p] < 0 {
				return false
			}
			if rise := last.ends[p] - first.ends[p]; rise > 0 {
				part := float64(end-first.ends[p]) / float64(rise)
				if at := part * float64(last.at.sent-first.at.sent); math.Abs(at-float64(row.at.sent-first.at.sent)) > limit {
					return false
				}
			}
		}
	}
	return true
}
