package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
)

func (p *program) addCheck() {
	check := p.Command("check", "Check files and permissions before they are used.")
	p.addCheckPermissions(check)
	p.addCheckRunbooks(check)
	cmd := check.Command("config", "List every mistake of a configuration file. Asks nothing of the cloud.")
	file := cmd.Arg("file", "The configuration file.").Required().String()
	p.addVersion(cmd)
	p.commands[cmd.FullCommand()] = func(context.Context) error {
		c, err := config.Load(*file)
		if mistakes, ok := errors.AsType[*config.Error](err); ok {
			_, _ = fmt.Fprintln(p.stderr, mistakes)
			return fmt.Errorf("%s: %s", *file, count(len(mistakes.Mistakes), "mistake"))
		}
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(p.stdout, "%s: valid, %s\n", *file, count(len(c.Accounts), "account"))
		return nil
	}
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
