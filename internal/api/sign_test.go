package api_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

type signatureVector struct {
	Label              string
	Method             string
	Secret             string
	Params             map[string]string
	CanonicalizedQuery string `json:"canonicalized_query"`
	StringToSign       string `json:"string_to_sign"`
	Signature          string
}

func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readJSON[[]signatureVector](t, "signatures.json") {
		t.Run(v.Label, func(t *testing.T) {
			t.Parallel()
			toSign, query, sig := api.SignForTest(v.Method, v.Params, v.Secret)
			if d := cmp.Diff(v.CanonicalizedQuery, query); d != "" {
				t.Errorf("canonicalized query (-want +got):\n%s", d)
			}
			if d := cmp.Diff(v.StringToSign, toSign); d != "" {
				t.Errorf("string to sign (-want +got):\n%s", d)
			}
			if sig != v.Signature {
				t.Errorf("signature %s, want %s", sig, v.Signature)
			}
		})
	}
}

// FuzzForm checks that whatever a parameter holds, the form that is sent
// parses back to it.
func FuzzForm(f *testing.F) {
	f.Add("Topic", "my.topic~*+ %2F&=中文")
	f.Add("Tag.1.Key", "\x00\xff")
	f.Fuzz(func(t *testing.T, name, value string) {
		if name == "" || name == "Signature" {
			t.Skip()
		}
		form := api.FormForTest(map[string]string{name: value}, "testsecret")
		back, err := url.ParseQuery(form)
		if err != nil {
			t.Fatalf("%q: %v", form, err)
		}
		if got := back.Get(name); got != value {
			t.Errorf("%s: sent %q, parsed back %q", name, value, got)
		}
	})
}
