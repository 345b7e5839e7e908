package exposition

import "hash/crc32"

// sum is what a scrape has to know of text that it sends deflated. Sums of
// neighbours add up without the text; the zero sum is that of no text.
type sum struct {
	crc    uint32 // CRC-32 (IEEE) of the text
	shift  uint32 // x^(8 text), the factor of everything in front; void without text
	text   int64  // bytes
	packed int64  // bytes deflated
}

// then returns the sum of s's text followed by t's.
func (s sum) then(t sum) sum {
	if s.text == 0 {
		return t
	}
	if t.text == 0 {
		return s
	}
	return sum{
		crc:    crcMul(s.crc, t.shift) ^ t.crc,
		shift:  crcMul(s.shift, t.shift),
		text:   s.text + t.text,
		packed: s.packed + t.packed,
	}
}

// total returns the sum of n neighbours, none of them without text. It takes
// half the time of adding them up one by one.
func total(n int, at func(int) sum) sum {
	var t sum
	for i := range n {
		s := at(i)
		t.crc = crcMul(t.crc, s.shift) ^ s.crc
		t.text += s.text
		t.packed += s.packed
	}
	t.shift = crcShift(t.text)
	return t
}

// CRCs are polynomials over GF(2) modulo crc32.IEEE, lowest power in the
// highest bit. To append n bytes is to multiply by x^8n.

// crcOne is the polynomial 1.
const crcOne = 1 << 31

// crcMul multiplies. It has no branches, for there is nothing to predict.
func crcMul(a, b uint32) uint32 {
	p := uint32(0)
	for range 32 {
		p ^= b & -(a >> 31)
		a <<= 1
		b = b>>1 ^ crc32.IEEE&-(b&1)
	}
	return p
}

// crcShift returns x^8n.
func crcShift(n int64) uint32 {
	r, square := uint32(crcOne), uint32(crcOne>>8)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			r = crcMul(r, square)
		}
		square = crcMul(square, square)
	}
	return r
}
