package e2e_test

import (
	"context"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/test/program"
)

// process is a program started by a test. Its output goes to the test's log
// when the test fails.
type process struct{ *program.Program }

// start runs a program until the end of the test.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	// Not t.Context(), which ends before the cleanup stops it.
	p, err := program.Start(context.WithoutCancel(t.Context()), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Stop()
		if t.Failed() {
			t.Logf("output of %s:\n%s", name, p.Said())
		}
	})
	return &process{p}
}

// wait returns the groups of the first match of pattern in the output.
func (p *process) wait(t *testing.T, pattern string) []string {
	t.Helper()
	match, err := p.Await(pattern, patience)
	if err != nil {
		t.Fatal(err)
	}
	return match
}
