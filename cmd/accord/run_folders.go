package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/report"
)

// runFolders is the folder in which a coordinator has one folder for each run
// that has published something.
type runFolders string

var _ coordinator.Results = runFolders("")

func (f runFolders) path(run string) string { return filepath.Join(string(f), run) }

// open opens the folder of a run, making it for the first publication.
func (f runFolders) open(run string) (report.Folder, error) {
	folder, err := report.Open(f.path(run))
	if errors.Is(err, fs.ErrNotExist) {
		return report.Create(f.path(run))
	}
	return folder, err
}

// Has implements coordinator.Results.
func (f runFolders) Has(run string) (bool, error) {
	_, err := os.Lstat(f.path(run))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Remove implements coordinator.Results.
func (f runFolders) Remove(run string) error {
	if there, err := f.Has(run); err != nil || !there {
		return err
	}
	if err := os.RemoveAll(f.path(run)); err != nil {
		return err
	}
	if err := atomicfile.SyncDir(string(f)); err != nil {
		return fmt.Errorf("remove %s: %w", f.path(run), err)
	}
	return nil
}
