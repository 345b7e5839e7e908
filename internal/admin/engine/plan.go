package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

// TargetPartitions is the parameter that says absolutely what the cloud takes as
// an increment.
const TargetPartitions = "TargetPartitionNum"

// The other parameters of ModifyPartitionNum: the engine's own, and the cloud's.
const (
	expectedPartitions = "ExpectedPartitionNum"
	addPartitions      = "AddPartitionNum"
)

// OwnParams returns the parameters that the engine takes for an action beside
// those of the cloud.
func OwnParams(action string) []api.Param {
	if action != "ModifyPartitionNum" {
		return nil
	}
	least, most := int64(1), int64(360)
	number := func(name string) api.Param { return api.Param{Name: name, Type: "integer", Min: &least, Max: &most} }
	return []api.Param{number(TargetPartitions), number(expectedPartitions)}
}

// planning is a request on its way to a plan, and what guards look at.
type planning struct {
	engine *Engine
	config Config
	id     string
	req    Request
	row    *api.Action
	op     *operation // nil: the engine cannot confirm the action
	now    time.Time

	wire  map[string]string // what will be sent
	extra map[string]string // the engine's own parameters
	needs Facts             // what must have been read before

	target       Target
	pre, desired Facts // nil: not read
	effect       api.Effect

	// What the collector knows of the target; nil where it knows nothing.
	instance *collector.Instance
	topic    *collector.Topic
	group    *collector.ConsumerGroup
	polled   time.Time // zero: never
}

// plan turns a request into a plan. It reads the present state.
func (e *Engine) plan(ctx context.Context, q Request) (*planning, error) {
	row, ok := api.Lookup(q.Action)
	if !ok || row.Effect == api.Read {
		return nil, &UnknownError{What: "action that changes something", Name: q.Action}
	}
	s := e.settings.Load()
	p := &planning{
		engine: e, config: s.config, id: uuid.NewString(), req: q, row: row, op: operationOf(q.Action),
		wire: maps.Clone(q.Params), extra: map[string]string{}, needs: Facts{}, effect: row.Effect,
	}
	if p.wire == nil {
		p.wire = map[string]string{}
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if err := p.resolve(s); err != nil {
		return nil, err
	}
	if p.op == nil {
		return p, nil
	}
	maps.Copy(p.needs, p.op.needs)
	if p.op.tagged {
		addTag(p.wire, p.id)
	}
	var err error
	if p.pre, err = p.op.read(lane(ctx, q.Actor), p.subject(s)); err != nil {
		return nil, &PreStateError{Action: q.Action, Err: err}
	}
	if p.desired, err = p.op.want(p, p.pre); err != nil {
		return nil, err
	}
	p.judgeEffect()
	return p, nil
}

func lane(ctx context.Context, a Actor) context.Context {
	if a.Kind == Person {
		return api.WithLane(ctx, api.LanePerson)
	}
	return api.WithLane(ctx, api.LaneRunbook)
}

// CheckParams judges the parameters of an action that changes something, as Do
// does before it reads anything. The error is a *api.ParamError, or several of
// them joined.
func CheckParams(action string, params map[string]string) error {
	row, ok := api.Lookup(action)
	if !ok {
		return &UnknownError{What: "action", Name: action}
	}
	p := &planning{req: Request{Action: action}, row: row, op: operationOf(action), wire: maps.Clone(params), extra: map[string]string{}}
	return p.check()
}

// check judges the parameters by themselves.
func (p *planning) check() error {
	var errs []error
	for _, own := range OwnParams(p.req.Action) {
		if v, ok := p.wire[own.Name]; ok {
			p.extra[own.Name] = v
			delete(p.wire, own.Name)
		}
	}
	asked := maps.Clone(p.wire)
	if p.req.Action == "ModifyPartitionNum" {
		errs = append(errs, p.checkPartitions(asked)...)
	}
	for name := range p.wire {
		if param, ok := p.row.Param(name); ok && param.Secret {
			errs = append(errs, p.bad(name, "is secret: give the name of a configured secret instead"))
		}
	}
	for name, ref := range p.req.SecretRefs {
		param, ok := p.row.Param(name)
		if !ok || !param.Secret {
			errs = append(errs, p.bad(name, "is no secret parameter"))
			continue
		}
		if p.engine.o.Secret == nil && p.config.Secrets[ref] == "" {
			errs = append(errs, p.bad(name, "names no configured secret: %q", ref))
		}
		asked[name] = "placeholder"
	}
	if _, takes := p.row.Param("RegionId"); takes && asked["RegionId"] == "" && !p.orders() {
		asked["RegionId"] = "unknown" // the instance will tell
	}
	return errors.Join(append(errs, api.Validate(p.req.Action, asked))...)
}

func (p *planning) orders() bool { return p.op != nil && p.op.kind == "order" }

// checkPartitions: either an absolute number, or an increment and what it
// counts from.
func (p *planning) checkPartitions(asked map[string]string) (errs []error) {
	_, target := p.extra[TargetPartitions]
	_, expected := p.extra[expectedPartitions]
	_, add := p.wire[addPartitions]
	switch {
	case target && add:
		errs = append(errs, p.bad(addPartitions, "must not be given beside %s", TargetPartitions))
	case add && !expected:
		errs = append(errs, p.bad(expectedPartitions, "is required where %s is given, so that a repetition does nothing; or give %s alone", addPartitions, TargetPartitions))
	case !target && !add:
		errs = append(errs, p.bad(TargetPartitions, "is required"))
	}
	if !add {
		asked[addPartitions] = "1"
	}
	for _, own := range OwnParams(p.req.Action) {
		v, given := p.extra[own.Name]
		if given && !between(v, *own.Min, *own.Max) {
			errs = append(errs, p.bad(own.Name, "must be a whole number from %d to %d, not %q", *own.Min, *own.Max, v))
		}
	}
	return errs
}

// resolve finds the target in the inventory.
func (p *planning) resolve(s *settings) error {
	p.target = Target{Account: p.req.Account, RegionID: p.wire["RegionId"], Kind: "instance"}
	if p.op != nil {
		p.target.Kind, p.target.Name = p.op.kind, p.wire[p.op.name]
	}
	if p.orders() {
		return p.resolveAccount(s)
	}
	instances := s.inventory.Snapshot().Instances
	id, wanted := p.wire["InstanceId"], func(i *collector.Instance) bool { return i.ID == p.wire["InstanceId"] }
	if resources := list(p.wire, "ResourceId.", ""); len(resources) > 0 {
		id, p.target.Name = resources[0], strings.Join(resources, ",")
		wanted = func(i *collector.Instance) bool { return ofInstance(resources[0], i.ID) }
	}
	at := slices.IndexFunc(instances, func(i *collector.Instance) bool {
		return wanted(i) && (p.req.Account == "" || i.Account == p.req.Account)
	})
	if at < 0 && p.req.Account != "" {
		return &UnknownError{What: "instance of account " + p.req.Account, Name: id}
	}
	if at < 0 {
		return &UnknownError{What: "instance", Name: id}
	}
	p.instance = instances[at]
	p.target.Account, p.target.InstanceID = p.instance.Account, p.instance.ID
	if p.target.RegionID != "" && p.target.RegionID != p.instance.RegionID {
		return p.bad("RegionId", "must be %s, where the instance is", p.instance.RegionID)
	}
	for _, r := range list(p.wire, "ResourceId.", "") {
		if !ofInstance(r, p.instance.ID) {
			return p.bad("ResourceId.N", "must all be of one instance: %q is not of %s", r, p.instance.ID)
		}
	}
	p.target.RegionID, p.wire["RegionId"] = p.instance.RegionID, p.instance.RegionID
	if p.target.Kind == "whitelist" {
		p.target.Name = p.wire["PortRange"] + " " + p.wire["AllowedListIp"]
	}
	p.look()
	return p.resolveAccount(s)
}

// resolveAccount: the account must be one that acts.
func (p *planning) resolveAccount(s *settings) error {
	if p.target.Account == "" && len(s.accounts) == 1 {
		for name := range s.accounts {
			p.target.Account = name
		}
	}
	switch _, acts := s.accounts[p.target.Account]; {
	case acts:
		return nil
	case p.target.Account == "":
		return p.bad("account", "is required where several act: %v", sortedKeys(s.accounts))
	}
	return &NotActingError{Reason: "account " + p.target.Account + " has no acting credentials"}
}

// look finds out what the collector knows of the target, and since when.
func (p *planning) look() {
	i := p.instance
	p.polled = i.Info.At
	switch p.target.Kind {
	case "topic":
		p.polled = i.TopicList.At
		for _, t := range i.Topics {
			if t.Name() == p.target.Name {
				p.topic, p.polled = t, t.Info.At
			}
		}
	case "consumer_group":
		p.polled = i.GroupList.At
		for _, g := range i.Groups {
			if g.Name() == p.target.Name {
				p.group, p.polled = g, g.Info.At
			}
		}
	}
}

// subject returns what to read.
func (p *planning) subject(s *settings) *subject {
	a := s.accounts[p.target.Account]
	c := a.Reader
	if c == nil {
		c = a.Client
	}
	return &subject{Target: p.target, client: c, params: p.wire, run: p.id}
}

// judgeEffect raises the effect where the parameters have a worse one than the
// action by itself.
func (p *planning) judgeEffect() {
	if p.req.Action != "UpdateInstanceConfig" {
		return
	}
	for name, after := range p.desired {
		if strings.HasPrefix(name, configFact+"enable.") && p.pre[name] != after {
			p.effect = max(p.effect, api.Secure)
		}
	}
	if p.shrinksRetention() {
		p.effect = max(p.effect, api.Destroy)
	}
}

// unchanged reports whether the cloud is as desired already.
func (p *planning) unchanged() bool {
	return hasOperation(p) && !p.op.bold && p.desired.matches(p.pre) && confirmGuard(p).OK
}

// approvals is how many people must approve: above Write two distinct ones
// are responsible, and a person who asks is the first of them.
func (p *planning) approvals() int {
	switch {
	case p.effect > api.Write && p.req.Actor.Kind == Person:
		return 1
	case p.effect > api.Write:
		return 2
	case p.req.RequireApproval:
		return 1
	}
	return 0
}

// finish returns the plan.
func (p *planning) finish() Plan {
	plan := Plan{
		Target: p.target, Effect: p.effect.String(), Confirm: p.row.Confirm, Params: p.wire,
		Pre: p.pre, Desired: p.desired, Approvals: p.approvals(),
	}
	text, err := json.Marshal([]any{p.req.Action, plan})
	if err != nil {
		panic(err) // it is made of strings and numbers
	}
	sum := sha256.Sum256(text)
	plan.Hash = hex.EncodeToString(sum[:])
	return plan
}
