// Package journal is an append-only file of records that survive a crash and
// show it when they were changed. It knows nothing of what they say.
package journal

import (
	"io"
	"io/fs"
)

// FS is what the journal needs of a file system.
type FS interface {
	MkdirAll(dir string) error
	ReadDir(dir string) ([]fs.DirEntry, error)
	// Create makes a new file, or empties one that exists.
	Create(name string) (File, error)
	// Open opens a file for reading and for writing at its end.
	Open(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes names in a directory durable.
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
