package spool

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

func readAll(b *Blob) ([]byte, error) { return io.ReadAll(io.NewSectionReader(b, 0, b.Size())) }

// noise is n bytes that no block repeats.
func noise(n int) string {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	return string(data)
}

// sizes are around what a read is cut into.
var sizes = []int{1, blockBytes - 1, blockBytes, blockBytes + 1, window, window + 1, stretch, stretch + 3*blockBytes + 7}

func TestReadAtGivesTheBytes(t *testing.T) {
	for _, size := range sizes {
		s, dir := open(t)
		data := noise(size)
		digest := put(t, s, data)
		again, err := Open(dir, Options{Sync: true}) // has not written it
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]*Spool{"written": s, "found": again} {
			b, err := s.Open(digest)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 2))
			for range 300 {
				off, n := r.IntN(size+2), r.IntN(min(size, 3*window)+3)
				if n > size/2 {
					off = off / blockBytes * blockBytes
				}
				p := make([]byte, n)
				got, err := b.ReadAt(p, int64(off))
				want := data[min(off, size):min(off+n, size)]
				if string(p[:got]) != want || (err == nil) != (got == n) || err != nil && !errors.Is(err, io.EOF) {
					t.Fatalf("%s, %d bytes: ReadAt of %d at %d: got %d bytes, error %v", name, size, n, off, got, err)
				}
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// damages are what may happen to a file while nobody looks.
func damages() map[string]func(path string, other []byte) error {
	return map[string]func(path string, other []byte) error{
		"flipped": func(path string, _ []byte) error {
			data, err := os.ReadFile(path)
			data[len(data)*2/3] ^= 8
			return errors.Join(err, overwrite(path, data))
		},
		"cut":       func(path string, _ []byte) error { return os.Truncate(path, 1) },
		"emptied":   func(path string, _ []byte) error { return os.Truncate(path, 0) },
		"longer":    func(path string, other []byte) error { return appendTo(path, other) },
		"exchanged": func(path string, other []byte) error { return overwrite(path, other) },
		"replaced": func(path string, other []byte) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, other, 0o600))
		},
		"removed": func(path string, _ []byte) error { return os.Remove(path) },
	}
}

// overwrite changes the bytes of a file in place.
func overwrite(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return errors.Join(err, f.Truncate(int64(len(data))), f.Close())
}

func appendTo(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// Whatever happens to a blob's file, and whenever, what is read is what the name
// says or an error that names it; and then it can come again.
func TestNoOtherBytesAreRead(t *testing.T) {
	for _, size := range []int{100, 3*blockBytes + 5, stretch + 1} {
		for damage, do := range damages() {
			for _, when := range []string{"before opening", "before opening in another process", "while open"} {
				t.Run(damage+" "+when+" "+strconv.Itoa(size), func(t *testing.T) {
					s, dir := open(t)
					data, other := noise(size), noise(size + 1)[1:]
					digest := put(t, s, data)
					if when == "before opening in another process" {
						var err error
						if s, err = Open(dir, Options{Sync: true}); err != nil {
							t.Fatal(err)
						}
					}
					check := func(b *Blob) error {
						got, err := readAll(b)
						if string(got) != data && !errors.Is(err, ErrDamaged) {
							t.Errorf("read %d bytes that are not the blob's, error %v", len(got), err)
						}
						if !bytes.HasPrefix([]byte(data), got) {
							t.Errorf("%d wrong bytes came before error %v", len(got), err)
						}
						return err
					}
					var err error
					if when == "while open" {
						b, failed := s.Open(digest)
						if failed != nil {
							t.Fatal(failed)
						}
						defer b.Close()
						if err := do(filepath.Join(dir, digest), []byte(other)); err != nil {
							t.Fatal(err)
						}
						err = check(b)
					} else {
						if err := do(filepath.Join(dir, digest), []byte(other)); err != nil {
							t.Fatal(err)
						}
						err = s.Verify(digest)
						if err == nil {
							t.Error("not noticed")
						}
					}
					var named *DamagedError
					switch {
					case err == nil: // its own file is as it was
						return
					case errors.As(err, &named) && named.Digest != digest, !errors.Is(err, ErrNotFound):
						t.Errorf("got error %v, want one that names the artefact", err)
					}
					if _, there := s.Has(digest); there {
						t.Error("it is still there")
					}
					if put(t, s, data); s.Verify(digest) != nil {
						t.Error("stored again, it is not sound")
					}
				})
			}
		}
	}
}

// Readers that find damage at the same time, while the blob is stored again, do
// not take the new file away.
func TestDamageWhileStoredAgain(t *testing.T) {
	s, dir := open(t)
	data := noise(3 * blockBytes)
	for range 50 {
		digest := put(t, s, data)
		if err := damages()["flipped"](filepath.Join(dir, digest), nil); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := s.Verify(digest); err != nil && !errors.Is(err, ErrNotFound) {
					t.Error(err)
				}
			})
		}
		put(t, s, data)
		all.Wait()
		if put(t, s, data); s.Verify(digest) != nil {
			t.Fatal("stored again, it is not sound")
		}
	}
}

func TestRestore(t *testing.T) {
	s, dir := open(t)
	write := func(data string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, data); return err }
	}
	if err := s.Restore(sum("weights"), write("other")); !errors.Is(err, ErrDigest) || files(t, dir) != 0 {
		t.Errorf("got error %v and %d files, want %v and none", err, files(t, dir), ErrDigest)
	}
	if err := s.Restore(sum("weights"), write("weights")); err != nil || s.Verify(sum("weights")) != nil {
		t.Errorf("got error %v", err)
	}
}

func TestOpenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, digest := range []string{"", sum("weights")} {
		b, err := OpenFile(path, digest)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := readAll(b); err != nil || string(data) != "weights" || b.Digest() != sum("weights") {
			t.Errorf("got %q of digest %s, error %v", data, b.Digest(), err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := OpenFile(path, sum("others")); !errors.Is(err, ErrDamaged) {
		t.Errorf("got error %v, want %v", err, ErrDamaged)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("a file that is not the spool's is gone")
	}
}

func BenchmarkReadAt(b *testing.B) {
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	const size = 16 << 20
	digest, _, err := s.PutFunc(func(w io.Writer) error { _, err := io.WriteString(w, noise(size)); return err })
	if err != nil {
		b.Fatal(err)
	}
	for name, n := range map[string]int{"chunk": 32<<10 - 64, "tile": 32 << 10, "block": 256 << 10} {
		p := make([]byte, n)
		for _, checked := range []bool{false, true} {
			b.Run(name+" checked:"+strconv.FormatBool(checked), func(b *testing.B) {
				blob, err := s.Open(digest)
				if err != nil {
					b.Fatal(err)
				}
				defer blob.Close()
				var r io.ReaderAt = blob
				if !checked {
					r = blob.file
				}
				b.SetBytes(int64(n))
				at := int64(1000)
				for b.Loop() {
					if _, err := r.ReadAt(p, at); err != nil {
						b.Fatal(err)
					}
					if at += int64(n); at+int64(n) > size {
						at = 1000
					}
				}
			})
		}
	}
}
