// Package golden holds files of the repository to what tests make. With the
// flag -update, which `make golden` gives, it writes the files instead.
package golden

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// File fails the test where a file does not say what it should.
func File(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := replace(name, want); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(read(t, name), want); diff != "" {
		t.Errorf("%s (-file +wanted; `make golden` rewrites it):\n%s", name, diff)
	}
}

// replace writes a file at once: tests of other packages may be reading it.
func replace(name, text string) error {
	old, err := os.ReadFile(name) //nolint:gosec // the test names it
	if err == nil && string(old) == text {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".golden-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Sections is File for parts of a document: each is what stands between the
// lines <!-- NAME --> and <!-- end -->.
func Sections(t *testing.T, name string, sections map[string]string) {
	t.Helper()
	const end = "<!-- end -->\n"
	text := read(t, name)
	for section, want := range sections {
		begin := "<!-- " + section + " -->\n"
		before, rest, found := strings.Cut(text, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("%s has no section %q", name, section)
		}
		text = before + begin + want + end + after
	}
	File(t, name, text)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name) //nolint:gosec // the test names it
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
