package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// undo knows which folders a command makes, to remove them when it fails
// half-way, and nothing that was there before.
type undo struct {
	missing []string // the innermost first
}

// willMake notes which of dir and the folders above it are missing.
func willMake(dir string) undo {
	var u undo
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir {
			return u
		}
		u.missing = append(u.missing, dir)
		dir = filepath.Dir(dir)
	}
}

// all removes the folders that were missing, the innermost with all that is in
// it, those above when they are empty.
func (u undo) all() error {
	if len(u.missing) == 0 {
		return nil
	}
	err := os.RemoveAll(u.missing[0])
	u.empty()
	return err
}

// empty removes those of the folders that are empty.
func (u undo) empty() {
	for _, dir := range u.missing {
		_ = os.Remove(dir) // fails, rightly, where something is in it
	}
}
