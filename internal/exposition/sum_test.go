package exposition_test

import (
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
)

func FuzzCRCOfNeighbours(f *testing.F) {
	f.Add([]byte("a"), []byte("b"))
	f.Add([]byte(""), []byte("b\x00"))
	f.Add([]byte("a"), []byte(""))
	f.Add([]byte("\x00\x00"), make([]byte, 70_000))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		got := exposition.Combine(a, b)
		if want := crc32.ChecksumIEEE(slices.Concat(a, b)); got != want {
			t.Errorf("CRC of %d and %d bytes = %08x, want %08x", len(a), len(b), got, want)
		}
	})
}

func TestCRCOfNeighbours(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range short.Of(200) {
		text := make([]byte, r.IntN(1<<r.IntN(20)))
		for i := range text {
			text[i] = byte(r.Uint32())
		}
		cut := r.IntN(len(text) + 1)
		if got, want := exposition.Combine(text[:cut], text[cut:]), crc32.ChecksumIEEE(text); got != want {
			t.Fatalf("CRC of %d and %d bytes = %08x, want %08x", cut, len(text)-cut, got, want)
		}
	}
}

func BenchmarkCombineCRC(b *testing.B) {
	exposition.CombineSums(b.N)
}
