// Package disk is the part of a file system that what must survive a crash is
// written through: opening for writing, making folders, renaming, removing, and making
// that durable. Reading needs no such care and goes to package os directly.
//
// It exists so that tests can let any write, fsync or rename fail: see
// disktest.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Disk is a file system to write to. Its methods are called concurrently. Their
// errors are those of package os: *fs.PathError or *os.LinkError.
type Disk interface {
	// OpenFile is os.OpenFile.
	OpenFile(path string, flag int, mode fs.FileMode) (File, error)
	// Mkdir is os.Mkdir.
	Mkdir(path string, mode fs.FileMode) error
	// Rename is os.Rename.
	Rename(from, to string) error
	// Remove is os.Remove.
	Remove(path string) error
	// SyncDir makes creations, renames and removals inside dir durable.
	SyncDir(dir string) error
}

// File is an open file of a Disk; *os.File is one.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Seeker
	io.Closer
	Name() string
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
	Chmod(mode fs.FileMode) error
}

// OS returns the operating system's file system.
func OS() Disk { return system{} }

type system struct{}

var _ Disk = system{}

func (system) OpenFile(path string, flag int, mode fs.FileMode) (File, error) {
	f, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err // not f: a nil *os.File is not a nil File
	}
	return f, nil
}

func (system) Mkdir(path string, mode fs.FileMode) error { return os.Mkdir(path, mode) }

func (system) Rename(from, to string) error { return os.Rename(from, to) }

func (system) Remove(path string) error { return os.Remove(path) }

func (system) SyncDir(dir string) error { return syncDir(dir) }

// Make makes the folder path, and those above it that are missing, durably. A
// folder that could not be made durable is removed. One that is there already is an
// error that is fs.ErrExist.
func Make(d Disk, path string, mode fs.FileMode) error {
	parent := filepath.Dir(path)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) && parent != path {
		if err := Make(d, parent, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := d.Mkdir(path, mode); err != nil {
		return err
	}
	if err := d.SyncDir(parent); err != nil {
		return errors.Join(err, d.Remove(path))
	}
	return nil
}

// Passing reports whether err is a fault of the local disk that may pass
// without a change here: no space, a quota, an I/O error, a file system that is
// read-only for now. A file that is missing or in the way is not: trying again
// finds it so. Neither is a program that cannot be started.
func Passing(err error) bool {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrClosed) {
		return false
	}
	var path *fs.PathError
	var link *os.LinkError
	var call *os.SyscallError
	if errors.As(err, &path) {
		return path.Op != "fork/exec"
	}
	return errors.As(err, &link) || errors.As(err, &call) && !networked(call)
}

// Lasting reports whether err is not Passing, or is one that waiting does not mend
// when a process starts, because its folder is misplaced or another user's. While
// it runs such an error is Passing like any other: somebody has changed the folder,
// and may change it back.
func Lasting(err error) bool {
	for _, e := range []error{fs.ErrPermission, syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG, syscall.EINVAL, syscall.ELOOP} {
		if errors.Is(err, e) {
			return true
		}
	}
	return !Passing(err)
}

// networked reports whether a system call belongs to a connection rather than to
// a file.
func networked(call *os.SyscallError) bool {
	switch call.Syscall {
	case "accept", "accept4", "bind", "connect", "getsockopt", "listen", "read", "setsockopt", "socket", "write":
		return true
	}
	return false
}
