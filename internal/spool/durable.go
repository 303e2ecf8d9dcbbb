package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

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
