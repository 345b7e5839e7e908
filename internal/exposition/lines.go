package exposition

import (
	"strconv"
	"unicode/utf8"
)

// Labels is a label set as it stands on the page, but for the closing brace;
// nil is the empty set. Appending never allocates when there is room, so a
// label set may be rendered once and its last labels be replaced:
//
//	topic := labels.Append("topic", name)
//	for p := range partitions {
//		page = AppendSample(page, family, topic.Append("partition", p), value)
//	}
type Labels []byte

// Append appends a label. The name is taken as it is and has to be legal; what
// is no UTF-8 in the value becomes U+FFFD. Prometheus does not mind the order
// of labels, client_golang sorts them by name.
func (l Labels) Append(name, value string) Labels {
	separator := byte(',')
	if len(l) == 0 {
		separator = '{'
	}
	l = append(append(append(l, separator), name...), '=', '"')
	return append(appendEscaped(l, value), '"')
}

// AppendSample appends the line of a sample, in the form that the text format
// and OpenMetrics have in common.
func AppendSample(dst []byte, family string, labels Labels, value float64) []byte {
	dst = append(append(dst, family...), labels...)
	if len(labels) > 0 {
		dst = append(dst, '}')
	}
	return append(appendValue(append(dst, ' '), value), '\n')
}

// appendEscaped appends the value of a label.
func appendEscaped(dst []byte, s string) []byte {
	for {
		n := plain(s)
		dst = append(dst, s[:n]...)
		s = s[n:]
		if s == "" {
			return dst
		}
		switch c := s[0]; {
		case c == '\n':
			dst, s = append(dst, `\n`...), s[1:]
		case c < utf8.RuneSelf:
			dst, s = append(dst, '\\', c), s[1:]
		default:
			r, size := utf8.DecodeRuneInString(s)
			dst, s = utf8.AppendRune(dst, r), s[size:]
		}
	}
}

// plain returns how many bytes at the start of s are ASCII and need no escape.
func plain(s string) int {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '\n' {
			return i
		}
	}
	return len(s)
}

// exactInts is up to where every float64 without fraction is the only one that
// its digits mean.
const exactInts = 1 << 53

// appendValue appends v as strconv does with format 'g' and the least digits
// that identify it, and as client_golang does: 1e+06, 1.5, NaN. Most values
// are counts, for which the digits need not be searched.
func appendValue(dst []byte, v float64) []byte {
	n := int64(v)
	if float64(n) != v || n <= -exactInts || n >= exactInts {
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	}
	if -1e6 < n && n < 1e6 {
		return strconv.AppendInt(dst, n, 10)
	}
	start := len(dst)
	dst = strconv.AppendInt(dst, n, 10)
	if n < 0 {
		start++
	}
	exponent := len(dst) - start - 1
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	if len(dst)-start > 1 {
		dst = append(dst, 0)
		copy(dst[start+2:], dst[start+1:])
		dst[start+1] = '.'
	}
	return append(dst, 'e', '+', byte('0'+exponent/10), byte('0'+exponent%10))
}
