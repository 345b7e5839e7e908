// Package archtest holds the rules of who may import whom. It has no code of
// its own.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/alikafka-exporter/alikafka-exporter"

// ours lists, for every package with non-test code, which of our packages it
// imports. Tests may import anything.
var ours = map[string][]string{
	// The program wires everything and is imported by nobody.
	"cmd/alikafka-exporter": {
		"alerts", "internal/admin", "internal/admin/engine", "internal/admin/journal", "internal/api", "internal/collector", "internal/config",
		"internal/exposition", "internal/page", "internal/secret", "internal/sim",
	},
	// Files, no code.
	"alerts": {},
	// Composes the Config types of those who own them, and nothing else.
	"internal/config": {"internal/admin", "internal/api", "internal/collector", "internal/secret"},
	// Acts on what the collector saw; the collector must work without it.
	"internal/admin": {"internal/admin/engine", "internal/api", "internal/collector", "internal/page", "internal/secret"},
	// The one door to a write.
	"internal/admin/engine": {"internal/admin/journal", "internal/api", "internal/collector", "internal/secret"},
	// Knows nothing of what its records say.
	"internal/admin/journal": {},
	// A disk that fails, for tests.
	"internal/admin/journal/journaltest": {"internal/admin/journal"},
	"internal/collector":                 {"internal/api", "internal/exposition"},
	// Plays the cloud from the table of actions; knows nothing of who watches it.
	"internal/sim": {"internal/api"},
	"internal/api": {"internal/secret"},
	// Knows nothing of Kafka: bytes in, bytes out.
	"internal/exposition": {},
	// Knows nothing of Kafka either: what HTML pages have in common.
	"internal/page":   {},
	"internal/secret": {},
	// Text for Grafana; only its tests know what is exported.
	"internal/dashboards": {},
	// Golden files, for tests.
	"internal/golden": {},
	// Lengths of tests, for tests.
	"internal/short": {},
}

// theirs lists every direct dependency and where it is used, so that
// replacing one is the work of an afternoon. A new row needs a decision
// record that says what the dependency saves.
var theirs = map[string][]string{
	"github.com/alecthomas/kingpin/v2":       {"cmd/alikafka-exporter"},
	"github.com/prometheus/exporter-toolkit": {"cmd/alikafka-exporter", "internal/admin"},
	"github.com/prometheus/common":           {"internal/exposition", "cmd/alikafka-exporter", "internal/collector", "internal/admin", "internal/admin/engine"},
	"github.com/prometheus/client_golang":    {"internal/exposition", "cmd/alikafka-exporter", "internal/collector", "internal/admin", "internal/admin/engine"},
	"github.com/prometheus/client_model":     {"internal/collector"},
	"github.com/klauspost/compress":          {"internal/exposition"},
	"github.com/aliyun/credentials-go":       {"internal/api"},
	"github.com/google/uuid":                 {"internal/api", "internal/admin", "internal/admin/engine"},
	"golang.org/x/sync":                      {"cmd/alikafka-exporter", "internal/admin", "internal/api"},
	"gopkg.in/yaml.v3":                       {"internal/config", "internal/admin"},
	"github.com/rogpeppe/go-internal":        {},                  // tests only
	"github.com/google/go-cmp":               {"internal/golden"}, // and tests
}

// source is one Go file: its package's directory in the module, whether it is
// a test, and what it imports.
type source struct {
	file    string
	dir     string
	test    bool
	imports []string
}

// TestImports holds what is imported to the rows, and the rows to what is
// imported.
func TestImports(t *testing.T) {
	t.Parallel()
	uses := map[[2]string]bool{} // directories, and what their code but for tests imports
	for _, s := range sources(t) {
		allowed, known := ours[s.dir]
		if !s.test && !known {
			t.Errorf("%s: package %s has no row in ours: decide what it may import", s.file, s.dir)
			continue
		}
		uses[[2]string{s.dir}] = true
		for _, imp := range s.imports {
			pkg, isOurs := strings.CutPrefix(imp, module+"/")
			mod := dependency(imp)
			switch {
			case isOurs && strings.HasPrefix(pkg, "cmd/"):
				t.Errorf("%s imports %s: nobody imports a command", s.file, pkg)
			case s.test:
			case isOurs && !slices.Contains(allowed, pkg):
				t.Errorf("%s imports %s: %s may import of ours only %v", s.file, pkg, s.dir, allowed)
			case mod != "" && !slices.Contains(theirs[mod], s.dir):
				t.Errorf("%s imports %s: only %v may", s.file, imp, theirs[mod])
			case mod == "" && !isOurs && strings.Contains(firstElement(imp), "."):
				t.Errorf("%s imports %s: not a dependency we decided on", s.file, imp)
			case isOurs:
				uses[[2]string{s.dir, pkg}] = true
			default:
				uses[[2]string{s.dir, mod}] = true
			}
		}
	}
	for dir, pkgs := range ours {
		for _, pkg := range append(pkgs, "") {
			if !uses[[2]string{dir, pkg}] {
				t.Errorf("ours lets %s import %q, which it does not", dir, pkg)
			}
		}
	}
	for mod, dirs := range theirs {
		for _, dir := range dirs {
			if !uses[[2]string{dir, mod}] {
				t.Errorf("theirs lets %s import %s, which it does not", dir, mod)
			}
		}
	}
}

// dependency returns the module of theirs that a package is of, empty for
// another.
func dependency(imp string) string {
	for mod := range theirs {
		if imp == mod || strings.HasPrefix(imp, mod+"/") {
			return mod
		}
	}
	return ""
}

// TestDependenciesAreDecidedOn holds go.mod to the rows of theirs, and the rows
// to what is used.
func TestDependenciesAreDecidedOn(t *testing.T) {
	t.Parallel()
	gomod, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(gomod)) {
		mod, version, ok := strings.Cut(strings.TrimSpace(line), " v")
		mod = strings.TrimPrefix(mod, "require ")
		if ok && !strings.Contains(version, "// indirect") && theirs[mod] == nil {
			t.Errorf("go.mod requires %s: not a dependency we decided on", mod)
		}
	}
	used := map[string]bool{}
	for _, s := range sources(t) {
		for _, imp := range s.imports {
			used[dependency(imp)] = true
		}
	}
	for mod := range theirs {
		if !used[mod] {
			t.Errorf("nothing imports %s: its row can go", mod)
		}
	}
}

// TestStandardLibrary bans what has a better place or a better way.
func TestStandardLibrary(t *testing.T) {
	t.Parallel()
	bans := map[string]struct {
		only   string // the directory that may
		reason string
	}{
		"log":            {"", "logs are structured: log/slog"},
		"expvar":         {"", "it publishes on the default mux"},
		"net/http/pprof": {"cmd/alikafka-exporter", "profiles are behind a flag of the program"},
		"os/exec":        {"", "the program starts no other"},
		"os/signal":      {"cmd/alikafka-exporter", "signals are the program's business"},
		"unsafe":         {"", "nothing here is worth it"},
		"plugin":         {"", "nothing here is worth it"},
	}
	for _, s := range sources(t) {
		for _, imp := range s.imports {
			if ban, banned := bans[imp]; banned && !s.test && s.dir != ban.only {
				t.Errorf("%s imports %s: %s", s.file, imp, ban.reason)
			}
		}
	}
}

func firstElement(imp string) string {
	first, _, _ := strings.Cut(imp, "/")
	return first
}

// sources returns every Go file of this module. It parses their imports once
// for all tests.
func sources(t *testing.T) []source {
	t.Helper()
	all, err := parseSources()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found only %d Go files", len(all))
	}
	return all
}

// parseSources leaves out modules inside this one, which have rules of their
// own.
var parseSources = sync.OnceValues(func() ([]source, error) {
	root := filepath.Join("..", "..")
	var all []source
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(root, file, d.Name())
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		s := source{
			file: filepath.ToSlash(rel),
			dir:  path.Dir(filepath.ToSlash(rel)),
			test: strings.HasSuffix(file, "_test.go"),
		}
		for _, imp := range f.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, name)
		}
		all = append(all, s)
		return nil
	})
	return all, err
})

// skipDir skips what the go command skips, and modules of their own.
func skipDir(root, dir, name string) error {
	if dir == root {
		return nil
	}
	if name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}
