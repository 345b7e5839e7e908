package api

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	// quiet is how long changed files must have stayed as they are before they
	// are read, and quietPart where some of them did not change: their writer
	// may be at work between one file and the next, and half of an old key
	// with half of a new one opens nothing. The key before serves meanwhile;
	// rotation keeps it alive for longer than that.
	quiet     = 5 * time.Second
	quietPart = time.Minute

	// maxKeyFile bounds what is read: a token has about a thousand bytes.
	maxKeyFile = 64 << 10
)

// files reads a key from files, and again when they changed. Whatever is
// wrong with them after a first key was had, that key serves on.
type files struct {
	title

	names []string // configuration keys of the paths, for errors
	paths []string // of id, secret and, where configured, token

	mu      sync.Mutex
	key     Key
	good    []os.FileInfo // of the files when key was read; nil: there is no key
	first   time.Time     // when the first key was read
	changed []os.FileInfo // of the files since they differ from good; nil: they do not
	since   time.Time     // when they became so
}

func newFiles(c CredentialsConfig) *files {
	f := &files{
		title: "files",
		names: []string{"access_key_id_file", "access_key_secret_file"},
		paths: []string{c.AccessKeyIDFile, c.AccessKeySecretFile},
	}
	if c.SecurityTokenFile != "" {
		f.names = append(f.names, "security_token_file")
		f.paths = append(f.paths, c.SecurityTokenFile)
	}
	return f
}

func (f *files) Key(context.Context) (Key, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := f.stat()
	if f.good == nil {
		if err == nil {
			err = f.read(now)
		}
		if err != nil {
			return Key{}, fmt.Errorf("files: %w", err)
		}
		f.first = time.Now()
		return f.key, nil
	}
	if err == nil && f.settled(now) && f.read(now) == nil {
		f.changed = nil
	}
	return f.key, nil
}

// settled reports whether the files differ from those that were read, and did
// not change lately.
func (f *files) settled(now []os.FileInfo) bool {
	same := unchanged(now, f.good)
	if same == len(now) {
		f.changed = nil
		return false
	}
	if f.changed == nil || unchanged(now, f.changed) < len(now) {
		f.changed, f.since = now, time.Now()
	}
	wait := quiet
	switch {
	case f.since.Sub(f.first) < quiet:
		wait = 0 // the first key was read from the midst of the writing
	case same > 0:
		wait = quietPart
	}
	return time.Since(f.since) >= wait
}

// unchanged counts the files that are those of before. A link that was turned
// to another file, as Kubernetes turns the links of a mounted Secret, is
// another file.
func unchanged(now, before []os.FileInfo) (n int) {
	for i := range now {
		if os.SameFile(now[i], before[i]) && now[i].Size() == before[i].Size() && now[i].ModTime().Equal(before[i].ModTime()) {
			n++
		}
	}
	return n
}

// stat looks at every file. Only what can be read to an end counts: a pipe
// would block the call.
func (f *files) stat() ([]os.FileInfo, error) {
	infos := make([]os.FileInfo, len(f.paths))
	for i, path := range f.paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", f.names[i], err)
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("%s: %s is not a regular file", f.names[i], path)
		case info.Size() > maxKeyFile:
			return nil, fmt.Errorf("%s: %s has %d bytes, which no part of a key has", f.names[i], path, info.Size())
		}
		infos[i] = info
	}
	return infos, nil
}

// read takes the key from files that look like now before and after.
func (f *files) read(now []os.FileInfo) error {
	parts := make([]string, 3)
	for i, path := range f.paths {
		content, err := os.ReadFile(path) //nolint:gosec // the operator's choice
		if err != nil {
			return fmt.Errorf("%s: %w", f.names[i], err)
		}
		parts[i] = string(content)
	}
	key := newKey(parts[0], parts[1], parts[2])
	for i, empty := range []bool{key.ID == "", key.Secret.IsZero(), len(f.paths) > 2 && key.Token.IsZero()} {
		if empty {
			return fmt.Errorf("%s: %s is empty", f.names[i], f.paths[i])
		}
	}
	after, err := f.stat()
	switch {
	case err != nil:
		return err
	case unchanged(after, now) < len(now):
		return errors.New("the files are being changed")
	}
	f.key, f.good = key, now
	return nil
}
