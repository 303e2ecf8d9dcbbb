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
	s, _ := open(t)
	size, err := s.Put(strings.NewReader("weights"), sum("weights"), 7)
	if err != nil || size != 7 {
		t.Fatalf("Put: got size %d, error %v; want 7, nil", size, err)
	}
	b, err := s.Open(sum("weights"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil || string(got) != "weights" {
		t.Errorf("read %q, error %v; want %q", got, err, "weights")
	}
}

func TestPutRefusesAndLeavesNothing(t *testing.T) {
	broken := errors.New("connection cut")
	for _, tt := range []struct {
		name   string
		r      io.Reader
		digest string
		max    int64
		want   error
	}{
		{"other bytes", strings.NewReader("weights"), sum("Weights"), 100, ErrDigest},
		{"too many bytes", strings.NewReader("weights"), sum("weights"), 6, ErrTooLarge},
		{"reader fails", io.MultiReader(strings.NewReader("wei"), errReader{broken}), sum("weights"), 100, broken},
		{"digest is a path", strings.NewReader("x"), "../../etc/passwd", 100, ErrDigest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, dir := open(t)
			if _, err := s.Put(tt.r, tt.digest, tt.max); !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 0 {
				t.Errorf("left %d files behind", len(entries))
			}
		})
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

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
