package api_test

import (
	"encoding/json"
	"os"
	"testing"
)

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
