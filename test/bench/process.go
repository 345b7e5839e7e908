package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/alikafka-exporter/alikafka-exporter/test/program"
)

// process is a program that is measured, or that plays a part.
type process struct{ *program.Program }

// start starts a program, which dies with us.
func start(ctx context.Context, name string, args ...string) (*process, error) {
	p, err := program.Start(ctx, name, args...)
	return &process{p}, err
}

// wait returns the groups of the first match of pattern in the output.
func (p *process) wait(pattern string) ([]string, error) { return p.Await(pattern, time.Minute) }

// stop ends the program.
func (p *process) stop() { _ = p.Stop() }

// cpu returns the time that all threads of the process have run. It is what
// getrusage counts, to the nanosecond and without asking the process.
func (p *process) cpu() (time.Duration, error) {
	var t unix.Timespec
	// The kernel's MAKE_PROCESS_CPUCLOCK with CPUCLOCK_SCHED.
	if err := unix.ClockGettime(int32(^p.Pid<<3|2), &t); err != nil {
		return 0, fmt.Errorf("CPU clock of %s: %w", p.Name, err)
	}
	return time.Duration(t.Nano()), nil
}

// memory returns the resident memory of the process and the most there was, in
// bytes.
func (p *process) memory() (rss, peak int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid))
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
		return 0, 0, errors.New(p.Name + " has ended")
	}
	return rss << 10, peak << 10, nil
}

// forgetPeak makes memory count the peak anew.
func (p *process) forgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.Pid), []byte("5"), 0)
}
