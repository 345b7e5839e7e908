package admin

import (
	"context"
	"errors"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
)

// The outcomes of a rehearsal.
const (
	RehearsalAllowed    = "allowed"    // guards let the plan pass
	RehearsalRefused    = "refused"    // a guard did not
	RehearsalUnresolved = "unresolved" // no request could be made of the alert
	RehearsalUnchanged  = "unchanged"  // the cloud is as desired already
	RehearsalError      = "error"      // the request could not be planned
)

// Rehearsal is what a runbook would do about an alert.
type Rehearsal struct {
	Alert   int // index of the alert
	Runbook string
	Outcome string
	Why     string
	Action  string
	Params  map[string]string // that would be sent
	Guards  []engine.Verdict  // those that refuse
	Plan    engine.Plan
}

// Rehearse says what runbooks would do about alerts that fire together, of
// which labels are given: whatever their mode, and without waiting. Nothing is
// recorded and nothing sent but reads.
func (s *Server) Rehearse(ctx context.Context, alerts []map[string]string) ([]Rehearsal, error) {
	in := s.settings.Load()
	inventory := in.Collector.Snapshot()
	firing := map[string]map[string]bool{} // targets by runbook
	var all []Rehearsal
	var requests []engine.Request
	for i, labels := range alerts {
		for _, r := range in.Runbooks {
			if !r.matches(labels) {
				continue
			}
			line := Rehearsal{Alert: i, Runbook: r.Name, Action: r.Action}
			if firing[r.Name] == nil {
				firing[r.Name] = map[string]bool{}
			}
			target, err := r.resolve(labels, inventory)
			if err != nil {
				line.Outcome, line.Why = RehearsalUnresolved, err.Error()
			} else {
				firing[r.Name][target.Key] = true
			}
			all = append(all, line)
			requests = append(requests, engine.Request{
				Actor: webhook("rehearsal"), Account: target.Account, Action: r.Action,
				Params: target.Params, Runbook: r.Name, Alert: labels, DryRun: true, RequireApproval: r.Mode == modeApprove,
			})
		}
	}
	for i := range all {
		if all[i].Outcome != "" {
			continue
		}
		requests[i].Firing = len(firing[all[i].Runbook])
		if err := s.rehearse(ctx, &all[i], requests[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s *Server) rehearse(ctx context.Context, line *Rehearsal, request engine.Request) error {
	run, err := s.engine.Do(ctx, request)
	if err != nil {
		line.Outcome, line.Why, line.Params = RehearsalError, err.Error(), request.Params
		if _, notActing := errors.AsType[*engine.NotActingError](err); !notActing && ctx.Err() == nil {
			err = nil // it is the request's fault, and so the outcome
		}
		return err
	}
	line.Params, line.Plan, line.Guards = run.Plan.Params, run.Plan, run.Refusals()
	switch {
	case len(line.Guards) > 0:
		line.Outcome, line.Why = RehearsalRefused, line.Guards[0].Guard+": "+line.Guards[0].Message
	case run.State == engine.StateUnchanged:
		line.Outcome, line.Why = RehearsalUnchanged, run.Why
	default:
		line.Outcome = RehearsalAllowed
	}
	return nil
}
