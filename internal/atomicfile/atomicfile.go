// Package atomicfile writes files that are either wholly there or not there
// at all, also after a crash: a temporary file in the same folder, fsync,
// rename, fsync of the folder.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write replaces the file at path by what write puts into its argument. When
// write or any later step fails, the old file stays and the temporary one is
// removed. The file gets mode 0o644.
func Write(path string, write func(io.Writer) error) error { return replace(path, 0o644, write) }

// WriteSecret replaces the file at path by data, as Write does, and lets only
// its owner read it.
func WriteSecret(path string, data []byte) error {
	return replace(path, 0o600, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func replace(path string, mode os.FileMode, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, err)
			_ = f.Close() // a second Close after success never runs; after failure its error adds nothing
			_ = os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// WriteBytes replaces the file at path by data, as Write does.
func WriteBytes(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
