package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

func (p *program) addDemo() {
	var (
		f       simFlags
		listen  string
		control string
	)
	cmd := p.Command("demo", "Run the exporter on a simulated cloud. Needs no account.")
	flags := addWebFlags(cmd, "127.0.0.1:19308")
	path := addStorageFlag(cmd, "Directory of what outlives a restart. Empty: a temporary one, removed at the end.")
	cmd.Flag("cloud.listen-address", "Address of the simulated cloud; port 0 picks a free one.").Default("127.0.0.1:18080").StringVar(&listen)
	cmd.Flag("control.listen-address", controlHelp).Default("").StringVar(&control)
	flags.admin.add(cmd, "127.0.0.1:19309")
	f.add(cmd)
	p.addVersion(cmd)
	p.commands[cmd.FullCommand()] = func(ctx context.Context) error {
		if *flags.toolkit.WebSystemdSocket {
			return usageError{errors.New("--web.systemd-socket: not for the demo, which prints its own addresses")}
		}
		o := f.options()
		o.Keys = map[string]string{simKeyID: simKeySecret}
		return withDemoStorage(ctx, *path, p.log, func(ctx context.Context, s *storage) error {
			return p.demo(ctx, s, flags, f, o, listen, control)
		})
	}
}

// demo runs the exporter on a cloud that it makes itself.
func (p *program) demo(ctx context.Context, s *storage, flags *webFlags, f simFlags, o sim.Options, listen, control string) error {
	cloud, err := newCloudServer(ctx, o, listen)
	if err != nil {
		return err
	}
	servers := []*cloudServer{cloud}
	abandon := func(err error) error {
		for _, server := range servers {
			_ = server.listener.Close() // nothing was accepted
		}
		return err
	}
	if control != "" {
		steering, err := newControlServer(ctx, cloud.cloud, control)
		if err != nil {
			return abandon(err)
		}
		servers = append(servers, steering)
	}
	if s.Path() == "" {
		flags.admin.address = "" // nothing could be recorded
	}
	tokens, err := demoTokens(s.Path())
	if err != nil {
		return abandon(err)
	}
	a, err := newApp(ctx, p.log, flags, s, func() (*config.Config, error) { return demoConfig(cloud.url, tokens, s) })
	if err != nil {
		return abandon(err)
	}
	greet(p.stdout, a, servers, f)
	if a.admin.listener != nil {
		p.offerActing(a, s, tokens)
	}
	_, _ = fmt.Fprint(p.stdout, "Ctrl-C ends it.\n\n")
	return runDemo(ctx, a, servers)
}

// offerActing says how to act on the cloud, by hand and by alerts.
func (p *program) offerActing(a *app, s *storage, tokens string) {
	greetAdmin(p.stdout, a, tokens)
	if err := writeMonitoring(monitoring(s), a, tokens); err != nil {
		p.log.Warn("no files for Prometheus and Alertmanager", "err", err)
		return
	}
	greetAlerts(p.stdout, monitoring(s))
}

// withDemoStorage is withStorage in a temporary directory where no path is
// given; without one, on a read-only file system, the demo keeps nothing.
func withDemoStorage(ctx context.Context, path string, log *slog.Logger, f func(context.Context, *storage) error) error {
	if path != "" {
		return withStorage(ctx, path, log, f)
	}
	path, err := os.MkdirTemp("", "alikafka-exporter-demo-")
	if err != nil {
		log.Warn("no temporary directory, nothing is kept", "err", err)
		return withStorage(ctx, "", log, f)
	}
	return errors.Join(withStorage(ctx, path, log, f), os.RemoveAll(path))
}

// runDemo runs everything until ctx ends or a part fails. The exporter stops
// first, so that it does not complain about a cloud that is gone.
func runDemo(ctx context.Context, a *app, servers []*cloudServer) error {
	g, ctx := errgroup.WithContext(ctx)
	exporterDone, stopCloud := context.WithCancel(context.WithoutCancel(ctx))
	for _, server := range servers {
		g.Go(func() error { return server.serve(exporterDone) })
	}
	g.Go(func() error {
		defer stopCloud()
		return a.run(ctx)
	})
	return g.Wait()
}

// demoConfig watches the simulated cloud at url: everything that it has, with
// the real limits, but at intervals at which something happens while one
// looks. Without tokens nobody may act.
func demoConfig(url, tokens string, s *storage) (*config.Config, error) {
	c := config.Default()
	account := collector.DefaultAccountConfig()
	account.Name = "demo"
	account.Credentials = api.CredentialsConfig{AccessKeyID: simKeyID, AccessKeySecret: secret.New(simKeySecret)}
	account.Endpoints = map[string]string{}
	for _, r := range api.Regions() {
		account.Endpoints[r.ID] = url
	}
	c.Accounts = []collector.AccountConfig{account}
	c.Collect.OwnerInfo = true
	for name, often := range map[string]time.Duration{
		"regions": time.Minute, "instances": 15 * time.Second, "topics": 30 * time.Second, "topic_status": 15 * time.Second,
		"consumer_groups": 30 * time.Second, "consumer_group_progress": 5 * time.Second,
	} {
		s := c.Collect.Sources[name]
		s.Interval = model.Duration(often)
		c.Collect.Sources[name] = s
	}
	if tokens != "" {
		c.Accounts[0].ActingCredentials = &c.Accounts[0].Credentials
		runbooks, err := demoRunbooks(monitoring(s))
		if err != nil {
			return nil, err
		}
		demoAdmin(c, tokens, runbooks)
	}
	return c, nil
}

// greet says what to open and what to try.
func greet(w io.Writer, a *app, servers []*cloudServer, f simFlags) {
	bold, plain := styles(w)
	base := "http://" + reachable(a.listeners[0].Addr())
	steering := ""
	if len(servers) > 1 {
		steering = fmt.Sprintf("  %ssteer it%s  %s/control/\n", bold, plain, servers[1].url)
	}
	_, _ = fmt.Fprintf(w, `
%[1]salikafka-exporter demo%[2]s: the exporter, and a simulated cloud for it to watch

  %[1]sstatus%[2]s    %[3]s/
  %[1]smetrics%[2]s   %[3]s%[4]s
  %[1]scloud%[2]s     %[5]s  (key %[6]s, secret %[7]s, story %[8]s, seed %[9]d)
%[10]s
Scrape the metrics with Prometheus and try:

  sum by (consumer_group) (alikafka_consumer_group_lag_messages)
  topk(5, alikafka_topic_produced_messages_per_second)

Or ask the cloud yourself:

  ALIBABA_CLOUD_ACCESS_KEY_ID=%[6]s ALIBABA_CLOUD_ACCESS_KEY_SECRET=%[7]s \
    %[11]s call GetInstanceList --endpoint=%[5]s

`, bold, plain, base, a.flags.telemetryPath, servers[0].url, simKeyID, simKeySecret, f.story, f.seed, steering, ownCommand())
}

// ownCommand is what a shell runs this program by: the name that it was
// started by, which PATH has, else its file, which `go run` keeps for as long
// as the demo plays.
func ownCommand() string {
	self, err := os.Executable()
	if err != nil || !strings.ContainsRune(os.Args[0], filepath.Separator) {
		return os.Args[0]
	}
	return "'" + strings.ReplaceAll(self, "'", `'\''`) + "'"
}

// styles returns what switches bold on and off: nothing where w is not a
// terminal or the user wants no colours.
func styles(w io.Writer) (bold, plain string) {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return "", ""
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return "", ""
	}
	return "\x1b[1m", "\x1b[0m"
}
