// Package atomicfile writes files that are either wholly there or not there
// at all, also after a crash: a temporary file in the same folder, fsync,
// rename, fsync of the folder.
package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/accord-fl/accord/internal/disk"
)

// Files writes to one disk.
type Files struct{ disk disk.Disk }

// On returns the Files of a disk; nil stands for the operating system's.
func On(d disk.Disk) Files {
	if d == nil {
		d = disk.OS()
	}
	return Files{d}
}

// Write replaces the file at path by what write puts into its argument. When
// write or any later step fails, the old file stays and the temporary one is
// removed. The file gets mode 0o644.
func Write(path string, write func(io.Writer) error) error { return On(nil).Write(path, write) }

// WriteSecret replaces the file at path by data, as Write does, and lets only
// its owner read it.
func WriteSecret(path string, data []byte) error { return On(nil).WriteSecret(path, data) }

// WriteBytes replaces the file at path by data, as Write does.
func WriteBytes(path string, data []byte) error { return On(nil).WriteBytes(path, data) }

// Sync makes the file at path durable, and that it is there.
func Sync(path string) error { return On(nil).Sync(path) }

// SyncDir makes renames inside dir durable.
func SyncDir(dir string) error { return disk.OS().SyncDir(dir) }

// Write is Write on this disk.
func (f Files) Write(path string, write func(io.Writer) error) error {
	return f.replace(path, 0o644, write)
}

// WriteSecret is WriteSecret on this disk.
func (f Files) WriteSecret(path string, data []byte) error {
	return f.replace(path, 0o600, bytesOf(data))
}

// WriteBytes is WriteBytes on this disk.
func (f Files) WriteBytes(path string, data []byte) error {
	return f.replace(path, 0o644, bytesOf(data))
}

// Sync is Sync on this disk.
func (f Files) Sync(path string) error {
	file, err := f.disk.OpenFile(path, os.O_RDWR, 0) // Windows flushes only what may be written
	if err != nil {
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	return f.disk.SyncDir(filepath.Dir(path))
}

func bytesOf(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

func (f Files) replace(path string, mode os.FileMode, write func(io.Writer) error) error {
	return f.WriteTogether(Replacement{Path: path, Mode: mode, Write: write})
}
