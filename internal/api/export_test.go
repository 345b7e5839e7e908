package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// Bridges for the external tests of what has no other way in.

// SignForTest returns string to sign, canonicalized query and signature.
func SignForTest(method string, params map[string]string, key string) (toSign, query, sig string) {
	var ps []pair
	for k, v := range params {
		ps = append(ps, pair{k, v})
	}
	toSign, query = stringToSign(method, ps)
	return toSign, query, signature(toSign, secret.New(key))
}

// DecodeForTest judges and decodes a reply as Call does.
func DecodeForTest(status int, body []byte, into any) error {
	if _, failure := decode(status, body, into); failure != nil {
		return failure
	}
	return nil
}

// GeneralForTest judges and decodes a reply by the general decoder. It returns
// the RequestId, too.
func GeneralForTest(status int, body []byte, into any) (requestID string, err error) {
	tree, env, failure := judge(status, body)
	if failure != nil {
		return "", failure
	}
	return env.RequestID, fit(reflect.ValueOf(into).Elem(), tree, "")
}

// ScanForTest decodes a reply by the scanner, if that takes it.
func ScanForTest(status int, body []byte, into any) (requestID string, ok bool) {
	env, ok := scan(status, body, into)
	return env.RequestID, ok
}

// EncodeForTest returns the wire parameters of a request.
func EncodeForTest(q any) (map[string]string, error) {
	a, _ := Lookup(reflect.TypeOf(q).Name())
	ps, err := a.wire(q)
	m := map[string]string{}
	for _, p := range ps {
		m[p.name] = p.value
	}
	return m, err
}

// WireForTest returns the parameters of a request as they would be sent, not
// judged.
func WireForTest(q any) (map[string]string, error) {
	a, _ := Lookup(reflect.TypeOf(q).Name())
	ps, err := a.encode(q)
	m := map[string]string{}
	for _, p := range ps {
		m[p.name] = p.value
	}
	return m, err
}

// CallForTest makes the call of a request whose type is not known.
func CallForTest(ctx context.Context, c *Client, q any) error {
	return c.typed(ctx, q, func() any { return ReplyForTest(reflect.TypeOf(q).Name()) })
}

// ReplyForTest returns a pointer to a zero reply of an action.
func ReplyForTest(action string) any {
	a, _ := Lookup(action)
	return reflect.New(a.reply).Interface()
}

// FormForTest signs params and returns the form that would be sent.
func FormForTest(params map[string]string, key string) string {
	var ps []pair
	for k, v := range params {
		ps = append(ps, pair{k, v})
	}
	return sign(http.MethodPost, ps, secret.New(key))
}

// ClassifyForTest is classify.
func ClassifyForTest(code string, status int) Class { return classify(code, status) }
