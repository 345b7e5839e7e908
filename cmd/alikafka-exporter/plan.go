package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
)

// planFlags are the command line of `plan`.
type planFlags struct {
	configFile string
	inventory  collector.Inventory
	supposed   collector.Supposed
	timeout    time.Duration
}

// offline reports whether an inventory was given.
func (f *planFlags) offline() bool {
	return f.inventory.Instances+f.inventory.Topics+f.inventory.ConsumerGroups > 0
}

func (p *program) addPlan() {
	var f planFlags
	cmd := p.Command("plan", "Reckon how many calls a configuration takes and how fresh data will be. "+
		"Lists once what the accounts have, or supposes an inventory that is given by flags and calls nothing.")
	cmd.Flag("config.file", "Configuration to plan for. Without it the defaults count, and an inventory is needed.").StringVar(&f.configFile)
	count := func(name, help string, n *int) { cmd.Flag(name, help).NoEnvar().Default("0").IntVar(n) }
	cmd.Flag("regions", "Regions of the inventory.").NoEnvar().Default("1").IntVar(&f.inventory.Regions)
	count("instances", "Instances of the inventory; default 1.", &f.inventory.Instances)
	count("topics", "Topics of all instances.", &f.inventory.Topics)
	count("groups", "Consumer groups of all instances.", &f.inventory.ConsumerGroups)
	supposed := collector.DefaultSupposed()
	cmd.Flag("active-ratio", "Part of topics and groups in which something moves, 0 to 1.").NoEnvar().Default(fmt.Sprint(supposed.Active)).FloatVar(&f.supposed.Active)
	cmd.Flag("consumed-ratio", "Part of topics that a group consumes, 0 to 1.").NoEnvar().Default(fmt.Sprint(supposed.Consumed)).FloatVar(&f.supposed.Consumed)
	cmd.Flag("timeout", "Time for the listings.").NoEnvar().Default("5m").DurationVar(&f.timeout)
	p.addVersion(cmd)
	p.commands[cmd.FullCommand()] = func(ctx context.Context) error { return p.plan(ctx, f) }
}

// check reports flags that make no sense.
func (f *planFlags) check() error {
	n := f.inventory
	switch {
	case f.supposed.Active < 0 || f.supposed.Active > 1:
		return fmt.Errorf("--active-ratio: %v is not between 0 and 1", f.supposed.Active)
	case f.supposed.Consumed < 0 || f.supposed.Consumed > 1:
		return fmt.Errorf("--consumed-ratio: %v is not between 0 and 1", f.supposed.Consumed)
	case n.Regions < 1 || min(n.Instances, n.Topics, n.ConsumerGroups) < 0:
		return errors.New("--regions, --instances, --topics, --groups: an inventory has no negative numbers and at least one region")
	case !f.offline() && f.configFile == "":
		return errors.New("give --config.file, or an inventory: --instances, --topics, --groups")
	}
	return nil
}

func (p *program) plan(ctx context.Context, f planFlags) error {
	if err := f.check(); err != nil {
		return usageError{err}
	}
	c := config.Default()
	if f.configFile != "" {
		var err error
		if c, err = config.Load(f.configFile); err != nil {
			return err
		}
	}
	if f.offline() {
		f.inventory.Instances = max(1, f.inventory.Instances)
		rows := collector.PlanFor(f.inventory, f.supposed, c.Collect, c.RateLimits)
		return printPlan(p.stdout, rows, c.RateLimits)
	}
	rows, err := p.survey(ctx, f, c)
	return errors.Join(printPlan(p.stdout, rows, c.RateLimits), err)
}

// survey plans for what the accounts have. With an error, the plan lacks what
// could not be listed.
func (p *program) survey(ctx context.Context, f planFlags, c *config.Config) ([]collector.PlanRow, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	source := api.NewSourceLimit(c.RateLimits.PerSourceIP)
	var accounts []collector.Account
	var clients []*api.Client
	defer func() {
		for _, c := range clients {
			c.CloseIdleConnections()
		}
	}()
	for _, a := range c.Accounts {
		client, err := newClient(a, readingKey, api.NewLimiter(c.RateLimits, source), nil)
		if err != nil {
			return nil, err
		}
		clients = append(clients, client)
		accounts = append(accounts, collector.Account{AccountConfig: a, Client: client, PerRegion: c.RateLimits.Scope == "region"})
	}
	all := collector.New(collector.Options{Accounts: accounts, Config: c.Collect, Logger: p.log, Metrics: collector.NewMetrics()})
	err := all.Survey(ctx)
	return all.Plan(f.supposed), err
}

// printPlan writes the plan as a table, and below it what would meet what it
// misses.
func printPlan(out io.Writer, rows []collector.PlanRow, limits api.RateLimits) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ACCOUNT\tSOURCE\tACTION\tOBJECTS\tCALLS/MIN\tOF\tCYCLE\tACTIVE EVERY\tMEAN AGE\tWORST AGE\tTARGET\tMET\tMAX AGE\tHELD")
	for i := range rows {
		r := &rows[i]
		account := r.Account
		if account == "" {
			account = "-"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%.1f\t%.1f\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", account, r.Source, r.Action, r.Objects, 60*r.Used, 60*r.Rate,
			round(r.Cycle), round(r.Active), round(r.Age), round(r.Worst), round(r.Target), yesNo(r.TargetsMet), round(r.MaxAge), yesNo(r.MaxAgeHeld))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		advice := r.Advice(limits)
		if len(advice) == 0 {
			continue
		}
		what := "Not every target is met: targets of what is idle are stretched first."
		if !r.MaxAgeHeld {
			what = "The maximum age is not held."
		}
		_, _ = fmt.Fprintf(out, "\n%s: %s Any of these would do:\n", r.Source, what)
		for _, a := range advice {
			_, _ = fmt.Fprintf(out, "  %s\n", a)
		}
	}
	return nil
}

// round writes a duration as people do; a dash for none.
func round(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
