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

// forget takes p out of the list of those that are written, unless another
// has taken its place.
func (s *Spool) forget(p *Partial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.partials[p.name] == p {
		delete(s.partials, p.name)
	}
}

// makeRoom removes what is too old, and the oldest of the owner's partials
// that nobody writes where key's would be one too many. mu is held.
func (s *Spool) makeRoom(key Key) error {
	if err := os.MkdirAll(s.partialDir(), 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.partialDir())
	if err != nil {
		return err
	}
	type idle struct {
		name string
		at   time.Time
	}
	var own []idle
	others := 0
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || e.Name() == key.file() {
			continue // one that has just been filed, or the one to come
		}
		_, written := s.partials[e.Name()]
		switch ours := owner(e.Name()) == key.Owner; {
		case !written && time.Since(info.ModTime()) > PartialAge:
			if err := s.removePartial(e.Name()); err != nil {
				return err
			}
		case ours && written:
			others++
		case ours:
			own = append(own, idle{e.Name(), info.ModTime()})
		}
	}
	if others >= MaxPartials {
		return fmt.Errorf("%w: %d transfers of %s are under way", ErrTooMany, others, key.Owner)
	}
	slices.SortFunc(own, func(a, b idle) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.name, b.name)) })
	for len(own)+others >= MaxPartials {
		if err := s.removePartial(own[0].name); err != nil {
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

// SweepPartials removes every partial blob that nobody writes but those of
// the owners and tasks of keep, whatever their digests.
func (s *Spool) SweepPartials(keep []Key) error {
	wanted := map[string]bool{}
	for _, k := range keep {
		wanted[purpose(k.file())] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, err := os.ReadDir(s.partialDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep partial artefacts: %w", err)
	}
	for _, e := range entries {
		if _, written := s.partials[e.Name()]; written || wanted[purpose(e.Name())] {
			continue
		}
		if err := s.removePartial(e.Name()); err != nil {
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

func (s *Spool) removePartial(name string) error {
	err := os.Remove(filepath.Join(s.partialDir(), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // filed a moment ago
	}
	return err
}
