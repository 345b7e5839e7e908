package sim_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

const (
	trade = "alikafka_pre-cn-zvp2n4kd1001" // of story lively
	stage = "alikafka_pre-cn-zvp2stage001" // of the stories with one scene
)

// twoAccounts is a world with a foreign instance, a temporary key and
// instances in every state of life.
func twoAccounts() *sim.World {
	return &sim.World{Accounts: []sim.Account{
		{
			Name: "own",
			Keys: []sim.Key{
				{ID: "testid", Secret: "testsecret"},
				{ID: "STS.one", Secret: "sts-secret", Token: "sts-token", Expires: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)},
				{ID: "STS.old", Secret: "sts-secret", Token: "sts-token", Expires: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
				{ID: "off", Secret: "testsecret", Inactive: true},
				{ID: "weak", Secret: "testsecret", Deny: []string{"GetTopicList"}},
			},
			Instances: []sim.Instance{
				{
					ID: "alikafka_pre-cn-own1", RegionID: "cn-hangzhou",
					Topics: []sim.Topic{{Name: "orders", Partitions: 2, Rate: 5}},
					Groups: []sim.Group{{Name: "billing", Subscriptions: []sim.Subscription{{Topic: "orders"}}}},
				},
				{ID: "alikafka_pre-cn-own2", RegionID: "cn-shanghai"},
				{ID: "alikafka_pre-cn-own3", RegionID: "cn-hangzhou", Status: sim.Undeployed},
				{ID: "alikafka_post-cn-own4", RegionID: "cn-hangzhou", PaidType: 3},
			},
		},
		{Name: "other", Keys: []sim.Key{{ID: "otherid", Secret: "othersecret"}}, Instances: []sim.Instance{
			{ID: "alikafka_pre-cn-other1", RegionID: "cn-hangzhou"},
		}},
	}}
}

// Every refusal, with its status and code, in both formats.
func TestRefusals(t *testing.T) {
	t.Parallel()
	in := []string{"InstanceId", "alikafka_pre-cn-own1"}
	with := func(more ...string) []string { return append(append([]string{}, in...), more...) }
	tests := []struct {
		name    string
		key     string
		secret  string
		action  string
		params  []string
		host    string
		method  string
		status  int
		code    code
		message string // substring
	}{
		{name: "no action", params: []string{"Action", "-"}, status: 400, code: "MissingParameter", message: `"Action"`},
		{name: "unknown action", action: "GetNothing", status: 404, code: "InvalidApi.NotFound"},
		{name: "action of another product", action: "ListInstances", status: 404, code: "InvalidApi.NotFound"},
		{name: "no version", action: "GetInstanceList", params: []string{"Version", "-"}, status: 400, code: "MissingParameter", message: `"Version"`},
		{name: "another version", action: "GetInstanceList", params: []string{"Version", "2018-10-15"}, status: 400, code: "NoSuchVersion"},
		{name: "version of another product", action: "ListInstances", params: []string{"Version", "2019-12-12"}, status: 400, code: "NoSuchVersion"},
		{name: "method", action: "GetInstanceList", method: http.MethodPut, status: 400, code: "UnsupportedHTTPMethod"},
		{name: "no key", action: "GetInstanceList", params: []string{"AccessKeyId", "-"}, status: 400, code: "MissingParameter", message: `"AccessKeyId"`},
		{name: "unknown key", key: "nobody", action: "GetInstanceList", status: 404, code: "InvalidAccessKeyId.NotFound"},
		{name: "disabled key", key: "off", action: "GetInstanceList", status: 400, code: "InvalidAccessKeyId.Inactive"},
		{name: "no signature", action: "GetInstanceList", params: []string{"Signature", ""}, status: 400, code: "MissingParameter", message: `"Signature"`},
		{name: "no nonce", action: "GetInstanceList", params: []string{"SignatureNonce", "-"}, status: 400, code: "MissingParameter", message: `"SignatureNonce"`},
		{name: "no timestamp", action: "GetInstanceList", params: []string{"Timestamp", "-"}, status: 400, code: "MissingParameter", message: `"Timestamp"`},
		{name: "signature method", action: "GetInstanceList", params: []string{"SignatureMethod", "HMAC-MD5"}, status: 400, code: "InvalidSignatureMethod"},
		{name: "signature version", action: "GetInstanceList", params: []string{"SignatureVersion", "2.0"}, status: 400, code: "InvalidSignatureVersion"},
		{name: "timestamp with an offset", action: "GetInstanceList", params: []string{"Timestamp", "2000-01-01T08:00:00+08:00"}, status: 400, code: "InvalidTimeStamp.Format"},
		{name: "timestamp too old", action: "GetInstanceList", params: []string{"Timestamp", "1999-12-31T23:44:59Z"}, status: 400, code: "InvalidTimeStamp.Expired"},
		{name: "timestamp too new", action: "GetInstanceList", params: []string{"Timestamp", "2000-01-01T00:15:01Z"}, status: 400, code: "InvalidTimeStamp.Expired"},
		{
			name: "wrong secret", secret: "wrong", action: "GetInstanceList", status: 400, code: "SignatureDoesNotMatch",
			message: "server string to sign is:POST&%2F&AccessKeyId%3Dtestid%26Action%3DGetInstanceList%26",
		},
		{name: "temporary key without its token", key: "STS.one", secret: "sts-secret", action: "GetInstanceList", status: 400, code: "MissingSecurityToken"},
		{name: "wrong token", key: "STS.one", secret: "sts-secret", action: "GetInstanceList", params: []string{"SecurityToken", "x"}, status: 400, code: "InvalidSecurityToken.MismatchWithAccessKey"},
		{name: "token with a plain key", action: "GetInstanceList", params: []string{"SecurityToken", "x"}, status: 400, code: "InvalidSecurityToken.MismatchWithAccessKey"},
		{name: "expired token", key: "STS.old", secret: "sts-secret", action: "GetInstanceList", params: []string{"SecurityToken", "sts-token"}, status: 400, code: "InvalidSecurityToken.Expired"},
		{name: "policy", key: "weak", action: "GetTopicList", params: in, status: 403, code: "Forbidden.RAM"},
		{name: "no region", action: "GetInstanceList", params: []string{"RegionId", "-"}, status: 400, code: "MissingParameter", message: `"RegionId"`},
		{name: "no instance", action: "GetTopicList", status: 400, code: "MissingParameter", message: `"InstanceId"`},
		{name: "no topic", action: "GetTopicStatus", params: in, status: 400, code: "MissingParameter", message: `"Topic"`},
		{name: "empty topic", action: "GetTopicStatus", params: with("Topic", ""), status: 400, code: "MissingParameter", message: `"Topic"`},
		{name: "unknown instance", action: "GetTopicList", params: []string{"InstanceId", "alikafka_pre-cn-none"}, status: 400, code: "BIZ_INSTANCE_NOT_FOUND"},
		{name: "instance of another region", action: "GetTopicList", params: []string{"InstanceId", "alikafka_pre-cn-own2"}, status: 400, code: "BIZ_INSTANCE_NOT_FOUND"},
		{
			name: "region of another endpoint", action: "GetTopicList", host: "alikafka.cn-shanghai.aliyuncs.com", params: in,
			status: 400, code: "BIZ_INSTANCE_NOT_FOUND",
		},
		{name: "instance of another account", action: "GetTopicList", params: []string{"InstanceId", "alikafka_pre-cn-other1"}, status: 403, code: "AUTH_RESOURCE_OWNER_ERROR"},
		{name: "instance not deployed", action: "GetTopicList", params: []string{"InstanceId", "alikafka_pre-cn-own3"}, status: 400, code: "BIZ_INSTANCE_STATUS_ERROR"},
		{name: "unknown topic", action: "GetTopicStatus", params: with("Topic", "nope"), status: 400, code: "BIZ_TOPIC_NOT_FOUND"},
		{name: "unknown group", action: "GetConsumerProgress", params: with("ConsumerId", "nope"), status: 400, code: "BIZ_SUBSCRIPTION_NOT_FOUND"},
		{
			name: "ACL of an unknown topic", action: "DescribeAcls", status: 400, code: "BIZ_TOPIC_NOT_FOUND",
			params: with("Username", "u", "AclResourceType", "Topic", "AclResourceName", "nope"),
		},
		{
			name: "ACL of an unknown group", action: "DescribeAcls", status: 400, code: "BIZ_SUBSCRIPTION_NOT_FOUND",
			params: with("Username", "u", "AclResourceType", "GROUP", "AclResourceName", "nope"),
		},
		{name: "page zero", action: "GetTopicList", params: with("CurrentPage", "0"), status: 400, code: "InvalidParameter"},
		{name: "past the last page", action: "GetTopicList", params: with("CurrentPage", "2"), status: 400, code: "ONS_INVOKE_ERROR"},
		{name: "kind of resource", action: "ListTagResources", params: []string{"ResourceType", "BROKER", "Tag.1.Key", "a"}, status: 400, code: "InvalidParameter"},
		{name: "tags of nothing", action: "ListTagResources", params: []string{"ResourceType", "TOPIC"}, status: 400, code: "MissingParameter"},
		{name: "foreign token", action: "ListTagResources", params: []string{"ResourceType", "TOPIC", "Tag.1.Key", "a", "NextToken", "caeba0bbb2be03f84eb48b699f0a4883"}, status: 400, code: "InvalidParameter"},
		{name: "quota of a serverless instance", action: "GetQuotaTip", params: []string{"InstanceId", "alikafka_post-cn-own4"}, status: 400, code: "BIZ_INSTANCE_PAIDTYPE_NOT_SUPPORT"},
	}
	for _, tt := range tests {
		for _, format := range []string{"JSON", "json", "XML", "-"} {
			t.Run(tt.name+" "+format, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c := newClient(t, newCloud(t, sim.Options{World: twoAccounts()}))
					setIf(&c.id, tt.key)
					setIf(&c.secret, tt.secret)
					setIf(&c.host, tt.host)
					setIf(&c.method, tt.method)
					status, body := c.call(tt.action, append(append([]string{}, tt.params...), "Format", format)...)
					if wantXML := format == "XML" || format == "-"; wantXML != strings.HasPrefix(body, "<?xml") {
						t.Errorf("wrong format: %.300s", body)
					}
					e := decodeError(t, body)
					if status != tt.status || e.Code != tt.code || !strings.Contains(e.Message, tt.message) {
						t.Errorf("got %d %+v, want %d %.300s", status, e, tt.status, tt.code)
					}
					host := "alikafka.cn-hangzhou.aliyuncs.com"
					setIf(&host, tt.host)
					if e.HostId != host || len(e.RequestId) != 36 || e.Message == "" {
						t.Errorf("incomplete: %+v", e)
					}
				})
			})
		}
	}
}

func setIf(s *string, to string) {
	if to != "" {
		*s = to
	}
}

// A good call is understood wherever its parameters are.
func TestParametersAnywhere(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, sim.Options{Story: "calm", Limits: sim.Limits{Default: -1}})
	for name, set := range map[string]func(*client){
		"GET query":  func(c *client) { c.method = http.MethodGet },
		"POST form":  func(c *client) { c.inForm = true },
		"POST query": func(*client) {},
		"loopback":   func(c *client) { c.host = "127.0.0.1:18080" },
		"VPC":        func(c *client) { c.host = "alikafka-vpc.cn-hangzhou.aliyuncs.com" },
	} {
		c := newClient(t, cloud)
		set(c)
		if status, body := c.call("GetTopicStatus", "InstanceId", stage, "Topic", "orders"); status != 200 {
			t.Errorf("%s: %d %.300s", name, status, body)
		}
	}
	// Half in the query and half in the form.
	c := newClient(t, cloud)
	ps := c.params("GetTopicStatus", "InstanceId", stage, "Topic", "orders", "SignatureNonce", "half")
	signature := ps["Signature"]
	delete(ps, "Signature")
	r := c.request(t.Context(), ps)
	r.Body = io.NopCloser(strings.NewReader("Signature=" + escape(signature)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	resp, err := cloud.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("half and half: %v %v", resp, err)
	}
}

// The signed method must be the sent one.
func TestMethodIsSigned(t *testing.T) {
	t.Parallel()
	c := newClient(t, newCloud(t, sim.Options{}))
	ps := c.params("GetInstanceList")
	c.method = http.MethodGet
	_, body, err := c.send(ps)
	if err != nil {
		t.Fatal(err)
	}
	if e := decodeError(t, body); e.Code != "SignatureDoesNotMatch" {
		t.Errorf("got %+v", e)
	}
}

// A nonce serves once per key, until long after its timestamp has expired.
func TestNonce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: twoAccounts()})
		c := newClient(t, cloud)
		for range 4 {
			ps := c.params("GetInstanceList")
			if status, body, _ := c.send(ps); status != 200 {
				t.Fatalf("first use: %.300s", body)
			}
			for range 3 {
				time.Sleep(4 * time.Minute)
				_, body, _ := c.send(ps)
				if e := decodeError(t, body); e.Code != "SignatureNonceUsed" {
					t.Errorf("got %+v", e)
				}
			}
		}
		c.call("GetInstanceList", "SignatureNonce", "mine")
		other := newClient(t, cloud)
		other.id, other.secret = "otherid", "othersecret"
		if status, body := other.call("GetInstanceList", "SignatureNonce", "mine"); status != 200 {
			t.Errorf("same nonce, another key: %.300s", body)
		}
		time.Sleep(2 * time.Hour) // long enough to be forgotten
		c.call("GetInstanceList")
		time.Sleep(2 * time.Hour)
		if status, body := c.call("GetInstanceList", "SignatureNonce", "mine"); status != 200 {
			t.Errorf("nonce of long ago: %.300s", body)
		}
	})
}

// Whether a throttled call has used up its nonce is a switch.
func TestNonceOfThrottledCall(t *testing.T) {
	t.Parallel()
	for after, want := range map[bool]code{false: "SignatureNonceUsed", true: "200"} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, newCloud(t, sim.Options{NonceAfterThrottle: after, Limits: sim.Limits{Default: 1}}))
			c.call("GetInstanceList")
			ps := c.params("GetInstanceList")
			_, body, _ := c.send(ps)
			if e := decodeError(t, body); e.Code != "Throttling.User" {
				t.Fatalf("got %+v", e)
			}
			time.Sleep(time.Second)
			_, body, _ = c.send(ps)
			if e := decodeError(t, body); e.Code != want {
				t.Errorf("after=%t: got %+v", after, e)
			}
		})
	}
}

// Temporary credentials work with their token and can be exchanged.
func TestTemporaryKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: twoAccounts()})
		c := newClient(t, cloud)
		c.id, c.secret = "STS.one", "sts-secret"
		if status, body := c.call("GetInstanceList", "SecurityToken", "sts-token"); status != 200 {
			t.Errorf("%d %.300s", status, body)
		}
		if err := cloud.SetKey("own", sim.Key{ID: "STS.two", Secret: "s2", Token: "t2"}); err != nil {
			t.Fatal(err)
		}
		cloud.RemoveKey("STS.one")
		if status, _ := c.call("GetInstanceList", "SecurityToken", "sts-token"); status != 404 {
			t.Errorf("removed key: %d", status)
		}
		c.id, c.secret = "STS.two", "s2"
		if status, body := c.call("GetInstanceList", "SecurityToken", "t2"); status != 200 {
			t.Errorf("%d %.300s", status, body)
		}
	})
}

// A server whose clock is off refuses what a client with the right time signs.
func TestSkew(t *testing.T) {
	t.Parallel()
	c := newClient(t, newCloud(t, sim.Options{Skew: 16 * time.Minute}))
	_, body := c.call("GetInstanceList")
	if e := decodeError(t, body); e.Code != "InvalidTimeStamp.Expired" {
		t.Errorf("got %+v", e)
	}
}

// Unknown parameters are ignored, like the real service does, unless strict.
func TestUnknownParameters(t *testing.T) {
	t.Parallel()
	for strict, want := range map[bool]int{false: 200, true: 400} {
		c := newClient(t, newCloud(t, sim.Options{Story: "calm", Strict: strict}))
		if status, body := c.call("GetTopicList", "InstanceId", stage, "PageNumber", "1"); status != want {
			t.Errorf("strict=%t: %d %.300s", strict, status, body)
		}
		if status, body := c.call("GetInstanceList", "Tag.1.Key", "a", "Tag.1.Value", "b", "InstanceId.1", "x"); status != 200 {
			t.Errorf("strict=%t: %d %.300s", strict, status, body)
		}
	}
}

// Another product answers behind its own endpoint, with its own defaults.
func TestRabbitMQ(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, sim.Options{})
	for _, host := range []string{"amqp-open.cn-hangzhou.aliyuncs.com", "amqp-open.aliyuncs.com", "127.0.0.1:18080"} {
		c := newClient(t, cloud)
		c.host = host
		var got struct {
			Data struct {
				Instances []struct{ InstanceId, InstanceName string }
			}
		}
		c.get(&got, "ListInstances", "Version", "2019-12-12", "Format", "-", "ResourceOwnerAccount", "me")
		if len(got.Data.Instances) != 2 || got.Data.Instances[0].InstanceName != "notify-prod" {
			t.Errorf("%s: %+v", host, got)
		}
	}
	c := newClient(t, cloud)
	c.host = "amqp-open.aliyuncs.com"
	_, body := c.call("GetInstanceList", "Format", "-")
	if e := decodeError(t, body); e.Code != "NoSuchVersion" || strings.HasPrefix(body, "<") {
		t.Errorf("got %s", body)
	}
}

// The vector is signed by hand after the published rules of
// ACS3-HMAC-SHA256; the official SDK does the same.
func TestV3(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{Story: "calm"})
		const form = "PageSize=1"
		sum := sha256.Sum256([]byte(form))
		request := func() *http.Request {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost,
				"http://127.0.0.1:18080/?InstanceId="+stage+"&RegionId=cn-hangzhou", strings.NewReader(form))
			for name, value := range map[string]string{
				"x-acs-action": "GetTopicList", "x-acs-version": "2019-09-16", "x-acs-date": "2000-01-01T00:00:00Z",
				"x-acs-signature-nonce": "n1", "x-acs-content-sha256": hex.EncodeToString(sum[:]), "accept": "application/json",
				"content-type": "application/x-www-form-urlencoded",
			} {
				r.Header.Set(name, value)
			}
			signV3(r, "testid", "testsecret", hex.EncodeToString(sum[:]))
			return r
		}
		tests := []struct {
			name string
			edit func(*http.Request)
			code code
		}{
			{"good", func(*http.Request) {}, ""},
			{"replayed", func(*http.Request) {}, "SignatureNonceUsed"},
			{"header changed", func(r *http.Request) { r.Header.Set("x-acs-signature-nonce", "n2") }, "SignatureDoesNotMatch"},
			{"query changed", func(r *http.Request) { r.URL.RawQuery += "&Topic=x" }, "SignatureDoesNotMatch"},
			{"body changed", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("PageSize=2")) }, "InvalidContentSha256"},
			{"host changed", func(r *http.Request) { r.Host = "127.0.0.1" }, "SignatureDoesNotMatch"},
			{"date", func(r *http.Request) { r.Header.Set("x-acs-date", "1999-01-01T00:00:00Z") }, "InvalidTimeStamp.Expired"},
			{"unsigned action", func(r *http.Request) {
				r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "x-acs-action;", "", 1))
			}, "IncompleteSignature"},
			{"unknown key", func(r *http.Request) {
				r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "testid", "nobody", 1))
			}, "InvalidAccessKeyId.NotFound"},
		}
		for _, tt := range tests {
			r := request()
			tt.edit(r)
			w := httptest.NewRecorder()
			cloud.ServeHTTP(w, r)
			var got struct {
				Code     code
				PageSize int
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if tt.code == "" && (w.Code != 200 || got.PageSize != 1) || tt.code != "" && got.Code != tt.code {
				t.Errorf("%s: %d %.300s", tt.name, w.Code, w.Body)
			}
		}
	})
}
