package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
)

// adminFlags say where the admin endpoint answers; the zero value is nowhere.
type adminFlags struct {
	address    string
	configFile string
}

func (f *adminFlags) add(cmd *kingpin.CmdClause, address string) {
	cmd.Flag("admin.listen-address", "Address of the admin endpoint, which changes the cloud; empty: none. Off loopback it needs TLS.").Default(address).StringVar(&f.address)
	cmd.Flag("admin.config.file", "File that turns on TLS for the admin endpoint, of the same form as --web.config.file.").StringVar(&f.configFile)
}

// check reports values that could only fail later.
func (f *adminFlags) check(store *storage) error {
	if f.address == "" {
		return nil
	}
	if store.Path() == "" {
		return usageError{errors.New("--admin.listen-address needs --storage.path: what is done is recorded before it is done")}
	}
	if err := admin.CheckListener(f.address, f.configFile); err != nil {
		return usageError{err}
	}
	return nil
}

// killSwitchVariable stops acting unless it is empty or says no.
const killSwitchVariable = "ALIKAFKA_EXPORTER_KILL_SWITCH"

func stoppedByEnvironment() bool {
	switch strings.ToLower(os.Getenv(killSwitchVariable)) {
	case "", "0", "false", "off", "no":
		return false
	}
	return true
}

// adminEndpoint is the admin listener with what serves it now. The zero value
// is none.
type adminEndpoint struct {
	listener net.Listener
	metrics  *admin.Metrics
	engine   *engine.Metrics
	current  atomic.Pointer[adminLife]
}

// adminLife is a server that is running. A reload configures it anew; another
// life follows only where this one may not act and the next one may.
type adminLife struct {
	server *admin.Server
	acts   bool // it was opened with the lock on the storage
	cancel context.CancelFunc
	done   chan struct{} // closed when everything has ended
	err    error         // read after done
}

// openAdmin opens the listener and begins to act.
func (a *app) openAdmin(ctx context.Context, c *config.Config) error {
	if a.flags.admin.address == "" {
		return nil
	}
	a.admin.metrics, a.admin.engine = admin.NewMetrics(), engine.NewMetrics()
	a.registry.MustRegister(a.admin.metrics, a.admin.engine)
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.flags.admin.address)
	if err != nil {
		return err
	}
	a.admin.listener = l
	if err := a.startAdmin(ctx, c); err != nil {
		return errors.Join(err, l.Close())
	}
	return nil
}

// adminOptions are those of the configuration and of the current life.
func (a *app) adminOptions(c *config.Config) (admin.Options, error) {
	life := a.current.Load()
	readers := map[string]*api.Client{}
	accounts := map[string]engine.Account{}
	for i, account := range c.Accounts {
		readers[account.Name] = life.clients[i]
		if account.ActingCredentials == nil {
			continue
		}
		client, err := newClient(account, actingKey, life.limiters[account.Name], a.observe)
		if err != nil {
			return admin.Options{}, err
		}
		accounts[account.Name] = engine.Account{Client: client, Reader: life.clients[i]}
	}
	standby := ""
	if !a.storage.Locked() {
		standby = "another process holds the lock on --storage.path"
	}
	return admin.Options{
		Config: c.Admin, Runbooks: c.Runbooks, Collector: life.collector, Readers: readers,
		Metrics: a.admin.metrics, Logger: a.log,
		Engine: engine.Options{
			Accounts: accounts, Dir: a.storage.Path(), Standby: standby, Metrics: a.admin.engine,
			StoppedByEnvironment: stoppedByEnvironment(),
		},
	}, nil
}

// startAdmin opens the journal and begins to act.
func (a *app) startAdmin(ctx context.Context, c *config.Config) error {
	o, err := a.adminOptions(c)
	if err != nil {
		return err
	}
	server, err := admin.New(o)
	if err != nil {
		return err
	}
	next := &adminLife{server: server, acts: o.Engine.Standby == "", done: make(chan struct{})}
	// stop ends it, not the end of ctx: on shutdown the listeners go first.
	ctx, next.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(next.done)
		next.err = errors.Join(server.Run(ctx), server.Close())
	}()
	a.admin.current.Store(next)
	return nil
}

// check reports what of a new configuration could not be served.
func (e *adminEndpoint) check(c *config.Config) error {
	if e.listener == nil {
		return nil
	}
	errs := []error{c.Admin.CheckTokens()}
	for _, account := range c.Accounts {
		if account.ActingCredentials == nil {
			continue
		}
		if _, err := account.ActingCredentials.New(); err != nil {
			errs = append(errs, fmt.Errorf("account %s: acting_credentials: %w", account.Name, err))
		}
	}
	return errors.Join(errs...)
}

// reloadAdmin gives the server that runs another configuration: what is under
// way goes on, a stop that could not be recorded holds, and a journal that
// failed stays closed. Only one that may not act is ended, when this process has
// got the lock, and another begun.
func (a *app) reloadAdmin(ctx context.Context, c *config.Config) error {
	if a.admin.listener == nil {
		return nil
	}
	life := a.admin.current.Load()
	if life == nil || !life.acts && a.storage.Locked() {
		return errors.Join(a.admin.stop(), a.startAdmin(ctx, c))
	}
	o, err := a.adminOptions(c)
	if err != nil {
		return err
	}
	return life.server.Configure(o)
}

// stop ends the present life.
func (e *adminEndpoint) stop() error {
	life := e.current.Swap(nil)
	if life == nil {
		return nil
	}
	life.cancel()
	<-life.done
	return life.err
}

// close ends everything.
func (e *adminEndpoint) close() error {
	if e.listener == nil {
		return nil
	}
	err := e.stop()
	if closing := e.listener.Close(); !errors.Is(closing, net.ErrClosed) {
		err = errors.Join(err, closing)
	}
	return err
}

// serveAdmin answers the admin listener until ctx ends.
func (a *app) serveAdmin(ctx context.Context) error {
	if a.admin.listener == nil {
		return nil
	}
	server := a.server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		life := a.admin.current.Load()
		if life == nil {
			w.Header().Set("Retry-After", "1")
			say(w, http.StatusServiceUnavailable, "the configuration is being reloaded")
			return
		}
		life.server.ServeHTTP(w, r)
	}))
	none := false
	toolkit := &web.FlagConfig{
		WebListenAddresses: &[]string{a.flags.admin.address}, WebSystemdSocket: &none, WebConfigFile: &a.flags.admin.configFile,
	}
	log := a.log.With("listener", "admin")
	return serveUntil(ctx, server, func() error { return web.Serve(a.admin.listener, server, toolkit, log) })
}
