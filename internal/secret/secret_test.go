package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

const canary = "hunter2"

type holder struct {
	Exported secret.String
	hidden   secret.String
	nested   struct{ deep *secret.String }
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	s := secret.New(canary)
	h := holder{Exported: s, hidden: s}
	h.nested.deep = &s
	var printed strings.Builder
	for _, v := range []any{s, &s, h, &h, []secret.String{s}, map[string]secret.String{"k": s}, error(fault{s})} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			_, _ = fmt.Fprintf(&printed, verb+"\n", v)
		}
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		y, err := yaml.Marshal(map[string]any{"v": s})
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
		printed.Write(j)
		printed.Write(y)
		printed.Write(log.Bytes())
	}
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprint([]byte(canary))} {
		if strings.Contains(printed.String(), form) {
			t.Errorf("printed as %s", form)
		}
	}
	if !strings.Contains(printed.String(), secret.Redacted) {
		t.Error("nothing shows that there is a secret")
	}
}

type fault struct{ s secret.String }

func (f fault) Error() string { return "cannot use " + f.s.String() }

func TestZeroAndEquality(t *testing.T) {
	t.Parallel()
	var zero secret.String
	if !zero.IsZero() || zero.Reveal() != "" || zero.String() != "" || secret.New("") != zero {
		t.Error("the zero value is not the empty secret")
	}
	if secret.New("a") != secret.New("a") || secret.New("a") == secret.New("b") || secret.New("a").Reveal() != "a" {
		t.Error("secrets do not compare by value")
	}
}
