package exposition

import (
	"hash/crc32"

	"github.com/klauspost/compress/flate"
)

// level is that of the deflater. Lines of samples differ in a few bytes only:
// level 1 gives 10 bytes a sample for 290 ns, level 6 gives 8 for 1000
// (blocks of 1000 lines).
const level = flate.BestSpeed

// lastBlock is an empty deflate block that ends the stream.
const lastBlock = "\x03\x00"

// deflater deflates pieces of text so that they can be joined in any order:
// none refers to another, and each ends at a byte boundary. It is not safe for
// concurrent use; it holds about a megabyte.
type deflater struct {
	w   *flate.Writer
	out []byte
}

func newDeflater() *deflater {
	d := &deflater{}
	w, err := flate.NewWriter(nil, level)
	if err != nil {
		panic("exposition: " + err.Error()) // the level is a constant
	}
	d.w = w
	return d
}

// Write appends to the piece.
func (d *deflater) Write(p []byte) (int, error) {
	d.out = append(d.out, p...)
	return len(p), nil
}

// appendTo appends text, deflated, to dst and returns the sum of it, which
// counts no lines.
func (d *deflater) appendTo(dst, text []byte) ([]byte, sum) {
	start := len(dst)
	d.out = dst
	d.w.Reset(d)
	_, err := d.w.Write(text)
	if err == nil {
		err = d.w.Flush()
	}
	if err != nil {
		panic("exposition: " + err.Error()) // memory does not fail
	}
	dst, d.out = d.out, nil
	n := int64(len(text))
	return dst, sum{crc: crc32.ChecksumIEEE(text), shift: crcShift(n), text: n, packed: int64(len(dst) - start)}
}
