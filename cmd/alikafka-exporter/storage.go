package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

// storage is the directory of what outlives the process: the collector's state
// in state, the journal in journal. It belongs to the process that has locked
// it; another may read, but must neither write there nor act. The zero storage
// keeps nothing and is not locked.
type storage struct {
	path string

	mu     sync.Mutex
	lock   *os.File // open as long as the process lives; nil without a path
	locked bool
}

// addStorageFlag gives a command the flag --storage.path.
func addStorageFlag(cmd *kingpin.CmdClause, help string) *string {
	return cmd.Flag("storage.path", help).PlaceHolder("DIR").String()
}

// openStorage creates the directory, for its owner alone, and locks it. That
// another process holds the lock is no error. An empty path keeps nothing.
func openStorage(path string, log *slog.Logger) (*storage, error) {
	s := &storage{path: path}
	if path == "" {
		return s, nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("--storage.path: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the user's own path
	if err != nil {
		return nil, fmt.Errorf("--storage.path: %w", err)
	}
	s.lock = lock
	if err := s.acquire(); err != nil {
		_ = lock.Close()
		return nil, err
	}
	if !s.Locked() {
		log.Warn("another process holds the storage: this one watches, but neither keeps state nor acts; a reload tries again", "path", path)
	}
	return s, nil
}

// acquire locks the directory unless another process does; once it has, the
// lock is kept until the process ends, reloads included.
func (s *storage) acquire() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.path == "" || s.locked {
		return nil
	}
	err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("--storage.path: cannot lock %s: %w", s.lock.Name(), err)
	}
	s.locked = err == nil
	return nil
}

// Path returns the directory; "" when nothing is kept.
func (s *storage) Path() string { return s.path }

// Locked reports whether the directory is this process's own.
func (s *storage) Locked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locked
}

// close gives the lock back, when everything that writes has ended.
func (s *storage) close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// withStorage opens the storage, runs f with it and closes it again.
func withStorage(ctx context.Context, path string, log *slog.Logger, f func(context.Context, *storage) error) error {
	s, err := openStorage(path, log)
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, s), s.close())
}

// loadState reads what an earlier process knew; nil for nothing. That it cannot
// be read is no reason not to start.
func loadState(s *storage, log *slog.Logger) *collector.State {
	if s.Path() == "" {
		return nil
	}
	state, err := collector.LoadState(s.Path(), s.Locked())
	switch {
	case err != nil:
		log.Warn("starting without the state of an earlier process", "err", err)
	case state != nil:
		log.Info("state restored", "saved_at", state.SavedAt.UTC().Format(time.RFC3339), "instances", state.Instances)
	}
	return state
}

// keepState saves what is known at intervals until ctx ends.
func (a *app) keepState(ctx context.Context) {
	for {
		t := time.NewTimer(time.Duration(a.current.Load().config.Collect.StateInterval))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
			a.saveState()
		}
	}
}

// saveState saves what is known now. One call at a time.
func (a *app) saveState() {
	if !a.storage.Locked() {
		return
	}
	if err := a.current.Load().collector.Save(a.storage.Path()); err != nil {
		a.log.Error("a restart now would begin with older state", "err", err)
	}
}
