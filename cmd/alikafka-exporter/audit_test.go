package main

import (
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
)

// A head is pasted from wherever somebody has kept it.
func TestHeadsAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	hash := journal.Hash{0x32, 0xe4, 0xb7, 0xbd, 0x43, 0x99}
	for name, c := range map[string]struct{ head, want string }{
		"by audit verify":            {"55957916566425", "55957916566425"},
		"in an exposition":           {"5.5957916566425e+13", "55957916566425"},
		"in Prometheus' answers":     {"55957916566425.0", "55957916566425"},
		"as a hash":                  {hash.String(), hash.String()},
		"as a hash of digits alone":  {"0000000000000000000000000000000000000000000000000000000000000001", "0000000000000000000000000000000000000000000000000000000000000001"},
		"as what no head can be":     {"1e300", "1e300"},
		"as something else entirely": {"head", "head"},
	} {
		if got := plainHead(c.head); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if got := plainHead(headNumber(hash)); got != headNumber(hash) {
		t.Errorf("%s became %s", headNumber(hash), got)
	}
}
