package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/fault"
)

func TestAppendReopenReplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	j := mustOpen(t, path)
	want := []Record{rec(1, "a"), rec(2, "b"), rec(3, "c")}
	if err := errors.Join(j.Append(t.Context(), 0, want[:2]), j.Append(t.Context(), 2, want[2:]), j.Close()); err != nil {
		t.Fatal(err)
	}
	j = mustOpen(t, path)
	defer j.Close()
	if diff := cmp.Diff(want, replay(t, j)); diff != "" {
		t.Errorf("records differ (-want +got):\n%s", diff)
	}
}

func TestAppendIsCompareAndSwap(t *testing.T) {
	j := mustOpen(t, filepath.Join(t.TempDir(), "j"))
	defer j.Close()
	if err := j.Append(t.Context(), 0, []Record{rec(1, "a")}); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), 0, []Record{rec(1, "b")}); !errors.Is(err, ErrConflict) {
		t.Errorf("stale head: got error %v, want %v", err, ErrConflict)
	}
	if err := j.Append(t.Context(), 1, []Record{rec(3, "b")}); err == nil {
		t.Error("a gap in Seq was accepted")
	}
	if got := len(replay(t, j)); got != 1 {
		t.Errorf("%d records, want 1", got)
	}
}

// Whatever prefix of the last append reached the disk, opening gives the
// records before it and appending goes on.
func TestTornTailIsRemovedAtEveryByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := mustOpen(t, path)
	if err := j.Append(t.Context(), 0, []Record{rec(1, "a")}); err != nil {
		t.Fatal(err)
	}
	whole := j.s.bytes
	if err := errors.Join(j.Append(t.Context(), 1, []Record{rec(2, "b")}), j.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := whole; cut < int64(len(data)); cut++ {
		if err := os.WriteFile(path, data[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		j := mustOpen(t, path)
		if err := j.Append(t.Context(), 1, []Record{rec(2, "c")}); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if got := replay(t, j); len(got) != 2 || got[1].Kind != "c" {
			t.Fatalf("cut at %d: got %d records", cut, len(got))
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamageIsNamed(t *testing.T) {
	for name, lines := range map[string]string{
		"garbage":       "{\"seq\":1}\nnonsense\n{\"seq\":3}\n",
		"gap":           "{\"seq\":1}\n{\"seq\":3}\n",
		"unknown field": "{\"seq\":1}\n{\"seq\":2,\"extra\":true}\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "j")
			if err := os.WriteFile(path, []byte(lines), 0o644); err != nil {
				t.Fatal(err)
			}
			j, err := OpenFile(path)
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			_, err = j.Replay(t.Context(), ignore)
			if !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), path+":2:") {
				t.Errorf("got error %v, want bad input at %s:2", err, path)
			}
		})
	}
}

func TestSecondProcessIsKeptOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := mustOpen(t, path)
	if _, err := OpenFile(path); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got error %v, want %v", err, fault.Unavailable)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, path).Close(); err != nil {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"v":2,"seq":1,"prev":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","at":"2026-01-02T03:04:05Z","run":"r","kind":"a","data":{}}`))
	f.Add([]byte(`{"seq":-1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if l, err := parse(line); err == nil && l.V != version {
			t.Errorf("a record of format %d parsed", l.V)
		}
	})
}
