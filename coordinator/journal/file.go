package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"

	"github.com/accord-fl/accord/internal/checkpoint"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
)

// Role is what a file is in a coordinator's folder.
type Role string

// The roles. Without one (simulations) a file needs no first record.
const (
	Journal  Role = "journal"
	Registry Role = "registry"
)

// Options of a file. The zero value is a file without a role on the operating
// system's disk.
type Options struct {
	// Role: the file must begin with the first record of this role.
	Role Role
	// Key signs checkpoints of a Journal. It must be the one that the journal
	// names. A file of the version before takes it over.
	Key *checkpoint.Key
	// ID of the journal that a Registry belongs to.
	ID string
	// Covers is the registry whose head a Journal records, replayed already.
	Covers *File
	// AcceptRegistry takes a registry as it is, whatever the journal says of it.
	AcceptRegistry bool
	// Tail is how long what follows the last snapshot may become before a
	// compaction is due; zero: it never is.
	Tail Tail
	// Disk to write to; nil: the operating system's.
	Disk disk.Disk

	rekey bool // the journal is to take Key as its key
	move  bool // the registry is to belong to ID
	ahead bool // the registry may have more changes than the journal knows of
	lock  *flock.Flock
}

// File is a Store of one JSON line a record, in batches. A lock beside it keeps a
// second process out. Append, Replay and Close are called by one goroutine; the
// other methods concurrently, once Replay has returned.
type File struct {
	path string
	o    Options
	f    disk.File
	lock *flock.Flock

	// Append, Replay and Close alone use what follows.
	replayed bool
	dirty    bool // what is on disk behind the last batch is in doubt
	unnamed  bool // the file has its name, but that is not durable
	next     *prepared
	cut      *Cut
	opened   int64 // records when the file was opened

	mu     sync.RWMutex
	s      *state
	signed []byte // checkpoint of the head, once somebody has asked for it
}

var _ Store = (*File)(nil)

// OpenFile opens or creates the file at path, without a role.
func OpenFile(path string) (*File, error) { return Open(path, Options{}) }

// Open opens or creates the file at path and keeps other processes out of it.
// Nothing is read before Replay.
func Open(path string, o Options) (*File, error) {
	if o.Disk == nil {
		o.Disk = disk.OS()
	}
	var err error
	j := &File{path: path, o: o, lock: o.lock, s: &state{}}
	if j.lock == nil {
		if j.lock, err = lock(path); err != nil {
			return nil, err
		}
	}
	if j.f, err = o.Disk.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err == nil {
		err = o.Disk.SyncDir(filepath.Dir(path))
	}
	if err == nil {
		err = j.discard()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", path, err), j.Close())
	}
	return j, nil
}

// lock keeps other processes out of the file at path.
func lock(path string) (*flock.Flock, error) {
	l := flock.New(path + ".lock")
	locked, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock journal %s: %w", path, err)
	}
	if !locked {
		return nil, fault.As(fault.Unavailable, fmt.Errorf("journal %s is in use by another process", path))
	}
	return l, nil
}

// Replay implements Store. The first call also settles the file: it removes what
// a crash has torn (see Cut), makes durable what it has read, upgrades a file of
// the version before, and checks that the file is the one that Options describe.
// An error leaves the file as it was, except for the end that a crash has torn.
func (j *File) Replay(ctx context.Context, visit func(Record) error) (uint64, error) {
	if err := j.ready(); err != nil {
		return 0, fmt.Errorf("read journal %s: %w", j.path, err)
	}
	size := j.s.bytes
	if !j.replayed {
		info, err := j.f.Stat()
		if err != nil {
			return 0, fmt.Errorf("read journal %s: %w", j.path, err)
		}
		size = info.Size()
	}
	s, cut, err := read(ctx, j.path, j.f, size, visit)
	if err != nil {
		return 0, err
	}
	if j.replayed {
		return uint64(s.head.Size), nil
	}
	if err := j.check(s); err != nil {
		return 0, err
	}
	if err := j.renew(s, cut); err != nil {
		return 0, fmt.Errorf("open journal %s: %w", j.path, err)
	}
	s.tree.read = j.tile
	j.mu.Lock()
	j.s = s
	j.mu.Unlock()
	j.replayed, j.cut, j.opened = true, cut, s.head.Size
	if err := j.settle(ctx); err != nil {
		j.replayed = false
		return 0, err
	}
	return uint64(j.s.head.Size), nil
}

// renew makes durable what was read: a process before this one may have failed to,
// and an fsync alone does not write again what it has given up.
func (j *File) renew(s *state, cut *Cut) error {
	if cut != nil {
		if err := j.f.Truncate(s.bytes); err != nil {
			return err
		}
	}
	if s.batches > 0 {
		last := make([]byte, s.bytes-s.last)
		if _, err := j.f.ReadAt(last, s.last); err != nil {
			return err
		}
		if _, err := j.f.WriteAt(last, s.last); err != nil {
			return err
		}
	}
	return j.f.Sync()
}

// Append implements Store: one write, one fsync.
func (j *File) Append(_ context.Context, head uint64, records []Record) error {
	s := j.s // nobody else changes it
	switch {
	case !j.replayed:
		return errors.New("append to journal: it was not replayed")
	case head != uint64(s.head.Size):
		return ErrConflict
	case len(records) == 0:
		return nil
	}
	own := s.own
	for i, rec := range records {
		if rec.Seq != head+1+uint64(i) {
			return fmt.Errorf("append to journal: record %d follows %d", rec.Seq, head+uint64(i))
		}
		if isOwn(rec.Kind) {
			own = own.clone()
			if err := own.apply(rec, &s.old); err != nil {
				return fmt.Errorf("append to journal: %w", err)
			}
		}
	}
	batch, leaves, err := encode(records, s.tree.last, s.bytes)
	if err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	if err := j.write(batch, s.bytes); err != nil {
		return fmt.Errorf("append to journal %s: %w", j.path, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, leaf := range leaves {
		if err := s.tree.add(leaf); err != nil {
			return err
		}
	}
	if s.head, err = s.tree.head(); err != nil {
		return err
	}
	s.own, s.last, j.signed = own, s.bytes, nil
	s.bytes += int64(len(batch))
	s.lines += int64(len(records)) + 2
	s.batches++
	return nil
}

// write makes a batch durable at offset. Where an attempt before has failed, what
// that has left goes first: its pages may count as written although they were not.
func (j *File) write(batch []byte, offset int64) error {
	if err := j.ready(); err != nil {
		return err
	}
	if j.dirty {
		if err := errors.Join(j.f.Truncate(offset), j.f.Sync()); err != nil {
			return err
		}
	}
	j.dirty = true
	_, err := j.f.WriteAt(batch, offset)
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		// Whoever is told that this was not recorded should not find it after a
		// crash. Should this fail, too, the next attempt does it.
		_ = j.f.Truncate(offset)
		return err
	}
	j.dirty = false
	return nil
}

// Torn returns what Replay has removed from the end of the file; nil: nothing.
func (j *File) Torn() *Cut { return j.cut }

// Close releases the file and its lock.
func (j *File) Close() error {
	var errs []error
	if j.next != nil {
		errs = append(errs, j.discard())
	}
	if j.f != nil {
		errs = append(errs, j.f.Close())
	}
	return errors.Join(append(errs, j.lock.Unlock())...)
}
