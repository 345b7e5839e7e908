package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// runbookTests is the file of `check runbooks`.
type runbookTests struct {
	// Config is the file of the runbooks and, in admin, of the guards; a path
	// relative to this file's. It need not be a whole configuration.
	Config string        `yaml:"config"`
	Tests  []runbookTest `yaml:"tests"`
}

type runbookTest struct {
	Name   string         `yaml:"name"`
	Cloud  []cloudState   `yaml:"cloud"`  // instances
	Alerts []firingAlert  `yaml:"alerts"` // that fire together
	Expect []expectedPlan `yaml:"expect"` // in the order of alerts and runbooks; nothing: no runbook matches
}

// cloudState is an instance of the simulated cloud.
type cloudState struct {
	InstanceID     string              `yaml:"instance_id"`
	RegionID       string              `yaml:"region_id"`       // "" means cn-hangzhou
	RetentionHours int                 `yaml:"retention_hours"` // 0 means 72
	Config         map[string]string   `yaml:"config"`
	Tags           map[string]string   `yaml:"tags"`
	AllowedIPs     map[string][]string `yaml:"allowed_ips"` // by port range
	Topics         []topicState        `yaml:"topics"`
	Groups         []groupState        `yaml:"consumer_groups"`
}

type topicState struct {
	Topic      string            `yaml:"topic"`
	Partitions int               `yaml:"partitions"` // 0 means 12
	Compact    bool              `yaml:"compact"`
	Tags       map[string]string `yaml:"tags"`
}

type groupState struct {
	Group   string   `yaml:"consumer_group"`
	Topics  []string `yaml:"topics"`
	Members int      `yaml:"members"` // 0 means 2
}

type firingAlert struct {
	Labels map[string]string `yaml:"labels"`
}

// expectedPlan is what a runbook would do about an alert.
type expectedPlan struct {
	Runbook string            `yaml:"runbook"`
	Outcome string            `yaml:"outcome"` // allowed, refused, unresolved, unchanged or error
	Action  string            `yaml:"action"`  // "" does not say
	Params  map[string]string `yaml:"params"`  // that are sent; others may be, too
	Guards  []string          `yaml:"guards"`  // that refuse, all of them
}

func (p *program) addCheckRunbooks(check *kingpin.CmdClause) {
	cmd := check.Command("runbooks", "Test runbooks: alerts and the state of a simulated cloud give plans and verdicts. Asks nothing of the real one.")
	file := cmd.Arg("file", "The tests; alerts/runbooks.test.yaml is an example.").Required().String()
	p.addVersion(cmd)
	p.commands[cmd.FullCommand()] = func(ctx context.Context) error {
		failed, total, err := p.checkRunbooks(ctx, *file)
		if mistakes, ok := errors.AsType[*config.Error](err); ok {
			_, _ = fmt.Fprintln(p.stderr, mistakes)
			return fmt.Errorf("%s: %s", mistakes.File, count(len(mistakes.Mistakes), "mistake"))
		}
		if err == nil && failed > 0 {
			err = fmt.Errorf("%s: %d of %s failed", *file, failed, count(total, "test"))
		}
		return err
	}
}

// checkRunbooks runs every test of a file and says how each went.
func (p *program) checkRunbooks(ctx context.Context, file string) (failed, total int, err error) {
	var tests runbookTests
	if err := config.Decode(file, &tests); err != nil {
		return 0, 0, err
	}
	path := tests.Config
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(file), path)
	}
	rules, runbooks, err := config.LoadRunbooks(path)
	if err != nil {
		return 0, 0, err
	}
	for _, test := range tests.Tests {
		got, err := test.rehearse(ctx, rules, runbooks)
		if err != nil {
			return 0, 0, fmt.Errorf("test %q: %w", test.Name, err)
		}
		differences := test.compare(got)
		if len(differences) == 0 {
			_, _ = fmt.Fprintf(p.stdout, "ok    %s\n", test.Name)
			continue
		}
		failed++
		_, _ = fmt.Fprintf(p.stdout, "FAIL  %s\n", test.Name)
		for _, d := range differences {
			_, _ = fmt.Fprintf(p.stdout, "      %s\n", d)
		}
	}
	return failed, len(tests.Tests), nil
}

// world is the state of the cloud that a test describes.
func (t runbookTest) world() sim.World {
	var instances []sim.Instance
	for _, s := range t.Cloud {
		in := sim.Instance{
			ID: s.InstanceID, Name: s.InstanceID, RegionID: s.RegionID, Config: s.Config, Tags: tagsOf(s.Tags),
			Retention: time.Duration(s.RetentionHours) * time.Hour,
		}
		if in.RegionID == "" {
			in.RegionID = "cn-hangzhou"
		}
		for _, ports := range slices.Sorted(maps.Keys(s.AllowedIPs)) {
			in.Allowed = append(in.Allowed, sim.AllowedIPs{Internet: ports == "9093/9093", PortRange: ports, IPs: s.AllowedIPs[ports]})
			if ports == "9093/9093" {
				in.DeployType = 4
			}
		}
		for _, topic := range s.Topics {
			in.Topics = append(in.Topics, sim.Topic{Name: topic.Topic, Partitions: topic.Partitions, Compact: topic.Compact, Local: topic.Compact, Tags: tagsOf(topic.Tags), Rate: 1})
		}
		for _, group := range s.Groups {
			g := sim.Group{Name: group.Group, Members: group.Members}
			for _, topic := range group.Topics {
				g.Subscriptions = append(g.Subscriptions, sim.Subscription{Topic: topic})
			}
			in.Groups = append(in.Groups, g)
		}
		instances = append(instances, in)
	}
	return sim.World{Accounts: []sim.Account{{Name: "test", Instances: instances}}}
}

func tagsOf(tags map[string]string) []sim.Tag {
	var list []sim.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, sim.Tag{Key: key, Value: tags[key]})
	}
	return list
}

// rehearse makes the cloud of a test, watches it until everything is known and
// asks what the runbooks would do.
func (t runbookTest) rehearse(ctx context.Context, rules admin.Config, runbooks []admin.Runbook) ([]admin.Rehearsal, error) {
	world := t.world()
	cloud, err := sim.New(sim.Options{World: &world, Limits: sim.Limits{Default: -1}})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "alikafka-exporter-runbooks-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	limits := api.DefaultRateLimits()
	limits.Share, limits.Default, limits.PerSourceIP = 1, 1000, 1000
	limits.Actions = map[string]float64{}
	for _, a := range api.Actions() {
		limits.Actions[a.Name] = 1000
	}
	client, err := api.NewClient(api.Options{
		Account: "test", Credentials: fixedKey{ID: simKeyID, Secret: secret.New(simKeySecret)}, Transport: cloud,
		Limiter: api.NewLimiter(limits, api.NewSourceLimit(limits.PerSourceIP)),
	})
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	account := collector.DefaultAccountConfig()
	account.Name = "test"
	watch := collector.New(collector.Options{
		Accounts: []collector.Account{{AccountConfig: account, Client: client}}, Config: collector.DefaultConfig(),
		Logger: quiet, Metrics: collector.NewMetrics(),
	})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = watch.Run(ctx) // it only ends
	}()
	defer func() {
		cancel()
		<-done
	}()
	select {
	case <-watch.Ready():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	rules.Principals = nil
	server, err := admin.New(admin.Options{
		Config: rules, Runbooks: runbooks, Collector: watch, Metrics: admin.NewMetrics(), Logger: quiet,
		Engine: engine.Options{Accounts: map[string]engine.Account{"test": {Client: client}}, Dir: dir},
	})
	if err != nil {
		return nil, err
	}
	alerts := make([]map[string]string, len(t.Alerts))
	for i, a := range t.Alerts {
		alerts[i] = a.Labels
	}
	got, err := server.Rehearse(ctx, alerts)
	return got, errors.Join(err, server.Close())
}

// fixedKey is a key that never changes.
type fixedKey api.Key

func (k fixedKey) Key(context.Context) (api.Key, error) { return api.Key(k), nil }

// compare says where plans differ from what is expected.
func (t runbookTest) compare(got []admin.Rehearsal) []string {
	var differences []string
	for i := range max(len(got), len(t.Expect)) {
		switch {
		case i >= len(t.Expect):
			differences = append(differences, fmt.Sprintf("alert %d: runbook %s is not expected: %s %s", got[i].Alert, got[i].Runbook, got[i].Outcome, got[i].Why))
		case i >= len(got):
			differences = append(differences, fmt.Sprintf("expect[%d]: runbook %s matches no alert", i, t.Expect[i].Runbook))
		default:
			for _, d := range t.Expect[i].compare(got[i]) {
				differences = append(differences, fmt.Sprintf("expect[%d]: %s", i, d))
			}
		}
	}
	return differences
}

func (e expectedPlan) compare(got admin.Rehearsal) []string {
	var differences []string
	differs := func(what, want, have string) {
		if want != have {
			differences = append(differences, fmt.Sprintf("%s is %s, expected %s", what, have, want))
		}
	}
	differs("runbook", e.Runbook, got.Runbook)
	if e.Outcome != got.Outcome {
		differences = append(differences, fmt.Sprintf("outcome is %s, expected %s: %s", got.Outcome, e.Outcome, got.Why))
	}
	if e.Action != "" {
		differs("action", e.Action, got.Action)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Params)) {
		differs("parameter "+name, e.Params[name], got.Params[name])
	}
	var guards []string
	for _, v := range got.Guards {
		guards = append(guards, v.Guard)
	}
	differs("refusing guards", strings.Join(e.Guards, ", "), strings.Join(guards, ", "))
	return differences
}
