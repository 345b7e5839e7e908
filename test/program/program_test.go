package program_test

import (
	"strings"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/test/program"
)

// patience is for what takes no time.
const patience = time.Minute

func sh(t *testing.T, script string) *program.Program {
	t.Helper()
	p, err := program.Start(t.Context(), "sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatItSaidLastIsHeard(t *testing.T) {
	t.Parallel()
	p := sh(t, "echo first; echo port=42 >&2")
	<-p.Done
	if m, err := p.Await(`port=(\d+)`, patience); err != nil || m[1] != "42" {
		t.Errorf("%v, %v", m, err)
	}
}

func TestWhatIsNeverSaidIsAnErrorThatSaysWhatWas(t *testing.T) {
	t.Parallel()
	p := sh(t, "echo no such file; exit 3")
	_, err := p.Await("ready", patience)
	if err == nil || !strings.Contains(err.Error(), "no such file") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error %v", err)
	}
}

func TestStopIsATermSignal(t *testing.T) {
	t.Parallel()
	p := sh(t, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done")
	if _, err := p.Await("up", patience); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil || !strings.Contains(p.Said(), "bye") {
		t.Errorf("it ended with %v after %q", err, p.Said())
	}
}
