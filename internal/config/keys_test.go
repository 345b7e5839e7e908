package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
)

// TestAFileWithoutAnEndIsNotRead: what is read of a file is bounded, not only
// what is taken of it.
func TestAFileWithoutAnEndIsNotRead(t *testing.T) {
	t.Parallel()
	const endless = "/dev/zero"
	if _, err := os.Stat(endless); err != nil {
		t.Skip(err)
	}
	_, keys := config.LoadKeys(endless)
	_, whole := config.Load(endless)
	_, _, runbooks := config.LoadRunbooks(endless)
	for _, err := range []error{keys, whole, runbooks} {
		if err == nil || err.Error() != endless+": larger than 8388608 bytes" {
			t.Error(err)
		}
	}
}

func TestLoadKeys(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, wantErr string }{
		{"several keys", "testid: s1\nother: \"12345\"\n", ""},
		{"an empty file", "", ": empty"},
		{"a key without a secret", "testid:\n", ":1: testid: no secret"},
		{"a list for a secret", "a: b\ntestid: [canary]\n", ":2: testid: want a string, found a list"},
		{"a text", "canary", ":1: want a mapping, found the string"},
		{"a file that is too large", strings.Repeat("canary: b\n", 1<<20), ": larger than 8388608 bytes"},
		{"the same id twice", "testid: canary\ntestid: canary\n", ":2: testid: set twice, first in line 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "keys.yaml")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			keys, err := config.LoadKeys(file)
			if tt.wantErr == "" {
				if err != nil || keys["testid"].Reveal() != "s1" || keys["other"].Reveal() != "12345" {
					t.Errorf("have %d keys and error %v", len(keys), err)
				}
				return
			}
			if err == nil || err.Error() != file+tt.wantErr {
				t.Errorf("have %v, want %s", err, tt.wantErr)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Error("the error repeats a secret")
			}
		})
	}
}
