package spool

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/disk/disktest"
)

// later opens a spool that leaves blobs of at most 100 bytes to Flush.
func later(t *testing.T, dir string, d disk.Disk) *Spool {
	t.Helper()
	s, err := Open(dir, Options{Sync: true, Later: 100, Disk: d})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// syncs returns how often files and folders were synced.
func syncs(d *disktest.Faulty) (files, folders int) {
	_, log := d.Calls()
	for _, call := range log {
		if strings.HasPrefix(call, "fsync ") {
			files++
		}
		if strings.HasPrefix(call, "syncdir ") {
			folders++
		}
	}
	return files, folders
}

// What is left to Flush asks the disk for an fsync a blob and for one of the
// folder; what is too large for that is durable before.
func TestFlushSyncsTheFolderOnce(t *testing.T) {
	d := disktest.New()
	s := later(t, t.TempDir(), d)
	one, two := put(t, s, "one"), put(t, s, "two")
	p := resume(t, s, Key{Digest: sum("three"), Owner: "a"}, 5)
	write(t, p, "three")
	if err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	if files, folders := syncs(d); files+folders != 0 {
		t.Errorf("before: %d files and %d folders were synced, want none", files, folders)
	}
	for range 2 { // the second finds nothing to do
		if err := s.Flush([]string{one, two, sum("three"), two, sum("unknown"), ""}); err != nil {
			t.Fatal(err)
		}
		if files, folders := syncs(d); files != 3 || folders != 1 {
			t.Errorf("%d files and %d folders were synced, want 3 and 1", files, folders)
		}
	}
	put(t, s, strings.Repeat("large", 100))
	if files, folders := syncs(d); files != 4 || folders != 2 {
		t.Errorf("with a large one %d files and %d folders were synced, want 4 and 2", files, folders)
	}
	gone := put(t, s, "gone")
	if err := errors.Join(s.Remove(gone), s.Flush([]string{gone})); err != nil {
		t.Errorf("one that was removed: %v", err)
	}
}

// Whichever step of a Flush fails, the next one writes the blob again, and takes
// nothing for the blob that is not.
func TestFlushAfterAFailureWritesAgain(t *testing.T) {
	const steps = 3 // the file is opened and synced, and the folder is
	for step := 1; step <= steps; step++ {
		for _, forgotten := range []bool{false, true} {
			d := disktest.New()
			s := later(t, t.TempDir(), d)
			digest := put(t, s, "blob")
			before, _ := d.Calls()
			d.Fail(before+step, 1)
			if err := s.Flush([]string{digest}); !disk.Passing(err) {
				t.Errorf("step %d: got error %v, want one that passes", step, err)
			}
			d.Fail(0, 0)
			if forgotten {
				if err := os.WriteFile(s.path(digest), []byte("gone"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			begun, _ := d.Calls()
			err := s.Flush([]string{digest})
			_, log := d.Calls()
			rewritten := slices.Contains(log[begun:], "rename "+s.path(digest))
			_, there := s.Has(digest)
			if want := !forgotten; rewritten != want || there != want || (err == nil) != want || errors.Is(err, ErrDamaged) == want {
				t.Errorf("step %d, forgotten: %v: written again: %v, there: %v, error %v", step, forgotten, rewritten, there, err)
			}
			if err := s.Flush([]string{digest}); err != nil {
				t.Errorf("step %d, forgotten: %v: nothing is left to do: %v", step, forgotten, err)
			}
		}
	}
}
