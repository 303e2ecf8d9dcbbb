// Package disktest is a file system that fails when a test wants it to.
package disktest

import (
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/accord-fl/accord/internal/disk"
)

// Faulty passes calls on to a Disk and lets some of those fail that change
// something: opening for writing, writing, fsync, truncating, renaming, and
// making and syncing a folder. It counts them from 1. Its methods may be called
// concurrently. What is to be synced is not: no test cuts the power, and so a test can
// let each call fail in turn.
type Faulty struct {
	disk.Disk

	mu    sync.Mutex
	calls int
	from  int // the first call that fails; 0: none does
	until int // the first call after that which succeeds again
	in    string
	log   []string
}

var _ disk.Disk = (*Faulty)(nil)

// New returns a Faulty over the operating system's file system that lets
// everything succeed.
func New() *Faulty { return &Faulty{Disk: disk.OS()} }

// Fail lets the n calls from call number from on fail with ENOSPC. A write that
// fails may have written a part.
func (f *Faulty) Fail(from, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.from, f.until = from, from+n
}

// Only lets calls fail whose path contains part, and no others; "" lets all fail.
func (f *Faulty) Only(part string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in = part
}

// Calls returns how many calls there were, and what each was, for messages.
func (f *Faulty) Calls() (int, []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls, append([]string(nil), f.log...)
}

// fails counts a call and returns the error that it is to fail with, or nil.
func (f *Faulty) fails(op, path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	f.log = append(f.log, op+" "+path)
	if f.from > 0 && f.calls >= f.from && f.calls < f.until && strings.Contains(path, f.in) {
		return &fs.PathError{Op: op, Path: path, Err: syscall.ENOSPC}
	}
	return nil
}

// OpenFile implements disk.Disk.
func (f *Faulty) OpenFile(path string, flag int, mode fs.FileMode) (disk.File, error) {
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		if err := f.fails("open", path); err != nil {
			return nil, err
		}
	}
	file, err := f.Disk.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: file, disk: f}, nil
}

// Mkdir implements disk.Disk.
func (f *Faulty) Mkdir(path string, mode fs.FileMode) error {
	if err := f.fails("mkdir", path); err != nil {
		return err
	}
	return f.Disk.Mkdir(path, mode)
}

// Rename implements disk.Disk.
func (f *Faulty) Rename(from, to string) error {
	if err := f.fails("rename", to); err != nil {
		return err
	}
	return f.Disk.Rename(from, to)
}

// SyncDir implements disk.Disk.
func (f *Faulty) SyncDir(dir string) error {
	if err := f.fails("syncdir", dir); err != nil {
		return err
	}
	return nil
}

type faultyFile struct {
	disk.File
	disk *Faulty
}

// Write implements disk.File. A failing one writes half.
func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.disk.fails("write", f.Name()); err != nil {
		n, _ := f.File.Write(p[:len(p)/2]) // the injected error is the one to return
		return n, err
	}
	return f.File.Write(p)
}

// WriteAt implements disk.File. A failing one writes half.
func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.disk.fails("write", f.Name()); err != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], off) // as above
		return n, err
	}
	return f.File.WriteAt(p, off)
}

// Sync implements disk.File.
func (f *faultyFile) Sync() error {
	if err := f.disk.fails("fsync", f.Name()); err != nil {
		return err
	}
	return nil
}

// Truncate implements disk.File.
func (f *faultyFile) Truncate(size int64) error {
	if err := f.disk.fails("truncate", f.Name()); err != nil {
		return err
	}
	return f.File.Truncate(size)
}
