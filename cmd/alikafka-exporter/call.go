package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
)

// callFlags are the command line of `call`.
type callFlags struct {
	action     string
	params     map[string]string
	configFile string
	account    string
	region     string
	endpoint   string
	version    string
	format     string
	timeout    time.Duration
	unguarded  bool
}

func (p *program) addCall() {
	f := callFlags{params: map[string]string{}}
	var args []string
	cmd := p.Command("call", "Make a signed call of any RPC action and print the answer, without passwords.")
	cmd.Arg("action", "The action, such as GetTopicList.").Required().StringVar(&f.action)
	cmd.Arg("key=value", "Parameters of the action. One that is secret can be read from a file: Password=@FILE.").StringsVar(&args)
	cmd.Flag("config.file", "Configuration to take credentials, endpoints and limits from. Without it, credentials come from the environment or the provider chain.").StringVar(&f.configFile)
	cmd.Flag("account", "Account of the configuration; may be left out where there is one.").StringVar(&f.account)
	cmd.Flag("region", "Region whose endpoint is called, and the RegionId of actions that take one. Default: RegionId, else the first region of the account, else cn-hangzhou.").StringVar(&f.region)
	cmd.Flag("endpoint", "Base URL or host to call instead of the region's, such as amqp-open.aliyuncs.com.").StringVar(&f.endpoint)
	cmd.Flag("version", "Version of the API.").NoEnvar().Default(api.Version).StringVar(&f.version)
	cmd.Flag("format", "Format of the answer: json or xml.").Default("json").EnumVar(&f.format, "json", "xml")
	cmd.Flag("timeout", "Time for the call, its retries included.").Default("1m").DurationVar(&f.timeout)
	cmd.Flag("unguarded", "Make a call that changes something, or that the program does not know.").NoEnvar().BoolVar(&f.unguarded)
	cmd.PreAction(func(given *kingpin.ParseContext) error { return p.setDefaults(cmd, given) })
	p.commands[cmd.FullCommand()] = func(ctx context.Context) error {
		if err := f.setParams(args); err != nil {
			return usageError{err}
		}
		return p.call(ctx, &f)
	}
}

// setDefaults gives the flags that are not given the values of their variables
// or their defaults. Kingpin has not done so where --version is given, which it
// takes for the wish to see the program's.
func (p *program) setDefaults(cmd *kingpin.CmdClause, given *kingpin.ParseContext) error {
	set := map[string]bool{}
	for _, e := range given.Elements {
		if flag, ok := e.Clause.(*kingpin.FlagClause); ok {
			set[flag.Model().Name] = true
		}
	}
	if !set["version"] {
		return nil
	}
	for _, flag := range append(p.Model().Flags, cmd.Model().Flags...) {
		if set[flag.Name] {
			continue
		}
		values := flag.Default
		if v := os.Getenv(flag.Envar); v != "" {
			values = []string{v}
		}
		for _, v := range values {
			if err := flag.Value.Set(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// setParams takes Key=Value arguments.
func (f *callFlags) setParams(args []string) error {
	for i, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		switch {
		case !ok || key == "":
			// The argument is not repeated: it may be a secret.
			return fmt.Errorf("parameter %d is not of the form Key=Value", i+1)
		case isSigningParam(key):
			return fmt.Errorf("parameter %s is set by the program", key)
		}
		if _, ok := f.params[key]; ok {
			return fmt.Errorf("parameter %s is given twice", key)
		}
		f.params[key] = value
	}
	return nil
}

// isSigningParam reports whether every request has the parameter already. The
// cloud would see it twice.
func isSigningParam(name string) bool {
	switch name {
	case "Action", "Version", "Format", "AccessKeyId", "SecurityToken", "Signature", "SignatureMethod",
		"SignatureNonce", "SignatureVersion", "Timestamp":
		return true
	}
	return false
}

// call makes the call and prints its answer.
func (p *program) call(ctx context.Context, f *callFlags) error {
	known, err := f.guard()
	if err != nil {
		return usageError{err}
	}
	account, limits, err := f.from()
	if err != nil {
		return err
	}
	f.complete(known, account)
	if known != nil {
		if err := p.readSecrets(f, known); err != nil {
			return usageError{err}
		}
		if err := api.Validate(f.action, f.params); err != nil {
			return usageError{err}
		}
	}
	if known == nil || known.Effect != api.Read {
		_, _ = fmt.Fprintf(p.stderr, "warning: %s is called without guards and leaves no record\n", f.action)
	}
	key, err := f.key(known, account)
	if err != nil {
		return err
	}
	client, err := newClient(account, key, api.NewLimiter(limits, api.NewSourceLimit(limits.PerSourceIP)), nil)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(api.WithLane(ctx, api.LanePerson), f.timeout)
	defer cancel()
	body, err := client.Do(ctx, api.Raw{
		Action: f.action, Version: f.version, RegionID: f.region, Endpoint: f.endpoint,
		Format: strings.ToUpper(f.format), Params: f.params,
	})
	if err != nil {
		return err
	}
	body, err = api.Redact(body)
	if err != nil {
		return fmt.Errorf("%s was answered, but the answer cannot be searched for passwords and is not shown: %w", f.action, err)
	}
	_, err = p.stdout.Write(append(bytes.TrimSpace(api.Pretty(body)), '\n'))
	return err
}

// maxSecret bounds the files that secret parameters are read from.
const maxSecret = 64 << 10

// readSecrets reads the secret parameters that are given as @FILE: what is on
// a command line can be seen by others.
func (p *program) readSecrets(f *callFlags, known *api.Action) error {
	for _, name := range slices.Sorted(maps.Keys(f.params)) {
		if param, ok := known.Param(name); !ok || !param.Secret {
			continue
		}
		file, ok := strings.CutPrefix(f.params[name], "@")
		if !ok {
			_, _ = fmt.Fprintf(p.stderr, "warning: %s is visible in the list of processes; give it as %s=@FILE\n", name, name)
			continue
		}
		text, err := os.ReadFile(file) //nolint:gosec // a file that the user names
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if len(text) > maxSecret {
			return fmt.Errorf("%s: %s is too long to be a secret", name, file)
		}
		f.params[name] = strings.TrimRight(string(text), "\r\n")
	}
	return nil
}

// guard returns the action's row, nil where the table has none, and refuses
// what is not known to change nothing.
func (f *callFlags) guard() (*api.Action, error) {
	if f.endpoint != "" {
		if !strings.Contains(f.endpoint, "://") {
			f.endpoint = "https://" + f.endpoint
		}
		if err := api.CheckEndpoint(f.endpoint); err != nil {
			return nil, fmt.Errorf("--endpoint: %w", err)
		}
	}
	var known *api.Action
	if f.version == api.Version {
		known, _ = api.Lookup(f.action)
	}
	switch {
	case f.unguarded:
		return known, nil
	case known == nil && f.version != api.Version:
		return nil, fmt.Errorf("whether %s of version %s changes anything is not known: add --unguarded to call it", f.action, f.version)
	case known == nil:
		return nil, fmt.Errorf("unknown action %s%s (--unguarded calls it all the same)", f.action, api.DidYouMean(f.action, actionNames()))
	case known.Effect != api.Read:
		return nil, fmt.Errorf("%s is no read action (its effect: %s): add --unguarded to call it", f.action, known.Effect)
	}
	return known, nil
}

func actionNames() []string {
	names := make([]string, len(api.Actions()))
	for i, a := range api.Actions() {
		names[i] = a.Name
	}
	return names
}

// from returns the account that makes the call and its limits.
func (f *callFlags) from() (collector.AccountConfig, api.RateLimits, error) {
	if f.configFile == "" {
		if f.account != "" {
			return collector.AccountConfig{}, api.RateLimits{}, usageError{errors.New("--account needs --config.file")}
		}
		account := collector.DefaultAccountConfig()
		account.Name = "environment"
		if os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_ID") != "" {
			account.Credentials.Provider = "environment"
		}
		account.ActingCredentials = &account.Credentials
		return account, api.DefaultRateLimits(), nil
	}
	c, err := config.Load(f.configFile)
	if err != nil {
		return collector.AccountConfig{}, api.RateLimits{}, err
	}
	for _, a := range c.Accounts {
		if a.Name == f.account || f.account == "" && len(c.Accounts) == 1 {
			return a, c.RateLimits, nil
		}
	}
	err = noAccount(f.configFile, f.account, c.Accounts)
	if f.account == "" {
		err = fmt.Errorf("%s has several accounts: choose one of %s with --account", f.configFile, strings.Join(accountNames(c.Accounts), ", "))
	}
	return collector.AccountConfig{}, api.RateLimits{}, usageError{err}
}

// complete fills in the region, and RegionId where the action takes it.
func (f *callFlags) complete(known *api.Action, account collector.AccountConfig) {
	if f.region == "" {
		f.region = f.params["RegionId"]
	}
	if f.region == "" && len(account.Regions) > 0 {
		f.region = account.Regions[0]
	}
	if f.region == "" {
		f.region = account.DiscoveryRegion
	}
	if known == nil {
		return
	}
	if _, takes := known.Param("RegionId"); takes && f.params["RegionId"] == "" {
		f.params["RegionId"] = f.region
	}
}

// key returns the reading key for what is known to read and the acting key for
// what changes something. What is not known gets the acting key if there is
// one; the cloud refuses the other what it may not do.
func (f *callFlags) key(known *api.Action, account collector.AccountConfig) (string, error) {
	switch {
	case known != nil && known.Effect == api.Read, known == nil && account.ActingCredentials == nil:
		return readingKey, nil
	case account.ActingCredentials == nil:
		return "", fmt.Errorf("account %s has no acting_credentials, which %s needs", account.Name, f.action)
	}
	return actingKey, nil
}
