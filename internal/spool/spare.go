package spool

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/accord-fl/accord/internal/disk"
)

// The bounds on files that wait for another blob.
const (
	maxSpares     = 1024
	maxSpareBytes = 1 << 20 // beyond, a new file is little beside what is in it
)

// spares are files that held blobs before. A round of small blobs costs little
// beside the making and deleting of its files: some file systems look, for each
// new one, at all that were deleted in the last minutes. The spool's mu guards
// them.
type spares struct {
	ready []string
	// freed are those that a power cut may still bring back under the digest
	// of what they held.
	freed []string
	made  int // temporary names so far
}

const temporaryPrefix = ".put-"

// clean removes what an earlier process has left: temporary files, and what a
// power cut has spoilt.
func (s *Spool) clean() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(s.dir, e.Name())
		left := strings.HasPrefix(e.Name(), temporaryPrefix)
		if ValidDigest(e.Name()) {
			if left, err = s.spoilt(e.Name()); err != nil {
				return err
			}
		}
		if left {
			if err := s.disk.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// spoilt reports whether a power cut has left something else under a digest's name
// than its bytes. Of a spool that syncs, blobs that are not left to Flush can only be
// empty; what else is wrong with them is found when they are opened.
func (s *Spool) spoilt(digest string) (_ bool, err error) {
	if s.sync {
		info, err := os.Stat(s.path(digest))
		if err != nil || info.Size() == 0 || !s.leaves(info.Size()) {
			return err == nil && info.Size() == 0, err
		}
	}
	f, err := os.Open(s.path(digest))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	got, all, err := sumsOf(f)
	if err != nil || got != digest {
		return true, err
	}
	s.sums[digest] = all
	return false, nil
}

// temporary opens a file of a name that nothing else has. What is in it means
// nothing.
func (s *Spool) temporary() (disk.File, error) {
	if path, ok := s.takeSpare(); ok {
		return s.disk.OpenFile(path, os.O_RDWR, 0)
	}
	s.mu.Lock()
	path := s.temporaryPath()
	s.mu.Unlock()
	return s.disk.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
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

// openPartial opens the partial blob at path, with what is there of it, or an
// empty one.
func (s *Spool) openPartial(path string) (disk.File, error) {
	f, err := s.disk.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return s.newPartial(path)
	}
	return f, err
}

// newPartial makes the file of a partial blob of which nothing is there.
func (s *Spool) newPartial(path string) (disk.File, error) {
	if spare, ok := s.takeSpare(); ok {
		if err := s.disk.Rename(spare, path); err != nil {
			return nil, err
		}
	}
	return s.disk.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
}

// retire takes a blob away. Its file becomes a spare unless somebody reads it.
func (s *Spool) retire(digest string) error {
	path := s.path(digest)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.sums, digest)
	delete(s.pending, digest)
	if s.open[digest] > 0 || info.Size() > maxSpareBytes || len(s.spares.ready)+len(s.spares.freed) >= maxSpares {
		defer s.mu.Unlock()
		return s.disk.Remove(path)
	}
	spare := s.temporaryPath()
	err = s.disk.Rename(path, spare)
	s.mu.Unlock()
	if err != nil {
		return s.disk.Remove(path) // which a full disk allows
	}
	if !s.sync { // the next process looks at all blobs
		s.mu.Lock()
		defer s.mu.Unlock()
		s.spares.ready = append(s.spares.ready, spare)
		return nil
	}
	// Others' updates do not stay for longer than they are needed.
	if err := s.empty(spare); err != nil {
		return s.disk.Remove(spare)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spares.freed = append(s.spares.freed, spare)
	return nil
}

// empty takes everything out of the file at path.
func (s *Spool) empty(path string) error {
	f, err := s.disk.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(0), f.Close())
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
	before := len(s.spares.freed) // only the one sync under way takes some away
	s.mu.Unlock()
	if err := s.disk.SyncDir(s.dir); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spares.ready = append(s.spares.ready, s.spares.freed[:before]...)
	s.spares.freed = s.spares.freed[before:]
	return nil
}
