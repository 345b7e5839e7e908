package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// requirement is a line of a go.mod that names a module and its version.
// It takes the version of Go for one, too.
var requirement = regexp.MustCompile(`(?m)^(?:require\s+|\s+|)(\S+\.\S+/\S+|\S+\.\S+|go) (v?\d\S+)`)

// TestModulesOfTestsHaveTheVersionsOfTheRoot holds every module below test/ to
// the versions that the program is built from: a test of another version says
// nothing about ours. The tools have versions of their own.
func TestModulesOfTestsHaveTheVersionsOfTheRoot(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	ours := requirements(t, filepath.Join(root, "go.mod"))
	if len(ours) < 10 {
		t.Fatalf("go.mod has %d requirements", len(ours))
	}
	files, err := filepath.Glob(filepath.Join(root, "test", "*", "go.mod"))
	if err != nil || len(files) != 2 {
		t.Errorf("modules %v, %v: alerts and conformance, which need much of others, have modules of their own; everything else shares test/go.mod", files, err)
	}
	shared := 0
	for _, file := range append(files, filepath.Join(root, "test", "go.mod")) {
		for module, version := range requirements(t, file) {
			want, known := ours[module]
			if known {
				shared++
			}
			if known && version != want {
				t.Errorf("%s requires %s %s, go.mod %s", file, module, version, want)
			}
		}
	}
	if shared < 20 {
		t.Errorf("only %d requirements were compared", shared)
	}
}

// requirements returns the versions of a go.mod by module.
func requirements(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, m := range requirement.FindAllStringSubmatch(string(text), -1) {
		versions[m[1]] = m[2]
	}
	return versions
}
