package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"golang.org/x/sync/errgroup"

	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// The key of the simulated cloud where no other is given.
const (
	simKeyID     = "testid"
	simKeySecret = "testsecret" // opens nothing but the simulator
)

const controlHelp = "Loopback address of the endpoint that steers the simulated cloud, see docs/simulator.md; empty: none."

// simFlags choose the simulated world; `sim` and `demo` share them.
type simFlags struct {
	seed  uint64
	story string
}

func (f *simFlags) add(cmd *kingpin.CmdClause) {
	cmd.Flag("seed", "Equal seeds give equal clouds.").Default("1").Uint64Var(&f.seed)
	cmd.Flag("story", "What happens: one of "+strings.Join(sim.Stories(), ", ")+".").Default("lively").EnumVar(&f.story, sim.Stories()...)
}

func (f *simFlags) options() sim.Options { return sim.Options{Seed: f.seed, Story: f.story} }

func (p *program) addSim() {
	var (
		f        simFlags
		listen   string
		control  string
		keysFile string
		limit    float64
		instant  bool
	)
	cmd := p.Command("sim", "Run the simulated cloud alone. Its key is testid with secret testsecret, or the one in ALIKAFKA_SIM_ACCESS_KEY_ID and ALIKAFKA_SIM_ACCESS_KEY_SECRET.")
	cmd.Flag("listen-address", "Address of the simulated cloud; port 0 picks a free one.").Default("127.0.0.1:18080").StringVar(&listen)
	cmd.Flag("keys.file", "YAML file of access key ids and their secrets, one `id: secret` a line.").StringVar(&keysFile)
	f.add(cmd)
	cmd.Flag("limit", "Calls per second, account and action that are let through; 0 means those of the real cloud, a negative number all.").Default("0").Float64Var(&limit)
	cmd.Flag("control.listen-address", controlHelp).Default("").StringVar(&control)
	cmd.Flag("instant", "Let the work behind actions, such as deploying an instance, take no time.").BoolVar(&instant)
	p.addVersion(cmd)
	p.commands[cmd.FullCommand()] = func(ctx context.Context) error {
		o := f.options()
		o.Limits.Default = limit
		if limit < 0 {
			o.Limits.PerSourceIP = limit
		}
		if instant {
			o.Delays = sim.Instantly()
		}
		var err error
		if o.Keys, err = simKeys(keysFile); err != nil {
			return err
		}
		cloud, err := newCloudServer(ctx, o, listen)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(p.stdout, "simulated cloud on %s, story %s, seed %d\n", cloud.url, f.story, f.seed)
		if control == "" {
			return cloud.serve(ctx)
		}
		return p.serveControl(ctx, cloud, control)
	}
}

// serveControl serves a cloud and the endpoint that steers it until ctx ends.
func (p *program) serveControl(ctx context.Context, cloud *cloudServer, address string) error {
	control, err := newControlServer(ctx, cloud.cloud, address)
	if err != nil {
		_ = cloud.listener.Close() // nothing was accepted
		return err
	}
	_, _ = fmt.Fprintf(p.stdout, "steer it on %s/control/\n", control.url)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return cloud.serve(ctx) })
	g.Go(func() error { return control.serve(ctx) })
	return g.Wait()
}

// simKeys returns the keys of the simulated cloud: those of the file, else
// that of the environment, else the well-known one.
func simKeys(file string) (map[string]string, error) {
	keys := map[string]string{}
	if file != "" {
		secrets, err := config.LoadKeys(file)
		for id, secret := range secrets {
			keys[id] = secret.Reveal()
		}
		return keys, err
	}
	id, secret := os.Getenv("ALIKAFKA_SIM_ACCESS_KEY_ID"), os.Getenv("ALIKAFKA_SIM_ACCESS_KEY_SECRET")
	if (id == "") != (secret == "") {
		return nil, usageError{errors.New("set both ALIKAFKA_SIM_ACCESS_KEY_ID and ALIKAFKA_SIM_ACCESS_KEY_SECRET, or neither")}
	}
	if id == "" {
		id, secret = simKeyID, simKeySecret
	}
	keys[id] = secret
	return keys, nil
}

// cloudServer is a simulated cloud, or the endpoint that steers one, with an
// open listener.
type cloudServer struct {
	url      string
	cloud    *sim.Cloud
	listener net.Listener
	server   *http.Server
}

// newCloudServer makes a simulated cloud. It answers while serve runs.
func newCloudServer(ctx context.Context, o sim.Options, address string) (*cloudServer, error) {
	cloud, err := sim.New(o)
	if err != nil {
		return nil, err
	}
	return listenFor(ctx, cloud, cloud, address)
}

// newControlServer makes the endpoint that steers a cloud, on a loopback
// address. It answers while serve runs.
func newControlServer(ctx context.Context, cloud *sim.Cloud, address string) (*cloudServer, error) {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, usageError{fmt.Errorf("--control.listen-address: %q is not a loopback address with a port", address)}
	}
	return listenFor(ctx, cloud, cloud.Control(), address)
}

func listenFor(ctx context.Context, cloud *sim.Cloud, h http.Handler, address string) (*cloudServer, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &cloudServer{
		url:      "http://" + reachable(l.Addr()),
		cloud:    cloud,
		listener: l,
		server:   &http.Server{Handler: h, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout},
	}, nil
}

// serve answers until ctx ends.
func (c *cloudServer) serve(ctx context.Context) error {
	return serveUntil(ctx, c.server, func() error { return c.server.Serve(c.listener) })
}

// reachable returns host and port under which this machine reaches a
// listener.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
