// Package journaltest has a disk in memory that forgets what was not synced,
// fills up, and fails. Only tests import it.
package journaltest

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
)

// ErrGone is what files answer that were open when the machine went down.
var ErrGone = errors.New("the machine went down")

// Disk is a file system in memory. Its methods may be used concurrently.
type Disk struct {
	mu       sync.Mutex
	boot     int // counts crashes: files of an earlier one are gone
	names    map[string]*inode
	durable  map[string]*inode // names as of the last SyncDir
	capacity int64             // bytes of all files together; below 0: no bound
	fail     func(op, name string) error
	syncs    int
}

type inode struct{ data, synced []byte }

// New returns an empty disk without faults.
func New() *Disk {
	return &Disk{names: map[string]*inode{}, durable: map[string]*inode{}, capacity: -1}
}

// Limit bounds the bytes of all files; below 0: no bound.
func (d *Disk) Limit(capacity int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = capacity
}

// Fail lets fn decide what fails. op is create, open, write, sync, truncate,
// rename, remove, syncdir, list or size; nil: nothing.
func (d *Disk) Fail(fn func(op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fn
}

// Syncs returns how often something was synced.
func (d *Disk) Syncs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs
}

// Crash takes away what was not synced, but for the first bytes of what was
// written behind it: keep says how many of so many. Files that are open fail
// from now on.
func (d *Disk) Crash(keep func(unsynced int) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot++
	d.names = maps.Clone(d.durable)
	for _, n := range d.names {
		left := slices.Clone(n.synced)
		if tail, ok := strings.CutPrefix(string(n.data), string(n.synced)); ok {
			left = append(left, tail[:keep(len(tail))]...)
		}
		n.data, n.synced = left, slices.Clone(left)
	}
}

// Read returns what a file holds; nil when there is none.
func (d *Disk) Read(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.names[name]; n != nil {
		return slices.Clone(n.data)
	}
	return nil
}

// Put makes a file that is on the disk.
func (d *Disk) Put(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := &inode{data: slices.Clone(data), synced: slices.Clone(data)}
	d.names[name], d.durable[name] = n, n
}

func (d *Disk) fault(op, name string) error {
	if d.fail == nil {
		return nil
	}
	return d.fail(op, name)
}

// MkdirAll implements journal.FS.
func (d *Disk) MkdirAll(string) error { return nil }

// List implements journal.FS.
func (d *Disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name := range d.names {
		if path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, d.fault("list", dir)
}

// Size implements journal.FS.
func (d *Disk) Size(name string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[name]
	if n == nil {
		return 0, fs.ErrNotExist
	}
	return int64(len(n.data)), d.fault("size", name)
}

// Create implements journal.FS.
func (d *Disk) Create(name string) (journal.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fault("create", name); err != nil {
		return nil, err
	}
	n := &inode{}
	d.names[name] = n
	return &file{disk: d, boot: d.boot, name: name, inode: n}, nil
}

// Open implements journal.FS.
func (d *Disk) Open(name string) (journal.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fault("open", name); err != nil {
		return nil, err
	}
	n := d.names[name]
	if n == nil {
		return nil, fs.ErrNotExist
	}
	return &file{disk: d, boot: d.boot, name: name, inode: n}, nil
}

// Rename implements journal.FS.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fault("rename", from); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	return nil
}

// Remove implements journal.FS.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.names, name)
	return d.fault("remove", name)
}

// SyncDir implements journal.FS.
func (d *Disk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fault("syncdir", dir); err != nil {
		return err
	}
	d.syncs++
	d.durable = maps.Clone(d.names)
	return nil
}

type file struct {
	disk  *Disk
	boot  int
	name  string
	inode *inode
	read  int
}

// ready is called with the disk's mutex held.
func (f *file) ready(op string) error {
	if f.boot != f.disk.boot {
		return ErrGone
	}
	return f.disk.fault(op, f.name)
}

func (f *file) Read(p []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.ready("read"); err != nil {
		return 0, err
	}
	n := copy(p, f.inode.data[f.read:])
	f.read += n
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (f *file) Write(p []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.ready("write"); err != nil {
		half := len(p) / 2
		if f.boot == f.disk.boot {
			f.inode.data = append(f.inode.data, p[:half]...)
		}
		return half, err
	}
	fits := len(p)
	if f.disk.capacity >= 0 {
		var used int64
		for _, n := range f.disk.names {
			used += int64(len(n.data))
		}
		fits = int(max(0, min(int64(fits), f.disk.capacity-used)))
	}
	f.inode.data = append(f.inode.data, p[:fits]...)
	if fits < len(p) {
		return fits, syscall.ENOSPC
	}
	return fits, nil
}

func (f *file) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.ready("truncate"); err != nil {
		return err
	}
	f.inode.data = slices.Clone(f.inode.data[:size])
	return nil
}

func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.ready("sync"); err != nil {
		return err
	}
	f.disk.syncs++
	f.inode.synced = slices.Clone(f.inode.data)
	return nil
}

func (f *file) Close() error { return nil }
