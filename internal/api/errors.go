package api

import (
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
)

// Class says what a failed call means for its caller. The cloud's code
// decides first, the HTTP status second, the message never: nearly every
// alikafka message ends in the words that elsewhere mean "retry".
type Class uint8

// The classes. Their names are those of the class column of errors.tsv; OK
// and Network are ours.
const (
	OK          Class = iota // the cloud did what was asked
	Throttled                // refused by flow control, nothing was executed
	Nonce                    // the nonce was seen before
	Server                   // the service failed; a mutation may have been executed
	Auth                     // credentials, signature, clock or permission
	NotFound                 // the object does not exist
	State                    // the object's state forbids it
	Invalid                  // the request is wrong
	Balance                  // the account's balance is too low
	Idempotence              // the client token was used with other parameters
	Network                  // no answer: see the code for how far the request got
)

var classNames = [...]string{
	"ok", "throttled", "nonce", "server", "auth", "not_found", "state", "invalid", "balance", "idempotence", "network",
}

// String returns the class as it appears in labels and logs.
func (c Class) String() string { return classNames[c] }

// Codes of failures that the cloud never got to name.
const (
	CodeOK          = "ok"
	CodeTimeout     = "timeout"            // the attempt's time ran out
	CodeCanceled    = "canceled"           // the caller gave up
	CodeDNS         = "dns"                // nothing was sent
	CodeRefused     = "connection_refused" // nothing was sent
	CodeReset       = "connection_reset"   // may have been executed
	CodeTLS         = "tls"                // nothing was sent
	CodeConnection  = "connection"         // any other transport fault
	CodeUnreadable  = "unreadable_reply"   // a gateway's page, a truncated body, a shape nobody knows
	CodeOversized   = "oversized_reply"    // more than the bounded read takes
	CodeRedirect    = "redirect"           // refused: parameters must not travel on
	CodeCredentials = "credentials"        // none could be had, nothing was sent
	CodeFailed      = "failed"             // Success is false and no usable code came with it
	CodeOther       = "other"              // label value of every code that no table lists
)

// ownClass gives the class of the codes above.
var ownClass = map[string]Class{
	CodeOK: OK, CodeTimeout: Network, CodeCanceled: Network, CodeDNS: Network, CodeRefused: Network,
	CodeReset: Network, CodeTLS: Network, CodeConnection: Network, CodeUnreadable: Server, CodeOversized: Server,
	CodeRedirect: Server, CodeCredentials: Auth, CodeFailed: Server, CodeOther: Server,
}

//go:embed errors.tsv
var errorsTSV string

// codeClass maps the documented codes to classes. Codes that are listed with
// two HTTP statuses have one class.
var codeClass = sync.OnceValue(func() map[string]Class {
	m := make(map[string]Class, 320)
	for line := range strings.Lines(errorsTSV) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 4 || f[0] == "code" {
			continue
		}
		for c, name := range classNames {
			if name == f[2] {
				m[f[0]] = Class(c)
			}
		}
	}
	maps.Copy(m, ownClass)
	return m
})

// classify decides on the code, then on the status. Families of codes that
// grow by suffix are matched by prefix.
func classify(code string, status int) Class {
	if c, ok := codeClass()[code]; ok {
		return c
	}
	switch {
	case strings.HasPrefix(code, "Throttling"):
		return Throttled
	case strings.HasPrefix(code, "InvalidAccessKeyId."), strings.HasPrefix(code, "InvalidSecurityToken."),
		strings.HasPrefix(code, "InvalidTimeStamp."), strings.HasPrefix(code, "Forbidden."), strings.HasPrefix(code, "NoPermission"):
		return Auth
	case status >= 500:
		return Server
	case status >= 400:
		return Invalid
	}
	return Server
}

// CodeLabel returns code where a table lists it and "other" where none does,
// so that the label's values are bounded.
func CodeLabel(code string) string {
	if _, ok := codeClass()[code]; ok {
		return code
	}
	return CodeOther
}

// Error is a call that failed. It never holds a parameter's value.
type Error struct {
	Action    string
	RegionID  string
	Class     Class
	Code      string // the cloud's code, or one of the Code constants
	Message   string // the cloud's words, shortened; for people only
	RequestID string // for a support ticket; empty where the cloud did not answer
	Status    int    // HTTP status; 0 where there was no answer

	cause  error
	unsent bool   // no byte of the request left the process
	said   string // the cloud's words in full, until they were scrubbed
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", e.Action)
	if e.RegionID != "" {
		fmt.Fprintf(&b, " %s", e.RegionID)
	}
	fmt.Fprintf(&b, ": %s", e.Code)
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d", e.Status)
		if e.RequestID != "" {
			fmt.Fprintf(&b, ", RequestId %s", e.RequestID)
		}
		b.WriteByte(')')
	}
	return b.String()
}

// Unwrap returns the transport's error, if there was one.
func (e *Error) Unwrap() error { return e.cause }

// givenUp returns the error of a call whose last attempt failed with e, and the
// one after it with next before it was sent, because the caller gave up. What
// the cloud said is what there is to know of the call.
func (e *Error) givenUp(next *Error) *Error {
	both := *e
	why := next.Message
	if cause := networkMessage(next.cause); cause != why {
		why += ": " + cause
	}
	both.Message = strings.TrimLeft(fmt.Sprintf("%s (given up before it was sent again, %s)", e.Message, why), " ")
	both.cause = errors.Join(e.cause, next.cause)
	return &both
}

// LogValue implements slog.LogValuer.
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("action", e.Action), slog.String("code", e.Code), slog.String("class", e.Class.String()), slog.Int("http_status", e.Status),
		slog.String("request_id", e.RequestID), slog.String("message", e.Message))
}

// unavailable reports whether the provider's service level agreement counts
// the answer against the minute.
func (e *Error) unavailable() bool {
	return e.Status == 500 && e.Code == "InternalError" || e.Status == 503 && e.Code == "ServiceUnavailable"
}
