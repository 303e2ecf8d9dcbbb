package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

func sum(data string) string {
	h := sha256.Sum256([]byte(data))
	return hex.EncodeToString(h[:])
}

func open(t *testing.T) (*Spool, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "spool")
	s, err := Open(dir, Options{Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

// files counts those in a spool's folder.
func files(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) - 1 // without the folder of partials
}

func TestPutThenOpen(t *testing.T) {
	s, dir := open(t)
	digest, size, err := s.PutFunc(func(w io.Writer) error { _, err := io.WriteString(w, "weights"); return err })
	if err != nil || size != 7 || digest != sum("weights") {
		t.Fatalf("PutFunc: got %s, size %d, error %v; want %s, 7, nil", digest, size, err, sum("weights"))
	}
	b, err := s.Open(digest)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil || string(got) != "weights" {
		t.Errorf("read %q, error %v; want %q", got, err, "weights")
	}
	broken := errors.New("disk full")
	if _, _, err := s.PutFunc(func(io.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got error %v, want %v", err, broken)
	}
	if n := files(t, dir); n != 1 {
		t.Errorf("folder holds %d files, want 1", n)
	}
}

func TestOpenRemovesWhatACrashLeft(t *testing.T) {
	s, dir := open(t)
	digest, _, err := s.PutFunc(func(w io.Writer) error { _, err := w.Write([]byte("kept")); return err })
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, temporaryPrefix+"123"), bytes.Repeat([]byte{1}, 9), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Has(digest); !ok {
		t.Error("the finished blob is gone")
	}
	if n := files(t, dir); n != 1 {
		t.Errorf("folder holds %d files, want 1", n)
	}
}

func TestMissing(t *testing.T) {
	s, _ := open(t)
	for _, digest := range []string{sum("nothing"), "", "../x", strings.Repeat("G", 64)} {
		if _, err := s.Open(digest); !errors.Is(err, ErrNotFound) {
			t.Errorf("Open(%q): got error %v, want %v", digest, err, ErrNotFound)
		}
		if err := s.Remove(digest); err != nil {
			t.Errorf("Remove(%q): %v", digest, err)
		}
	}
}

func put(t *testing.T, s *Spool, data string) string {
	t.Helper()
	digest, _, err := s.PutFunc(func(w io.Writer) error { _, err := io.WriteString(w, data); return err })
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// A removed blob's file is the next one's, in whichever way that comes.
func TestFilesServeAgain(t *testing.T) {
	for _, sync := range []bool{false, true} {
		dir := t.TempDir()
		s, err := Open(dir, Options{Sync: sync})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 10 {
			text := strconv.Itoa(n)
			long, short := put(t, s, "a long blob"+text), text
			p := resume(t, s, Key{Digest: sum(short), Owner: "a", Task: text}, len(short))
			write(t, p, short)
			if err := p.Finish(); err != nil {
				t.Fatal(err)
			}
			for _, digest := range []string{long, sum(short)} {
				b, err := s.Open(digest)
				if err != nil {
					t.Fatal(err)
				}
				data, err := readAll(b)
				if err := errors.Join(err, b.Close()); err != nil || sum(string(data)) != digest {
					t.Errorf("sync %v: blob %.12s holds %q (%v)", sync, digest, data, err)
				}
				if err := s.Remove(digest); err != nil {
					t.Error(err)
				}
			}
		}
		if n := files(t, dir); n > 4 {
			t.Errorf("sync %v: %d files after 20 blobs, want a few", sync, n)
		}
		if _, err := Open(dir, Options{Sync: sync}); err != nil || files(t, dir) != 0 {
			t.Errorf("sync %v: %d files are left for the next process (%v)", sync, files(t, dir), err)
		}
	}
}

// Who reads a blob that is removed goes on reading it.
func TestABlobThatIsReadKeepsItsFile(t *testing.T) {
	s, _ := open(t)
	digest := put(t, s, "old")
	b, err := s.Open(digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(digest); err != nil {
		t.Fatal(err)
	}
	put(t, s, "new")
	if data, err := readAll(b); err != nil || string(data) != "old" {
		t.Errorf("got %q (%v), want what was there", data, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err == nil || len(s.open) != 0 {
		t.Errorf("closed again: %v, %d blobs are counted as open", err, len(s.open))
	}
}

// Until the folder is synced, a power cut may bring a removed blob's name back:
// its file must not hold another's bytes by then.
func TestAFileServesAgainOnceItsNameIsGone(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(put(t, s, "old")); err != nil {
		t.Fatal(err)
	}
	if len(s.spares.ready) != 0 || len(s.spares.freed) != 1 {
		t.Errorf("before: %+v, want one freed", s.spares)
	}
	put(t, s, "other")
	if len(s.spares.ready) != 1 || len(s.spares.freed) != 0 {
		t.Errorf("after: %+v, want one ready", s.spares)
	}
}

func TestOneSyncServesMany(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	var g errgroup.Group
	for n := range 50 {
		g.Go(func() error {
			_, _, err := s.PutFunc(func(w io.Writer) error { _, err := fmt.Fprint(w, n); return err })
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if all, err := s.List(); err != nil || len(all) != 50 {
		t.Errorf("%d blobs (%v), want 50", len(all), err)
	}
}

// After a power cut a spool that does not sync, or leaves that to Flush, holds what
// its names say, or less.
func TestOpenRemovesWhatIsSpoilt(t *testing.T) {
	for name, tt := range map[string]struct {
		Options
		keeps bool // other bytes, until they are read
	}{
		"no syncing":        {Options{}, false},
		"syncing":           {Options{Sync: true}, true},
		"syncing later":     {Options{Sync: true, Later: 100}, false},
		"syncing too large": {Options{Sync: true, Later: 4}, true},
	} {
		dir := t.TempDir()
		s, err := Open(dir, tt.Options)
		if err != nil {
			t.Fatal(err)
		}
		whole, empty, other := put(t, s, "whole"), put(t, s, "empty"), put(t, s, "other")
		if err := os.Truncate(s.path(empty), 0); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.path(other), []byte("something"), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(dir, tt.Options); err != nil {
			t.Fatal(err)
		}
		for digest, want := range map[string]bool{whole: true, empty: false, other: tt.keeps} {
			if _, ok := s.Has(digest); ok != want {
				t.Errorf("%s: blob %.12s is there: %v, want %v", name, digest, ok, want)
			}
		}
	}
}
