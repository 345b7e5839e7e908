package journal

import (
	"io"
	"os"
)

// FS is what the journal needs of a file system.
type FS interface {
	MkdirAll(dir string) error
	// List returns the names in a directory, sorted.
	List(dir string) ([]string, error)
	// Size returns the length of a file in bytes.
	Size(name string) (int64, error)
	// Create makes a new file for writing, or empties one that exists.
	Create(name string) (File, error)
	// Open opens a file for reading from its beginning and writing at its end.
	Open(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error
}

// File is an open file. Writes go to its end.
type File interface {
	io.Reader
	io.Writer
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// Disk is the operating system's file system. Files are for their owner alone.
type Disk struct{}

// MkdirAll implements FS.
func (Disk) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

// List implements FS.
func (Disk) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Size implements FS.
func (Disk) Size(name string) (int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Create implements FS.
func (Disk) Create(name string) (File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600) //nolint:gosec // the name is ours
}

// Open implements FS.
func (Disk) Open(name string) (File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0) //nolint:gosec // the name is ours
}

// Rename implements FS.
func (Disk) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (Disk) Remove(name string) error { return os.Remove(name) }

// SyncDir implements FS.
func (Disk) SyncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the name is ours
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// ReadOnly is a file system on which nothing can be changed: for looking at the
// journal of another process.
type ReadOnly struct{ Disk }

// Open implements FS.
func (ReadOnly) Open(name string) (File, error) {
	return os.Open(name) //nolint:gosec // the name is ours
}
