package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Built with the race detector, a program needs much longer to start than most
// commands need to run. The command `exporter` of the stories therefore has one
// process for all that a story runs with it, one after the other. Where a story
// says `exec`, the program is started as users start it.

// oneByOne is the variable that makes a process of the program such a one.
const oneByOne = "ALIKAFKA_EXPORTER_TEST_ONE_BY_ONE"

// oneCommand is what such a process is told to run, and outcome what it answers.
type (
	oneCommand struct {
		Dir       string
		Env, Args []string
	}
	outcome struct {
		Stdout, Stderr string
		Code           int
	}
)

// runOneByOne runs the commands that come on standard input until it is closed.
func runOneByOne() error {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var c oneCommand
		if err := in.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := os.Chdir(c.Dir); err != nil {
			return err
		}
		os.Clearenv()
		for _, variable := range c.Env {
			name, value, _ := strings.Cut(variable, "=")
			if err := os.Setenv(name, value); err != nil {
				return err
			}
		}
		var stdout, stderr strings.Builder
		code := run(context.Background(), c.Args, &stdout, &stderr)
		if err := out.Encode(outcome{stdout.String(), stderr.String(), code}); err != nil {
			return err
		}
	}
}

// commandKey is the key of the process that runs the commands of a story.
type commandKey struct{}

// commands is such a process; it is started for the first command.
type commands struct {
	t      *testing.T
	in     *json.Encoder
	out    *json.Decoder
	stderr buffer // what the process itself says, such as the race detector
}

func (c *commands) start(ts *testscript.TestScript) {
	cmd := exec.CommandContext(waiting(ts), "alikafka-exporter")
	cmd.Env = append(environment(ts), oneByOne+"=1")
	cmd.Stderr = &c.stderr
	in, err := cmd.StdinPipe()
	ts.Check(err)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	c.in, c.out = json.NewEncoder(in), json.NewDecoder(out)
	ts.Defer(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			c.t.Errorf("the process that ran commands: %v\n%s", err, &c.stderr)
		}
	})
}

func (c *commands) run(ts *testscript.TestScript, args []string) (got outcome) {
	if c.in == nil {
		c.start(ts)
	}
	err := c.in.Encode(oneCommand{ts.MkAbs("."), environment(ts), args})
	if err == nil {
		err = c.out.Decode(&got)
	}
	if said := c.stderr.String(); err != nil || said != "" {
		ts.Fatalf("alikafka-exporter %q: %v\n%s", args, err, said)
	}
	return got
}

func cmdExporter(ts *testscript.TestScript, neg bool, args []string) {
	want := ""
	if len(args) > 0 {
		if _, err := strconv.Atoi(args[0]); err == nil {
			want, args = args[0], args[1:]
		}
	}
	got := ts.Value(commandKey{}).(*commands).run(ts, args)
	_, _ = fmt.Fprint(ts.Stdout(), got.Stdout)
	_, _ = fmt.Fprint(ts.Stderr(), got.Stderr)
	switch code := strconv.Itoa(got.Code); {
	case (code != "0") != neg:
		ts.Fatalf("alikafka-exporter %q ended with code %s\n%s", args, code, got.Stderr)
	case want != "" && code != want:
		ts.Fatalf("alikafka-exporter %q ended with code %s, want %s\n%s", args, code, want, got.Stderr)
	}
}
