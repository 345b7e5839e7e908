package sim_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// client is a small signer, independent of the one under test and of package
// api.
type client struct {
	t         testing.TB
	transport http.RoundTripper
	host      string
	id        string
	secret    string
	method    string
	inForm    bool // parameters in the body, not in the query
	now       func() time.Time
}

// nonce makes every signed call of the process unique.
var nonce atomic.Int64

func newClient(tb testing.TB, transport http.RoundTripper) *client {
	tb.Helper()
	return &client{
		t: tb, transport: transport, host: "alikafka.cn-hangzhou.aliyuncs.com",
		id: "testid", secret: "testsecret", method: http.MethodPost, now: time.Now,
	}
}

// newCloud makes a cloud or fails the test.
func newCloud(tb testing.TB, o sim.Options) *sim.Cloud {
	tb.Helper()
	c, err := sim.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// unlikeForms turns the escapes of a form into those of a signature.
var unlikeForms = strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~")

func escape(s string) string { return unlikeForms.Replace(url.QueryEscape(s)) }

func sign(method, secret string, ps map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(ps)) {
		if name != "Signature" {
			pairs = append(pairs, escape(name)+"="+escape(ps[name]))
		}
	}
	h := hmac.New(sha1.New, []byte(secret+"&"))
	h.Write([]byte(method + "&%2F&" + escape(strings.Join(pairs, "&"))))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// params completes the parameters of a call with the common ones and signs
// them. A value "-" removes a parameter.
func (c *client) params(action string, own ...string) map[string]string {
	ps := map[string]string{
		"Action": action, "Version": "2019-09-16", "Format": "JSON", "AccessKeyId": c.id,
		"SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"SignatureNonce": "nonce-" + strconv.FormatInt(nonce.Add(1), 10),
		"Timestamp":      c.now().UTC().Format("2006-01-02T15:04:05Z"),
		"RegionId":       "cn-hangzhou",
	}
	for i := 0; i < len(own); i += 2 {
		if own[i+1] == "-" {
			delete(ps, own[i])
		} else {
			ps[own[i]] = own[i+1]
		}
	}
	if _, ok := ps["Signature"]; !ok {
		ps["Signature"] = sign(c.method, c.secret, ps)
	}
	return ps
}

func (c *client) request(ctx context.Context, ps map[string]string) *http.Request {
	c.t.Helper()
	vs := url.Values{}
	for k, v := range ps {
		vs.Set(k, v)
	}
	target := "https://" + c.host + "/"
	var form io.Reader
	if c.inForm {
		form = strings.NewReader(vs.Encode())
	} else {
		target += "?" + vs.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, c.method, target, form)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.inForm {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// send makes a call and returns status and body.
func (c *client) send(ps map[string]string) (int, string, error) {
	c.t.Helper()
	resp, err := c.transport.RoundTrip(c.request(c.t.Context(), ps))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// call makes a call that must be answered, well or not.
func (c *client) call(action string, own ...string) (status int, body string) {
	c.t.Helper()
	status, body, err := c.send(c.params(action, own...))
	if err != nil {
		c.t.Fatalf("%s: %v", action, err)
	}
	return status, body
}

// get makes a call that must succeed and decodes its JSON answer.
func (c *client) get(into any, action string, own ...string) {
	c.t.Helper()
	status, body := c.call(action, own...)
	if status != http.StatusOK {
		c.t.Fatalf("%s: %d %s", action, status, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		c.t.Fatalf("%s: %v in %.300s", action, err, body)
	}
}

// apiError is the body of a refusal. Code is "200" for a good answer.
type apiError struct {
	XMLName                    xml.Name `json:"-"`
	RequestId, HostId, Message string
	Code                       code
}

// code is a string in a refusal and a number in a good answer.
type code string

func (c *code) UnmarshalJSON(text []byte) error {
	*c = code(strings.Trim(string(text), `"`))
	return nil
}

func decodeError(tb testing.TB, body string) apiError {
	tb.Helper()
	var e apiError
	var err error
	if strings.HasPrefix(body, "<") {
		err = xml.Unmarshal([]byte(body), &e)
	} else {
		err = json.Unmarshal([]byte(body), &e)
	}
	if err != nil {
		tb.Fatalf("%v in %.300s", err, body)
	}
	return e
}

// signV3 sets the Authorization header of ACS3-HMAC-SHA256.
func signV3(r *http.Request, id, secret, payload string) {
	var names []string
	values := map[string]string{"host": r.Host}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-acs-") || lower == "content-type" {
			values[lower] = r.Header.Get(name)
		}
	}
	var headers strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		names = append(names, name)
		headers.WriteString(name + ":" + values[name] + "\n")
	}
	signed := strings.Join(names, ";")
	canonical := strings.Join([]string{r.Method, "/", strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20"), headers.String(), signed, payload}, "\n")
	digest := sha256.Sum256([]byte(canonical))
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte("ACS3-HMAC-SHA256\n" + hex.EncodeToString(digest[:])))
	r.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+id+",SignedHeaders="+signed+",Signature="+hex.EncodeToString(h.Sum(nil)))
}
