package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
)

func (p *program) addServe() {
	cmd := p.Command("serve", "Run the exporter (the default command).").Default()
	file := cmd.Flag("config.file", "Configuration file; config.example.yaml shows every key.").Default("config.yaml").String()
	flags := addWebFlags(cmd, ":19308")
	flags.admin.add(cmd, "")
	dir := addStorageFlag(cmd, "Directory of what outlives a restart. It is created, and locked: a second process on it watches only. Empty: nothing is kept.")
	p.addVersion(cmd)
	p.commands[cmd.FullCommand()] = func(ctx context.Context) error {
		p.log.Info("starting alikafka-exporter", "version", version.Info(), "build", version.BuildContext())
		return withStorage(ctx, *dir, p.log, func(ctx context.Context, s *storage) error {
			a, err := newApp(ctx, p.log, flags, s, func() (*config.Config, error) { return config.Load(*file) })
			if err != nil {
				return err
			}
			err = a.run(ctx)
			p.log.Info("stopped")
			return err
		})
	}
}

// webFlags say where and how the exporter answers; `serve` and `demo` share
// them.
type webFlags struct {
	toolkit       *web.FlagConfig
	telemetryPath string
	externalURL   *url.URL
	lifecycle     bool
	pprof         bool
	admin         adminFlags
}

func addWebFlags(cmd *kingpin.CmdClause, address string) *webFlags {
	// Not kingpinflag's: we open the listeners, and not on vsock.
	f := &webFlags{toolkit: &web.FlagConfig{
		WebListenAddresses: cmd.Flag("web.listen-address", "Address of metrics and pages; repeatable. Port 0 picks a free one.").Default(address).Strings(),
		WebSystemdSocket:   cmd.Flag("web.systemd-socket", "Use the sockets that systemd hands over instead of listen addresses.").Bool(),
		WebConfigFile: cmd.Flag("web.config.file", "File that turns on TLS or basic authentication: "+
			"https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md").String(),
	}}
	cmd.Flag("web.telemetry-path", "Path of the metrics; those of one cloud instance are below it.").Default("/metrics").StringVar(&f.telemetryPath)
	cmd.Flag("web.external-url", "URL under which the exporter is reached through a reverse proxy. Its path works as a prefix of every page.").URLVar(&f.externalURL)
	cmd.Flag("web.enable-lifecycle", "Allow reloads by POST to /-/reload.").BoolVar(&f.lifecycle)
	cmd.Flag("web.enable-pprof", "Serve profiles below /debug/pprof/.").BoolVar(&f.pprof)
	return f
}

// check reports values that could only fail later.
func (f *webFlags) check() error {
	if p := f.telemetryPath; !servable(p) || p == "/" || strings.HasPrefix(p, "/-/") {
		return usageError{fmt.Errorf("--web.telemetry-path: %q is not a path such as /metrics", p)}
	}
	if u := f.externalURL; u != nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return usageError{errors.New("--web.external-url: not an http:// or https:// URL")}
	}
	if p := f.prefix(); p != "" && !servable(p) {
		return usageError{fmt.Errorf("--web.external-url: %q is not a path such as /kafka", p)}
	}
	if err := web.Validate(*f.toolkit.WebConfigFile); err != nil {
		return fmt.Errorf("--web.config.file: %w", err)
	}
	return nil
}

// servable reports whether http.ServeMux takes p for one path, as it is.
func servable(p string) bool {
	return strings.HasPrefix(p, "/") && path.Clean(p) == p && !strings.ContainsAny(p, "{} \t")
}

// prefix is the path under which the pages are reached from outside; empty
// for the root.
func (f *webFlags) prefix() string {
	if f.externalURL == nil {
		return ""
	}
	return strings.TrimRight(f.externalURL.Path, "/")
}

// open opens the listeners, so that a port 0 is known before anything is
// served. With systemd's sockets the toolkit opens them itself.
func (f *webFlags) open(ctx context.Context) ([]net.Listener, error) {
	if *f.toolkit.WebSystemdSocket {
		return nil, nil
	}
	var listeners []net.Listener
	for _, address := range *f.toolkit.WebListenAddresses {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			for _, l := range listeners {
				_ = l.Close()
			}
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}
