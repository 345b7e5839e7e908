package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
)

// permissionFlags are the command line of `check permissions`.
type permissionFlags struct {
	configFile string
	account    string
	actions    []string
	timeout    time.Duration
}

func (p *program) addCheckPermissions(check *kingpin.CmdClause) {
	var f permissionFlags
	cmd := check.Command("permissions", "Try each action that polling needs, once per account and region, and print the smallest RAM policies. Changes nothing.")
	cmd.Flag("config.file", "Configuration to check.").Required().StringVar(&f.configFile)
	cmd.Flag("account", "Check only this account.").NoEnvar().StringVar(&f.account)
	cmd.Flag("action", "An action that the acting key is to be allowed; repeatable. Default: those whose effect is Write.").NoEnvar().StringsVar(&f.actions)
	cmd.Flag("timeout", "Time for the check of an account.").Default("5m").DurationVar(&f.timeout)
	p.addVersion(cmd)
	p.commands[cmd.FullCommand()] = func(ctx context.Context) error { return p.checkPermissions(ctx, f) }
}

func (p *program) checkPermissions(ctx context.Context, f permissionFlags) error {
	acting, err := actingActions(f.actions)
	if err != nil {
		return usageError{err}
	}
	c, err := config.Load(f.configFile)
	if err != nil {
		return err
	}
	accounts := c.Accounts
	if f.account != "" {
		i := slices.IndexFunc(accounts, func(a collector.AccountConfig) bool { return a.Name == f.account })
		if i < 0 {
			return usageError{noAccount(f.configFile, f.account, accounts)}
		}
		accounts = accounts[i : i+1]
	}
	source := api.NewSourceLimit(c.RateLimits.PerSourceIP)
	var trials []trial
	var errs []error
	for _, a := range accounts {
		found, err := tryAccount(ctx, a, api.NewLimiter(c.RateLimits, source), f.timeout)
		trials = append(trials, found...)
		if err != nil {
			errs = append(errs, err)
		}
	}
	if err := printTrials(p.stdout, trials); err != nil {
		return err
	}
	if err := printPolicies(p.stdout, accounts, acting); err != nil {
		return err
	}
	return errors.Join(append(errs, verdictOf(trials))...)
}

// actingActions returns the rows of the named actions, by default those that
// change something reversibly.
func actingActions(names []string) (rows []*api.Action, err error) {
	for _, name := range names {
		a, ok := api.Lookup(name)
		switch {
		case !ok:
			return nil, fmt.Errorf("--action: unknown action %s%s", name, api.DidYouMean(name, actionNames()))
		case a.Effect == api.Read:
			return nil, fmt.Errorf("--action: %s changes nothing and needs no acting key", name)
		}
		rows = append(rows, a)
	}
	if len(names) > 0 {
		return rows, nil
	}
	for _, a := range api.Actions() {
		if a.Effect == api.Write {
			rows = append(rows, a)
		}
	}
	return rows, nil
}

// result is what a trial showed.
type result string

const (
	allowed result = "allowed"
	denied  result = "denied"
	unclear result = "unclear"
)

// trial is one call that was tried.
type trial struct {
	account, region, action string
	result                  result
	why                     string // empty where it is allowed
}

// tryAccount tries every action that polling the account needs. The error is
// why nothing could be found out about the account.
func tryAccount(ctx context.Context, a collector.AccountConfig, limiter *api.Limiter, timeout time.Duration) ([]trial, error) {
	client, err := newClient(a, readingKey, limiter, nil)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(api.WithLane(ctx, api.LanePerson), timeout)
	defer cancel()
	t := &tryer{client: client, account: a, actions: collector.Actions(a)}
	regions := a.Regions
	if len(regions) == 0 {
		regions = t.discover(ctx)
	}
	for _, region := range regions {
		t.region(ctx, region)
	}
	if t.broken != nil {
		return t.trials, fmt.Errorf("account %s: %w", a.Name, t.broken)
	}
	return t.trials, nil
}

// tryer tries the actions of an account.
type tryer struct {
	client  *api.Client
	account collector.AccountConfig
	actions []string // still to be tried in every region
	trials  []trial
	broken  error // the key does not work at all
}

// discover returns the regions in which the account has instances, else the
// one that was asked.
func (t *tryer) discover(ctx context.Context) []string {
	ask := t.account.DiscoveryRegion
	r, err := api.Call(ctx, t.client, api.GetAllInstanceIdList{RegionID: ask})
	t.note(ask, "GetAllInstanceIdList", err, true)
	t.actions = slices.DeleteFunc(t.actions, func(action string) bool { return action == "GetAllInstanceIdList" })
	var regions []string
	for region, ids := range r.ByRegion {
		if len(ids) > 0 {
			regions = append(regions, region)
		}
	}
	if len(regions) == 0 {
		return []string{ask}
	}
	slices.Sort(regions)
	return regions
}

// objects are what the calls of a region are tried on. Where there is none,
// the name of one that does not exist: permission is judged first.
type objects struct {
	region, instance, topic, group string
	exists                         map[string]bool // which of "instance", "topic" and "group" does
}

func (t *tryer) region(ctx context.Context, region string) {
	o := &objects{region: region, instance: "alikafka_none", topic: "none", group: "none", exists: map[string]bool{}}
	for _, action := range t.actions {
		if t.broken != nil {
			return
		}
		exists, err := t.call(ctx, action, o)
		t.note(region, action, err, exists)
	}
}

// call makes the cheapest call of an action. It reports whether everything
// that the call names exists.
func (t *tryer) call(ctx context.Context, action string, o *objects) (exists bool, err error) {
	switch action {
	case "GetInstanceList":
		r, err := api.Call(ctx, t.client, api.GetInstanceList{RegionID: o.region})
		o.choose("instance", &o.instance, t.instances(r.Instances))
		return true, err
	case "GetQuotaTip":
		_, err = api.Call(ctx, t.client, api.GetQuotaTip{RegionID: o.region, InstanceID: o.instance})
	case "GetAllowedIpList":
		_, err = api.Call(ctx, t.client, api.GetAllowedIpList{RegionID: o.region, InstanceID: o.instance})
	case "GetTopicList":
		var r api.TopicList
		r, err = api.Call(ctx, t.client, api.GetTopicList{RegionID: o.region, InstanceID: o.instance, CurrentPage: 1, PageSize: 1})
		for _, topic := range r.Topics {
			o.choose("topic", &o.topic, []string{topic.Topic})
		}
	case "GetTopicStatus":
		_, err = api.Call(ctx, t.client, api.GetTopicStatus{RegionID: o.region, InstanceID: o.instance, Topic: o.topic})
		return o.exists["topic"], err
	case "GetConsumerList":
		var r api.ConsumerList
		r, err = api.Call(ctx, t.client, api.GetConsumerList{RegionID: o.region, InstanceID: o.instance, CurrentPage: 1, PageSize: 1})
		for _, group := range r.Groups {
			o.choose("group", &o.group, []string{group.ConsumerID})
		}
	case "GetConsumerProgress":
		_, err = api.Call(ctx, t.client, api.GetConsumerProgress{RegionID: o.region, InstanceID: o.instance, ConsumerID: o.group, HideLastTimestamp: true})
		return o.exists["group"], err
	default:
		return false, fmt.Errorf("%s is not tried", action)
	}
	return o.exists["instance"], err
}

func (o *objects) choose(kind string, name *string, names []string) {
	if len(names) > 0 && !o.exists[kind] {
		*name, o.exists[kind] = names[0], true
	}
}

// instances returns the ids of the instances that are watched, those in
// service first: others may refuse calls for their state.
func (t *tryer) instances(all []api.Instance) []string {
	var serving, others []string
	for _, i := range all {
		switch {
		case !t.account.Instances.Match(i.InstanceID, i.Name):
		case i.ServiceStatus != nil && *i.ServiceStatus == 5:
			serving = append(serving, i.InstanceID)
		default:
			others = append(others, i.InstanceID)
		}
	}
	return append(serving, others...)
}

// note keeps what a call showed. Permission is judged before the call is:
// whoever is told that something does not exist, or cannot be done now, may ask.
func (t *tryer) note(region, action string, err error, exists bool) {
	found := trial{account: t.account.Name, region: region, action: action, result: allowed}
	e, ok := errors.AsType[*api.Error](err)
	switch {
	case err == nil:
	case !ok:
		found.result, found.why = unclear, err.Error()
	case keyFails(e):
		t.broken = err
		return
	case e.Class == api.NotFound, e.Class == api.State, e.Class == api.Invalid:
	case e.Class == api.Auth && e.Code == "AUTH_RESOURCE_OWNER_ERROR" && !exists:
		found.result, found.why = unclear, "there is nothing to try it on"
	case e.Class == api.Auth:
		found.result, found.why = denied, e.Code
	default:
		found.result, found.why = unclear, e.Code
	}
	t.trials = append(t.trials, found)
}

// keyFails reports whether the answer is about the key and not about what it
// may do.
func keyFails(e *api.Error) bool {
	if e.Class != api.Auth {
		return false
	}
	for _, prefix := range []string{"InvalidAccessKeyId", "InvalidSecurityToken", "InvalidTimeStamp", "IllegalTimestamp", "Signature", "IncompleteSignature", "InvalidSignature"} {
		if strings.HasPrefix(e.Code, prefix) {
			return true
		}
	}
	return e.Code == api.CodeCredentials
}

func printTrials(w io.Writer, trials []trial) error {
	if len(trials) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "ACCOUNT\tREGION\tACTION\tRAM ACTION\tRESULT")
	for _, t := range trials {
		row, _ := api.Lookup(t.action)
		result := string(t.result)
		if t.why != "" {
			result += " (" + t.why + ")"
		}
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", t.account, t.region, t.action, row.RAM, result)
	}
	return tw.Flush()
}

// verdictOf returns an error unless everything is allowed.
func verdictOf(trials []trial) error {
	n := map[result]int{}
	for _, t := range trials {
		n[t.result]++
	}
	if n[denied] > 0 {
		return fmt.Errorf("%s denied", count(n[denied], "action"))
	}
	if n[unclear] > 0 {
		return fmt.Errorf("%s unclear", count(n[unclear], "action"))
	}
	return nil
}

// printPolicies prints the policy for the key that reads and, where an account
// has one, that for the key that acts.
func printPolicies(w io.Writer, accounts []collector.AccountConfig, acting []*api.Action) error {
	var reading []*api.Action
	acts := false
	for _, a := range accounts {
		for _, name := range collector.Actions(a) {
			if row, ok := api.Lookup(name); ok {
				reading = append(reading, row)
			}
		}
		acts = acts || a.ActingCredentials != nil
	}
	if err := printPolicy(w, "Policy for credentials, which read:", reading); err != nil || !acts {
		return err
	}
	return printPolicy(w, "Policy for acting_credentials; what they may do was not tried:", acting)
}

func printPolicy(w io.Writer, title string, rows []*api.Action) error {
	type statement struct {
		Effect   string   `json:"Effect"`
		Action   []string `json:"Action"`
		Resource string   `json:"Resource"`
	}
	var ram, notes []string
	for _, row := range rows {
		ram = append(ram, row.RAM)
		if row.RAMInferred {
			notes = append(notes, fmt.Sprintf("# %s is our reading: no document names the RAM action of %s.", row.RAM, row.Name))
		}
	}
	slices.Sort(ram)
	ram = slices.Compact(ram)
	notes = append(notes, alsoAllowed(ram, rows)...)
	text, err := json.MarshalIndent(struct {
		Version   string      `json:"Version"`
		Statement []statement `json:"Statement"`
	}{"1", []statement{{"Allow", ram, "*"}}}, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\n# %s\n%s%s\n", title, strings.Join(append(notes, ""), "\n"), text)
	return err
}

// alsoAllowed says what RAM actions allow besides the rows that need them.
func alsoAllowed(ram []string, rows []*api.Action) (notes []string) {
	for _, name := range ram {
		var others []string
		for _, a := range api.Actions() {
			if a.RAM == name && a.Effect != api.Read && !slices.Contains(rows, a) {
				others = append(others, fmt.Sprintf("%s (%s)", a.Name, a.Effect))
			}
		}
		if len(others) > 0 {
			notes = append(notes, fmt.Sprintf("# %s also allows %s.", name, strings.Join(others, ", ")))
		}
	}
	return notes
}

// noAccount says that a configuration has no account of that name.
func noAccount(file, name string, accounts []collector.AccountConfig) error {
	names := accountNames(accounts)
	return fmt.Errorf("%s has no account %q%s", file, name, cmp.Or(api.DidYouMean(name, names), "; it has "+strings.Join(names, ", ")))
}

func accountNames(accounts []collector.AccountConfig) []string {
	names := make([]string, len(accounts))
	for i, a := range accounts {
		names[i] = a.Name
	}
	return names
}
