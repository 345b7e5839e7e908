package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

type fixed api.Key

func (k fixed) Key(context.Context) (api.Key, error) { return api.Key(k), nil }

var testKey = fixed{ID: "testid", Secret: secret.New("testsecret")}

// unlimited is a limiter that does not slow a test down.
func unlimited() *api.Limiter {
	return api.NewLimiter(api.RateLimits{Share: 1, Scope: "account", Default: 10_000, PerSourceIP: 10_000}, api.NewSourceLimit(10_000))
}

// client returns a client of transport and the attempts that it makes.
func client(t *testing.T, transport http.RoundTripper, change func(*api.Options)) (*api.Client, *[]api.Attempt) {
	t.Helper()
	attempts := &[]api.Attempt{}
	o := api.Options{
		Account: "main", Credentials: testKey, Limiter: unlimited(), Transport: transport,
		Observe: func(a api.Attempt) { *attempts = append(*attempts, a) },
	}
	if change != nil {
		change(&o)
	}
	c, err := api.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return c, attempts
}

func cloud(t *testing.T, o sim.Options) *sim.Cloud {
	t.Helper()
	if o.World == nil {
		o.World = &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{{
			ID: "alikafka_pre-cn-1", RegionID: "cn-hangzhou", Topics: []sim.Topic{{Name: "orders", Partitions: 2, Rate: 1}},
			SaslUsers: []sim.SaslUser{{Username: "alice", Password: "hunter2", Type: "plain"}},
		}}}}}
	}
	o.Limits = sim.Limits{Default: -1, PerSourceIP: -1}
	c, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var instances = api.GetInstanceList{RegionID: "cn-hangzhou"}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options sim.Options
		change  func(*api.Options)
		code    string
		class   api.Class
	}{
		"a wrong secret": {
			change: func(o *api.Options) { o.Credentials = fixed{ID: "testid", Secret: secret.New("no")} },
			code:   "SignatureDoesNotMatch", class: api.Auth,
		},
		"an unknown key": {
			change: func(o *api.Options) { o.Credentials = fixed{ID: "nobody", Secret: secret.New("testsecret")} },
			code:   "InvalidAccessKeyId.NotFound", class: api.Auth,
		},
		"a clock that is 16 minutes off": {options: sim.Options{Skew: 16 * time.Minute}, code: "InvalidTimeStamp.Expired", class: api.Auth},
		"credentials that cannot be had": {change: func(o *api.Options) { o.Credentials = nobody{} }, code: "credentials", class: api.Auth},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, attempts := client(t, cloud(t, tc.options), tc.change)
				_, err := api.Call(t.Context(), c, instances)
				var e *api.Error
				if !errors.As(err, &e) || e.Code != tc.code || e.Class != tc.class || e.Action != "GetInstanceList" || e.RegionID != "cn-hangzhou" {
					t.Fatalf("got %v", err)
				}
				if len(*attempts) != 1 {
					t.Errorf("%d attempts at what repeating cannot mend", len(*attempts))
				}
				if strings.Contains(err.Error(), "testsecret") || strings.Contains(err.Error(), "SignatureNonce") {
					t.Errorf("the error repeats the request: %v", err)
				}
				if e.Class == api.Auth && e.Status != 0 && (*attempts)[0].RequestID == "" {
					t.Error("no RequestId")
				}
			})
		})
	}
}

type nobody struct{}

func (nobody) Key(context.Context) (api.Key, error) { return api.Key{}, errors.New("the role is gone") }

// replay sends every request twice and answers with the second reply.
type replay struct{ next http.RoundTripper }

func (r replay) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	first := req.Clone(req.Context())
	first.Body = body
	resp, err := r.next.RoundTrip(first)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	return r.next.RoundTrip(req)
}

func TestAReplayedNonceIsRefusedAndSignedAnewOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, attempts := client(t, replay{cloud(t, sim.Options{})}, nil)
		_, err := api.Call(t.Context(), c, instances)
		var e *api.Error
		if !errors.As(err, &e) || e.Code != "SignatureNonceUsed" || e.Class != api.Nonce {
			t.Fatalf("got %v", err)
		}
		if len(*attempts) != 2 {
			t.Errorf("%d attempts", len(*attempts))
		}
	})
}

func TestRetries(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault    sim.Fault
		attempts int
		code     string // of the last attempt
	}{
		"flow control":             {*sim.Throttle(), 4, "Throttling.User"},
		"an internal error":        {sim.Fault{Kind: sim.Refuse, Status: 500, Code: "InternalError"}, 4, "InternalError"},
		"a failure with HTTP 200":  {sim.Fault{Kind: sim.Unsuccessful, Code: "ONS_SYSTEM_ERROR"}, 4, "ONS_SYSTEM_ERROR"},
		"a gateway's page":         {sim.Fault{Kind: sim.Gateway}, 4, "unreadable_reply"},
		"half a body":              {sim.Fault{Kind: sim.Truncate}, 4, "unreadable_reply"},
		"a reset":                  {sim.Fault{Kind: sim.Reset}, 4, "connection_reset"},
		"no answer":                {sim.Fault{Kind: sim.Hang}, 2, "timeout"},
		"more than can be read":    {sim.Fault{Kind: sim.Oversize}, 1, "oversized_reply"},
		"a redirect":               {sim.Fault{Kind: sim.Redirect}, 1, "redirect"},
		"an object that is gone":   {sim.Fault{Kind: sim.Refuse, Status: 404, Code: "Topic.NotFound"}, 1, "Topic.NotFound"},
		"XML to a JSON request":    {sim.Fault{Kind: sim.Garble}, 1, "ok"},
		"a failure that is over":   {sim.Fault{Kind: sim.Refuse, Status: 503, Code: "ServiceUnavailable", Times: 2}, 3, "ok"},
		"slow but within its time": {sim.Fault{Kind: sim.Slow, Latency: 30 * time.Second}, 1, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.fault.Kind == sim.Oversize && testing.Short() {
				t.Skip("the answer has 64 MiB, for which the race detector takes many seconds, and a tenth of them could be read")
			}
			synctest.Test(t, func(t *testing.T) {
				server := cloud(t, sim.Options{})
				server.SetFault(sim.Match{}, tc.fault)
				c, attempts := client(t, server, nil)
				_, err := api.Call(t.Context(), c, instances)
				last := (*attempts)[len(*attempts)-1]
				if len(*attempts) != tc.attempts || last.Code != tc.code || (err == nil) != (tc.code == "ok") {
					t.Errorf("%d attempts, the last %s: %v; want %d, %s", len(*attempts), last.Code, err, tc.attempts, tc.code)
				}
				if want := tc.code == "InternalError"; last.Unavailable != want {
					t.Errorf("the minute counts as unavailable: %t", last.Unavailable)
				}
				for i, a := range *attempts {
					if (a.Lane == api.LaneRetry) != (i > 0) {
						t.Errorf("attempt %d was in lane %s", i+1, a.Lane)
					}
				}
			})
		})
	}
}

func TestRetriesStayWithinTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := cloud(t, sim.Options{})
		server.SetFault(sim.Match{}, sim.Fault{Kind: sim.Gateway})
		c, attempts := client(t, server, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := api.Call(ctx, c, instances)
		var e *api.Error
		if !errors.As(err, &e) || e.Code != "unreadable_reply" {
			t.Errorf("the reason was lost: %v", err)
		}
		if time.Since(start) > 600*time.Millisecond || len(*attempts) > 2 {
			t.Errorf("%d attempts in %v", len(*attempts), time.Since(start))
		}
	})
}

// TestARetryThatIsGivenUpKeepsWhatTheCloudSaid has flow control refuse a call,
// and its caller give up while the retry waits for a slot, or for a key.
func TestARetryThatIsGivenUpKeepsWhatTheCloudSaid(t *testing.T) {
	t.Parallel()
	slow := func(o *api.Options) {
		o.Limiter = api.NewLimiter(api.RateLimits{Share: 1, Scope: "account", Default: 0.01, PerSourceIP: 100}, api.NewSourceLimit(100))
	}
	for name, c := range map[string]struct {
		change func(*api.Options)
		call   func(context.Context, *api.Client) error
		where  string
	}{
		"a read that waits for a slot": {slow, func(ctx context.Context, c *api.Client) error { _, err := api.Call(ctx, c, instances); return err }, "while waiting for the rate limit"},
		"a raw call that waits for a slot": {slow, func(ctx context.Context, c *api.Client) error {
			_, err := c.Do(ctx, api.Raw{Action: "GetInstanceList", RegionID: "cn-hangzhou", Params: map[string]string{"RegionId": "cn-hangzhou"}})
			return err
		}, "while waiting for the rate limit"},
		"a mutation that waits for a slot": {slow, func(ctx context.Context, c *api.Client) error {
			_, err := api.Call(ctx, c, api.DeleteTopic{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-1", Topic: "orders"})
			return err
		}, "while waiting for the rate limit"},
		"a read that waits for a key": {
			func(o *api.Options) { o.Credentials = &once{} },
			func(ctx context.Context, c *api.Client) error { _, err := api.Call(ctx, c, instances); return err }, "while waiting for credentials",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := cloud(t, sim.Options{})
				server.SetFault(sim.Match{}, sim.Fault{Kind: sim.Refuse, Code: "Throttling.User"})
				client, attempts := client(t, server, c.change)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				err := c.call(ctx, client)
				var e *api.Error
				if !errors.As(err, &e) || e.Code != "Throttling.User" || e.Class != api.Throttled || e.RequestID == "" || e.RequestID != (*attempts)[0].RequestID {
					t.Fatalf("the reason was lost: %v", err)
				}
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.where) || !strings.Contains(err.Error(), e.RequestID) {
					t.Errorf("the error does not say that the caller gave up, or where: %v", err)
				}
				if api.OutcomeOf(err) != api.OutcomeNotDone {
					t.Errorf("%v: %v", api.OutcomeOf(err), err)
				}
				if n := len(*attempts); n != 2 || (*attempts)[1].RequestID != "" {
					t.Errorf("%d attempts: %+v", n, *attempts)
				}
			})
		})
	}
}

// once is a source of keys that has one and then hangs.
type once struct{ asked bool }

func (o *once) Key(ctx context.Context) (api.Key, error) {
	if o.asked {
		<-ctx.Done()
		return api.Key{}, ctx.Err()
	}
	o.asked = true
	return api.Key(testKey), nil
}

func TestTransportFaultsAreNamed(t *testing.T) {
	t.Parallel()
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains about us
	tls.StartTLS()
	t.Cleanup(tls.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	nameless := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no server of names") }}
	for name, tc := range map[string]struct {
		endpoint  string
		transport http.RoundTripper
		code      string
	}{
		"nobody listens":                      {"http://" + nobodyListens, nil, "connection_refused"},
		"a certificate signed by a stranger":  {tls.URL, nil, "tls"},
		"a server that does not speak TLS":    {strings.Replace(plain.URL, "http:", "https:", 1), nil, "tls"},
		"a name that nobody can be asked for": {"https://nowhere.invalid", &http.Transport{DialContext: (&net.Dialer{Resolver: nameless}).DialContext}, "dns"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := func(t *testing.T) {
				t.Helper()
				c, attempts := client(t, tc.transport, func(o *api.Options) {
					o.Endpoints, o.Timeout = map[string]string{"cn-hangzhou": tc.endpoint}, 24*time.Hour
				})
				_, err := api.Call(t.Context(), c, instances)
				var e *api.Error
				if !errors.As(err, &e) || e.Code != tc.code {
					t.Errorf("%v, want %s (%d attempts)", err, tc.code, len(*attempts))
				}
			}
			if tc.transport != nil {
				call(t) // the first look-up of a process makes a channel in package net, which must not be a bubble's
				return
			}
			synctest.Test(t, call)
		})
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for endpoint, ok := range map[string]bool{
		"https://alikafka-vpc.cn-hangzhou.aliyuncs.com": true,
		"http://127.0.0.1:18080":                        true,
		"http://[::1]:18080/":                           true,
		"http://localhost:18080":                        true,
		"http://alikafka.cn-hangzhou.aliyuncs.com":      false,
		"http://10.0.0.1":                               false,
		"http://localhost.example.com":                  false,
		"ftp://127.0.0.1":                               false,
		"127.0.0.1:18080":                               false,
		"https://user:pass@example.com":                 false,
		"https://":                                      false,
	} {
		if err := api.CheckEndpoint(endpoint); (err == nil) != ok {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
	c, _ := client(t, &pages{`{}`}, nil)
	_, err := api.Call(t.Context(), c, api.GetInstanceList{RegionID: "evil.com/#"})
	if err == nil || !strings.Contains(err.Error(), "impossible form") {
		t.Errorf("a region that is no region: %v", err)
	}
}

func TestListingsAreComplete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := sim.Instance{ID: "i", RegionID: "cn-hangzhou", TopicLimit: 1000, GroupLimit: 1000}
		for n := range 250 {
			i.Topics = append(i.Topics, sim.Topic{Name: fmt.Sprintf("topic-%03d", n), Partitions: 1})
			i.Groups = append(i.Groups, sim.Group{Name: fmt.Sprintf("group-%03d", n)})
			i.Topics[n].Tags = []sim.Tag{{Key: "k", Value: "v"}}
		}
		world := &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{i}}}}
		for _, edition := range []sim.Edition{sim.EditionCurrent, sim.Edition2022} {
			c, attempts := client(t, cloud(t, sim.Options{World: world, Edition: edition}), nil)
			topics, err := api.ListTopics(t.Context(), c, api.GetTopicList{RegionID: "cn-hangzhou", InstanceID: "i"})
			if err != nil || len(topics) != 250 || len(*attempts) != 3 {
				t.Errorf("%d topics in %d calls, %v", len(topics), len(*attempts), err)
			}
			groups, err := api.ListConsumerGroups(t.Context(), c, api.GetConsumerList{RegionID: "cn-hangzhou", InstanceID: "i"})
			if err != nil || len(groups) != 250 {
				t.Errorf("%d groups, %v", len(groups), err)
			}
			tags, err := api.ListTags(t.Context(), c, api.ListTagResources{RegionID: "cn-hangzhou", ResourceType: "TOPIC", Tags: []api.Tag{{Key: "k"}}})
			if err != nil || len(tags) != 250 {
				t.Errorf("%d tags, %v", len(tags), err)
			}
		}
	})
}

// pages answers GetTopicList with canned pages, the last one for ever.
type pages []string

func (p *pages) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	_, _ = rec.WriteString((*p)[0])
	if len(*p) > 1 {
		*p = (*p)[1:]
	}
	resp := rec.Result()
	resp.Request = req
	return resp, nil
}

func TestListingsThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	a, b := `{"Total":%d,"TopicList":[{"Topic":"a"}]}`, `{"Total":%d,"TopicList":[{"Topic":"b"}]}`
	for name, tc := range map[string]struct {
		pages pages
		got   int
		err   string
	}{
		"pages that go round":                {pages{fmt.Sprintf(a, 5)}, 0, "1 of 5"},
		"an item that is listed twice":       {pages{`{"Total":2,"TopicList":[{"Topic":"a"},{"Topic":"a"}]}`}, 1, ""},
		"a total that is too small":          {pages{fmt.Sprintf(a, 0)}, 1, ""},
		"a total that changes, then settles": {pages{fmt.Sprintf(a, 2), fmt.Sprintf(b, 3), fmt.Sprintf(a, 2), fmt.Sprintf(b, 2)}, 2, ""},
		"a total that always changes": {pages{
			fmt.Sprintf(a, 3), fmt.Sprintf(b, 4), fmt.Sprintf(a, 5), fmt.Sprintf(b, 6), fmt.Sprintf(a, 7), fmt.Sprintf(b, 8),
		}, 0, "2 items, and more"},
		"no total":  {pages{`{"TopicList":[{"Topic":"a"}]}`}, 1, ""},
		"no topics": {pages{`{"Total":0,"TopicList":[]}`}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := client(t, &tc.pages, nil)
			topics, err := api.ListTopics(t.Context(), c, api.GetTopicList{RegionID: "cn-hangzhou", InstanceID: "i"})
			if tc.err == "" && (err != nil || len(topics) != tc.got) {
				t.Errorf("%d topics, %v", len(topics), err)
			}
			var incomplete *api.IncompleteError
			if tc.err != "" && (!errors.As(err, &incomplete) || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("%d topics, %v; want %s", len(topics), err, tc.err)
			}
		})
	}
}

func TestPasswordsInRepliesAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := client(t, cloud(t, sim.Options{}), nil)
		r, err := api.Call(t.Context(), c, api.DescribeSaslUsers{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-1"})
		if err != nil || len(r.Users) != 1 || r.Users[0].Username != "alice" {
			t.Fatalf("%+v, %v", r, err)
		}
		if s := fmt.Sprintf("%#v", r); strings.Contains(s, "hunter2") {
			t.Errorf("the password was kept: %s", s)
		}
	})
}

func TestTemporaryCredentialsSendTheirToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := cloud(t, sim.Options{})
		if err := server.SetKey("main", sim.Key{ID: "STS.id", Secret: "s", Token: "token"}); err != nil {
			t.Fatal(err)
		}
		for token, ok := range map[string]bool{"token": true, "other": false, "": false} {
			c, _ := client(t, server, func(o *api.Options) {
				o.Credentials = fixed{ID: "STS.id", Secret: secret.New("s"), Token: secret.New(token)}
			})
			if _, err := api.Call(t.Context(), c, instances); (err == nil) != ok {
				t.Errorf("token %q: %v", token, err)
			}
		}
	})
}

func TestAPrepaidSlotIsUsedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := api.RateLimits{Share: 1, Scope: "account", Default: 1, PerSourceIP: 100}
		c, attempts := client(t, cloud(t, sim.Options{}), func(o *api.Options) { o.Limiter = api.NewLimiter(limits, api.NewSourceLimit(100)) })
		ctx, err := c.WaitSlot(t.Context(), "GetInstanceList", "")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 2 {
			if _, err := api.Call(ctx, c, instances); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(start); waited < time.Second || waited > 1100*time.Millisecond {
			t.Errorf("two calls, one of them prepaid, took %v; attempts %+v", waited, *attempts)
		}
	})
}
