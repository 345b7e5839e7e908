package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/common/version"
)

// program is the command line: its flags and what its commands do.
type program struct {
	*kingpin.Application
	stdout, stderr io.Writer
	logging        promslog.Config
	log            *slog.Logger // set before a command runs
	commands       map[string]func(context.Context) error
}

// newProgram declares every command. Each flag also reads
// ALIKAFKA_EXPORTER_<FLAG>; a flag that is given wins.
func newProgram(stdout, stderr io.Writer) *program {
	p := &program{
		Application: kingpin.New("alikafka-exporter", "Prometheus exporter for Alibaba Cloud's managed Kafka (ApsaraMQ for Kafka)."),
		stdout:      stdout,
		stderr:      stderr,
		logging:     promslog.Config{Writer: stderr},
		commands:    map[string]func(context.Context) error{},
	}
	p.DefaultEnvars().UsageWriter(stdout).ErrorWriter(stderr)
	p.HelpFlag.Short('h').NoEnvar()
	p.Terminate(func(int) { panic(helped{}) })
	promslogflag.AddFlags(p.Application, &p.logging)
	p.addServe()
	p.addDemo()
	p.addSim()
	p.addCheck()
	p.addPlan()
	p.addCall()
	p.addAudit()
	return p
}

// helped is what kingpin's help flags end parsing with: kingpin counts on
// Terminate not to return.
type helped struct{}

// parse returns the command that args name; done when a flag such as --help
// was the whole wish.
func (p *program) parse(args []string) (command string, done bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(helped); !ok {
				panic(r)
			}
			done = true
		}
	}()
	if len(args) > 0 && strings.HasPrefix(args[0], "-") {
		// Help on the default command is help on everything.
		p.UsageTemplate(kingpin.LongHelpTemplate)
	}
	command, err = p.Parse(args)
	if err != nil {
		err = usageError{fmt.Errorf("%w (try --help)", err)}
	}
	return command, false, err
}

// addVersion gives a command the flag --version. It is not the program's,
// because in `call` the flag of that name takes the version of an API.
func (p *program) addVersion(cmd *kingpin.CmdClause) {
	cmd.Flag("version", "Show the version.").NoEnvar().PreAction(func(*kingpin.ParseContext) error {
		_, _ = fmt.Fprintln(p.stdout, version.Print("alikafka-exporter"))
		panic(helped{})
	}).Bool()
}
