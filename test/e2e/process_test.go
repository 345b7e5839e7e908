package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stopWait is how long a process has to end after SIGTERM.
const stopWait = 15 * time.Second

// process is a program started by a test. Its output goes to the test's log
// when the test fails.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the program ended
	err  error         // from Wait; read it after done

	mu     sync.Mutex
	output bytes.Buffer
	more   chan struct{} // closed and replaced at every line
}

// start runs a program until the end of the test.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{name: name, done: make(chan struct{}), more: make(chan struct{})}
	// Not t.Context(): the program is stopped by SIGTERM, in cleanup.
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = pw, pw
	dieWithTest(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	_ = pw.Close()
	go func() {
		p.read(pr)
		_ = pr.Close()
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.stop()
		if t.Failed() {
			t.Logf("output of %s:\n%s", name, p.text())
		}
	})
	return p
}

func (p *process) read(r io.Reader) {
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadBytes('\n')
		p.mu.Lock()
		p.output.Write(line)
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// wait returns the groups of the first match of pattern in the output.
func (p *process) wait(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.After(patience)
	for {
		p.mu.Lock()
		match, more := re.FindStringSubmatch(p.output.String()), p.more
		p.mu.Unlock()
		if match != nil {
			return match
		}
		select {
		case <-more:
		case <-p.done:
			t.Fatalf("%s ended (%v) before printing %s", p.name, p.err, pattern)
		case <-timeout:
			t.Fatalf("%s did not print %s", p.name, pattern)
		}
	}
}

// stop asks the program to end and returns how it did.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.err
	case <-time.After(stopWait):
		_ = p.cmd.Process.Kill()
		<-p.done
		return errors.New("still running " + stopWait.String() + " after SIGTERM")
	}
}
