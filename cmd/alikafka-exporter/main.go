// Command alikafka-exporter is a Prometheus exporter for Alibaba Cloud's
// managed Kafka (ApsaraMQ for Kafka).
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/prometheus/common/promslog"
)

// gcPercent is GOGC where the environment does not set it. Nearly all of the
// heap is the page and what it is made of, and little is garbage: collecting
// more often costs a fraction of a per cent of a core, and at a million series
// it saves a fifth of the memory (docs/performance.md).
const gcPercent = 40

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the command that args name until it is done or ctx ends. It
// returns the exit code: 0 for success, 1 for a failure, 2 for a command line
// that makes no sense.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := newProgram(stdout, stderr)
	command, done, err := p.parse(args)
	if done {
		return 0
	}
	if err == nil {
		p.log = promslog.New(&p.logging)
		err = p.commands[command](ctx)
	}
	if err == nil {
		return 0
	}
	p.Errorf("%s", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }
