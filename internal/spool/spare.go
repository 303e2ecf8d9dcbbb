package spool

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/accord-fl/accord/internal/atomicfile"
)

// maxSpares bounds the files that wait for another blob.
const maxSpares = 1024

// spares are empty files that held blobs before. A round of small blobs costs
// little beside the making and deleting of its files, and some file systems look,
// for each new one, at all that were deleted in the last minutes. The spool's mu
// guards them.
type spares struct {
	ready []string
	// freed are those that a power cut may still bring back under the digest
	// of what they held.
	freed []string
	made  int // temporary names so far
}

const temporaryPrefix = ".put-"

// removeTemporary removes the temporary files that an earlier process has left.
func (s *Spool) removeTemporary() error {
	paths, err := filepath.Glob(filepath.Join(s.dir, temporaryPrefix+"*"))
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// temporary opens an empty file of a name that nothing else has.
func (s *Spool) temporary() (*os.File, error) {
	if path, ok := s.takeSpare(); ok {
		return os.OpenFile(path, os.O_RDWR, 0)
	}
	s.mu.Lock()
	path := s.temporaryPath()
	s.mu.Unlock()
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// temporaryPath is a new one each time. mu is held.
func (s *Spool) temporaryPath() string {
	s.spares.made++
	return filepath.Join(s.dir, temporaryPrefix+strconv.Itoa(s.spares.made))
}

func (s *Spool) takeSpare() (path string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.spares.ready) - 1
	if last < 0 {
		return "", false
	}
	path = s.spares.ready[last]
	s.spares.ready = s.spares.ready[:last]
	return path, true
}

// retire takes a blob away. Its file becomes a spare unless somebody reads it.
func (s *Spool) retire(digest string) error {
	s.mu.Lock()
	if s.open[digest] > 0 || len(s.spares.ready)+len(s.spares.freed) >= maxSpares {
		defer s.mu.Unlock()
		return os.Remove(s.path(digest))
	}
	spare := s.temporaryPath()
	err := os.Rename(s.path(digest), spare)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if err := os.Truncate(spare, 0); err != nil {
		return errors.Join(err, os.Remove(spare))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sync {
		s.spares.freed = append(s.spares.freed, spare)
	} else { // its owner checks all blobs after a power cut
		s.spares.ready = append(s.spares.ready, spare)
	}
	return nil
}

// folder makes the names of a spool's files durable.
type folder struct {
	busy sync.Mutex // while that is under way

	mu   sync.Mutex
	next *folderSync // the one that has not begun; nil when none is wanted
}

type folderSync struct {
	done chan struct{}
	err  error
}

// syncFolder makes all names of blobs durable, where that was asked for. One
// request to the disk serves all who wait for the one before.
func (s *Spool) syncFolder() error {
	if !s.sync {
		return nil
	}
	s.folder.mu.Lock()
	next, first := s.folder.next, s.folder.next == nil
	if first {
		next = &folderSync{done: make(chan struct{})}
		s.folder.next = next
	}
	s.folder.mu.Unlock()
	if first {
		s.folder.busy.Lock()
		s.folder.mu.Lock()
		s.folder.next = nil
		s.folder.mu.Unlock()
		next.err = s.syncNow()
		s.folder.busy.Unlock()
		close(next.done)
	}
	<-next.done
	return next.err
}

func (s *Spool) syncNow() error {
	s.mu.Lock()
	freed := s.spares.freed
	s.spares.freed = nil
	s.mu.Unlock()
	if err := atomicfile.SyncDir(s.dir); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spares.ready = append(s.spares.ready, freed...)
	return nil
}

// openPartial opens the partial blob at path, with what is there of it, or an
// empty one.
func (s *Spool) openPartial(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if spare, ok := s.takeSpare(); ok {
		if err := os.Rename(spare, path); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
