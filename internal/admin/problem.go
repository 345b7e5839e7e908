package admin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
)

// reason says why a request was refused or failed: its name is the member
// "reason" of the answer and the value of the outcome label.
type reason string

// The reasons.
const (
	badRequest      reason = "bad_request"
	invalidParam    reason = "invalid_parameter"
	noToken         reason = "no_token"
	wrongToken      reason = "wrong_token"
	forbidden       reason = "forbidden"
	guardRefused    reason = "guard_refused"
	crossOrigin     reason = "cross_origin"
	notFound        reason = "not_found"
	wrongMethod     reason = "method_not_allowed"
	stateConflict   reason = "conflict"
	inFlight        reason = "in_flight"
	tooLarge        reason = "too_large"
	wrongType       reason = "unsupported_media_type"
	wrongHost       reason = "misdirected_host"
	keyReused       reason = "key_reused"
	keyMissing      reason = "key_missing"
	tooManyFailures reason = "too_many_failures"
	tooManyRequests reason = "too_many_requests"
	tooManyAlerts   reason = "too_many_alerts"
	cloudFailed     reason = "cloud_error"
	notActing       reason = "not_acting"
	internalError   reason = "internal_error"
)

// reasons is the table of refusals: status and title of each, and when it is
// given.
var reasons = []struct {
	reason reason
	status int
	title  string
	when   string
}{
	{badRequest, http.StatusBadRequest, "The request is malformed", "broken JSON, nested deeper than 32, a key twice, an unknown query parameter"},
	{invalidParam, http.StatusBadRequest, "A parameter is invalid", "`errors` names each field; values of secrets are never repeated"},
	{keyMissing, http.StatusBadRequest, "The Idempotency-Key is missing", "every action but a Read needs one, of 1 to 128 printable characters"},
	{noToken, http.StatusUnauthorized, "A token is needed", "no `Authorization: Bearer …`"},
	{wrongToken, http.StatusUnauthorized, "The token is not known", "counted against the caller's address"},
	{forbidden, http.StatusForbidden, "Not allowed to this principal", "action, instance, run or switch is not the principal's"},
	{guardRefused, http.StatusForbidden, "A guard refused", "`guards` says which, its limit and the value; `run` is the record"},
	{crossOrigin, http.StatusForbidden, "Requests from web pages are refused", "the request has an `Origin`, and does not come from the operations page of this listener"},
	{notFound, http.StatusNotFound, "There is no such thing", "unknown path, action, run or instance; paths with `//`, `..` or `%2F`"},
	{wrongMethod, http.StatusMethodNotAllowed, "The method does not fit", "`Allow` says which do"},
	{inFlight, http.StatusConflict, "The operation is in flight", "same Idempotency-Key, not ended yet; `Location` is the run"},
	{stateConflict, http.StatusConflict, "The state does not allow it", "plan_hash differs, the run is not pending, the requester approves"},
	{tooLarge, http.StatusRequestEntityTooLarge, "The body is too large", "more than 1 MiB"},
	{wrongType, http.StatusUnsupportedMediaType, "The body must be JSON", "`Content-Type` is not application/json"},
	{wrongHost, http.StatusMisdirectedRequest, "The Host is not ours", "`Host` is a name that `admin.allowed_hosts` does not list"},
	{keyReused, http.StatusUnprocessableEntity, "The Idempotency-Key was used for something else", "same key, other action or parameters"},
	{tooManyFailures, http.StatusTooManyRequests, "Too many failed authentications", "wrong tokens from this address, this one too; `Retry-After` says when the next one counts again. A right one always passes"},
	{tooManyRequests, http.StatusTooManyRequests, "Too many requests", "this principal has asked for more than it may; `Retry-After` says when the next one is taken. Approvals, rejections and the kill switch always are"},
	{internalError, http.StatusInternalServerError, "The request failed", "the log says why"},
	{cloudFailed, http.StatusBadGateway, "The cloud refused or failed", "of a Read; `code` and `request_id` are the cloud's"},
	{tooManyAlerts, http.StatusServiceUnavailable, "Too many alerts", "this principal's webhooks have filled more of the journal than they may; `Retry-After` says when the next one is taken in"},
	{notActing, http.StatusServiceUnavailable, "This process does not act", "no lock on the storage path, journal not writable, account without acting credentials"},
}

// refusal is a request that was refused or failed, as its caller is told.
type refusal struct {
	reason  reason
	detail  string // for people: what was wrong
	errors  []fieldError
	run     *engine.Run // that was refused, or that is in the way
	code    string      // of the cloud
	request string      // the cloud's RequestId
	allow   string      // methods that fit
	retry   time.Duration
}

// fieldError is a parameter with what is wrong with it.
type fieldError struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

func refuse(r reason, detail string) *refusal { return &refusal{reason: r, detail: detail} }

// Error implements error.
func (r *refusal) Error() string { return string(r.reason) + ": " + r.detail }

// problem is a refusal in the form of RFC 9457.
type problem struct {
	Type      string           `json:"type"`
	Title     string           `json:"title"`
	Status    int              `json:"status"`
	Detail    string           `json:"detail,omitempty"`
	Reason    reason           `json:"reason"`
	Errors    []fieldError     `json:"errors,omitempty"`
	Guards    []engine.Verdict `json:"guards,omitempty"`
	Code      string           `json:"code,omitempty"`
	RequestID string           `json:"request_id,omitempty"`
	Run       string           `json:"run,omitempty"`
}

// problemType is the prefix of the types of problems: where they are
// described.
const problemType = "https://github.com/alikafka-exporter/alikafka-exporter/blob/main/docs/admin.md#"

func (r *refusal) problem() problem {
	p := problem{
		Status: http.StatusInternalServerError, Detail: r.detail, Reason: r.reason,
		Errors: r.errors, Code: r.code, RequestID: r.request,
	}
	for _, row := range reasons {
		if row.reason == r.reason {
			p.Status, p.Title, p.Type = row.status, row.title, problemType+strings.ReplaceAll(string(row.reason), "_", "-")
		}
	}
	if r.run != nil {
		if r.run.ID != "" {
			p.Run = runPath(r.run.ID)
		}
		for _, v := range r.run.Verdicts {
			if !v.OK {
				p.Guards = append(p.Guards, v)
			}
		}
	}
	return p
}

func (r *refusal) write(w http.ResponseWriter) {
	p := r.problem()
	h := w.Header()
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="alikafka-exporter"`)
	}
	if r.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(r.retry.Seconds()+1)))
	}
	if r.allow != "" {
		h.Set("Allow", r.allow)
	}
	if p.Run != "" {
		h.Set("Location", p.Run)
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(p) //nolint:errchkjson // a client that left has nobody to tell
}

func runPath(id string) string { return "/api/v1/runs/" + id }
