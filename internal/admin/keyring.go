package admin

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// keyring knows principals by the hashes of their tokens. Token files are
// looked at once a second at most, by the request that comes then.
type keyring struct {
	principals []Principal
	log        *slog.Logger

	looking sync.Mutex // held, never waited for, by who looks at the files
	looked  time.Time
	held    atomic.Pointer[[]held]
}

// held is what is known of a principal's token.
type held struct {
	hash  [sha256.Size]byte
	known bool  // there is a token
	err   error // why there is none
}

const (
	minToken     = 20 // characters
	maxTokenFile = 4 << 10
	lookEvery    = time.Second
)

// newKeyring reads every token; one that cannot be read is an error.
func newKeyring(principals []Principal, log *slog.Logger) (*keyring, error) {
	k := &keyring{principals: principals, log: log}
	list := make([]held, len(principals))
	for i, p := range principals {
		list[i] = p.token()
		if list[i].err != nil {
			return nil, fmt.Errorf("admin.principals: %s: %w", p.Name, list[i].err)
		}
		for j := range i {
			if list[i].hash == list[j].hash {
				return nil, fmt.Errorf("admin.principals: %s and %s have the same token", principals[j].Name, p.Name)
			}
		}
	}
	k.looked = time.Now()
	k.held.Store(&list)
	return k, nil
}

// CheckTokens reports why the tokens of the principals cannot be used as they
// are now.
func (c Config) CheckTokens() error {
	_, err := newKeyring(c.Principals, slog.New(slog.DiscardHandler))
	return err
}

// token reads the principal's token, whatever its file's times say: a revoked
// one must not live on. A file that is gone or holds no good token leaves none.
func (p Principal) token() held {
	if p.TokenSHA256 != "" {
		h := held{known: true}
		_, err := hex.Decode(h.hash[:], []byte(p.TokenSHA256))
		if err != nil {
			return held{err: fmt.Errorf("token_sha256: %w", err)}
		}
		return h
	}
	content, err := secret.ReadFile(p.TokenFile, maxTokenFile)
	if err != nil {
		return held{err: fmt.Errorf("token_file: %w", err)}
	}
	content = bytes.TrimSpace(content)
	if len(content) < minToken || bytes.ContainsAny(content, " \t\r\n") {
		return held{err: fmt.Errorf("token_file: %s does not hold a token of at least %d characters without spaces", p.TokenFile, minToken)}
	}
	return held{hash: sha256.Sum256(content), known: true}
}

// find returns the principal of a token. It compares with every one of them,
// whatever is found, and in constant time.
func (k *keyring) find(token string) (Principal, bool) {
	k.refresh()
	sum := sha256.Sum256([]byte(token))
	found := -1
	for i, h := range *k.held.Load() {
		if subtle.ConstantTimeCompare(sum[:], h.hash[:]) == 1 && h.known {
			found = i
		}
	}
	if found < 0 {
		return Principal{}, false
	}
	return k.principals[found], true
}

// refresh reads the token files again.
func (k *keyring) refresh() {
	if !k.looking.TryLock() {
		return
	}
	defer k.looking.Unlock()
	if time.Since(k.looked) < lookEvery {
		return
	}
	k.looked = time.Now()
	before := *k.held.Load()
	list := make([]held, len(before))
	for i, p := range k.principals {
		list[i] = p.token()
		for j := range i {
			if list[j].known && list[i].known && list[i].hash == list[j].hash {
				list[i] = held{err: fmt.Errorf("the token is that of %s", k.principals[j].Name)}
			}
		}
		switch {
		case list[i].err != nil && before[i].err == nil:
			k.log.Error("a principal has lost its token", "principal", p.Name, "err", list[i].err)
		case list[i].known && list[i].hash != before[i].hash:
			k.log.Info("a principal has a new token", "principal", p.Name)
		}
	}
	k.held.Store(&list)
}

// failures bounds failed authentications by address: some at once, then one in
// a while. More of them are told to wait, and are not counted.
type failures struct {
	mu     sync.Mutex
	levels map[string]level
}

// level is how full a leaking bucket was at a time. The zero value is empty.
type level struct {
	n  float64
	at time.Time
}

const (
	failuresAtOnce = 10
	failureEvery   = 6 * time.Second

	failuresPerSecond = float64(time.Second) / float64(failureEvery)

	maxAddresses   = 4096
	otherAddresses = "" // shares a bucket once there are too many
)

func newFailures() *failures { return &failures{levels: map[string]level{}} }

// failed counts a failure, or returns how long the address must wait before its
// next one counts; 0 or less: it was counted.
func (f *failures) failed(address string) (wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.levels) >= maxAddresses {
		maps.DeleteFunc(f.levels, func(_ string, l level) bool { return l.now(failuresPerSecond) == 0 })
	}
	key := f.key(address)
	n := f.levels[key].now(failuresPerSecond)
	if wait = time.Duration((n - failuresAtOnce + 1) * float64(failureEvery)); wait <= 0 {
		f.levels[key] = level{n + 1, time.Now()}
	}
	return wait
}

func (f *failures) key(address string) string {
	if _, ok := f.levels[address]; !ok && len(f.levels) >= maxAddresses {
		return otherAddresses
	}
	return address
}

// now returns how full the bucket is when that much leaks in a second.
func (l level) now(perSecond float64) float64 {
	return max(0, l.n-time.Since(l.at).Seconds()*perSecond)
}
