package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
)

func writeToken(t *testing.T, file, token string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTokensAreReadAgainWhenTheirFilesChange(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	first, second := strings.Repeat("a", 32), strings.Repeat("b", 32)
	writeToken(t, file, first+"\n")
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("by its hash, of which none knows"))
	synctest.Test(t, func(t *testing.T) {
		k, err := newKeyring([]Principal{{Name: "alice", TokenFile: file}, {Name: "bob", TokenSHA256: hex.EncodeToString(sum[:])}}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		finds := func(token, want string) {
			t.Helper()
			if p, ok := k.find(token); p.Name != want || ok != (want != "") {
				t.Errorf("%.5s… is %q, want %q", token, p.Name, want)
			}
		}
		finds(first, "alice")
		finds("by its hash, of which none knows", "bob")
		finds("", "")
		finds(hex.EncodeToString(sum[:]), "") // the hash is not the token
		writeToken(t, file, second+"\n")
		if err := os.Chtimes(file, time.Time{}, before.ModTime()); err != nil {
			t.Fatal(err) // its size and time say that nothing has changed
		}
		time.Sleep(2 * lookEvery)
		finds(second, "alice")
		finds(first, "")
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * lookEvery)
		finds(second, "") // a token that is taken away opens nothing
		writeToken(t, file, "short")
		time.Sleep(2 * lookEvery)
		finds("short", "")
		writeToken(t, file, first)
		time.Sleep(2 * lookEvery)
		finds(first, "alice")
	})
}

func TestKeyringRefusesBadTokens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, token string) string {
		writeToken(t, filepath.Join(dir, name), token)
		return filepath.Join(dir, name)
	}
	for name, principals := range map[string][]Principal{
		"missing file": {{Name: "a", TokenFile: filepath.Join(dir, "none")}},
		"a directory":  {{Name: "a", TokenFile: dir}},
		"empty":        {{Name: "a", TokenFile: write("empty", "\n")}},
		"guessable":    {{Name: "a", TokenFile: write("short", "hunter2")}},
		"two tokens":   {{Name: "a", TokenFile: write("two", strings.Repeat("a", 30)+"\n"+strings.Repeat("b", 30))}},
		"the same twice": {
			{Name: "a", TokenFile: write("one", strings.Repeat("a", 30))}, {Name: "b", TokenFile: write("other", strings.Repeat("a", 30)+"\n")},
		},
	} {
		if _, err := newKeyring(principals, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aaaa") {
			t.Errorf("%s: the error tells the token: %v", name, err)
		}
	}
}

func TestFailedAuthenticationsAreSlowedDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFailures()
		for range failuresAtOnce {
			if wait := f.failed("1.2.3.4"); wait > 0 {
				t.Fatalf("must wait %s too early", wait)
			}
		}
		f.failed("1.2.3.4") // is not counted, and prolongs nothing
		wait := f.failed("1.2.3.4")
		if wait <= 0 || wait > failureEvery {
			t.Errorf("must wait %s, want up to %s", wait, failureEvery)
		}
		if wait := f.failed("5.6.7.8"); wait > 0 {
			t.Errorf("another address must wait %s", wait)
		}
		time.Sleep(wait + time.Millisecond)
		if wait := f.failed("1.2.3.4"); wait > 0 {
			t.Errorf("must still wait %s", wait)
		}
		// Each address beyond maxAddresses looks at all that are remembered.
		for i := range maxAddresses + short.Of(2*maxAddresses) {
			f.failed("address " + strconv.Itoa(i))
		}
		if n := len(f.levels); n > maxAddresses+1 {
			t.Errorf("%d addresses are remembered", n)
		}
		if f.failed("one that is new") <= 0 {
			t.Error("a flood of addresses leaves new ones unbounded")
		}
	})
}

func TestHosts(t *testing.T) {
	t.Parallel()
	c := Config{AllowedHosts: []string{"exporter.monitoring.svc"}}
	for host, want := range map[string]bool{
		"127.0.0.1:19309": true, "127.0.0.1": true, "[::1]:19309": true, "[::1]": true, "localhost:1": true, "LOCALHOST": true, "10.1.2.3:19309": true,
		"exporter.monitoring.svc:19309": true, "Exporter.Monitoring.svc.": true,
		"evil.example": false, "evil.example:19309": false, "127.0.0.1.evil.example": false, "": false, "localhost.evil.example": false,
		"exporter.monitoring.svc.evil.example": false, "exporter.monitoring.svc:80@evil.example": false, "[::1].evil.example": false,
	} {
		if c.hostAllowed(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}
