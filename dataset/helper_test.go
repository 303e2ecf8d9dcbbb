package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/fault"
)

// wantInput checks that err is of class fault.Input and says all texts.
func wantInput(t *testing.T, err error, texts ...string) {
	t.Helper()
	if !errors.Is(err, fault.Input) {
		t.Fatalf("got error %v, want one of class Input", err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got message %q, want it to say %q", err, text)
		}
	}
}

// wantSet compares a set's shape, images and labels; scale is what each
// element is divided by.
func wantSet(t *testing.T, name string, s *Set, shape [3]int, elements []float32, scale float32, labels []int32) {
	t.Helper()
	if s == nil {
		t.Fatalf("%s: there is none", name)
	}
	if s.Shape() != shape {
		t.Fatalf("%s: got shape %v, want %v", name, s.Shape(), shape)
	}
	want := make([]float32, len(elements))
	for i, v := range elements {
		want[i] = v / scale
	}
	x, y := gather(s.All())
	if diff := cmp.Diff(want, x); diff != "" {
		t.Errorf("%s: images (-want +got):\n%s", name, diff)
	}
	if diff := cmp.Diff(labels, y); diff != "" {
		t.Errorf("%s: labels (-want +got):\n%s", name, diff)
	}
}

// gather returns all images and labels of v.
func gather(v *View) (x []float32, y []int32) {
	idx := make([]int, v.Len())
	for i := range idx {
		idx[i] = i
	}
	x, y = make([]float32, v.Len()*v.set.size()), make([]int32, v.Len())
	v.Gather(x, y, idx)
	return x, y
}

// upTo returns 0, 1, …, n-1.
func upTo(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i)
	}
	return v
}

// bytesUpTo returns 0, 1, …, n-1.
func bytesUpTo(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// readTestdata returns the bytes of a file in testdata.
func readTestdata(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// newFolder writes files, by their path in a new folder, and returns it.
func newFolder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		writeFile(t, filepath.Join(dir, filepath.FromSlash(name)), data)
	}
	return dir
}

// load reads a data set that has to be readable.
func load(t *testing.T, format string, args ...any) Split {
	t.Helper()
	split, err := Load(fmt.Sprintf(format, args...), "")
	if err != nil {
		t.Fatal(err)
	}
	return split
}
