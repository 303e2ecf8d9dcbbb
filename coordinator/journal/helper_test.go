package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func rec(seq uint64, kind string) Record {
	return Record{Seq: seq, At: time.Unix(int64(seq), 0).UTC(), Run: "r", Kind: kind, Data: []byte(`{"x":1}`)}
}

// long is a record whose line is longer than a block of the disk.
func long(seq uint64) Record {
	r := rec(seq, "long")
	r.Data = fmt.Appendf(nil, `{"x":"%s"}`, bytes.Repeat([]byte("y"), 700))
	return r
}

func replay(t testing.TB, j *File) []Record {
	t.Helper()
	var got []Record
	if _, err := j.Replay(t.Context(), func(r Record) error { got = append(got, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

func mustOpen(t testing.TB, path string) *File {
	t.Helper()
	j, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Replay(t.Context(), ignore); err != nil {
		t.Fatal(err)
	}
	return j
}

// appendAll appends each batch.
func appendAll(t testing.TB, j *File, batches ...[]Record) {
	t.Helper()
	for _, batch := range batches {
		if err := j.Append(t.Context(), batch[0].Seq-1, batch); err != nil {
			t.Fatal(err)
		}
	}
}

// sample is the content of a journal of four batches, and where each begins; the
// last offset is its end.
func sample(t testing.TB) (data []byte, offsets []int64) {
	t.Helper()
	folder := Folder{Dir: t.TempDir()}
	if err := folder.Found(); err != nil {
		t.Fatal(err)
	}
	j, _, err := folder.Open(false, nobody)
	if err != nil {
		t.Fatal(err)
	}
	replay(t, j)
	offsets = []int64{0, j.s.bytes}
	for _, batch := range [][]Record{{rec(2, "a"), long(3)}, {rec(4, "b")}, {rec(5, "c"), long(6), rec(7, "d")}} {
		appendAll(t, j, batch)
		offsets = append(offsets, j.s.bytes)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(filepath.Join(folder.Dir, JournalFile)); err != nil {
		t.Fatal(err)
	}
	return data, offsets
}

func nobody() (string, error) { return "", nil }

// readBytes reads a file's content.
func readBytes(data []byte) (*state, *Cut, error) {
	return read(context.Background(), "j", bytes.NewReader(data), int64(len(data)), ignore)
}

// damageOf is the damage that err must be.
func damageOf(err error) *Damage {
	var damage *Damage
	errors.As(err, &damage)
	return damage
}

// named reports whether err names the file and a line.
func named(err error) bool {
	var n int
	if err == nil {
		return false
	}
	_, scanned := fmt.Sscanf(err.Error(), "j:%d:", &n)
	return scanned == nil && n > 0
}
