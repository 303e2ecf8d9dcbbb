package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("folder holds %d files, want 1", len(entries))
	}
}

func TestOpenRemovesWhatACrashLeft(t *testing.T) {
	s, dir := open(t)
	digest, _, err := s.PutFunc(func(w io.Writer) error { _, err := w.Write([]byte("kept")); return err })
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, temporary+"123"), bytes.Repeat([]byte{1}, 9), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Has(digest); !ok {
		t.Error("the finished blob is gone")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("folder holds %d files, want 1", len(entries))
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
