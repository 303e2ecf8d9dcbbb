package spool

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/disk/disktest"
)

// arrive sends what of data a partial does not have, and files it.
func arrive(s *Spool, k Key, data []byte) (from int64, err error) {
	p, err := s.Resume(k, int64(len(data)))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	from = p.Offset()
	if _, err := p.Write(data[from:]); err != nil {
		return from, err
	}
	return from, p.Finish()
}

// What a sync has failed for may never have been written, even if the next sync
// succeeds: none of it is counted on, in this process or the next.
func TestNothingIsBelievedAfterASyncThatFailed(t *testing.T) {
	data := bytes.Repeat([]byte("weights."), syncEvery/8+8) // also a sync in the middle
	k := Key{Digest: sum(string(data)), Owner: "a", Task: "run/1"}
	clean := disktest.New()
	s, err := Open(t.TempDir(), Options{Sync: true, Disk: clean})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := arrive(s, k, data); err != nil {
		t.Fatal(err)
	}
	_, log := clean.Calls()
	syncs := 0
	for step, call := range log {
		if !strings.HasPrefix(call, "fsync") && !strings.HasPrefix(call, "syncdir") {
			continue
		}
		syncs++
		for _, restart := range []bool{false, true} {
			dir, faulty := t.TempDir(), disktest.New()
			faulty.Fail(step+1, 1)
			s, err := Open(dir, Options{Sync: true, Disk: faulty})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := arrive(s, k, data); !disk.Passing(err) {
				t.Errorf("%s: got error %v, want one of the disk", call, err)
			}
			before, _ := faulty.Calls()
			if strings.HasPrefix(call, "syncdir") { // it is there as a whole, under a name that is in doubt
				if _, err := arrive(s, k, data); !errors.Is(err, ErrExists) {
					t.Errorf("%s: got error %v, want %v", call, err, ErrExists)
				}
				calls, log := faulty.Calls()
				if again := strings.Join(log[before:calls], " "); !strings.Contains(again, "write") || !strings.Contains(again, "syncdir") {
					t.Errorf("%s: the blob was not written again: %s", call, again)
				}
				continue
			}
			if restart {
				if s, err = Open(dir, Options{Sync: true}); err != nil {
					t.Fatal(err)
				}
			}
			if at := s.Arrived(k); at != 0 {
				t.Errorf("%s: %d bytes are said to have arrived", call, at)
			}
			if from, err := arrive(s, k, data); from != 0 || err != nil {
				t.Errorf("%s, restart %v: the rest was taken from byte %d on, error %v", call, restart, from, err)
			}
		}
	}
	if syncs != 3 {
		t.Errorf("%d syncs, want one in the middle, one at the end, and the folder's: %v", syncs, log)
	}
}

// Whichever step of storing a blob fails, no temporary file stays, and the same
// again succeeds.
func TestAnyStepOfStoringMayFail(t *testing.T) {
	put := func(s *Spool) error {
		_, _, err := s.PutFunc(func(w io.Writer) error { _, err := io.WriteString(w, "weights"); return err })
		return err
	}
	for step := 1; ; step++ {
		dir, faulty := filepath.Join(t.TempDir(), "spool"), disktest.New()
		faulty.Fail(step, 1)
		s, err := Open(dir, Options{Sync: true, Disk: faulty})
		if err != nil {
			t.Fatal(err)
		}
		err = put(s)
		if err == nil {
			if step < 6 {
				t.Errorf("%d steps, want six or more", step-1)
			}
			return
		}
		_, there := s.Has(sum("weights"))
		if left := files(t, dir); !disk.Passing(err) || left > 1 || left == 1 && !there {
			t.Errorf("step %d: error %v, and %d files stay", step, err, left)
		}
		if err := put(s); err != nil {
			t.Errorf("after step %d: %v", step, err)
		}
	}
}
