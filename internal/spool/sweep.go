package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The bounds on partial blobs; the size of each is for who announces it.
const (
	MaxPartials = 4              // of one owner
	PartialAge  = 24 * time.Hour // since the last byte
)

func (s *Spool) partialDir() string { return filepath.Join(s.dir, "partial") }

// findPartials reads which partials an earlier process has left.
func (s *Spool) findPartials() error {
	if err := os.MkdirAll(s.partialDir(), 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.partialDir())
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		s.idle[e.Name()] = info.ModTime()
	}
	return nil
}

// forget takes p out of the list of those that are written, unless another
// has taken its place.
func (s *Spool) forget(p *Partial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.partials[p.name] != p {
		return
	}
	delete(s.partials, p.name)
	if !p.gone {
		s.idle[p.name] = time.Now()
	}
}

// makeRoom removes what is too old, and the oldest of the owner's partials
// that nobody writes where key's would be one too many. mu is held.
func (s *Spool) makeRoom(key Key) error {
	others := 0
	for name := range s.partials {
		if owner(name) == key.Owner && name != key.file() {
			others++
		}
	}
	if others >= MaxPartials {
		return fmt.Errorf("%w: %d transfers of %s are under way", ErrTooMany, others, key.Owner)
	}
	var own []string
	for name, at := range s.idle {
		switch {
		case name == key.file(): // the one to come
		case time.Since(at) > PartialAge:
			if err := s.removePartial(name); err != nil {
				return err
			}
		case owner(name) == key.Owner:
			own = append(own, name)
		}
	}
	slices.SortFunc(own, func(a, b string) int { return cmp.Or(s.idle[a].Compare(s.idle[b]), strings.Compare(a, b)) })
	for len(own)+others >= MaxPartials {
		if err := s.removePartial(own[0]); err != nil {
			return err
		}
		own = own[1:]
	}
	return nil
}

// owner reads it out of a partial's name, digest.owner.task.
func owner(name string) string {
	rest := purpose(name)
	return rest[:max(0, strings.LastIndexByte(rest, '.'))]
}

// IdlePartials is how many partial blobs there are that nobody writes.
func (s *Spool) IdlePartials() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.idle)
}

// SweepPartials removes every partial blob that nobody writes but those of
// the owners and tasks of keep, whatever their digests.
func (s *Spool) SweepPartials(keep []Key) error {
	wanted := map[string]bool{}
	for _, k := range keep {
		wanted[purpose(k.file())] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.idle {
		if wanted[purpose(name)] {
			continue
		}
		if err := s.removePartial(name); err != nil {
			return fmt.Errorf("sweep partial artefacts: %w", err)
		}
	}
	return nil
}

// purpose is a partial's name without the digest.
func purpose(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}

// removePartial removes one that nobody writes. mu is held.
func (s *Spool) removePartial(name string) error {
	err := s.disk.Remove(filepath.Join(s.partialDir(), name))
	if err == nil || errors.Is(err, fs.ErrNotExist) { // filed a moment ago
		delete(s.idle, name)
		return nil
	}
	return err
}
