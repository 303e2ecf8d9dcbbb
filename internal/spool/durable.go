package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/accord-fl/accord/internal/atomicfile"
)

// Sync makes a blob durable that was put without Options.Sync. A system that
// could not write bytes out may have forgotten them, so after a failure the next
// call writes the blob again, from bytes that it checks: a *DamagedError when they
// are others by now. ErrNotFound when there is no such blob.
func (s *Spool) Sync(digest string) error {
	if _, ok := s.Has(digest); !ok {
		return fmt.Errorf("sync %.12q: %w", digest, ErrNotFound)
	}
	s.mu.Lock()
	again := s.doubtful[digest]
	s.doubtful[digest] = true // until it is done
	s.mu.Unlock()
	var err error
	if again {
		err = s.rewrite(digest)
	} else {
		err = atomicfile.On(s.disk).Sync(s.path(digest))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound // it was removed meanwhile
	}
	if err == nil || errors.Is(err, ErrNotFound) {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.doubtful, digest)
	}
	if err != nil {
		return fmt.Errorf("sync %.12s: %w", digest, err)
	}
	return nil
}

// named makes the name of a blob durable whose bytes are, where that was asked for.
// After a failure the blob is doubtful.
func (s *Spool) named(digest string) error {
	err := s.syncFolder()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.doubtful[digest] = true
		return err
	}
	delete(s.doubtful, digest)
	return nil
}

// certain makes a blob durable if it is doubtful, and returns ErrExists then.
func (s *Spool) certain(digest string) error {
	s.mu.Lock()
	doubtful := s.doubtful[digest]
	s.mu.Unlock()
	if doubtful && s.sync {
		if err := s.Sync(digest); err != nil {
			return err
		}
	}
	return ErrExists
}

// flushAtOnce bounds the blobs that a Flush makes durable at the same time.
const flushAtOnce = 16

// Flush makes those of the blobs durable that Options.Later has left to it, all at
// the same time, and the folder once. After a failure the next call writes them
// again, as Sync does. ErrNotFound in an error's chain says that there is no such
// blob any more.
func (s *Spool) Flush(digests []string) error {
	due := s.due(digests)
	if len(due) == 0 {
		return nil
	}
	var all errgroup.Group
	all.SetLimit(flushAtOnce)
	errs := make([]error, len(due)+1)
	folder := make(chan error, 1)
	go func() { folder <- s.syncFolder() }() // awaited below
	for i, b := range due {
		all.Go(func() error {
			errs[i] = s.flush(b)
			return nil
		})
	}
	_ = all.Wait() // the errors are in errs
	errs[len(due)] = <-folder
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range due {
		switch {
		case s.pending[b.digest] != b.number: // it was filed again, or removed
		case errs[i] == nil && errs[len(due)] == nil, errors.Is(errs[i], ErrNotFound):
			delete(s.pending, b.digest)
			delete(s.doubtful, b.digest)
		default:
			s.doubtful[b.digest] = true
		}
	}
	return errors.Join(errs...)
}

// pendingBlob is one that awaits Flush.
type pendingBlob struct {
	digest string
	number int
	again  bool // an attempt has failed
}

// due returns those of the blobs that await Flush, each once.
func (s *Spool) due(digests []string) (due []pendingBlob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, digest := range digests {
		b := pendingBlob{digest, s.pending[digest], s.doubtful[digest]}
		if b.number > 0 && !slices.Contains(due, b) {
			due = append(due, b)
		}
	}
	return due
}

// flush makes the bytes of a blob durable, and its name as well where an attempt
// before has failed.
func (s *Spool) flush(b pendingBlob) error {
	err := s.fsync(b)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound // it was removed meanwhile
	}
	if err != nil {
		return fmt.Errorf("flush %.12s: %w", b.digest, err)
	}
	return nil
}

func (s *Spool) fsync(b pendingBlob) error {
	if b.again {
		return s.rewrite(b.digest)
	}
	f, err := s.disk.OpenFile(s.path(b.digest), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// rewrite replaces the file of a blob by a durable copy.
func (s *Spool) rewrite(digest string) (err error) {
	b, err := s.Open(digest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	f, err := s.temporary()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close(); _ = s.disk.Remove(f.Name()) }() // both fail harmlessly once it has its name
	n, err := io.Copy(f, io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(n), f.Sync(), f.Close()); err != nil { // a spare may have held more
		return err
	}
	if err := s.disk.Rename(f.Name(), s.path(digest)); err != nil {
		return err
	}
	return s.disk.SyncDir(s.dir)
}
