package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"
	"gopkg.in/yaml.v3"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
	"github.com/alikafka-exporter/alikafka-exporter/internal/golden"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// example is config.example.yaml of the repository.
const example = "../../config.example.yaml"

// same compares configurations; nil and empty lists mean the same.
var same = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b collector.Regexp) bool { return a.String() == b.String() }),
	cmp.Comparer(func(a, b secret.String) bool { return a == b }),
	cmp.Comparer(func(a, b admin.Matcher) bool { return a.String() == b.String() }),
}

func regex(t *testing.T, expr string) collector.Regexp {
	t.Helper()
	r, err := collector.NewRegexp(expr)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGoodFilesLoad(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("testdata/*.good.yaml")
	if len(files) == 0 {
		t.Fatal("no fixtures")
	}
	for _, f := range files {
		if _, err := config.Load(f); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// Each testdata/NAME.bad.yaml has its wanted error beside it in NAME.bad.txt.
// Whatever secret is in a file contains "canary".
func TestBadFilesNameEveryMistake(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("testdata/*.bad.yaml")
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(f)
			if _, ok := errors.AsType[*config.Error](err); !ok {
				t.Fatalf("want a *config.Error, have %v", err)
			}
			got := err.Error() + "\n"
			if strings.Contains(strings.ToLower(got), "canary") {
				t.Errorf("a secret is in the error:\n%s", got)
			}
			golden.File(t, strings.TrimSuffix(f, "yaml")+"txt", got)
		})
	}
}

func TestTenMistakesGiveTenPaths(t *testing.T) {
	t.Parallel()
	_, err := config.Load("testdata/ten-mistakes.bad.yaml")
	e, ok := errors.AsType[*config.Error](err)
	if !ok {
		t.Fatalf("want a *config.Error, have %v", err)
	}
	want := []string{
		"accounts[0].credentials.provider",
		"accounts[0].regions[1]",
		"accounts[0].endpoints.cn-hangzhou",
		"accounts[1].name",
		"accounts[1].instances.include",
		"collect.sources.topics.interval",
		"collect.sources.topic_status.ttl",
		"collect.sources.topic",
		"collect.metics",
		"rate_limits.share",
	}
	got := make([]string, len(e.Mistakes))
	for i, m := range e.Mistakes {
		got[i] = m.Path
		if m.Line == 0 {
			t.Errorf("%s has no line", m.Path)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLoadFillsEveryField(t *testing.T) {
	t.Parallel()
	got, err := config.Load("testdata/full.good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Accounts = []collector.AccountConfig{{
		Name:        "main",
		Credentials: api.CredentialsConfig{AccessKeyID: "LTAI-main", AccessKeySecret: secret.New("main-secret")},
		ActingCredentials: &api.CredentialsConfig{
			Provider:            "files",
			AccessKeyIDFile:     filepath.Join("testdata", "keys", "id"),
			AccessKeySecretFile: "/run/keys/secret",
		},
		Regions:         []string{"cn-hangzhou", "xx-private-1"},
		DiscoveryRegion: "xx-private-1",
		Endpoints: map[string]string{
			"xx-private-1": "http://127.0.0.1:18080",
			"cn-hangzhou":  "https://alikafka-vpc.cn-hangzhou.aliyuncs.com",
		},
		Instances: collector.Filter{Include: regex(t, "alikafka_.*|prod-.*"), Exclude: regex(t, "prod-old")},
	}, {
		Name: "other",
		Credentials: api.CredentialsConfig{
			RoleARN: "acs:ram::1234567890123456:role/reader", ExternalID: "x",
			AccessKeyIDEnv: "OTHER_ID", AccessKeySecretEnv: "OTHER_SECRET",
		},
		DiscoveryRegion: "cn-hangzhou",
	}}
	topics := want.Collect.Sources["topics"]
	topics.Interval = model.Duration(5 * time.Minute)
	want.Collect.Sources["topics"] = topics
	want.Collect.MaxAge = model.Duration(10 * time.Minute)
	want.Collect.Freshness = []collector.FreshnessRule{{Target: model.Duration(15 * time.Second), ConsumerGroups: regex(t, "pay-.*"), Instances: regex(t, "prod")}}
	want.Collect.FreshnessTag = "team/freshness"
	want.Collect.Topics.Exclude = regex(t, "__.*")
	want.Collect.Tags = []string{"team", "cost-center"}
	want.Collect.Metrics.Deny = []collector.Regexp{regex(t, "go_.*")}
	want.Collect.HideLastTimestamp = true
	want.RateLimits.Share = 1
	want.RateLimits.Scope = "region"
	want.RateLimits.Actions = map[string]float64{"GetTopicStatus": 20}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAliasesAndMergesAreExpanded(t *testing.T) {
	t.Parallel()
	got, err := config.Load("testdata/aliases.good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	key := api.CredentialsConfig{Provider: "environment"}
	want := []collector.AccountConfig{
		{Name: "main", Credentials: key, Regions: []string{"cn-hangzhou"}, DiscoveryRegion: "cn-hangzhou"},
		{Name: "second", Credentials: key, Regions: []string{"cn-hangzhou"}, DiscoveryRegion: "cn-hangzhou"},
		{Name: "third", Credentials: key, Regions: []string{"cn-shanghai"}, DiscoveryRegion: "cn-beijing"},
	}
	if diff := cmp.Diff(want, got.Accounts, same); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAliasBombIsRefused(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("accounts:\n  - name: main\n    endpoints: &e {")
	for i := range 300 {
		fmt.Fprintf(&b, "r%d: https://example.com, ", i)
	}
	b.WriteString("}\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "  - {name: a%d, endpoints: *e}\n", i)
	}
	_, err := config.Parse([]byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "values after the aliases are expanded") {
		t.Errorf("have %v", err)
	}
}

func TestMissingFileIsNoMistake(t *testing.T) {
	t.Parallel()
	_, err := config.Load(filepath.Join(t.TempDir(), "absent.yaml"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("have %v", err)
	}
}

func TestExampleShowsTheDefaults(t *testing.T) {
	t.Parallel()
	got, err := config.Load(example)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	account := collector.DefaultAccountConfig()
	account.Name = "main" // the one required key
	want.Accounts = []collector.AccountConfig{account}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("(-defaults +example)\n%s", diff)
	}
}

func TestExampleShowsEveryKey(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	requireKeys(t, "", doc.Content[0], reflect.TypeFor[config.Config]())
	for source := range config.Default().Collect.Sources {
		if !strings.Contains(string(data), "\n    "+source+":") {
			t.Errorf("the example lacks collect.sources.%s", source)
		}
	}
}

// requireKeys fails the test for every field of t that n has no key for. A
// section that is null, like acting_credentials, shows nothing below it.
func requireKeys(t *testing.T, path string, n *yaml.Node, typ reflect.Type) {
	t.Helper()
	switch {
	case typ.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			requireKeys(t, path+"[]", item, typ.Elem())
		}
	case typ.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		for i := 1; i < len(n.Content); i += 2 {
			requireKeys(t, path+"."+n.Content[i-1].Value, n.Content[i], typ.Elem())
		}
	case typ.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		have := map[string]*yaml.Node{}
		for i := 1; i < len(n.Content); i += 2 {
			have[n.Content[i-1].Value] = n.Content[i]
		}
		for field := range typ.Fields() {
			key := field.Tag.Get("yaml")
			if key == ",inline" {
				requireKeys(t, path, n, field.Type)
				continue
			}
			if have[key] == nil {
				t.Errorf("the example lacks %s.%s", path, key)
				continue
			}
			requireKeys(t, path+"."+key, have[key], field.Type)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, name := range append(files, example) {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse(data)
		if err == nil {
			if len(c.Accounts) == 0 {
				t.Error("no account and no error")
			}
			return
		}
		e, ok := errors.AsType[*config.Error](err)
		if !ok || len(e.Mistakes) == 0 {
			t.Fatalf("want a *config.Error, have %v", err)
		}
		for _, m := range e.Mistakes {
			if m.Message == "" {
				t.Errorf("%+v says nothing", m)
			}
		}
	})
}
