package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
)

// Sync makes the file at path durable, and that it is there.
func Sync(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) // Windows flushes only what may be written
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}
