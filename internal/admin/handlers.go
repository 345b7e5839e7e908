package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

const (
	pagePath    = "/"
	actionsPath = "/api/v1/actions"
	webhookPath = "/api/v1/webhook/alertmanager"
)

// routes is the table of the endpoint.
func routes() []route {
	people := []engine.ActorKind{engine.Person}
	webhooks := []engine.ActorKind{engine.Webhook}
	all := []engine.ActorKind{engine.Person, engine.Webhook}
	return []route{
		{"GET", pagePath + "{$}", "The operations page. It holds no data and asks for them with a token.", false, nil, (*Server).servePage},
		{"GET", "/api/v1/principal", "Whose token it is, and what that may do.", false, all, (*Server).getPrincipal},
		{"GET", "/api/v1/guards", "The guards, and the limits in force.", false, people, (*Server).getGuards},
		{"GET", actionsPath, "Every action: parameters, effect, and whether the caller may ask for it.", false, people, (*Server).getActions},
		{"POST", actionsPath + "/{action}", "Runs an action.", true, people, (*Server).postAction},
		{"POST", webhookPath, "Takes in a webhook of Alertmanager, version 4. 202 once it is durable.", true, webhooks, (*Server).postWebhook},
		{"GET", "/api/v1/runs", "Runs, the newest first; state, action, instance_id, principal, runbook and limit choose.", false, people, (*Server).getRuns},
		{"GET", "/api/v1/runs/{id}", "A run: plan, verdicts of the guards, approvals, calls, verification.", false, people, (*Server).getRun},
		{"POST", "/api/v1/runs/{id}/approve", "Consents to the plan of that hash.", true, people, (*Server).postApprove},
		{"POST", "/api/v1/runs/{id}/reject", "Ends a run that waits for approval.", true, people, (*Server).postReject},
		{"POST", "/api/v1/runs/{id}/resolve", "Says that a person has looked at a run that needed one.", true, people, (*Server).postResolve},
		{"GET", "/api/v1/episodes", "What runbooks made of alerts, the newest first; runbook chooses.", false, people, (*Server).getEpisodes},
		{"GET", "/api/v1/kill-switch", "Whether acting is stopped, by whom and why.", false, all, (*Server).getKillSwitch},
		{"PUT", "/api/v1/kill-switch", "Stops acting (anybody) or lets it go on (privileged people).", true, all, (*Server).putKillSwitch},
		{"GET", "/api/v1/openapi.json", "This description.", false, people, (*Server).getOpenAPI},
	}
}

// query reads the query parameters of a request; others than those named are
// refused, and one given twice.
func query(x *exchange, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(x.URL.RawQuery)
	if err != nil {
		return nil, refuse(badRequest, "the query cannot be read")
	}
	for name, values := range q {
		switch {
		case !slices.Contains(known, name):
			return nil, refuse(badRequest, "unknown query parameter "+shorten(name)+api.DidYouMean(name, known))
		case len(values) > 1:
			return nil, refuse(badRequest, "query parameter "+name+" is given twice")
		}
	}
	return q, nil
}

// queryBool reads a query parameter that is true or false.
func queryBool(q url.Values, name string) (bool, error) {
	switch q.Get(name) {
	case "":
		return false, nil
	case "true", "false":
		return q.Get(name) == "true", nil
	}
	return false, refuse(badRequest, name+" must be true or false")
}

// postAction runs an action.
func (s *Server) postAction(x *exchange) error {
	action, ok := api.Lookup(x.PathValue("action"))
	if !ok {
		return refuse(notFound, "no such action"+api.DidYouMean(x.PathValue("action"), actionNames()))
	}
	q, err := query(x, "dry_run", "require_approval", "account", "reason")
	if err != nil {
		return err
	}
	params, secrets, err := actionBody(action, engine.OwnParams(action.Name), x.body)
	if err != nil {
		return err
	}
	if err := s.authorise(x.principal, action, params); err != nil {
		return err
	}
	if action.Effect == api.Read {
		return s.read(x, action, params, q.Get("account"))
	}
	request := engine.Request{
		Actor: x.actor(), Account: q.Get("account"), Action: action.Name, Params: params, SecretRefs: secrets, Reason: q.Get("reason"),
	}
	if err := checkReason(request.Reason, action.Name+" was not asked for"); err != nil {
		return err
	}
	if request.DryRun, err = queryBool(q, "dry_run"); err != nil {
		return err
	}
	if request.RequireApproval, err = queryBool(q, "require_approval"); err != nil {
		return err
	}
	if !request.DryRun {
		if request.Key, err = idempotencyKey(x.Header); err != nil {
			return err
		}
	}
	return s.do(x, request)
}

// do asks the engine and answers with the run.
func (s *Server) do(x *exchange, request engine.Request) error {
	wait, err := preferredWait(x.Header)
	if err != nil {
		return err
	}
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(wait + planTimeout + 10*time.Second))
	ctx, cancel := context.WithTimeout(x.Context(), planTimeout)
	defer cancel()
	start := time.Now()
	run, err := s.engine.Do(ctx, request)
	if err != nil {
		return err
	}
	if request.DryRun {
		return s.answer(x, http.StatusOK, run)
	}
	if run.Created.Before(start) {
		x.w.Header().Set("Idempotency-Replayed", "true")
		if !run.State.Terminal() && run.State != engine.StatePending && wait == 0 {
			return &refusal{reason: inFlight, detail: "the operation of this Idempotency-Key is " + string(run.State), run: &engine.Run{ID: run.ID}}
		}
	}
	if wait > 0 && !run.State.Terminal() {
		waiting, cancel := context.WithTimeout(x.Context(), wait)
		defer cancel()
		if later, err := s.engine.Wait(waiting, run.ID); later.ID != "" {
			run = later
		} else if err != nil {
			return err
		}
		x.w.Header().Set("Preference-Applied", fmt.Sprintf("wait=%d", int(wait.Seconds())))
	}
	return s.answerRun(x, run)
}

// answerRun answers with a run: 200 when it is over, 202 while it is not, and
// a problem when guards refused it.
func (s *Server) answerRun(x *exchange, run engine.Run) error {
	if bad := run.Refusals(); run.State == engine.StateRefused && len(bad) > 0 {
		return &refusal{reason: guardRefused, detail: fmt.Sprintf("guard %s: %s", bad[0].Guard, bad[0].Message), run: &run}
	}
	x.w.Header().Set("Location", runPath(run.ID))
	if run.State.Terminal() {
		return s.answer(x, http.StatusOK, run)
	}
	return s.answer(x, http.StatusAccepted, run)
}

// idempotencyKey returns the request's one Idempotency-Key.
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values("Idempotency-Key")
	if len(values) != 1 {
		return "", refuse(keyMissing, "send one Idempotency-Key: a new one for a new operation, the same to ask again")
	}
	key := strings.Trim(values[0], `"`)
	if key == "" || len(key) > 128 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", refuse(keyMissing, "Idempotency-Key must have 1 to 128 printable characters without spaces")
	}
	return key, nil
}

// preferredWait returns how long the caller wishes to wait for the outcome.
func preferredWait(h http.Header) (time.Duration, error) {
	for _, value := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(value, ",") {
			text, ok := strings.CutPrefix(strings.TrimSpace(preference), "wait=")
			if !ok {
				continue
			}
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return 0, refuse(badRequest, "Prefer: wait must be a number of seconds")
			}
			return min(time.Duration(min(n, 3600))*time.Second, maxWait), nil
		}
	}
	return 0, nil
}

// authorise reports why a principal may not ask for an action on what these
// parameters name.
func (s *Server) authorise(p Principal, action *api.Action, params map[string]string) error {
	if !slices.Contains(p.Actions, action.Name) && !slices.Contains(p.Effects, action.Effect.String()) {
		return refuse(forbidden, fmt.Sprintf("%s (effect %s) is not among the principal's actions and effects", action.Name, action.Effect))
	}
	inventory := s.settings.Load().Collector.Snapshot()
	for _, id := range instancesOf(params, inventory) {
		if !p.Instances.Match(id) {
			return refuse(forbidden, "the instance is not among the principal's instances: "+p.Instances.String())
		}
		if id != "" && find(inventory, id) == nil {
			return refuse(notFound, "no watched instance of that id")
		}
	}
	return nil
}

// instancesOf returns the ids of the instances that parameters name; one empty
// id where they name none. A resource that belongs to no watched instance is
// its own id.
func instancesOf(params map[string]string, inventory *collector.Snapshot) []string {
	var ids []string
	for name, value := range params {
		switch list, _, _ := strings.Cut(name, "."); {
		case list == "InstanceId":
			ids = append(ids, value)
		case list == "ResourceId" && !strings.EqualFold(params["ResourceType"], "INSTANCE"):
			ids = append(ids, ownerOf(value, inventory))
		case list == "ResourceId":
			ids = append(ids, value)
		}
	}
	if ids == nil {
		return []string{""}
	}
	return ids
}

// ownerOf returns the instance of a resource id such as
// Kafka_alikafka_post-cn-x_orders.
func ownerOf(resource string, inventory *collector.Snapshot) string {
	rest, ok := strings.CutPrefix(resource, "Kafka_")
	if ok {
		for _, in := range inventory.Instances {
			if strings.HasPrefix(rest, in.ID+"_") {
				return in.ID
			}
		}
	}
	return resource
}

// read makes the call of a Read action and answers with the cloud's own JSON,
// passwords left out.
func (s *Server) read(x *exchange, action *api.Action, params map[string]string, account string) error {
	readers, inventory := s.settings.Load().Readers, s.settings.Load().Collector.Snapshot()
	var region string
	for _, id := range instancesOf(params, inventory) {
		if in := find(inventory, id); in != nil && (account == "" || account == in.Account) {
			account, region = in.Account, in.RegionID
		}
	}
	if account == "" && len(readers) == 1 {
		for account = range readers {
			break
		}
	}
	client := readers[account]
	if client == nil {
		return &refusal{reason: badRequest, detail: "which account is not plain: name a configured one in the query parameter account"}
	}
	if given := params["RegionId"]; given != "" {
		region = given
	} else if _, takes := action.Param("RegionId"); takes && region != "" {
		params["RegionId"] = region
	}
	if err := api.Validate(action.Name, params); err != nil {
		return err
	}
	if err := s.budgets.ask(x.actor()); err != nil {
		return err
	}
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(planTimeout + 10*time.Second))
	ctx, cancel := context.WithTimeout(api.WithLane(x.Context(), api.LanePerson), planTimeout)
	defer cancel()
	body, err := client.Do(ctx, api.Raw{Action: action.Name, Version: api.Version, RegionID: region, Format: "JSON", Params: params})
	if err != nil {
		return err
	}
	if body, err = api.Redact(body); err != nil {
		return refuse(cloudFailed, "the answer cannot be searched for passwords and is not shown")
	}
	return s.answer(x, http.StatusOK, json.RawMessage(body))
}

// mayRead reports whether a principal may see a run: its own, and those of its
// instances.
func (p Principal) mayRead(run engine.Run) bool {
	return run.Actor.Principal == p.Name || p.Instances.Match(run.Plan.Target.InstanceID)
}

func (s *Server) getRuns(x *exchange) error {
	q, err := query(x, "state", "action", "instance_id", "principal", "runbook", "limit")
	if err != nil {
		return err
	}
	limit := 100
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 1000 {
			return refuse(badRequest, "limit must be from 1 to 1000")
		}
	}
	if state := engine.State(q.Get("state")); state != "" && !slices.Contains(engine.States(), state) {
		return refuse(badRequest, "unknown state")
	}
	runs := s.engine.Runs(engine.Filter{
		State: engine.State(q.Get("state")), Action: q.Get("action"), InstanceID: q.Get("instance_id"),
		Principal: q.Get("principal"), Runbook: q.Get("runbook"),
	})
	runs = slices.DeleteFunc(runs, func(run engine.Run) bool { return !x.principal.mayRead(run) })
	runs = runs[:min(len(runs), limit)]
	return s.answer(x, http.StatusOK, struct {
		Runs []engine.Run `json:"runs"`
	}{append([]engine.Run{}, runs...)})
}

// run returns the run that a path names, if the principal may see it.
func (s *Server) run(x *exchange) (engine.Run, error) {
	run, ok := s.engine.Get(x.PathValue("id"))
	if !ok || !x.principal.mayRead(run) {
		return engine.Run{}, refuse(notFound, "no such run")
	}
	return run, nil
}

func (s *Server) getRun(x *exchange) error {
	wait, err := preferredWait(x.Header)
	if err != nil {
		return err
	}
	run, err := s.run(x)
	if err != nil {
		return err
	}
	if wait > 0 && !run.State.Terminal() {
		_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(wait + 10*time.Second))
		ctx, cancel := context.WithTimeout(x.Context(), wait)
		defer cancel()
		if later, _ := s.engine.Wait(ctx, run.ID); later.ID != "" {
			run = later
		}
	}
	return s.answer(x, http.StatusOK, run)
}

// verdict is the body of an approval or a rejection.
type verdict struct {
	PlanHash string `json:"plan_hash"`
	Reason   string `json:"reason"`
}

// judged reads the body of an approval or a rejection and holds it to the
// run's plan.
func (s *Server) judged(x *exchange) (engine.Run, verdict, error) {
	var v verdict
	run, err := s.run(x)
	if err != nil {
		return run, v, err
	}
	if err := decodeObject(x.body, &v); err != nil {
		return run, v, err
	}
	if v.PlanHash == "" {
		return run, v, &refusal{reason: invalidParam, detail: "name the plan that was looked at", errors: []fieldError{{"plan_hash", "is required: plan.hash of the run"}}}
	}
	if v.PlanHash != run.Plan.Hash {
		return run, v, &refusal{reason: stateConflict, detail: engine.ErrPlanHash.Error(), run: &engine.Run{ID: run.ID}}
	}
	return run, v, nil
}

func (s *Server) postApprove(x *exchange) error {
	run, v, err := s.judged(x)
	if err != nil {
		return err
	}
	if !x.principal.MayApprove || !x.principal.Instances.Match(run.Plan.Target.InstanceID) {
		return refuse(forbidden, "the principal may not approve, or not on this instance")
	}
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(planTimeout + 10*time.Second))
	ctx, cancel := context.WithTimeout(x.Context(), planTimeout)
	defer cancel()
	approved, err := s.engine.Approve(ctx, run.ID, x.actor(), v.PlanHash)
	if refused, ok := errors.AsType[*engine.RefusedError](err); ok {
		return &refusal{reason: guardRefused, detail: refused.Error() + "; the run still waits", run: &engine.Run{ID: run.ID, Verdicts: refused.Verdicts}}
	}
	if err != nil {
		return err
	}
	run = approved
	return s.answerRun(x, run)
}

// maxReason is how long a reason may be that goes into the journal, in bytes.
const maxReason = 1000

// checkReason refuses a reason that is too long; detail says what that means.
func checkReason(reason, detail string) error {
	if len(reason) <= maxReason {
		return nil
	}
	return &refusal{reason: invalidParam, detail: detail, errors: []fieldError{{"reason", fmt.Sprintf("has more than %d bytes", maxReason)}}}
}

func (s *Server) postReject(x *exchange) error {
	run, v, err := s.judged(x)
	if err != nil {
		return err
	}
	if !x.principal.MayApprove && run.Actor.Principal != x.principal.Name {
		return refuse(forbidden, "the principal may not reject what others asked for")
	}
	if err := checkReason(v.Reason, "the run still waits"); err != nil {
		return err
	}
	run, err = s.engine.Reject(x.Context(), run.ID, x.actor(), v.PlanHash, v.Reason)
	if err != nil {
		return err
	}
	return s.answerRun(x, run)
}

func (s *Server) postResolve(x *exchange) error {
	run, err := s.run(x)
	if err != nil {
		return err
	}
	if err := decodeObject(x.body, &struct{}{}); err != nil {
		return err
	}
	if !x.principal.MayApprove {
		return refuse(forbidden, "the principal may not approve, and so not resolve")
	}
	run, err = s.engine.Resolve(x.Context(), run.ID, x.actor())
	if err != nil {
		return err
	}
	return s.answerRun(x, run)
}

func (s *Server) getKillSwitch(x *exchange) error {
	return s.answer(x, http.StatusOK, s.engine.KillSwitch())
}

func (s *Server) putKillSwitch(x *exchange) error {
	var body struct {
		Stop   *bool  `json:"stop"`
		Reason string `json:"reason"`
	}
	if err := decodeObject(x.body, &body); err != nil {
		return err
	}
	switch {
	case body.Stop == nil:
		return &refusal{reason: invalidParam, detail: "say what is wanted", errors: []fieldError{{"stop", "is required: true or false"}}}
	case !*body.Stop && !x.principal.Privileged:
		return refuse(forbidden, "only a privileged principal lets acting go on")
	}
	body.Reason = strings.ToValidUTF8(body.Reason[:min(len(body.Reason), maxReason)], "") // a stop never fails for its words
	if err := s.engine.SetKillSwitch(x.Context(), x.actor(), *body.Stop, body.Reason); err != nil {
		return err
	}
	return s.answer(x, http.StatusOK, s.engine.KillSwitch())
}

// postWebhook takes in what Alertmanager posts.
func (s *Server) postWebhook(x *exchange) error {
	m, err := parseMessage(x.body)
	if err != nil {
		return err
	}
	d := delivery{Principal: x.principal.Name, Receiver: m.Receiver, GroupKey: shorten(m.GroupKey), Truncated: m.Truncated > 0}
	for _, a := range m.Alerts {
		d.Alerts = append(d.Alerts, alert{
			Firing: a.Status == "firing", Labels: a.Labels, StartsAt: a.StartsAt, EndsAt: a.EndsAt, Fingerprint: a.fingerprint(),
		})
	}
	id, err := s.processor.accept(x.Context(), d)
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused
	}
	if err != nil {
		return refuse(notActing, "the delivery could not be made durable, send it again: "+err.Error())
	}
	return s.answer(x, http.StatusAccepted, struct {
		Delivery string `json:"delivery"`
		Alerts   int    `json:"alerts"`
	}{id, len(d.Alerts)})
}

func (s *Server) getEpisodes(x *exchange) error {
	q, err := query(x, "runbook")
	if err != nil {
		return err
	}
	episodes := slices.DeleteFunc(s.processor.list(), func(e episode) bool {
		return !x.principal.Instances.Match(e.InstanceID) || q.Get("runbook") != "" && q.Get("runbook") != e.Runbook
	})
	return s.answer(x, http.StatusOK, struct {
		Episodes []episode `json:"episodes"`
	}{append([]episode{}, episodes...)})
}
