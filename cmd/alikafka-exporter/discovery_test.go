package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// newTestApp makes an exporter of a simulated cloud with one instance. Nothing
// polls until the current life is started.
func newTestApp(t *testing.T, args ...string) *app {
	t.Helper()
	cloud, err := sim.New(sim.Options{Limits: sim.Limits{Default: -1}, World: &sim.World{Accounts: []sim.Account{{Instances: []sim.Instance{{ID: "alikafka_1", Name: "one", RegionID: "cn-hangzhou"}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	parser := kingpin.New("test", "")
	cmd := parser.Command("serve", "")
	flags := addWebFlags(cmd, "127.0.0.1:0")
	if _, err := parser.Parse(append([]string{"serve"}, args...)); err != nil {
		t.Fatal(err)
	}
	account := collector.DefaultAccountConfig()
	account.Name, account.Regions, account.Endpoints = "main", []string{"cn-hangzhou"}, map[string]string{"cn-hangzhou": server.URL}
	account.Credentials = api.CredentialsConfig{AccessKeyID: "testid", AccessKeySecret: secret.New("testsecret")}
	c := config.Default()
	c.Accounts, c.RateLimits.Default = []collector.AccountConfig{account}, 100
	a, err := newApp(t.Context(), slog.New(slog.DiscardHandler), flags, &storage{}, func() (*config.Config, error) { return c, nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, l := range a.listeners {
			_ = l.Close()
		}
	})
	return a
}

// startPolling begins the current life and waits until its instance is known:
// an exporter is ready after half a minute even where the machine was too busy
// to ask for anything.
func startPolling(t *testing.T, a *app) {
	t.Helper()
	l := a.current.Load()
	l.start(t.Context(), a.log)
	t.Cleanup(func() {
		l.cancel()
		<-l.done
	})
	<-l.collector.Ready()
	if !eventually(patience(t), func() bool { return l.collector.HasInstance("alikafka_1") }) {
		t.Fatal("the instance is not known")
	}
}

// ask answers a request as the listener would.
func ask(t *testing.T, h http.Handler, target string, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const compatPath = "/metrics/compat/kafka_exporter"

func TestTargetsWaitUntilTheExporterIsReady(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	for path, want := range map[string]int{
		"/sd/prometheus":                        http.StatusServiceUnavailable,
		compatPath + "?instance_id=alikafka_1":  http.StatusServiceUnavailable,
		compatPath:                              http.StatusBadRequest,
		"/kafka/sd/prometheus":                  http.StatusNotFound,
		compatPath + "s?instance_id=alikafka_1": http.StatusNotFound,
	} {
		if w := ask(t, a.pages, path, nil); w.Code != want {
			t.Errorf("GET %s: %d, want %d", path, w.Code, want)
		}
	}
	startPolling(t, a)
	for path, want := range map[string]int{
		"/sd/prometheus":                       http.StatusOK,
		compatPath + "?instance_id=alikafka_1": http.StatusOK,
		compatPath + "?instance_id=alikafka_2": http.StatusNotFound,
	} {
		if w := ask(t, a.pages, path, nil); w.Code != want {
			t.Errorf("when ready, GET %s: %d, want %d", path, w.Code, want)
		}
	}
}

func TestTargetsAreWhereTheScraperFindsUs(t *testing.T) {
	t.Parallel()
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 19308}
	for _, tc := range []struct{ name, external, host, want string }{
		{"the host that was asked", "", "exporter.example:19308", "exporter.example:19308"},
		{"the host of the external URL", "https://example.com:8443/kafka/", "10.0.0.1:19308", "example.com:8443"},
		{"without a Host, the address that was connected to", "", "", "192.0.2.7:19308"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var args []string
			if tc.external != "" {
				args = append(args, "--web.external-url="+tc.external)
			}
			a := newTestApp(t, args...)
			startPolling(t, a)
			w := ask(t, a.pages, "/sd/prometheus", func(r *http.Request) {
				r.Host = tc.host
				*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
			})
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
			var groups []targetGroup
			if err := json.Unmarshal(w.Body.Bytes(), &groups); err != nil {
				t.Fatalf("%v\n%s", err, w.Body)
			}
			if len(groups) != 1 || len(groups[0].Targets) != 1 || groups[0].Targets[0] != tc.want || groups[0].Labels["__meta_alikafka_instance_id"] != "alikafka_1" {
				t.Errorf("targets %v, want %s", groups, tc.want)
			}
			if strings.Contains(w.Body.String(), "test"+"secret") || strings.Contains(w.Body.String(), "testid") {
				t.Error("the key is in the list")
			}
		})
	}
}
