package api

import (
	"reflect"
	"strings"
)

// envelope are the fields around every reply; which of them come depends on
// the action and on whether it failed.
type envelope struct {
	Code      string `json:"Code"`
	Message   string `json:"Message"`
	RequestID string `json:"RequestId"`
	Success   *bool  `json:"Success"`
}

// decode judges a reply and decodes a successful one into the zero value that
// into points to. What does not fit is unreadable.
func decode(status int, body []byte, into any) (envelope, *Error) {
	if env, ok := scan(status, body, into); ok {
		return env, nil
	}
	tree, env, failure := judge(status, body)
	if failure != nil {
		return env, failure
	}
	if err := fit(reflect.ValueOf(into).Elem(), tree, ""); err != nil {
		return env, &Error{Class: Server, Code: CodeUnreadable, Status: status, RequestID: env.RequestID, Message: err.Error()}
	}
	return env, nil
}

// judge parses a reply and decides whether it is a success. HTTP 200 can
// still be a failure (Success false), and replies of the tag actions carry
// neither Code nor Success: there HTTP 2xx is the only word.
func judge(status int, body []byte) (map[string]any, envelope, *Error) {
	var env envelope
	tree, root, err := parse(body)
	if err != nil {
		return nil, env, &Error{Class: Server, Code: CodeUnreadable, Status: status, Message: err.Error()}
	}
	if err := fit(reflect.ValueOf(&env).Elem(), tree, ""); err != nil {
		return nil, env, &Error{Class: Server, Code: CodeUnreadable, Status: status, Message: err.Error()}
	}
	if root != "Error" && !env.failed(status) {
		return tree, env, nil
	}
	code := env.Code
	if code == "" || successCode(code) {
		code = CodeFailed
	}
	return nil, env, &Error{
		Class: classify(code, status), Code: code, Status: status,
		Message: shorten(env.Message), RequestID: env.RequestID, said: env.Message,
	}
}

// failed reports whether this is the envelope of a failure.
func (e envelope) failed(status int) bool {
	switch {
	case status < 200 || status > 299:
		return true
	case e.Success != nil:
		return !*e.Success
	}
	return e.Code != "" && !successCode(e.Code)
}

func successCode(code string) bool {
	switch strings.ToLower(code) {
	case "200", "0", "ok", "success":
		return true
	}
	return false
}

// shorten makes the cloud's words fit for a log line. What follows "server
// string to sign" repeats the whole request, passwords included.
func shorten(message string) string {
	if i := strings.Index(strings.ToLower(message), "server string to sign"); i >= 0 {
		message = strings.TrimRight(message[:i], " .,:") + "."
	}
	message = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, message)
	const limit = 300
	if len(message) > limit {
		message = strings.ToValidUTF8(message[:limit], "") + "…"
	}
	return message
}
