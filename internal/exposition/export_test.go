package exposition

import (
	"bytes"
	"hash/crc32"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"
)

// Size is how much a page holds.
type Size struct {
	Series int   // lines of samples, live ones excepted
	Blocks int   // what they were published in
	Text   int64 // bytes of the samples as text
	Packed int64 // the same deflated
}

// Size returns how much the page holds now. It inflates all of it.
func (p *Page) Size() (s Size) {
	for _, b := range *p.current.Load() {
		if b == nil {
			continue
		}
		s.Text += b.sum.text
		s.Packed += b.sum.packed
		for _, l := range b.leaves {
			s.Blocks += len(l.keys)
			text, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(l.packed), strings.NewReader(lastBlock))))
			if err != nil {
				panic(err)
			}
			s.Series += bytes.Count(text, []byte{'\n'})
		}
	}
	return s
}

// Combine returns the CRC-32 of a and b in a row, made of theirs.
func Combine(a, b []byte) uint32 {
	of := func(text []byte) sum {
		n := int64(len(text))
		return sum{crc: crc32.ChecksumIEEE(text), shift: crcShift(n), text: n}
	}
	// Nothing in front and behind must change nothing, and neither must the
	// order in which sums are added up.
	return of(nil).then(of(a).then(of(b).then(of(nil)))).crc
}

// CombineSums is what a scrape does for every family, n times.
func CombineSums(n int) uint32 {
	s, t := sum{crc: 1, shift: crcShift(1000), text: 1000}, sum{crc: 2, shift: crcShift(4711), text: 4711}
	for range n {
		s = s.then(t)
	}
	return s.crc
}

// AppendValue appends a sample's value.
func AppendValue(dst []byte, v float64) []byte { return appendValue(dst, v) }

// Leaves returns how many leaves the page has, and the weights of the lightest and
// the heaviest as parts of the intended one.
func (p *Page) Leaves() (n int, lightest, heaviest float64) {
	lightest = 1e9
	for _, b := range *p.current.Load() {
		if b == nil {
			continue
		}
		for _, l := range b.leaves {
			n++
			w := float64(l.weight()) / leafWeight
			lightest, heaviest = min(lightest, w), max(heaviest, w)
		}
	}
	return n, lightest, heaviest
}
