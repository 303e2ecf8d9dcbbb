package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/checkpoint"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
)

// The files of a coordinator's folder that this package writes.
const (
	JournalFile  = "journal.jsonl"
	RegistryFile = "registry.jsonl"
	// KeyFile holds the private key that signs checkpoints of the journal.
	KeyFile = "journal.key"
	// A key lies under this name until the journal names it.
	nextKeyFile = KeyFile + ".new"
)

// Folder is where a coordinator keeps its journal, the key that signs the
// journal's checkpoints, and the registry of a federation with certificates.
type Folder struct {
	Dir      string
	Registry bool      // there is a registry
	Disk     disk.Disk // nil: the operating system's
	Tail     Tail      // of the journal; zero: DefaultTail
}

func (f Folder) path(file string) string { return filepath.Join(f.Dir, file) }

// Found writes the first record of the journal, its key and, if there is one, the
// first record of the registry, both of which must not exist.
func (f Folder) Found() error {
	key, err := checkpoint.NewKey(checkpoint.NewOrigin())
	if err != nil {
		return err
	}
	if f.Registry {
		if err := f.beginRegistry(key.Origin()); err != nil {
			return err
		}
	}
	return f.beginJournal(key)
}

func (f Folder) beginRegistry(id string) error {
	return f.begin(RegistryFile, string(Registry)+kindBegun, begun{ID: id})
}

// beginJournal makes a journal and its key. Whatever ends it half-way, the next
// start finds no journal, or a journal whose key takes its place.
func (f Folder) beginJournal(key *checkpoint.Key) error {
	if err := atomicfile.On(f.Disk).WriteSecret(f.path(nextKeyFile), key.Bytes()); err != nil {
		return err
	}
	first := begun{ID: key.Origin(), Incarnation: checkpoint.NewIncarnation(), Key: key.Verifier()}
	if err := f.begin(JournalFile, string(Journal)+kindBegun, first); err != nil {
		return err
	}
	return f.promoteKey()
}

func (f Folder) begin(file, kind string, first begun) error {
	rec, err := ownRecord(1, kind, first)
	if err != nil {
		return err
	}
	batch, _, err := encode([]Record{rec}, tlog.Hash{}, 0)
	if err != nil {
		return err
	}
	return atomicfile.On(f.Disk).WriteSecret(f.path(file), batch)
}

// promoteKey puts the key that the journal now names in its place.
func (f Folder) promoteKey() error {
	d := f.Disk
	if d == nil {
		d = disk.OS()
	}
	return errors.Join(d.Rename(f.path(nextKeyFile), f.path(KeyFile)), d.SyncDir(f.Dir))
}

// errKeyFile: there is no key, or none that can be read.
var errKeyFile = errors.New("the journal's key is missing or damaged: put it back, or let accord coordinator restore make another")

// readKey reads a key's file; nil: there is none.
func (f Folder) readKey(file string) (*checkpoint.Key, error) {
	info, err := os.Stat(f.path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o007 != 0 {
		return nil, fault.Inputf("%s: everybody on this machine can read this private key (mode %04o): chmod 600 %s", f.path(file), mode, f.path(file))
	}
	data, err := os.ReadFile(f.path(file))
	if err != nil {
		return nil, err
	}
	key, err := checkpoint.ParseKey(data)
	if err != nil {
		return nil, fault.Inputf("%s: %w (%w)", f.path(file), errKeyFile, err)
	}
	return key, nil
}

// form is what a file looks like from outside.
type form int

const (
	missing form = iota
	empty        // what the version before made first
	older        // of the version before
	current
)

// formOf looks at the beginning of a file.
func (f Folder) formOf(file string) (form, error) {
	opened, err := os.Open(f.path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return missing, nil
	}
	if err != nil {
		return missing, err
	}
	defer opened.Close() // only read
	start := make([]byte, len(oldStart))
	n, err := io.ReadFull(opened, start)
	switch {
	case errors.Is(err, io.EOF):
		return empty, nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return missing, err
	case bytes.Equal(start[:n], []byte(oldStart)):
		return older, nil
	}
	return current, nil
}

// Open opens the journal and the registry (nil: there is none), which the caller
// replays, the registry first, and closes. first reports whether a coordinator may
// have its first start here, without anybody having founded it: then a folder
// without a trace of a former life gets a journal; traces names such a trace, or
// nothing. Files of the version before are taken over. An error about what is in
// the folder is of class fault.Input and says what to do.
func (f Folder) Open(first bool, traces func() (string, error)) (journal, registry *File, err error) {
	held, err := lock(f.path(JournalFile))
	if err != nil {
		return nil, nil, err
	}
	key, err := f.prepare(first, traces)
	if err != nil {
		return nil, nil, errors.Join(err, held.Unlock())
	}
	return f.open(Options{Key: key, lock: held}, Options{ID: key.Origin()})
}

// prepare makes what is to be there before the files are opened, and returns the
// journal's key.
func (f Folder) prepare(first bool, traces func() (string, error)) (*checkpoint.Key, error) {
	j, err := f.formOf(JournalFile)
	if err != nil {
		return nil, err
	}
	r, err := f.formOf(RegistryFile)
	if err != nil {
		return nil, err
	}
	if j == missing || j == empty {
		if err := f.mayBegin(j, r, first, traces); err != nil {
			return nil, err
		}
		key, err := checkpoint.NewKey(checkpoint.NewOrigin())
		if err != nil {
			return nil, err
		}
		if err := f.beginJournal(key); err != nil {
			return nil, err
		}
	}
	key, err := f.key(j)
	switch {
	case err != nil || !f.Registry:
		return key, err
	case r == empty && j != current: // the version before had made it, and nobody was invited
		return key, f.beginRegistry(key.Origin())
	case r == missing || r == empty:
		return nil, fault.Inputf("%s: it is missing or empty: which sites belong, and which were revoked, is not known. Put back a backup of the folder, or see accord coordinator restore --help", f.path(RegistryFile))
	}
	return key, nil
}

// open opens both files with these options. j holds the lock of the journal, which
// an error releases.
func (f Folder) open(j, r Options) (journal, registry *File, err error) {
	j.Role, j.Disk, r.Role, r.Disk = Journal, f.Disk, Registry, f.Disk
	if j.Tail = f.Tail; j.Tail == (Tail{}) {
		j.Tail = DefaultTail()
	}
	if f.Registry {
		if registry, err = Open(f.path(RegistryFile), r); err != nil {
			return nil, nil, errors.Join(err, j.lock.Unlock())
		}
		j.Covers = registry
	}
	if journal, err = Open(f.path(JournalFile), j); err != nil {
		if registry != nil {
			err = errors.Join(err, registry.Close())
		}
		return nil, nil, err
	}
	return journal, registry, nil
}

// mayBegin reports whether a journal that has no record may begin here.
func (f Folder) mayBegin(j, r form, first bool, traces func() (string, error)) error {
	trace, err := f.trace(r)
	if err == nil && trace == "" {
		trace, err = traces()
	}
	switch {
	case err != nil:
		return err
	case trace != "":
		return fault.Inputf("%s: it is missing or empty, but there was one: %s is there. Put back a backup of the folder, or see accord coordinator restore --help", f.path(JournalFile), trace)
	case !first && (j == missing || f.Registry && r == missing):
		return fault.Inputf("%s: it is missing: accord federation init makes it. Put back the folder that was made, or a backup of it, or see accord coordinator restore --help", f.path(JournalFile))
	}
	return nil
}

// trace names a file of a former life; empty: there is none.
func (f Folder) trace(r form) (string, error) {
	if r == current {
		return f.path(RegistryFile), nil
	}
	_, err := os.Stat(f.path(KeyFile))
	switch {
	case err == nil:
		return f.path(KeyFile), nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	}
	return "", err
}

// key returns the key that signs for the journal. A journal of the version before
// gets one.
func (f Folder) key(j form) (*checkpoint.Key, error) {
	if j == older {
		key, err := f.readKey(KeyFile)
		if key != nil || err != nil {
			return key, err
		}
		if key, err = checkpoint.NewKey(checkpoint.NewOrigin()); err != nil {
			return nil, err
		}
		return key, atomicfile.On(f.Disk).WriteSecret(f.path(KeyFile), key.Bytes())
	}
	// A key that the journal names already takes its place.
	next, err := f.readKey(nextKeyFile)
	if err != nil {
		return nil, err
	}
	if next != nil {
		named, err := f.names(next)
		if err != nil {
			return nil, err
		}
		if named {
			return next, f.promoteKey()
		}
	}
	key, err := f.readKey(KeyFile)
	if err == nil && key == nil {
		err = fault.Inputf("%s: %w", f.path(KeyFile), errKeyFile)
	}
	return key, err
}

// names reports whether the journal's records name a key. It reads the whole file,
// which happens after a crash alone.
func (f Folder) names(key *checkpoint.Key) (bool, error) {
	data, err := os.ReadFile(f.path(JournalFile))
	if err != nil {
		return false, fmt.Errorf("look for the journal's key: %w", err)
	}
	return bytes.Contains(data, []byte(key.Verifier())), nil
}
