package browser_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var axe struct {
	once   sync.Once
	script string
	err    error
}

// loadAxe returns the source of axe-core, as the lock file pins it, and
// fetches it unless it is there. It skips the test on a machine without npm.
func loadAxe(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("SKIPPED: axe-core needs npm (Debian: apt-get install nodejs npm)")
	}
	axe.once.Do(func() {
		lock, err := os.ReadFile("node/package-lock.json")
		if err != nil {
			axe.err = err
			return
		}
		stamp := filepath.Join("node", "node_modules", ".installed")
		if have, err := os.ReadFile(stamp); err != nil || !bytes.Equal(have, lock) {
			cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
			cmd.Dir = "node"
			if out, err := cmd.CombinedOutput(); err != nil {
				axe.err = fmt.Errorf("npm ci: %w\n%s", err, out)
				return
			}
			if axe.err = os.WriteFile(stamp, lock, 0o600); axe.err != nil {
				return
			}
		}
		script, err := os.ReadFile("node/node_modules/axe-core/axe.min.js")
		axe.script, axe.err = string(script), err
	})
	if axe.err != nil {
		t.Fatal(axe.err)
	}
	return axe.script
}

// accessible fails the test where axe-core finds something: the rules of WCAG
// 2.2 A and AA, and its own best practices.
func (p *tab) accessible() {
	p.t.Helper()
	script := loadAxe(p.t)
	value[any](p, "window.axe ? 0 : (() => {"+script+"\n})()")
	found := value[struct {
		Passes     int
		Violations []struct{ ID, Help, Where string }
	}](p, `axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r => ({
		Passes: r.passes.length,
		Violations: r.violations.flatMap(v => v.nodes.map(n => ({ID: v.id, Help: v.help, Where: n.html.slice(0, 200) + ' ' + n.failureSummary}))),
	}))`)
	if found.Passes < 15 {
		p.t.Errorf("axe-core only looked at %d rules", found.Passes)
	}
	for _, v := range found.Violations {
		p.t.Errorf("axe-core: %s: %s: %s", v.ID, v.Help, v.Where)
	}
}
