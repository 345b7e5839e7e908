package sim_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// The verifier computes what the documents' examples should print.
func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Label, Method, Secret string
		Params                map[string]string
		Signature             string
		StringToSign          string `json:"string_to_sign"`
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		text, sig := sim.Sign(v.Method, v.Secret, v.Params)
		if text != v.StringToSign {
			t.Errorf("%s: string to sign\ngot  %s\nwant %s", v.Label, text, v.StringToSign)
		}
		if sig != v.Signature {
			t.Errorf("%s: got %s, want %s", v.Label, sig, v.Signature)
		}
	}
}
