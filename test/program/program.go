// Package program starts programs for tests and measurements, and waits for
// what they say.
package program

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// stopWait is how long a program has to end after SIGTERM.
const stopWait = time.Minute

// Program is one that was started.
type Program struct {
	*os.Process

	Name string
	Done chan struct{} // closed when it has ended

	cmd *exec.Cmd
	err error // of its end; read it after Done

	mu     sync.Mutex
	output bytes.Buffer
	more   chan struct{} // closed and replaced at every line
}

// Start starts a program. It gets SIGTERM when ctx ends, and on Linux dies with
// us, however we end.
func Start(ctx context.Context, name string, args ...string) (*Program, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // starting what it is told to is its purpose
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopWait
	dieWithUs(cmd)
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = in, in
	err = cmd.Start()
	_ = in.Close()
	if err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Program{Process: cmd.Process, Name: name, Done: make(chan struct{}), cmd: cmd, more: make(chan struct{})}
	go func() {
		p.read(out)
		p.err = cmd.Wait()
		close(p.Done)
	}()
	return p, nil
}

func (p *Program) read(out *os.File) {
	defer out.Close()
	for lines := bufio.NewReader(out); ; {
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

// Said returns what it has written so far to standard output and error.
func (p *Program) Said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// Await returns the groups of the first match of pattern in what it says. The
// error says what it said instead.
func (p *Program) Await(pattern string, patience time.Duration) ([]string, error) {
	re, late := regexp.MustCompile(pattern), time.After(patience)
	for ended := false; ; {
		p.mu.Lock()
		match, more := re.FindStringSubmatch(p.output.String()), p.more
		p.mu.Unlock()
		if match != nil {
			return match, nil
		}
		if ended {
			return nil, fmt.Errorf("%s ended (%s) before it said %s:\n%s", p.Name, p.cmd.ProcessState, pattern, p.Said())
		}
		select {
		case <-more:
		case <-p.Done:
			ended = true // what it said last may match
		case <-late:
			return nil, fmt.Errorf("%s did not say %s within %s:\n%s", p.Name, pattern, patience, p.Said())
		}
	}
}

// Stop has it end by SIGTERM, and returns how it did.
func (p *Program) Stop() error {
	_ = p.Signal(syscall.SIGTERM)
	select {
	case <-p.Done:
		return p.err
	case <-time.After(stopWait):
		_ = p.Kill()
		<-p.Done
		return errors.New("still running " + stopWait.String() + " after SIGTERM")
	}
}
