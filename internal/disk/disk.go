// Package disk is the part of a file system that what must survive a crash is
// written through: opening for writing, renaming, removing, and making folders
// durable. Reading needs no such care and goes to package os directly.
//
// It exists so that tests can let any write, fsync or rename fail: see
// disktest.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// Disk is a file system to write to. Its methods are called concurrently. Their
// errors are those of package os: *fs.PathError or *os.LinkError.
type Disk interface {
	// OpenFile is os.OpenFile.
	OpenFile(path string, flag int, mode fs.FileMode) (File, error)
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

func (system) Rename(from, to string) error { return os.Rename(from, to) }

func (system) Remove(path string) error { return os.Remove(path) }

func (system) SyncDir(dir string) error { return syncDir(dir) }

// Passing reports whether err is a fault of the local disk that may pass
// without a change here: no space, a quota, an I/O error, a file system that is
// read-only for now. A file that is missing or in the way is not: trying again
// finds it so.
func Passing(err error) bool {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrClosed) {
		return false
	}
	var path *fs.PathError
	var link *os.LinkError
	var call *os.SyscallError
	return errors.As(err, &path) || errors.As(err, &link) || errors.As(err, &call) && !networked(call)
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
