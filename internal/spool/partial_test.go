package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/accord-fl/accord/internal/fault"
)

// resume opens a partial that must open.
func resume(t *testing.T, s *Spool, k Key, size int) *Partial {
	t.Helper()
	p, err := s.Resume(k, int64(size))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, p *Partial, data string) {
	t.Helper()
	if _, err := p.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
}

// partials lists the files of partial blobs.
func partials(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "partial", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestPartialGoesOn(t *testing.T) {
	s, dir := open(t)
	k := Key{Digest: sum("weights"), Owner: "a.b", Task: "run/1"}
	p := resume(t, s, k, 7)
	write(t, p, "wei")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Options{Sync: true}) // another process
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Arrived(k); got != 3 {
		t.Errorf("%d bytes have arrived, want 3", got)
	}
	p = resume(t, s, k, 7)
	if got := p.Offset(); got != 3 {
		t.Errorf("goes on at %d, want 3", got)
	}
	write(t, p, "ghts")
	if err := errors.Join(p.Finish(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if size, ok := s.Has(k.Digest); !ok || size != 7 || s.Arrived(k) != 7 || len(partials(t, dir)) != 0 {
		t.Errorf("the blob has %d bytes (there: %v), beside %v", size, ok, partials(t, dir))
	}
	if _, err := s.Resume(k, 7); !errors.Is(err, ErrExists) {
		t.Errorf("got error %v, want %v", err, ErrExists)
	}
	if _, err := p.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write after the end: got error %v", err)
	}
}

// More than a few requests to sync are made beside the writing.
func TestPartialOfManyBytes(t *testing.T) {
	s, _ := open(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 3*syncEvery/16+5)
	k := Key{Digest: sum(string(data))}
	p := resume(t, s, k, len(data))
	for at := 0; at < len(data); at += 1 << 20 {
		write(t, p, string(data[at:min(at+1<<20, len(data))]))
	}
	if err := p.Finish(); err != nil {
		t.Error(err)
	}
}

func TestPartialRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		data []string
		want error
		left int
	}{
		{"other bytes", []string{"wei", "GHTS"}, ErrDigest, 0},
		{"too few bytes", []string{"wei"}, ErrDigest, 0},
		{"too many bytes", []string{"weights", "!"}, ErrTooLarge, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, dir := open(t)
			p := resume(t, s, Key{Digest: sum("weights"), Owner: "a"}, 7)
			var err error
			for _, d := range tt.data {
				if err == nil {
					_, err = p.Write([]byte(d))
				}
			}
			if err == nil {
				err = p.Finish()
			}
			if !errors.Is(err, tt.want) || !errors.Is(err, fault.Input) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if left := partials(t, dir); len(left) != tt.left {
				t.Errorf("left %v", left)
			}
			if all, err := s.List(); len(all) != 0 || err != nil {
				t.Errorf("blobs %v, %v", all, err)
			}
		})
	}
	for _, k := range []Key{{Digest: "../x"}, {Digest: sum("x"), Owner: "../../x"}, {Digest: sum("x"), Owner: strings.Repeat("x", 200)}} {
		s, _ := open(t)
		if _, err := s.Resume(k, 1); !errors.Is(err, fault.Input) {
			t.Errorf("%+v: got error %v, want bad input", k, err)
		}
		if got := s.Arrived(k); got != 0 {
			t.Errorf("%+v: %d bytes", k, got)
		}
	}
}

// Whoever comes last writes; the bytes are those of one of them.
func TestTwoWritersOfOneBlob(t *testing.T) {
	s, _ := open(t)
	data := strings.Repeat("weights", 1000)
	k := Key{Digest: sum(data), Owner: "a"}
	var all sync.WaitGroup
	var finished, passed sync.Map
	for i := range 8 {
		all.Go(func() {
			p, err := s.Resume(k, int64(len(data)))
			for err == nil && p.Offset() < int64(len(data)) {
				at := p.Offset()
				// Superseded between the two, it fails.
				_, err = p.Write([]byte(data[at:min(at+100, int64(len(data)))]))
			}
			if err == nil {
				err = p.Finish()
			}
			switch {
			case err == nil:
				finished.Store(i, true)
			case errors.Is(err, ErrSuperseded), errors.Is(err, ErrExists):
				passed.Store(i, true)
			default:
				t.Error(err)
			}
			if p != nil {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if size, ok := s.Has(k.Digest); !ok || size != int64(len(data)) {
		t.Errorf("the blob has %d bytes (there: %v)", size, ok)
	}
	if len(s.partials) != 0 {
		t.Errorf("%d writers are left", len(s.partials))
	}
}

func TestOldPartialsGo(t *testing.T) {
	s, dir := open(t)
	begin := func(owner string, n int) *Partial {
		p := resume(t, s, Key{Digest: sum(strconv.Itoa(n)), Owner: owner, Task: strconv.Itoa(n)}, 5)
		write(t, p, "x")
		return p
	}
	for n := range MaxPartials {
		p := begin("a", n)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		s.idle[p.name] = time.Now().Add(time.Duration(n-100) * time.Minute)
	}
	other := begin("b", 0)
	if got := len(partials(t, dir)); got != MaxPartials+1 {
		t.Errorf("%d partials, want %d", got, MaxPartials+1)
	}
	fifth := begin("a", 100)
	if s.Arrived(Key{Digest: sum("0"), Owner: "a", Task: "0"}) != 0 || len(partials(t, dir)) != MaxPartials+1 {
		t.Error("the oldest of one too many is still there")
	}
	// A day later, of what nobody writes nothing is left.
	for name := range s.idle {
		s.idle[name] = time.Now().Add(-PartialAge - time.Minute)
	}
	sixth := begin("c", 0)
	if got := len(partials(t, dir)); got != 3 {
		t.Errorf("%d partials a day later, want the 3 that are written", got)
	}
	if err := errors.Join(other.Close(), fifth.Close(), sixth.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.SweepPartials([]Key{{Owner: "b", Task: "0"}}); err != nil {
		t.Fatal(err)
	}
	if got := partials(t, dir); len(got) != 1 || !strings.Contains(got[0], ".b.") {
		t.Errorf("%v after the sweep, want b's alone", got)
	}
}

func TestTooManyWriters(t *testing.T) {
	s, _ := open(t)
	for n := range MaxPartials {
		defer resume(t, s, Key{Digest: sum(strconv.Itoa(n)), Owner: "a"}, 5).Close()
	}
	if _, err := s.Resume(Key{Digest: sum("more"), Owner: "a"}, 5); !errors.Is(err, ErrTooMany) {
		t.Errorf("got error %v, want %v", err, ErrTooMany)
	}
	for n := range 10 {
		if _, err := s.Resume(Key{Digest: sum(strconv.Itoa(n + 10)), Owner: "a"}, 5); err == nil || len(s.idle) != 0 {
			t.Fatalf("refused: %v; %d partials are remembered", err, len(s.idle))
		}
	}
	if p, err := s.Resume(Key{Digest: sum("more"), Owner: "b"}, 5); err != nil {
		t.Errorf("another owner: %v", err)
	} else if err := p.Close(); err != nil {
		t.Error(err)
	}
}
