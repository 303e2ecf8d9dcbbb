package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	diskRounds = 60
	diskSize   = 64 << 20
	fullFor    = 2 * time.Minute
)

// fullDisk lets coordinator and sites share a file system of 64 MiB that is full
// for two minutes in mid-run.
func (b *bench) fullDisk() (_ string, err error) {
	dir := filepath.Join(b.accord.Dir, "disk")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := mount(dir, diskSize); err != nil {
		return "skipped: no file system can be mounted here: " + err.Error(), nil
	}
	defer func() { err = errors.Join(err, unmount(dir)) }()
	want, err := undisturbed(b, "disk", diskRounds)
	if err != nil {
		return "", err
	}
	p, err := found(b, filepath.Join(dir, "party"), b.accord.Path, b.accord.Path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	if err := errors.Join(p.attend(names...), p.submit("disk", diskRounds)); err != nil {
		return "", err
	}
	if _, err := p.coordinator.Await(p.ctx, "version published", diskRounds/10); err != nil {
		return "", err
	}
	filler := filepath.Join(dir, "filler")
	for end := time.Now().Add(fullFor); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err := fill(filler); err != nil {
			return "", err
		}
		if said, ended := p.coordinator.Ended(); ended {
			return "", fmt.Errorf("the coordinator ended: %s", said)
		}
	}
	before := len(p.coordinator.Entries("version published"))
	if err := os.Remove(filler); err != nil {
		return "", err
	}
	began := time.Now()
	got, err := p.complete("disk", settles)
	if err != nil {
		return "", err
	}
	if got != want {
		return "", fmt.Errorf("model %.12s, undisturbed %.12s", got, want)
	}
	return fmt.Sprintf("full for %v after %d of %d rounds; complete with the undisturbed digest %.1f s after there was space again",
		fullFor, before, diskRounds, time.Since(began).Seconds()), nil
}

// fill adds to a file until nothing more fits.
func fill(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil // not even an inode is left, which is what was wanted
	}
	for size := 1 << 20; size > 0; {
		if n, err := f.Write(make([]byte, size)); err != nil || n < size {
			size /= 2
		}
	}
	return f.Close()
}
