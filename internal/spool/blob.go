package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// ErrDamaged is in the chain of every *DamagedError, as is ErrNotFound.
var ErrDamaged = errors.New("spool: the artefact is damaged")

// DamagedError reports that a file under a digest does not hold the bytes of
// that digest. The spool has removed it: from then on the artefact is not there.
type DamagedError struct{ Digest string }

// Error names the artefact in full and no path: it may be sent to other parties.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("artefact %s is damaged: its file no longer holds the bytes of that SHA-256", e.Digest)
}

// Is makes a DamagedError an ErrDamaged, and an ErrNotFound: whoever can get a
// missing artefact again can get this one.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged || target == ErrNotFound }

// Blob is an open artefact. Every byte that ReadAt gives was checked as it was
// read: it is the one whose SHA-256 is the blob's name, whatever has happened to
// the file since the blob was stored or opened. A Blob stays readable after
// Remove. ReadAt may be called concurrently.
type Blob struct {
	file   *os.File
	spool  *Spool // nil: the file is not a spool's
	digest string
	sums   *sums
}

// Open returns the blob called digest. It is ErrNotFound when there is none, and
// a *DamagedError when its file holds something else. The first time that a
// process opens a blob that it has not stored, it reads all of it. The caller
// closes it.
func (s *Spool) Open(digest string) (*Blob, error) {
	if !ValidDigest(digest) {
		return nil, fmt.Errorf("open %.12q: %w", digest, ErrNotFound)
	}
	s.mu.Lock()
	f, err := os.Open(s.path(digest))
	known := s.sums[digest]
	if err == nil {
		s.open[digest]++
	}
	s.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("artefact %s: %w", digest, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	b := &Blob{file: f, spool: s, digest: digest, sums: known}
	if known == nil {
		err = b.learn()
	} else {
		err = b.measure()
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// OpenFile opens a file that lies elsewhere as the blob called digest, or with ""
// as what it is. One with other bytes is a *DamagedError, and stays. The caller
// closes it.
func OpenFile(path, digest string) (*Blob, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	got, all, err := sumsOf(f)
	if err == nil && digest != "" && got != digest {
		err = &DamagedError{Digest: digest}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Blob{file: f, digest: got, sums: all}, nil
}

// Verify reads the blob called digest from its first byte to its last. Its errors
// are those of Open and ReadAt.
func (s *Spool) Verify(digest string) (err error) {
	b, err := s.Open(digest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	_, err = io.Copy(io.Discard, io.NewSectionReader(b, 0, b.Size()))
	return err
}

// Sound reports whether the blob called digest is there and was read or written
// by this process, and its size in bytes. It is a cheap answer and no promise:
// what is wrong with the file by now is found by whoever reads it.
func (s *Spool) Sound(digest string) (int64, bool) {
	size, there := s.Has(digest)
	if !there {
		return 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.sums[digest]
	return size, known != nil && known.size == size
}

// learn reads all of the file and keeps its sums if it is what its name says.
// Those who ask at the same time wait for one reading.
func (b *Blob) learn() error {
	all, err, _ := b.spool.learning.Do(b.digest, func() (any, error) {
		got, all, err := sumsOf(b.file)
		if err == nil && got != b.digest {
			err = b.condemn()
		}
		return all, err
	})
	if err != nil {
		return err
	}
	b.sums = all.(*sums)
	b.spool.mu.Lock()
	b.spool.sums[b.digest] = b.sums
	b.spool.mu.Unlock()
	return b.measure() // it may be another file than the one that was read
}

// sumsOf reads all of f.
func sumsOf(f *os.File) (digest string, all *sums, err error) {
	d := newDigester()
	info, err := f.Stat()
	if err != nil {
		return "", nil, err
	}
	// More than was there may come; it is not part of what was opened.
	if _, err := io.CopyBuffer(d, io.NewSectionReader(f, 0, info.Size()), make([]byte, min(stretch, info.Size()+1))); err != nil {
		return "", nil, err
	}
	digest, all = d.end()
	return digest, all, nil
}

// measure finds a file that was cut or has grown before anything is read.
func (b *Blob) measure() error {
	info, err := b.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != b.sums.size {
		return b.condemn()
	}
	return nil
}

// condemn removes the blob's file, unless another has taken its place, and
// returns the error to report.
func (b *Blob) condemn() error {
	damaged := &DamagedError{Digest: b.digest}
	if b.spool == nil {
		return damaged
	}
	b.spool.mu.Lock()
	defer b.spool.mu.Unlock()
	path := b.spool.path(b.digest)
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return damaged
	}
	own, errOwn := b.file.Stat()
	if err := errors.Join(err, errOwn); err != nil {
		return errors.Join(damaged, err)
	}
	if !os.SameFile(there, own) {
		return damaged
	}
	delete(b.spool.sums, b.digest)
	if err := os.Remove(path); err != nil {
		return errors.Join(damaged, err)
	}
	return damaged
}

const (
	// stretch is how much is read and checked at a time, so that the second
	// finds it in the processor's cache.
	stretch = 16 * blockBytes
	// window is how much a small read may take in with the blocks that it
	// touches.
	window = 4 * blockBytes
)

var windows = sync.Pool{New: func() any { return new([window]byte) }}

// ReadAt implements io.ReaderAt. Bytes that are not the blob's are a
// *DamagedError, and none of them are given away as if they were.
func (b *Blob) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("spool: read at %d", off)
	}
	rest := p[:max(0, min(int64(len(p)), b.sums.size-off))]
	for len(rest) > 0 {
		got, err := b.read(rest, off)
		if err != nil {
			return n, err
		}
		n, off, rest = n+got, off+int64(got), rest[got:]
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// read fills the beginning of p, of which nothing lies beyond the blob's end:
// whole blocks in place, and what begins or ends within a block by a window.
func (b *Blob) read(p []byte, off int64) (n int, err error) {
	first := off / blockBytes
	start, want := first*blockBytes, off+int64(len(p))
	end := min(b.sums.size, (want+blockBytes-1)/blockBytes*blockBytes)
	if whole := want / blockBytes * blockBytes; start == off && (end == want || whole-start >= window) {
		if end != want {
			end = whole
		}
		end = min(end, start+stretch)
		return int(end - start), b.load(p[:end-start], first)
	}
	if end-start > window {
		end = start + blockBytes // the next read begins with a block
	}
	buffer := windows.Get().(*[window]byte)
	defer windows.Put(buffer)
	blocks := buffer[:end-start]
	if err := b.load(blocks, first); err != nil {
		return 0, err
	}
	return copy(p, blocks[off-start:]), nil
}

// load reads the blocks from first on into p and checks them. What does not hold
// is read once more, for the fault may lie in the reading.
func (b *Blob) load(p []byte, first int64) error {
	for range 2 {
		n, err := b.file.ReadAt(p, first*blockBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == len(p) && b.sums.holds(p, first) {
			return nil
		}
	}
	clear(p)
	return b.condemn()
}

// Digest returns the blob's name.
func (b *Blob) Digest() string { return b.digest }

// Size of the blob in bytes.
func (b *Blob) Size() int64 { return b.sums.size }

// Close ends the reading.
func (b *Blob) Close() error {
	err := b.file.Close()
	if b.spool == nil || errors.Is(err, os.ErrClosed) {
		return err
	}
	b.spool.mu.Lock()
	defer b.spool.mu.Unlock()
	if b.spool.open[b.digest]--; b.spool.open[b.digest] == 0 {
		delete(b.spool.open, b.digest)
	}
	return err
}
