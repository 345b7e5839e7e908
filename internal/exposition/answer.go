package exposition

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// writeSize is how much is written at once. Blocks written one by one cost
// several times as much.
const writeSize = 64 << 10

// gzipHeader says deflate, no time, no name, unknown system.
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

const gzipTrailerSize = 8 // CRC-32 and length

// query is what a scrape asks for.
type query struct {
	format   expfmt.Format
	instance string          // "": all
	names    map[string]bool // of the families; nil: all
}

func (q query) open() bool { return q.format.FormatType() == expfmt.TypeOpenMetrics }

func (q query) wants(name string) bool { return q.names == nil || q.names[name] }

// answer is what a scrape sends: pieces of deflated text in order, and their
// sum. Its memory is used again.
type answer struct {
	pieces   [][]byte
	sum      sum
	text     bytes.Buffer // scratch for what is made for this scrape
	packed   []byte       // the same deflated
	deflater *deflater
	inflater io.ReadCloser
	in       *bufio.Reader // of the inflater, which reads nothing else as fast
	out      *bufio.Writer
}

func newAnswer() *answer {
	in := bufio.NewReaderSize(nil, writeSize)
	return &answer{deflater: newDeflater(), inflater: flate.NewReader(in), in: in, out: bufio.NewWriterSize(nil, writeSize)}
}

// reset lets go of the page.
func (a *answer) reset() {
	clear(a.pieces)
	a.pieces, a.sum, a.packed = a.pieces[:0], sum{}, a.packed[:0]
	a.in.Reset(nil)
	a.out.Reset(nil)
}

// add appends a piece.
func (a *answer) add(p piece) {
	a.pieces = append(a.pieces, p.packed)
	a.sum = a.sum.then(p.sum)
}

// deflate appends a.text.
func (a *answer) deflate() {
	if a.text.Len() == 0 {
		return
	}
	start := len(a.packed)
	var s sum
	a.packed, s = a.deflater.appendTo(a.packed, a.text.Bytes())
	a.add(piece{a.packed[start:], s})
}

// page appends the families of a page. Those without samples are not shown.
func (a *answer) page(p *Page, q query) {
	bodies := *p.current.Load()
	for i := range p.columns {
		c, b := &p.columns[i], bodies[i]
		if !q.wants(c.Name) {
			continue
		}
		a.text.Reset()
		if c.Live != nil {
			a.text.Write(c.Live(a.text.AvailableBuffer(), q.instance))
		}
		s := b.summed(q.instance)
		if s.text == 0 && a.text.Len() == 0 {
			continue
		}
		if q.open() {
			a.add(c.open)
		} else {
			a.add(c.text)
		}
		b.each(q.instance, func(l *leaf, from, to int) { a.pieces = append(a.pieces, l.bytes(from, to)) })
		a.sum = a.sum.then(s)
		a.deflate()
	}
}

// finish appends the families of own that the page does not have, if own is
// not nil, and what has to stand at the end. It does as much of it as it can.
func (a *answer) finish(p *Page, own prometheus.Gatherer, q query) error {
	a.text.Reset()
	defer a.deflate()
	var failed error
	if own != nil {
		failed = a.encode(p, own, q)
	}
	if q.open() {
		a.text.WriteString("# EOF\n")
	}
	return failed
}

func (a *answer) encode(p *Page, own prometheus.Gatherer, q query) error {
	families, err := own.Gather()
	if err != nil {
		err = fmt.Errorf("gathering the exporter's own metrics: %w", err)
	}
	usual, plain := expfmt.NewEncoder(&a.text, q.format), expfmt.NewEncoder(&a.text, expfmt.FmtText)
	shown := map[string]bool{}
	for _, f := range families {
		name := f.GetName()
		base := strings.TrimSuffix(name, "_total")
		if p.names[name] || p.names[base] || !q.wants(name) {
			continue
		}
		start, encode := a.text.Len(), usual.Encode
		clash := q.open() && name != base && shown[base]
		if clash {
			encode = plain.Encode
		}
		if e := encode(f); e != nil {
			a.text.Truncate(start)
			err = errors.Join(err, fmt.Errorf("encoding %s: %w", name, e))
			continue
		}
		if clash {
			makeUnknown(a.text.Bytes()[start:], name)
		}
		shown[name] = true
	}
	return err
}

// makeUnknown makes a counter x_total in the text format a family of unknown
// type in OpenMetrics, which would call it x. That is the name of a gauge at
// times, as with go_memstats_alloc_bytes.
func makeUnknown(family []byte, name string) {
	line := "# TYPE " + name + " counter\n"
	if i := bytes.Index(family, []byte(line)); i >= 0 {
		copy(family[i:], strings.Replace(line, " counter\n", " unknown\n", 1))
	}
}

// gzipSize is how many bytes writeGzip writes.
func (a *answer) gzipSize() int64 {
	return int64(len(gzipHeader)) + a.sum.packed + int64(len(lastBlock)) + gzipTrailerSize
}

// writeGzip writes one gzip member.
func (a *answer) writeGzip(w io.Writer) error {
	a.out.Reset(w)
	a.out.WriteString(gzipHeader)
	for _, p := range a.pieces {
		if _, err := a.out.Write(p); err != nil {
			return err
		}
	}
	a.out.WriteString(lastBlock)
	trailer := binary.LittleEndian.AppendUint32(a.out.AvailableBuffer(), a.sum.crc)
	a.out.Write(binary.LittleEndian.AppendUint32(trailer, uint32(a.sum.text)))
	return a.out.Flush()
}

// writeText writes the text. It uses the pieces up.
func (a *answer) writeText(w io.Writer) error {
	a.out.Reset(w)
	packed := append(net.Buffers(a.pieces), []byte(lastBlock))
	a.in.Reset(&packed)
	if err := a.inflater.(flate.Resetter).Reset(a.in, nil); err != nil {
		return err
	}
	if _, err := io.Copy(a.out, a.inflater); err != nil {
		return err
	}
	return a.out.Flush()
}
