// Package spool keeps artefacts on disk under the SHA-256 of their bytes. A
// blob is either wholly there, and is what its name says, or not there at
// all: whatever is read is checked, and a file that turns out to hold something
// else is removed. A blob never changes, for those who open it here: the files of
// blobs that are removed serve again. What has arrived of a blob that is on its way lies
// beside the blobs until the rest comes. All methods may be called
// concurrently.
package spool

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
)

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("spool: no such artefact")
	ErrDigest   = fault.As(fault.Input, errors.New("spool: bytes do not match their digest"))
	ErrTooLarge = fault.As(fault.Input, errors.New("spool: more bytes than allowed"))
)

// Options of a spool.
type Options struct {
	// Sync makes a blob durable before PutFunc or Finish returns. Without it a
	// power cut may take recent blobs, and Open reads all of them to find those.
	Sync bool
	// Later is up to how many bytes a blob may have for PutFunc and Finish to leave
	// it to Flush in spite of Sync. Open reads those of that size.
	Later int64
	// Disk is what the spool writes through; nil: the operating system's.
	Disk disk.Disk
}

// Spool is a folder of blobs.
type Spool struct {
	dir    string
	sync   bool
	later  int64
	disk   disk.Disk
	folder folder

	mu       sync.Mutex
	partials map[string]*Partial  // that are written, by file name
	idle     map[string]time.Time // partials that nobody writes: when that last happened
	open     map[string]int       // how often each blob is open
	sums     map[string]*sums     // of the blobs that this process has written or read
	doubtful map[string]bool      // blobs that could not be made durable
	pending  map[string]int       // blobs that await Flush: how many others did before
	filed    int                  // so far
	spares   spares

	learning singleflight.Group // of sums, by digest
}

// Open makes dir a spool, creating it when needed, for its owner alone: updates
// are no business of the machine's other users. Temporary files that a
// crash left behind are removed, so dir must have one owner at a time.
func Open(dir string, o Options) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	if o.Disk == nil {
		o.Disk = disk.OS()
	}
	s := &Spool{
		dir: dir, sync: o.Sync, later: o.Later, disk: o.Disk, partials: map[string]*Partial{}, idle: map[string]time.Time{},
		open: map[string]int{}, sums: map[string]*sums{}, doubtful: map[string]bool{}, pending: map[string]int{},
	}
	if err := errors.Join(s.clean(), s.findPartials()); err != nil {
		return nil, fmt.Errorf("open spool %s: %w", dir, err)
	}
	return s, nil
}

// PutFunc stores what write puts into its argument and returns the digest,
// lower-case hexadecimal, and the size in bytes.
func (s *Spool) PutFunc(write func(io.Writer) error) (digest string, size int64, err error) {
	digest, size, err = s.store("", write)
	if err != nil {
		return "", 0, fmt.Errorf("put: %w", err)
	}
	return digest, size, nil
}

// Restore stores what write puts into its argument as the blob called digest, in
// place of a file that may be there. Other bytes are ErrDigest and not stored.
func (s *Spool) Restore(digest string, write func(io.Writer) error) error {
	if _, _, err := s.store(digest, write); err != nil {
		return fmt.Errorf("restore %s: %w", digest, err)
	}
	return nil
}

// store files what write writes, which must have the digest want unless that is
// "".
func (s *Spool) store(want string, write func(io.Writer) error) (digest string, size int64, err error) {
	f, err := s.temporary()
	if err != nil {
		return "", 0, err
	}
	// After a successful rename both calls fail harmlessly, since no temporary
	// name comes twice.
	defer func() { _ = f.Close(); _ = s.disk.Remove(f.Name()) }()

	d := newDigester()
	if err := write(io.MultiWriter(f, d)); err != nil {
		return "", 0, err
	}
	digest, all := d.end()
	if want != "" && digest != want {
		return "", 0, ErrDigest
	}
	later := want == "" && s.leaves(all.size)
	if err := f.Truncate(all.size); err != nil { // a spare may have held more
		return "", 0, err
	}
	if s.sync && !later {
		if err := f.Sync(); err != nil {
			return "", 0, err
		}
	}
	if err := f.Close(); err != nil {
		return "", 0, err
	}
	if err := s.file(f.Name(), digest, all, later); err != nil || later {
		return digest, all.size, err
	}
	return digest, all.size, s.named(digest)
}

// file makes the file at path the blob called digest; later says that Flush is to
// make it durable.
func (s *Spool) file(path, digest string, all *sums, later bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.disk.Rename(path, s.path(digest)); err != nil {
		return err
	}
	s.sums[digest] = all
	delete(s.pending, digest)
	if later {
		s.filed++
		s.pending[digest] = s.filed
	}
	return nil
}

// leaves reports whether a blob of so many bytes is left to Flush.
func (s *Spool) leaves(size int64) bool { return s.sync && size <= s.later }

// Has reports whether the blob called digest is there, and its size in bytes.
func (s *Spool) Has(digest string) (int64, bool) {
	if !ValidDigest(digest) {
		return 0, false
	}
	info, err := os.Stat(s.path(digest))
	if err != nil {
		return 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.sums[digest]; known != nil && known.size != info.Size() {
		return 0, false // cut, or longer than it was
	}
	return info.Size(), true
}

// List returns the digests of all blobs, sorted.
func (s *Spool) List() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list spool: %w", err)
	}
	var digests []string
	for _, e := range entries {
		if ValidDigest(e.Name()) {
			digests = append(digests, e.Name())
		}
	}
	return digests, nil
}

// Remove deletes the blob called digest; one that is not there is no error.
func (s *Spool) Remove(digest string) error {
	if !ValidDigest(digest) {
		return nil
	}
	if err := s.retire(digest); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove artefact: %w", err)
	}
	return nil
}

func (s *Spool) path(digest string) string { return filepath.Join(s.dir, digest) }

// ValidDigest reports whether digest is a SHA-256 in lower-case hexadecimal,
// and hence safe as a file name.
func ValidDigest(digest string) bool {
	if len(digest) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(digest) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
