package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
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

// TestSegmentsThatAreArchived follows docs/admin.md: all but the last segment
// are moved away, the exporter goes on, and the whole chain can be proved.
func TestSegmentsThatAreArchived(t *testing.T) {
	t.Parallel()
	storage, archive := t.TempDir(), t.TempDir()
	open := func() *journal.Journal {
		j, err := journal.Open(journal.Options{Dir: filepath.Join(storage, "journal"), SegmentSize: 2000}, func(journal.Record) error { return nil })
		if err != nil || j.Err() != nil {
			t.Fatal(err, j.Err())
		}
		return j
	}
	j := open()
	var heads []journal.Hash
	add := func() {
		for i := range 50 {
			if err := j.Append("note/x", i); err != nil {
				t.Fatal(err)
			}
			heads = append(heads, j.Head().Hash)
		}
	}
	add()
	script := "mkdir -p " + archive + "/journal && cd " + storage + "/journal && ls *.journal | head -n -1 | xargs -I{} mv -n {} " + archive + "/journal/"
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v: %s", err, out)
	}
	add() // it runs meanwhile
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open()
	add()
	verify := func(path string, head journal.Hash) (string, error) {
		var out strings.Builder
		err := verifyJournal(&out, path, headNumber(head))
		return out.String(), err
	}
	last := heads[len(heads)-1]
	text, err := verify(storage, last)
	continued := regexp.MustCompile(`it begins with record \d+ and continues head ([0-9a-f]{64}): older segments are kept elsewhere`).FindStringSubmatch(text)
	if err != nil || continued == nil {
		t.Fatalf("%v: %s", err, text)
	}
	if text, err = verify(archive, heads[0]); err != nil || !strings.Contains(text, "\nhead "+continued[1]+"\n") || strings.Contains(text, "begins with") {
		t.Errorf("the archive does not end where the rest begins: %v: %s, not %s", err, text, continued[1])
	}
	if _, err = verify(storage, heads[0]); err == nil || !strings.Contains(err.Error(), "look where the older segments are kept") {
		t.Errorf("a head of the archive: %v", err)
	}
	if err := os.CopyFS(filepath.Join(archive, "journal"), os.DirFS(filepath.Join(storage, "journal"))); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(heads); i += len(heads) / short.Of(len(heads)) {
		head := heads[i]
		if text, err = verify(archive, head); err != nil || strings.Contains(text, "begins with") {
			t.Fatalf("both together: %v: %s", err, text)
		}
	}
	// One that is missing between shows, and one that was changed too.
	between := filepath.Join(archive, "journal", "00000002.journal")
	whole, err := os.ReadFile(between)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(between, bytes.Replace(whole, []byte(`"body":1`), []byte(`"body":7`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = verify(archive, last); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("changed: %v", err)
	}
	if err := os.Remove(between); err != nil {
		t.Fatal(err)
	}
	if _, err = verify(archive, last); err == nil || !strings.Contains(err.Error(), "segment 2 is missing") {
		t.Errorf("missing: %v", err)
	}
}
