package exposition_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
)

// manyBlocks is a page of about 10,000 lines in blocks of 1 to 90.
func manyBlocks(t testing.TB) *exposition.Page {
	t.Helper()
	p := newPage(t, families...)
	for i := range 4 {
		p.Publish(func(u *exposition.Update) {
			for b := range 15 {
				for f := range families {
					var lines []byte
					for n := range 1 + (i*b*7+f)%90 {
						labels := exposition.Labels(nil).Append("instance_id", fmt.Sprint("i", i)).Append("topic", fmt.Sprint("größer-", b)).Append("n", strconv.Itoa(n))
						lines = exposition.AppendSample(lines, families[f].Name, labels, float64(n*(b+i)*12345))
					}
					u.Set(f, fmt.Sprint("i", i), fmt.Sprint("b", b), lines)
				}
			}
		})
	}
	return p
}

// Readers of the field. Each reads a gzip stream from its input and must find
// one member, its end, and nothing behind.
var readers = map[string][]string{
	"gzip": {"gzip", "-dc"},
	"python": {"python3", "-c", `
import sys, zlib
d = zlib.decompressobj(wbits=31)
out = d.decompress(sys.stdin.buffer.read())
assert d.eof and not d.unused_data and not d.unconsumed_tail
sys.stdout.buffer.write(out)`},
	"node": {"node", "-e", `
const zlib = require('zlib'), input = require('fs').readFileSync(0), z = zlib.createGunzip()
let out = []
z.on('data', d => out.push(d)).on('error', e => { console.error(e); process.exit(1) })
z.on('end', () => { if (z.bytesWritten !== input.length) process.exit(2); process.stdout.write(Buffer.concat(out)) })
z.end(input)`},
}

func TestEveryReaderReadsTheWholeStream(t *testing.T) {
	t.Parallel()
	h := handlerOf(manyBlocks(t), exposition.Options{})
	want := body(t, get(t, h, "/metrics", "Accept", accept3))
	if n := strings.Count(want, "\n"); n < 7000 || !strings.HasSuffix(want, "\n# EOF\n") {
		t.Fatalf("identity has %d lines", n)
	}
	packed, err := io.ReadAll(get(t, h, "/metrics", "Accept", accept3, "Accept-Encoding", "gzip").Body)
	if err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, got []byte, err error) {
		t.Helper()
		if err != nil || string(got) != want {
			t.Errorf("%d bytes, error %v; want %d", len(got), err, len(want))
		}
	}
	t.Run("compress/gzip", func(t *testing.T) {
		t.Parallel()
		check(t, gunzip(t, packed), nil)
	})
	t.Run("klauspost/compress/gzip", func(t *testing.T) {
		t.Parallel()
		z, err := kgzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false)
		got, err := io.ReadAll(z)
		check(t, got, err)
	})
	for name, command := range readers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := installed(t, command...)
			cmd.Stdin = bytes.NewReader(packed)
			got, err := cmd.Output()
			check(t, got, err)
		})
	}
	t.Run("curl", func(t *testing.T) {
		t.Parallel()
		srv := httptest.NewServer(http.Handler(h))
		defer srv.Close()
		// Neither the user's settings nor his proxy.
		got, err := installed(t, "curl", "-q", "--noproxy", "*", "-sS", "--fail", "--compressed", "-H", "Accept: "+accept3, srv.URL).Output()
		check(t, got, err)
	})
}

// installed returns the command; the test is skipped where there is none.
func installed(t *testing.T, command ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(command[0]); err != nil {
		t.Skip(err)
	}
	return exec.CommandContext(t.Context(), command[0], command[1:]...)
}
