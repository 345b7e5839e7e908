package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
)

// TestStaticKey also shows that white space around a key is dropped.
func TestStaticKey(t *testing.T) {
	t.Parallel()
	c := api.CredentialsConfig{AccessKeyID: "LTAI-1", AccessKeySecret: secret.New("one\n"), SecurityToken: secret.New(" token ")}
	wantKey(t, credentials(t, c), "LTAI-1", "one", "token")
}

// TestWrongSections is about New; the mistakes themselves are Validate's.
func TestWrongSections(t *testing.T) {
	t.Parallel()
	for _, c := range []api.CredentialsConfig{
		{Provider: "vault"},
		{Provider: "static", AccessKeyID: "LTAI-1"},
		{Provider: "files"},
		{Provider: "oidc_role_arn", RoleARN: "acs:ram::1:role/watch"},
	} {
		if _, err := c.New(); err == nil || err.Error() != c.Validate().Error() {
			t.Errorf("%s: got %v, want what Validate says", c.Way(), err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI-1")
	usual := credentials(t, api.CredentialsConfig{Provider: "environment"})
	wantError(t, usual, "environment: ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set")
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "one\n")
	wantKey(t, usual, "LTAI-1", "one", "")
	t.Setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "token")
	wantKey(t, usual, "LTAI-1", "one", "token")
	wantKey(t, credentials(t, api.CredentialsConfig{}), "LTAI-1", "one", "token") // the chain begins with it

	named := api.CredentialsConfig{AccessKeyIDEnv: "WATCH_ID", AccessKeySecretEnv: "WATCH_SECRET"}
	wantError(t, credentials(t, named), "environment: WATCH_ID is not set")
	t.Setenv("WATCH_ID", "LTAI-2")
	t.Setenv("WATCH_SECRET", "two")
	wantKey(t, credentials(t, named), "LTAI-2", "two", "") // not the other key's token
	named.SecurityTokenEnv = "WATCH_TOKEN"
	t.Setenv("WATCH_TOKEN", "token-2")
	wantKey(t, credentials(t, named), "LTAI-2", "two", "token-2")
}

// keyFiles are the files of one key. Their content is set by name.
type keyFiles struct {
	t   *testing.T
	dir string
}

func (f keyFiles) write(name, content string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f keyFiles) remove(name string) {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
}

func (f keyFiles) credentials(token bool) api.Credentials {
	f.t.Helper()
	c := api.CredentialsConfig{AccessKeyIDFile: filepath.Join(f.dir, "id"), AccessKeySecretFile: filepath.Join(f.dir, "secret")}
	if token {
		c.SecurityTokenFile = filepath.Join(f.dir, "token")
	}
	return credentials(f.t, c)
}

// TestFilesRotate runs timelines: what is written, how much later the key is
// asked for, and which of the keys id-N, secret-N it is.
func TestFilesRotate(t *testing.T) {
	t.Parallel()
	type step struct {
		files map[string]string // content by name; "-" removes the file
		after time.Duration
		want  string
	}
	pair := func(n string) map[string]string {
		return map[string]string{"id": "id-" + n, "secret": "secret-" + n + "\n"}
	}
	for name, steps := range map[string][]step{
		"both files at once are taken when they have been quiet": {
			{pair("1"), 0, "1"},
			{nil, time.Minute, "1"},
			{pair("22"), 0, "1"},
			{nil, 4 * time.Second, "1"},
			{nil, time.Second, "22"},
		},
		"one after the other is never a mixture": {
			{pair("1"), 0, "1"},
			{nil, time.Minute, "1"},
			{map[string]string{"id": "id-22"}, 0, "1"},
			{nil, 30 * time.Second, "1"},
			{map[string]string{"secret": "secret-22"}, 0, "1"},
			{nil, 5 * time.Second, "22"},
		},
		"a corrected secret is taken, but late": {
			{map[string]string{"id": "id-22", "secret": "typo"}, 0, "id-22 typo"},
			{map[string]string{"secret": "secret-22"}, 59 * time.Second, "id-22 typo"},
			{nil, 59 * time.Second, "id-22 typo"}, // since it was seen, not since it was written
			{nil, time.Second, "22"},
		},
		"a key that was half written at the first look": {
			{map[string]string{"id": "id-1", "secret": "secr"}, 0, "id-1 secr"},
			{map[string]string{"secret": "secret-1"}, time.Second, "1"},
		},
		"an emptied file": {
			{pair("1"), 0, "1"},
			{nil, time.Minute, "1"},
			{map[string]string{"secret": "", "id": "id-22"}, time.Hour, "1"},
			{map[string]string{"secret": "secret-22"}, 0, "1"},
			{nil, 5 * time.Second, "22"},
		},
		"a removed file": {
			{pair("1"), 0, "1"},
			{nil, time.Minute, "1"},
			{map[string]string{"id": "-"}, time.Hour, "1"},
			{pair("22"), 0, "1"},
			{nil, 5 * time.Second, "22"},
		},
		"a change that is taken back": {
			{pair("1"), 0, "1"},
			{nil, time.Minute, "1"},
			{map[string]string{"secret": "-"}, time.Second, "1"},
			{map[string]string{"secret": "secret-1"}, time.Hour, "1"},
		},
		"writing without end": {
			{pair("1"), 0, "1"},
			{nil, time.Minute, "1"},
			{pair("22"), 4 * time.Second, "1"},
			{pair("333"), 4 * time.Second, "1"},
			{pair("4444"), 4 * time.Second, "1"},
			{nil, 5 * time.Second, "4444"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := keyFiles{t, t.TempDir()}
			synctest.Test(t, func(t *testing.T) {
				c := files.credentials(false)
				for i, s := range steps {
					for _, name := range slices.Sorted(maps.Keys(s.files)) {
						if content := s.files[name]; content == "-" {
							files.remove(name)
						} else {
							files.write(name, content)
						}
					}
					time.Sleep(s.after)
					k, err := c.Key(t.Context())
					got := k.ID + " " + k.Secret.Reveal()
					if want := s.want; err != nil || got != want && got != "id-"+want+" secret-"+want {
						t.Errorf("step %d: got %s, %v; want %s", i, got, err, want)
					}
				}
			})
		})
	}
}

// TestMountedSecret turns the link that Kubernetes turns when a mounted Secret
// changes: all files change in one instant.
func TestMountedSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mount := func(n string) {
		t.Helper()
		data := filepath.Join(dir, "..data-"+n)
		check(t, os.Mkdir(data, 0o700))
		for _, name := range []string{"id", "secret", "token"} {
			keyFiles{t, data}.write(name, name+"-"+n)
		}
		check(t, os.Symlink(filepath.Base(data), filepath.Join(dir, "..data_tmp")))
		check(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	mount("1")
	for _, name := range []string{"id", "secret", "token"} {
		check(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
	}
	synctest.Test(t, func(t *testing.T) {
		c := keyFiles{t, dir}.credentials(true)
		wantKey(t, c, "id-1", "secret-1", "token-1")
		time.Sleep(time.Minute)
		mount("2")
		check(t, os.RemoveAll(filepath.Join(dir, "..data-1")))
		wantKey(t, c, "id-1", "secret-1", "token-1")
		time.Sleep(5 * time.Second)
		wantKey(t, c, "id-2", "secret-2", "token-2")
	})
}

// TestFilesWithoutKey is about files that never held one.
func TestFilesWithoutKey(t *testing.T) {
	t.Parallel()
	files := keyFiles{t, t.TempDir()}
	c := files.credentials(true)
	_, err := c.Key(t.Context())
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "files: access_key_id_file: ") {
		t.Errorf("got %v, want the missing file", err)
	}
	files.write("id", "id-1")
	files.write("secret", " \n")
	files.write("token", strings.Repeat("x", 100_000))
	wantError(t, c, "token has 100000 bytes, which no part of a key has")
	files.write("token", "token")
	wantError(t, c, "files: access_key_secret_file: "+files.dir+"/secret is empty")
	files.write("secret", "secret-1")
	wantKey(t, c, "id-1", "secret-1", "token")

	check(t, os.Mkdir(filepath.Join(files.dir, "d"), 0o700))
	dir := api.CredentialsConfig{AccessKeyIDFile: filepath.Join(files.dir, "d"), AccessKeySecretFile: filepath.Join(files.dir, "secret")}
	wantError(t, credentials(t, dir), "is not a regular file")
}

// TestFilesAtOnce has many callers while the files change; it is the race
// detector's.
func TestFilesAtOnce(t *testing.T) {
	t.Parallel()
	files := keyFiles{t, t.TempDir()}
	files.write("id", "id-0")
	files.write("secret", "secret-0")
	c := files.credentials(false)
	wantKey(t, c, "id-0", "secret-0", "")
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if k, err := c.Key(t.Context()); err != nil || k.ID == "" || k.Secret.IsZero() {
					t.Errorf("got %+v, %v", k, err)
					return
				}
			}
		})
	}
	for i := range short.Of(200) {
		files.write("id", fmt.Sprint("id-", i))
		files.write("secret", fmt.Sprint("secret-", i))
	}
	close(done)
	wg.Wait()
}

// sts is an STS on loopback. The library insists on https and has no other
// way to be led there, so its process-wide transport trusts the certificate of
// httptest, which is the same for all servers.
//
// Who asks it is in a bubble, whose clock stands while a request is on the
// wire. By the clock of the machine the library waits for some seconds, for the
// metadata service for two, and on a busy machine they may pass before anybody
// has his turn. The servers are outside the bubble. They close their
// connections, since an open one would keep the clock from going on.
type sts struct {
	*httptest.Server

	mu       sync.Mutex
	requests []url.Values
}

// host is what goes into sts_endpoint.
func (s *sts) host() string { return s.Listener.Addr().String() }

func (s *sts) seen() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// newSTS starts an STS that answers with the status and body that answer
// returns for the n-th request.
func newSTS(t *testing.T, answer func(n int, r *http.Request) (int, string)) *sts {
	t.Helper()
	s := &sts{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.mu.Lock()
		s.requests = append(s.requests, r.Form)
		n := len(s.requests)
		s.mu.Unlock()
		status, body := answer(n, r)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	s.Config.SetKeepAlivesEnabled(false) // the library uses no connection twice, nor does it close one
	s.StartTLS()
	t.Cleanup(s.Close)
	surroundings()
	return s
}

// newMetadata starts a server of keys that is no STS.
func newMetadata(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.SetKeepAlivesEnabled(false)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

// metadata is where requests to the metadata service of ECS go: an address on
// which nobody listens, unless a test sets another.
var metadata atomic.Pointer[url.URL]

// surroundings prepares the transport that the library takes its settings
// from. Its metadata address is fixed, but it asks the transport for a proxy.
var surroundings = sync.OnceFunc(func() {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	transport := http.DefaultTransport.(*http.Transport) //nolint:forbidigo // the library's
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	metadata.Store(&url.URL{Scheme: "http", Host: nobodyListens})
	transport.Proxy = func(r *http.Request) (*url.URL, error) {
		if r.URL.Hostname() == "100.100.100.200" {
			return metadata.Load(), nil
		}
		return nil, nil
	}
})

// session is the answer with temporary key N.
func session(n int, end time.Time) string {
	return fmt.Sprintf(`{"RequestId":"1","Credentials":{"AccessKeyId":"STS-%d","AccessKeySecret":"secret-%d","SecurityToken":"token-%d","Expiration":%q}}`,
		n, n, n, end.UTC().Format(time.RFC3339))
}

// hour answers with a key that lives an hour by the clock of who asks.
func hour(n int, r *http.Request) (int, string) {
	now, _ := time.Parse(time.RFC3339, r.Form.Get("Timestamp"))
	return http.StatusOK, session(n, now.Add(time.Hour))
}

// TestAssumedRole assumes a role with each kind of key, and checks what STS
// gets, the signature included.
func TestAssumedRole(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI-1")
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "one")
	files := keyFiles{t, t.TempDir()}
	files.write("id", "LTAI-1")
	files.write("secret", "one")
	files.write("token", "base-token")
	for name, c := range map[string]api.CredentialsConfig{
		"with a static key":           {AccessKeyID: "LTAI-1", AccessKeySecret: secret.New("one")},
		"with the usual variables":    {},
		"with variables of its own":   {AccessKeyIDEnv: "ALIBABA_CLOUD_ACCESS_KEY_ID", AccessKeySecretEnv: "ALIBABA_CLOUD_ACCESS_KEY_SECRET"},
		"with a temporary static key": {AccessKeyID: "LTAI-1", AccessKeySecret: secret.New("one"), SecurityToken: secret.New("base-token")},
		"with files": {
			AccessKeyIDFile: filepath.Join(files.dir, "id"), AccessKeySecretFile: filepath.Join(files.dir, "secret"),
			SecurityTokenFile: filepath.Join(files.dir, "token"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSTS(t, hour)
			c.RoleARN, c.STSEndpoint = "acs:ram::1:role/watch", s.host()
			c.ExternalID, c.Policy, c.RoleSessionName = "~ext ern*al", `{"Version":"1"}`, "me"
			synctest.Test(t, func(t *testing.T) {
				cs := credentials(t, c)
				wantKey(t, cs, "STS-1", "secret-1", "token-1")
				wantKey(t, cs, "STS-1", "secret-1", "token-1")
			})
			if len(s.seen()) != 1 {
				t.Fatalf("STS was asked %d times", len(s.seen()))
			}
			got := map[string]string{}
			for k, v := range s.seen()[0] {
				got[k] = v[0]
			}
			signature := got["Signature"]
			delete(got, "Signature")
			if _, _, want := api.SignForTest(http.MethodPost, got, "one"); signature != want {
				t.Errorf("signature %s, want %s", signature, want)
			}
			want := map[string]string{
				"Action": "AssumeRole", "AccessKeyId": "LTAI-1", "RoleArn": c.RoleARN, "RoleSessionName": "me",
				"ExternalId": c.ExternalID, "Policy": c.Policy,
			}
			if c.SecurityTokenFile != "" || !c.SecurityToken.IsZero() {
				want["SecurityToken"] = "base-token"
			}
			for k, v := range want {
				if got[k] != v {
					t.Errorf("%s is %q, want %q", k, got[k], v)
				}
			}
		})
	}
}

// TestRoleWithoutBaseKey tells what the base key lacks, before STS is asked.
func TestRoleWithoutBaseKey(t *testing.T) {
	clearEnvironment(t)
	wantError(t, credentials(t, api.CredentialsConfig{RoleARN: "acs:ram::1:role/watch"}),
		"ram_role_arn acs:ram::1:role/watch: environment: ALIBABA_CLOUD_ACCESS_KEY_ID is not set")
}

// TestOIDCRole goes through the section and through the variables that ACK
// gives a pod (RRSA).
func TestOIDCRole(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	check(t, os.WriteFile(token, []byte("a.jwt.1"), 0o600))
	section := api.CredentialsConfig{RoleARN: "acs:ram::1:role/watch", OIDCProviderARN: "acs:ram::1:oidc-provider/ack", OIDCTokenFile: token}
	for name, chain := range map[string]bool{"section": false, "variables": true} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			s := newSTS(t, hour)
			c := section
			c.STSEndpoint = s.host()
			if chain {
				c = api.CredentialsConfig{}
				t.Setenv("ALIBABA_CLOUD_ROLE_ARN", section.RoleARN)
				t.Setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", section.OIDCProviderARN)
				t.Setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token)
				t.Setenv("ALIBABA_CLOUD_STS_ENDPOINT", "https://"+s.host()+"/")
			}
			synctest.Test(t, func(t *testing.T) { wantKey(t, credentials(t, c), "STS-1", "secret-1", "token-1") })
			for k, want := range map[string]string{
				"Action": "AssumeRoleWithOIDC", "RoleArn": section.RoleARN, "OIDCProviderArn": section.OIDCProviderARN,
				"OIDCToken": "a.jwt.1", "RoleSessionName": "alikafka-exporter", "AccessKeyId": "",
			} {
				if got := s.seen()[0].Get(k); got != want {
					t.Errorf("%s is %q, want %q", k, got, want)
				}
			}
		})
	}
	t.Run("a variable that would win", func(t *testing.T) {
		clearEnvironment(t)
		t.Setenv("ALIBABA_CLOUD_OIDC_TOKEN", "canary")
		_, err := section.New()
		if err == nil || !strings.Contains(err.Error(), "ALIBABA_CLOUD_OIDC_TOKEN is set") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no token file", func(t *testing.T) {
		clearEnvironment(t)
		c := section
		c.OIDCTokenFile = filepath.Join(t.TempDir(), "token")
		wantError(t, credentials(t, c), "oidc_role_arn acs:ram::1:role/watch: no "+c.OIDCTokenFile)
	})
}

// TestSession follows a temporary key through its life and beyond: when STS
// is asked, and which key serves while it cannot answer.
func TestSession(t *testing.T) {
	clearEnvironment(t)
	broken := atomic.Bool{}
	s := newSTS(t, func(n int, r *http.Request) (int, string) {
		if broken.Load() {
			return http.StatusServiceUnavailable, `{"Code":"ServiceUnavailable","Message":"later","RequestId":"1"}`
		}
		return hour(n, r)
	})
	synctest.Test(t, func(t *testing.T) {
		c := credentials(t, api.CredentialsConfig{
			AccessKeyID: "LTAI-1", AccessKeySecret: secret.New("one"), RoleARN: "acs:ram::1:role/watch", STSEndpoint: s.host(),
		})
		// Keys are exchanged in the background.
		start := time.Now()
		until := func(end, every time.Duration, want string) {
			t.Helper()
			for ; time.Since(start) < end; time.Sleep(every) {
				if k, err := c.Key(t.Context()); err != nil || want != "either" && k.ID != "STS-"+want {
					t.Fatalf("after %s: got %s, %v; want key %s", time.Since(start), k.ID, err, want)
				}
			}
		}
		until(57*time.Minute, 20*time.Second, "1")
		until(58*time.Minute, time.Second, "either")
		until(113*time.Minute, 20*time.Second, "2")
		if n := len(s.seen()); n != 2 {
			t.Errorf("STS was asked %d times for two keys", n)
		}

		// STS fails from here on; the library notices in the last three minutes
		// of the second key.
		broken.Store(true)
		until(116*time.Minute, time.Second, "2")
		if n := len(s.seen()) - 2; n < 5 || n > 13 {
			t.Errorf("STS was asked %d times within the two minutes in which it failed", n)
		}
		time.Sleep(time.Minute)
		wantError(t, c, "ram_role_arn acs:ram::1:role/watch: ServiceUnavailable: later (RequestId 1)")
		asked := len(s.seen())
		wantError(t, c, "ServiceUnavailable")
		if len(s.seen()) != asked {
			t.Error("STS was asked again at once")
		}
		broken.Store(false)
		time.Sleep(10 * time.Second)
		k, err := c.Key(t.Context())
		if err != nil || !strings.HasPrefix(k.ID, "STS-") || k.ID == "STS-2" {
			t.Errorf("got %v, %v after STS came back", k, err)
		}
	})
}

// TestWaitingForSTS has many callers whose context ends while STS is silent.
// They share one request, and those who come after its answer get the key.
func TestWaitingForSTS(t *testing.T) {
	clearEnvironment(t)
	answer, arrived := make(chan struct{}), make(chan struct{}, 10)
	s := newSTS(t, func(n int, r *http.Request) (int, string) {
		arrived <- struct{}{}
		<-answer
		return hour(n, r)
	})
	synctest.Test(t, func(t *testing.T) {
		c := credentials(t, api.CredentialsConfig{
			AccessKeyID: "LTAI-1", AccessKeySecret: secret.New("one"), RoleARN: "acs:ram::1:role/watch", STSEndpoint: s.host(),
		})
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		for range 50 {
			go func() {
				_, err := c.Key(ctx)
				gone <- err
			}()
		}
		<-arrived
		cancel()
		for range 50 {
			if err := <-gone; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "ram_role_arn acs:ram::1:role/watch") {
				t.Errorf("got %v", err)
			}
		}
		close(answer)
		wantKey(t, c, "STS-1", "secret-1", "token-1")
	})
	if n := len(s.seen()); n != 1 {
		t.Errorf("STS was asked %d times", n)
	}
}

// TestInstanceRole plays the metadata service of an ECS instance, by session
// and without.
func TestInstanceRole(t *testing.T) {
	clearEnvironment(t)
	surroundings()
	var sessions, roles atomic.Bool
	sessions.Store(true)
	roles.Store(true)
	server := newMetadata(t, func(w http.ResponseWriter, r *http.Request) {
		const path = "/latest/meta-data/ram/security-credentials/"
		switch {
		case r.Method == http.MethodPut && sessions.Load():
			_, _ = w.Write([]byte("metadata-token"))
		case r.Method == http.MethodPut, sessions.Load() && r.Header.Get("X-Aliyun-Ecs-Metadata-Token") != "metadata-token", !roles.Load():
			http.Error(w, "<html>canary", http.StatusNotFound)
		case r.URL.Path == path:
			_, _ = w.Write([]byte("node-role\n"))
		case r.URL.Path == path+"node-role":
			fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"STS-1","AccessKeySecret":"secret-1","SecurityToken":"token-1","Expiration":%q}`,
				time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		default:
			http.Error(w, "<html>canary", http.StatusNotFound)
		}
	})
	address, _ := url.Parse(server.URL)
	defer metadata.Store(metadata.Swap(address))

	ask := api.CredentialsConfig{Provider: "ecs_ram_role"}
	synctest.Test(t, func(t *testing.T) {
		wantKey(t, credentials(t, ask), "STS-1", "secret-1", "token-1")
		wantKey(t, credentials(t, api.CredentialsConfig{RoleName: "node-role"}), "STS-1", "secret-1", "token-1")
		wantError(t, credentials(t, api.CredentialsConfig{RoleName: "other"}), "ecs_ram_role other: refresh Ecs sts token err, httpStatus: 404")
		sessions.Store(false)
		wantKey(t, credentials(t, ask), "STS-1", "secret-1", "token-1")
		wantKey(t, credentials(t, api.CredentialsConfig{}), "STS-1", "secret-1", "token-1") // the end of the chain
		roles.Store(false)
		wantError(t, credentials(t, ask), "ecs_ram_role: get role name: GET URL 404")
	})
	t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
	if _, err := ask.New(); err == nil || !strings.Contains(err.Error(), "ecs_ram_role: ") {
		t.Errorf("got %v", err)
	}
}

// behindProxy makes a process the child of the test below.
const behindProxy = "ALIKAFKA_TEST_BEHIND_PROXY"

// TestInstanceRoleBehindProxy runs in a process of its own: the variables of
// the proxy are read once.
func TestInstanceRoleBehindProxy(t *testing.T) {
	if want := os.Getenv(behindProxy); want != "" {
		_, err := api.CredentialsConfig{Provider: "ecs_ram_role"}.New()
		if got := strconv.FormatBool(err != nil); got != want {
			t.Errorf("refused: %s (%v), want %s", got, err, want)
		}
		return
	}
	t.Parallel()
	for proxies, refused := range map[string]string{
		"HTTP_PROXY=http://proxy:3128 NO_PROXY=":                "true",
		"HTTP_PROXY=http://proxy:3128 NO_PROXY=100.100.100.200": "false",
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestInstanceRoleBehindProxy$")
		cmd.Env = append(strings.Fields(proxies), behindProxy+"="+refused, "GORACE=atexit_sleep_ms=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", proxies, err, out)
		}
	}
}

// TestChain goes through what a machine may have. The library's own chain
// would stay with the last way it tried.
func TestChain(t *testing.T) {
	clearEnvironment(t)
	surroundings()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/watch")
	synctest.Test(t, func(t *testing.T) {
		c := credentials(t, api.CredentialsConfig{})
		wantError(t, c, "chain: no key: environment: no ALIBABA_CLOUD_ACCESS_KEY_ID; oidc_role_arn: no ALIBABA_CLOUD_OIDC_PROVIDER_ARN; "+
			"cli_profile: no "+home+"/.aliyun/config.json; profile: no "+home+"/.alibabacloud/credentials; ecs_ram_role: ")

		check(t, os.Mkdir(filepath.Join(home, ".aliyun"), 0o700))
		cli := keyFiles{t, filepath.Join(home, ".aliyun")}
		cli.write("config.json", `{"current":"default","profiles":[{"name":"default","mode":"AK","access_key_id":"LTAI-1"}]}`)
		time.Sleep(10 * time.Second)
		wantError(t, c, "cli_profile: the access key secret is empty; ")
		cli.write("config.json", `{"current":"default","profiles":[{"name":"default","mode":"AK","access_key_id":"LTAI-1","access_key_secret":"one"}]}`)
		time.Sleep(10 * time.Second)
		wantKey(t, c, "LTAI-1", "one", "")
		cli.remove("config.json")
		time.Sleep(time.Hour)
		wantKey(t, c, "LTAI-1", "one", "")
	})

	check(t, os.Mkdir(filepath.Join(home, ".alibabacloud"), 0o700))
	keyFiles{t, filepath.Join(home, ".alibabacloud")}.write("credentials",
		"[default]\ntype = access_key\naccess_key_id = LTAI-2\naccess_key_secret = two\n")
	wantKey(t, credentials(t, api.CredentialsConfig{}), "LTAI-2", "two", "")
	t.Setenv("ALIBABA_CLOUD_PROFILE", "nobody")

	server := newMetadata(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"AccessKeyId":"LTAI-3","AccessKeySecret":"three","SecurityToken":"token","Expiration":%q}`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	})
	t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", server.URL)
	synctest.Test(t, func(t *testing.T) { wantKey(t, credentials(t, api.CredentialsConfig{}), "LTAI-3", "three", "token") })
}

// TestChainKeepsItsIdentity: the variables say who to be. That the metadata
// service would offer somebody else does not matter when STS fails.
func TestChainKeepsItsIdentity(t *testing.T) {
	clearEnvironment(t)
	s := newSTS(t, func(int, *http.Request) (int, string) {
		return http.StatusForbidden, `{"Code":"AuthenticationFail.OIDCToken.Expired","Message":"old","RequestId":"1"}`
	})
	asked := atomic.Bool{}
	server := newMetadata(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	address, _ := url.Parse(server.URL)
	defer metadata.Store(metadata.Swap(address))
	t.Setenv("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/watch")
	t.Setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/ack")
	t.Setenv("ALIBABA_CLOUD_OIDC_TOKEN", "a.jwt.1")
	t.Setenv("ALIBABA_CLOUD_STS_ENDPOINT", s.host())
	synctest.Test(t, func(t *testing.T) {
		wantError(t, credentials(t, api.CredentialsConfig{}),
			"oidc_role_arn acs:ram::1:role/watch: AuthenticationFail.OIDCToken.Expired: old (RequestId 1)")
	})
	if asked.Load() {
		t.Error("the metadata service was asked")
	}
}

// TestDebugOutput: with that variable the library prints headers, and with
// them tokens.
func TestDebugOutput(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("DEBUG", "sdk,credential")
	if _, err := (api.CredentialsConfig{Provider: "ecs_ram_role"}).New(); err == nil || !strings.Contains(err.Error(), "DEBUG") {
		t.Errorf("got %v", err)
	}
	credentials(t, api.CredentialsConfig{AccessKeyID: "LTAI-1", AccessKeySecret: secret.New("one")})
}

// TestNoSecretIsTold has everything fail that can, with secrets wherever
// something might repeat them.
func TestNoSecretIsTold(t *testing.T) {
	const (
		canary = "canary0123456789abcdefghijkl" // as long as a secret
		token  = "CAISlongcanarytoken0123456789abcdefghijklmnopqrstuvwxyz=="
	)
	home := t.TempDir()
	check(t, os.Mkdir(filepath.Join(home, ".aliyun"), 0o700))
	cli := filepath.Join(home, ".aliyun", "config.json")
	oidc := filepath.Join(home, "token")
	check(t, os.WriteFile(oidc, []byte(token), 0o600))
	role := api.CredentialsConfig{
		AccessKeyID: "LTAI-1", AccessKeySecret: secret.New(canary), SecurityToken: secret.New(token), RoleARN: "acs:ram::1:role/watch",
	}
	pod := api.CredentialsConfig{RoleARN: "acs:ram::1:role/watch", OIDCProviderARN: "acs:ram::1:oidc-provider/ack", OIDCTokenFile: oidc}
	echo := func(_ int, r *http.Request) (int, string) {
		return http.StatusBadRequest, `{"Code":"SignatureDoesNotMatch","RequestId":"0A","Message":"Specified signature is not matched with our calculation. ` +
			`server string to sign is:POST&%2F&` + url.QueryEscape(r.Form.Encode()) + canary + `"}`
	}
	say := func(status int, body string) func(int, *http.Request) (int, string) {
		return func(int, *http.Request) (int, string) { return status, body }
	}
	for name, test := range map[string]struct {
		config api.CredentialsConfig
		answer func(int, *http.Request) (int, string)
		cli    string
		want   string
	}{
		"STS repeats the request":      {role, echo, "", "SignatureDoesNotMatch: Specified signature is not matched with our calculation. (RequestId 0A)"},
		"STS repeats the token":        {pod, say(400, `{"Code":"Bad","Message":"token `+token+` is bad"}`), "", "Bad: token … is bad"},
		"a gateway's page":             {role, say(502, "<html>"+canary), "", "refresh session token failed"},
		"a page where a key should be": {pod, say(200, canary), "", "json.Unmarshal fail: invalid character"},
		"half of a key":                {role, say(200, `{"Credentials":{"AccessKeySecret":"`+canary+`"}}`), "", "fail to get credentials"},
		"an empty key":                 {role, say(200, `{"Credentials":{"AccessKeyId":"","AccessKeySecret":"`+canary+`","SecurityToken":"t","Expiration":"2099-01-01T00:00:00Z"}}`), "", "the answer has no key"},
		"a key without an end":         {role, say(200, `{"Credentials":{"AccessKeyId":"x","AccessKeySecret":"`+canary+`","SecurityToken":"t"}}`), "", "lacks a field"},
		"nobody answers":               {role, nil, "", "connection refused"},
		"nobody answers the pod":       {pod, nil, "", "connection refused"},
		"a file that is no profile":    {api.CredentialsConfig{}, nil, "access_key_secret: " + canary, "cli_profile: unmarshal aliyun cli config from '" + cli + "' failed; profile: "},
		"a profile that starts a program": {
			api.CredentialsConfig{},
			nil, `{"current":"x","profiles":[{"name":"x","mode":"External","process_command":"sh -c 'echo ` + canary + ` >&2; exit 3'"}]}`,
			"cli_profile: failed to execute external command: exit status 3; ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			surroundings()
			t.Setenv("HOME", home)
			check(t, os.WriteFile(cli, []byte(test.cli), 0o600))
			if test.config.RoleARN != "" {
				test.config.STSEndpoint = nobodyListens
			}
			if test.answer != nil {
				test.config.STSEndpoint = newSTS(t, test.answer).host()
			}
			var c api.Credentials
			var err, failure error
			synctest.Test(t, func(t *testing.T) {
				c = credentials(t, test.config)
				_, err = c.Key(t.Context())
				limiter := api.NewLimiter(api.DefaultRateLimits(), api.NewSourceLimit(100))
				client, _ := api.NewClient(api.Options{Account: "a", Credentials: c, Limiter: limiter})
				_, failure = client.Do(t.Context(), api.Raw{Action: "GetInstanceList", RegionID: "cn-hangzhou"})
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got  %v\nwant %s", err, test.want)
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				told := fmt.Sprintf(verb, []any{err, failure, c, test.config})
				for _, s := range []string{"canary", fmt.Sprintf("%x", "canary")} {
					if strings.Contains(told, s) {
						t.Errorf("%s tells a secret: %s", verb, told)
					}
				}
			}
		})
	}
}

// TestCredentialsPrintNoSecret is about credentials that hold a key, in a
// field that fmt does not ask how it wants to be printed.
func TestCredentialsPrintNoSecret(t *testing.T) {
	clearEnvironment(t)
	s := newSTS(t, hour)
	files := keyFiles{t, t.TempDir()}
	files.write("id", "LTAI-1")
	files.write("secret", "secret-1")
	for want, c := range map[string]api.Credentials{
		"static": credentials(t, api.CredentialsConfig{AccessKeyID: "LTAI-1", AccessKeySecret: secret.New("secret-1")}),
		"files":  files.credentials(false),
		"ram_role_arn acs:ram::1:role/watch": credentials(t, api.CredentialsConfig{
			AccessKeyID: "LTAI-1", AccessKeySecret: secret.New("secret-1"), RoleARN: "acs:ram::1:role/watch", STSEndpoint: s.host(),
		}),
	} {
		synctest.Test(t, func(t *testing.T) {
			if _, err := c.Key(t.Context()); err != nil {
				t.Error(err)
			}
		})
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if got := fmt.Sprintf(verb, c); got != want {
				t.Errorf("%s prints %s, want %s", verb, got, want)
			}
		}
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			if got := fmt.Sprintf(verb, struct{ c api.Credentials }{c}); strings.Contains(got, "secret-1") {
				t.Errorf("%s of what holds it prints %s", verb, got)
			}
		}
	}
}

func credentials(t *testing.T, c api.CredentialsConfig) api.Credentials {
	t.Helper()
	cs, err := c.New()
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

func wantKey(t *testing.T, c api.Credentials, id, value, token string) {
	t.Helper()
	k, err := c.Key(t.Context())
	if err != nil || k.ID != id || k.Secret.Reveal() != value || k.Token.Reveal() != token {
		t.Errorf("got %s %s %s, %v; want %s %s %s", k.ID, k.Secret.Reveal(), k.Token.Reveal(), err, id, value, token)
	}
}

func wantError(t *testing.T, c api.Credentials, want string) {
	t.Helper()
	if k, err := c.Key(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v, %v\nwant %s", k, err, want)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clearEnvironment takes away every variable that names credentials, and the
// home directory with its profiles.
func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "ALIBABA_CLOUD_") || name == "DEBUG" {
			t.Setenv(name, "")
		}
	}
	t.Setenv("HOME", t.TempDir())
}
