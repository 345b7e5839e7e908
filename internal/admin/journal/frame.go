package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"
)

// Record is an entry of the journal.
type Record struct {
	Seq  uint64          `json:"seq"` // counts from 1 over all segments
	At   time.Time       `json:"at"`
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
}

// Hash is the chain's hash after a record. It stands for everything up to
// there.
type Hash [sha256.Size]byte

// String returns the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// next returns the hash after a record.
func (h Hash) next(text []byte) Hash {
	d := sha256.New()
	d.Write(h[:])
	d.Write(text)
	return Hash(d.Sum(nil))
}

const (
	hashLength   = 2 * sha256.Size
	headerLength = 27 // three numbers of 8 digits, each with a space behind it

	// maxRecord bounds a record's JSON, in bytes.
	maxRecord = 8 << 20
)

var (
	// errShort is a frame of which the end is missing.
	errShort = errors.New("the frame is cut short")
	// errTooLarge is a record beyond maxRecord.
	errTooLarge = fmt.Errorf("the record has more than %d bytes", maxRecord)
)

// encode returns the frame of a record and the chain's hash after it.
func encode(r Record, prev Hash) ([]byte, Hash, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, prev, err
	}
	if len(text) > maxRecord {
		return nil, prev, errTooLarge
	}
	h := prev.next(text)
	rest := make([]byte, 0, hashLength+1+len(text))
	rest = append(rest, h.String()...)
	rest = append(rest, ' ')
	rest = append(rest, text...)
	frame := make([]byte, 0, headerLength+len(rest)+1)
	frame = append(frame, header(len(rest), checksum(rest))...)
	frame = append(frame, rest...)
	return append(frame, '\n'), h, nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// header returns the first three fields of a frame.
func header(length int, sum uint32) []byte {
	h := fmt.Appendf(nil, "%08x %08x ", length, sum)
	return fmt.Appendf(h, "%08x ", checksum(h))
}

// decode reads the first frame of data, which follows the chain's hash prev,
// and returns how long the frame is. The error is errShort where data end
// before the frame does; any other error is damage.
func decode(data []byte, prev Hash) (Record, Hash, int, error) {
	var none Record
	if len(data) < headerLength {
		return none, prev, 0, errShort
	}
	length, err := strconv.ParseUint(string(data[:8]), 16, 32)
	if err != nil {
		return none, prev, 0, errors.New("the length is not a number")
	}
	sum, err := strconv.ParseUint(string(data[9:17]), 16, 32)
	if err != nil {
		return none, prev, 0, errors.New("the checksum is not a number")
	}
	// As text: some changed bits make another spelling of the same number.
	if !bytes.Equal(data[:headerLength], header(int(length), uint32(sum))) || length <= hashLength || length > hashLength+1+maxRecord {
		return none, prev, 0, errors.New("the header is damaged")
	}
	size := headerLength + int(length) + 1
	if len(data) < size {
		return none, prev, 0, errShort
	}
	rest := data[headerLength : size-1]
	if uint64(checksum(rest)) != sum || data[size-1] != '\n' || rest[hashLength] != ' ' {
		return none, prev, 0, errors.New("the checksum does not fit")
	}
	text := rest[hashLength+1:]
	h := prev.next(text)
	if string(rest[:hashLength]) != h.String() {
		return none, prev, 0, errors.New("the hash does not continue the chain")
	}
	r := none
	if err := json.Unmarshal(text, &r); err != nil {
		return none, prev, 0, errors.New("the record is not JSON")
	}
	return r, h, size, nil
}

// blank reports whether data are what some file systems leave behind a file
// that grew when the power went: zeros. No frame has any.
func blank(data []byte) bool { return len(bytes.Trim(data, "\x00")) == 0 }
