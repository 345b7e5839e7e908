package engine_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// remake returns a copy of a request whose form was parsed.
func remake(r *http.Request) *http.Request {
	again := r.Clone(r.Context())
	body := r.PostForm.Encode()
	again.Body, again.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	again.Form, again.PostForm = nil, nil
	return again
}

// naive is a transport that does what SDKs and infrastructure tools do after a
// timeout or an answer of 5xx: it signs the call anew and sends it again.
type naive struct{ to http.RoundTripper }

func (n naive) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.PostForm == nil {
		_ = r.ParseForm()
	}
	for attempt := 1; ; attempt++ {
		resp, err := n.to.RoundTrip(remake(r))
		if attempt == 3 || err == nil && resp.StatusCode < 500 && whole(resp) {
			return resp, err
		}
		r = r.Clone(r.Context())
		r.PostForm.Set("SignatureNonce", uuid.NewString())
		resign(r.PostForm)
	}
}

// whole reads an answer and reports whether it came to its end.
func whole(resp *http.Response) bool {
	body, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil
}

// resign signs a form of the world's key.
func resign(form url.Values) {
	form.Del("Signature")
	escape := func(s string) string {
		return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(s))
	}
	var pairs []string
	for name, values := range form {
		pairs = append(pairs, escape(name)+"="+escape(values[0]))
	}
	slices.Sort(pairs)
	mac := hmac.New(sha1.New, []byte("testsecret&"))
	mac.Write([]byte("POST&%2F&" + escape(strings.Join(pairs, "&"))))
	form.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// TestTheMatrixBites swaps a transport that retries into the engine: the matrix
// must see it in every action that has a second effect.
func TestTheMatrixBites(t *testing.T) {
	t.Parallel()
	swap := func(l *lab, _ *sim.Options) {
		l.wrap = func(to http.RoundTripper) http.RoundTripper { return naive{to} }
	}
	for _, action := range []string{"ModifyPartitionNum", "CreatePostPayOrder", "UpdateAllowedIp", "ModifyTopicRemark"} {
		caught := 0
		for _, f := range wireFaults() {
			synctest.Test(t, func(t *testing.T) {
				if len(survive(t, stepOf(action), f, crashPoints()[0], &tally{}, swap)) > 0 {
					caught++
				}
			})
		}
		if caught == 0 {
			t.Errorf("%s: a naive retry goes unnoticed", action)
		} else {
			t.Logf("%s: a naive retry is noticed with %d of %d faults", action, caught, len(wireFaults()))
		}
	}
}
