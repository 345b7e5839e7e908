package admin

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

func TestBodiesAreReadStrictly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		contentType, body string
		want              reason // "" accepts
	}{
		"an object":                       {"application/json", `{"a": [1, {"b": null}]}`, ""},
		"with a charset":                  {"application/json; charset=UTF-8", `{}`, ""},
		"another charset":                 {"application/json; charset=latin1", `{}`, wrongType},
		"no type":                         {"", `{}`, wrongType},
		"a form":                          {"application/x-www-form-urlencoded", `a=b`, wrongType},
		"text, which a page may send":     {"text/plain", `{}`, wrongType},
		"nothing":                         {"application/json", ``, badRequest},
		"two values":                      {"application/json", `{} {}`, badRequest},
		"a key twice":                     {"application/json", `{"Topic": "a", "Topic": "b"}`, badRequest},
		"a key twice, deeper":             {"application/json", `[{"x": {"a": 1, "a": 1}}]`, badRequest},
		"the same key in two objects":     {"application/json", `[{"a": 1}, {"a": 1}]`, ""},
		"a value like a key":              {"application/json", `{"a": "b", "b": "a"}`, ""},
		"half an object":                  {"application/json", `{"a": `, badRequest},
		"an array of 32":                  {"application/json", strings.Repeat("[", 32) + strings.Repeat("]", 32), ""},
		"deeper":                          {"application/json", strings.Repeat("[", 33) + strings.Repeat("]", 33), badRequest},
		"much deeper, with an open end":   {"application/json", strings.Repeat(`{"a":`, 100_000), badRequest},
		"a megabyte":                      {"application/json", `"` + strings.Repeat("a", maxBody-2) + `"`, ""},
		"a byte more than a megabyte":     {"application/json", `"` + strings.Repeat("a", maxBody-1) + `"`, tooLarge},
		"a comment":                       {"application/json", `{} // x`, badRequest},
		"a byte order mark":               {"application/json", "\ufeff{}", badRequest},
		"an escaped spelling of one twin": {"application/json", `{"a": 1, "\u0061": 2}`, badRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.contentType)
			_, err := readJSON(httptest.NewRecorder(), r)
			if got := reasonOf(err); got != c.want {
				t.Errorf("have %q, want %q", got, c.want)
			}
		})
	}
}

func reasonOf(err error) reason {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.reason
	}
	if err != nil {
		return reason(err.Error())
	}
	return ""
}

func TestActionBodies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		action, body string
		params       map[string]string
		secrets      map[string]string
		wrong        []string // fields
	}{
		"strings and numbers": {
			"ModifyPartitionNum", `{"InstanceId": "i", "Topic": "t", "TargetPartitionNum": 24, "ExpectedPartitionNum": "12"}`,
			map[string]string{"InstanceId": "i", "Topic": "t", "TargetPartitionNum": "24", "ExpectedPartitionNum": "12"},
			nil, nil,
		},
		"booleans and objects": {
			"CreateTopic", `{"LocalTopic": true, "Config": {"replications": "3"}, "Tag.1.Key": "a"}`,
			map[string]string{"LocalTopic": "true", "Config": `{"replications":"3"}`, "Tag.1.Key": "a"},
			nil, nil,
		},
		"an object in a string": {
			"UpdateInstanceConfig", `{"Config": "{\"kafka.log.retention.hours\": \"72\"}"}`,
			map[string]string{"Config": `{"kafka.log.retention.hours": "72"}`},
			nil, nil,
		},
		"a secret by its name": {
			"CreateSaslUser", `{"Username": "u", "Password": {"secret_ref": "kafka-u"}}`,
			map[string]string{"Username": "u"},
			map[string]string{"Password": "kafka-u"},
			nil,
		},
		"a secret itself":          {"CreateSaslUser", `{"Password": "canary-password"}`, nil, nil, []string{"Password"}},
		"a secret beside its name": {"CreateSaslUser", `{"Password": {"secret_ref": "a", "value": "canary-password"}}`, nil, nil, []string{"Password"}},
		"a secret without a name":  {"CreateSaslUser", `{"Password": {"secret_ref": ""}}`, nil, nil, []string{"Password"}},
		"an unknown name":          {"DeleteTopic", `{"Topics": "t"}`, nil, nil, []string{"Topics"}},
		"names are exact":          {"DeleteTopic", `{"topic": "t"}`, nil, nil, []string{"topic"}},
		"what is signed":           {"DeleteTopic", `{"Action": "DeleteInstance", "AccessKeyId": "x"}`, nil, nil, []string{"AccessKeyId", "Action"}},
		"another type":             {"DeleteTopic", `{"Topic": 5, "InstanceId": null, "RegionId": ["a"]}`, nil, nil, []string{"InstanceId", "RegionId", "Topic"}},
		"a list as one":            {"TagResources", `{"ResourceId": ["a"]}`, nil, nil, []string{"ResourceId"}},
		"not an object":            {"DeleteTopic", `[1]`, nil, nil, []string{""}},
		"null":                     {"DeleteTopic", `null`, nil, nil, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			action, _ := api.Lookup(c.action)
			params, secrets, err := actionBody(action, engine.OwnParams(c.action), []byte(c.body))
			var wrong []string
			if r, ok := errors.AsType[*refusal](err); ok {
				for _, e := range r.errors {
					wrong = append(wrong, e.Field)
					if strings.Contains(e.Reason, "canary") {
						t.Errorf("the secret is repeated: %s", e.Reason)
					}
				}
				if r.errors == nil {
					wrong = []string{""}
				}
			}
			if !slices.Equal(wrong, c.wrong) {
				t.Errorf("wrong fields %q, want %q (%v)", wrong, c.wrong, err)
			}
			if c.wrong == nil && (!maps.Equal(params, c.params) || !maps.Equal(secrets, c.secrets)) {
				t.Errorf("have %v and %v", params, secrets)
			}
		})
	}
}

func FuzzActionBody(f *testing.F) {
	for _, body := range []string{
		`{"InstanceId": "i", "TargetPartitionNum": 24}`, `{"Password": {"secret_ref": "a"}}`, `{"Tag.1.Key": "a", "Tag.01.Key": "b"}`,
		`{"Config": {"a": [1, 2, {"b": null}]}}`, `[[[[`, `{"a":1,"a":2}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if scanJSON([]byte(body)) != nil {
			return
		}
		for _, action := range api.Actions() {
			params, secrets, err := actionBody(action, engine.OwnParams(action.Name), []byte(body))
			if err != nil {
				if len(params)+len(secrets) > 0 {
					t.Errorf("%s: an error and parameters", action.Name)
				}
				continue
			}
			for name := range params {
				p, ok := paramOf(action, engine.OwnParams(action.Name), name)
				if !ok || p.Secret {
					t.Errorf("%s: parameter %q came through", action.Name, name)
				}
			}
			for name := range secrets {
				if p, _ := action.Param(name); !p.Secret {
					t.Errorf("%s: %q is no secret", action.Name, name)
				}
			}
		}
	})
}

func FuzzWebhook(f *testing.F) {
	f.Add(`{"version":"4","status":"firing","truncatedAlerts":2,"alerts":[{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"0123456789abcdef"}]}`)
	f.Add(`{"version":"4","alerts":[{"status":"resolved","labels":{"a":"b"},"unknown":{"x":[1]}}],"notification_reason":"first notification"}`)
	f.Add(`{"version":"3"}`)
	f.Fuzz(func(t *testing.T, body string) {
		if scanJSON([]byte(body)) != nil {
			return
		}
		m, err := parseMessage([]byte(body))
		if err != nil {
			if reasonOf(err) != badRequest {
				t.Errorf("%v", err)
			}
			return
		}
		for _, a := range m.Alerts {
			if len(a.Labels) == 0 || a.fingerprint() == "" {
				t.Errorf("%+v came through", a)
			}
		}
	})
}
