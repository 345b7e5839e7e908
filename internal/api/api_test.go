package api_test

import (
	"encoding/json"
	"os"
	"testing"
)

// TestMain takes away the proxy of whoever runs the tests. net/http reads the
// variables once in a process.
func TestMain(m *testing.M) {
	if os.Getenv(behindProxy) == "" {
		for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
			_ = os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

// nobodyListens is an address that refuses. A port that was listened on and
// closed may be another test's by now.
const nobodyListens = "127.0.0.1:1"

// readJSON reads a file of testdata into a T.
func readJSON[T any](t testing.TB, name string) (v T) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}
