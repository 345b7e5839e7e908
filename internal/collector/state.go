package collector

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The state file is what a process knew, for the next one: sections with their
// dates, histories, the memory of statuses, counters. It holds no secret.
//
// It is a line that names format and version, a deflated stream of records,
// and the length and CRC-32C of all of that. A record is a kind, a length and
// as many bytes. The file is written beside the old one and put in its place
// when it is on the disk, so that there is always a whole one.

const (
	stateName  = "state"
	stateMagic = "alikafka-exporter state 1\n"
	// trailer is the length of what precedes it, and its CRC, little-endian.
	trailer = 8 + 4
)

// The kinds of records. An account is followed by its regions, a region by its
// instances.
const (
	recordEnd byte = iota
	recordAccount
	recordRegion
	recordInstance
)

// State is what an earlier process knew.
type State struct {
	SavedAt   time.Time
	Instances int

	accounts []*account // that do nothing
}

// Save writes what is known to the file `state` in dir. After a crash at any
// point the file there is the old or the new one. One Save at a time.
func (c *Collector) Save(dir string) error {
	if err := c.save(dir, realDisk()); err != nil {
		return fmt.Errorf("saving state: %w", err)
	}
	return nil
}

// disk is what saving needs of a file system; tests make it fail.
type disk struct {
	create  func(name string) (stateFile, error)
	rename  func(from, to string) error
	syncDir func(dir string) error
}

type stateFile interface {
	io.WriteCloser
	Sync() error
}

func realDisk() disk {
	return disk{
		create: func(name string) (stateFile, error) {
			return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // in the user's own directory
		},
		rename: os.Rename,
		syncDir: func(dir string) error {
			d, err := os.Open(dir) //nolint:gosec // the user's own directory
			if err != nil {
				return err
			}
			return errors.Join(d.Sync(), d.Close())
		},
	}
}

func (c *Collector) save(dir string, d disk) error {
	temporary := filepath.Join(dir, stateName+".tmp")
	f, err := d.create(temporary)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 64<<10)
	err = c.writeState(b)
	if err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := d.rename(temporary, filepath.Join(dir, stateName)); err != nil {
		return err
	}
	return d.syncDir(dir)
}

// summed counts and sums what passes through it.
type summed struct {
	io.Writer

	n   uint64
	crc uint32
}

func (s *summed) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	s.n += uint64(n)
	s.crc = crc32.Update(s.crc, castagnoli(), p[:n])
	return n, err
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// writeState writes the content of a state file.
func (c *Collector) writeState(out io.Writer) error {
	s := &summed{Writer: out}
	if _, err := io.WriteString(s, stateMagic); err != nil {
		return err
	}
	z, err := flate.NewWriter(s, flate.BestSpeed)
	if err != nil {
		return err
	}
	var w stateWriter
	w.time(time.Now())
	_, err = z.Write(w.b)
	for _, a := range c.accounts {
		if err == nil {
			err = a.writeRecords(z)
		}
	}
	if err == nil {
		err = writeRecord(z, recordEnd, nil)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	end := binary.LittleEndian.AppendUint64(nil, s.n)
	_, err = out.Write(binary.LittleEndian.AppendUint32(end, s.crc))
	return err
}

func writeRecord(out io.Writer, kind byte, b []byte) error {
	head := binary.AppendUvarint([]byte{kind}, uint64(len(b)))
	if _, err := out.Write(head); err != nil {
		return err
	}
	_, err := out.Write(b)
	return err
}

// writeRecords writes the records of an account. The account is locked for one
// instance after the other, not while anything is written.
func (a *account) writeRecords(out io.Writer) error {
	var w stateWriter
	a.mu.Lock()
	w.text(a.Name)
	w.object(a.discovered)
	regions := sortedKeys(a.regions)
	a.mu.Unlock()
	if err := writeRecord(out, recordAccount, w.b); err != nil {
		return err
	}
	for _, id := range regions {
		w.b = w.b[:0]
		var instances []string
		a.mu.Lock()
		r := a.regions[id]
		if r != nil {
			w.region(id, r)
			instances = sortedKeys(r.instances)
		}
		a.mu.Unlock()
		if r == nil {
			continue
		}
		if err := writeRecord(out, recordRegion, w.b); err != nil {
			return err
		}
		for _, iid := range instances {
			w.b = w.b[:0]
			a.mu.Lock()
			i := r.instances[iid]
			if i != nil {
				w.instance(i)
			}
			a.mu.Unlock()
			if i == nil {
				continue
			}
			if err := writeRecord(out, recordInstance, w.b); err != nil {
				return err
			}
		}
	}
	return nil
}

// LoadState reads the state file in dir: nil when there is none. A damaged one
// is an error, and, if setAside, renamed, so that it can be looked at and is
// not in the way.
func LoadState(dir string, setAside bool) (*State, error) {
	name := filepath.Join(dir, stateName)
	b, err := os.ReadFile(name) //nolint:gosec // in the user's own directory
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	s, err := readState(b)
	if err == nil {
		return s, nil
	}
	err = fmt.Errorf("state file %s: %w", name, err)
	if setAside {
		aside := name + ".damaged-" + time.Now().UTC().Format("20060102T150405Z")
		if renamed := os.Rename(name, aside); renamed != nil {
			return nil, errors.Join(err, renamed)
		}
		err = fmt.Errorf("%w; it was set aside as %s", err, aside)
	}
	return nil, err
}

// readState reads the content of a state file.
func readState(b []byte) (*State, error) {
	if !bytes.HasPrefix(b, []byte(stateMagic)) || len(b) < len(stateMagic)+trailer {
		return nil, errors.New("it is not one, or of another version")
	}
	body, end := b[:len(b)-trailer], b[len(b)-trailer:]
	if n := binary.LittleEndian.Uint64(end); n != uint64(len(body)) {
		return nil, fmt.Errorf("it is cut off: %d bytes, %d were written", len(body), n)
	}
	if crc32.Checksum(body, castagnoli()) != binary.LittleEndian.Uint32(end[8:]) {
		return nil, errors.New("its checksum is wrong")
	}
	return readRecords(flate.NewReader(bytes.NewReader(body[len(stateMagic):])))
}

// maxRecord bounds a record: no instance is described by more.
const maxRecord = 1 << 30

// readRecords reads the records of a state file.
func readRecords(in io.Reader) (*State, error) {
	b := bufio.NewReader(in)
	nanos, err := binary.ReadVarint(b)
	if err != nil {
		return nil, err
	}
	s, now := &State{SavedAt: time.Unix(0, nanos)}, time.Now()
	var a *account
	var r *region
	var id string
	for {
		kind, record, err := readRecord(b)
		if err != nil {
			return nil, err
		}
		d := &stateReader{b: record, now: now}
		switch {
		case kind == recordEnd:
			return s, nil
		case kind == recordAccount:
			a, r = &account{regions: map[string]*region{}}, nil
			a.Name, a.discovered = d.text(), d.object()
			s.accounts = append(s.accounts, a)
			err = d.end("account")
		case kind == recordRegion && a != nil:
			id, r = d.region()
			a.regions[id] = r
			err = d.end("region")
		case kind == recordInstance && r != nil:
			i := d.instance(a.Name, id)
			r.instances[i.view.ID] = i
			s.Instances++
			err = d.end("instance")
		default:
			err = fmt.Errorf("record of kind %d: %w", kind, errState)
		}
		if err != nil {
			return nil, err
		}
	}
}

func readRecord(in *bufio.Reader) (kind byte, record []byte, err error) {
	if kind, err = in.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(in)
	if err != nil {
		return 0, nil, err
	}
	if n > maxRecord {
		return 0, nil, fmt.Errorf("record of %d bytes: %w", n, errState)
	}
	var b bytes.Buffer // grows with what is really there
	if _, err := io.CopyN(&b, in, int64(n)); err != nil {
		return 0, nil, err
	}
	return kind, b.Bytes(), nil
}

// restore takes over what an earlier process knew of the account. It counts as
// ready when something of that is not too old to be shown.
func (a *account) restore(s *State) {
	for _, old := range s.accounts {
		if old.Name != a.Name {
			continue
		}
		a.takeOver(old)
		a.mu.Lock()
		for _, r := range a.regions {
			if r.list.tried && fresh(r.list.at, time.Now(), a.ttl(sourceInstances)) {
				a.becomeReady()
				break
			}
		}
		a.mu.Unlock()
	}
}
