package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program that is measured, or that plays a part.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it ended

	mu     sync.Mutex
	output bytes.Buffer
	more   chan struct{} // closed and replaced at every line
}

// start starts a program, which dies with us.
func start(ctx context.Context, name string, args ...string) (*process, error) {
	p := &process{name: name + " " + strings.Join(args[:min(1, len(args))], ""), done: make(chan struct{}), more: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, name, args...) //nolint:gosec // starting what it is told to is its purpose
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 10 * time.Second
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = pw, pw
	err = p.cmd.Start()
	_ = pw.Close()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.read(pr)
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) read(f *os.File) {
	defer f.Close()
	for lines := bufio.NewReader(f); ; {
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

// wait returns the groups of the first match of pattern in the output, which it
// awaits for a minute.
func (p *process) wait(pattern string) ([]string, error) {
	re, timeout := regexp.MustCompile(pattern), time.After(time.Minute)
	for {
		p.mu.Lock()
		match, more, output := re.FindStringSubmatch(p.output.String()), p.more, p.output.String()
		p.mu.Unlock()
		if match != nil {
			return match, nil
		}
		select {
		case <-more:
		case <-p.done:
			return nil, fmt.Errorf("%s ended before it said %s:\n%s", p.name, pattern, output)
		case <-timeout:
			return nil, fmt.Errorf("%s did not say %s:\n%s", p.name, pattern, output)
		}
	}
}

// stop ends the program.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// signal sends a signal.
func (p *process) signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// cpu returns the time that all threads of the process have run. It is what
// getrusage counts, to the nanosecond and without asking the process.
func (p *process) cpu() (time.Duration, error) {
	var t unix.Timespec
	// The kernel's MAKE_PROCESS_CPUCLOCK with CPUCLOCK_SCHED.
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|2), &t); err != nil {
		return 0, fmt.Errorf("CPU clock of %s: %w", p.name, err)
	}
	return time.Duration(t.Nano()), nil
}

// memory returns the resident memory of the process and the most there was, in
// bytes.
func (p *process) memory() (rss, peak int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kB, _, _ := strings.Cut(strings.TrimSpace(value), " ")
		switch name {
		case "VmRSS":
			rss, err = strconv.ParseInt(kB, 10, 64)
		case "VmHWM":
			peak, err = strconv.ParseInt(kB, 10, 64)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	if rss == 0 {
		return 0, 0, errors.New(p.name + " has ended")
	}
	return rss << 10, peak << 10, nil
}

// forgetPeak makes memory count the peak anew.
func (p *process) forgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0)
}
