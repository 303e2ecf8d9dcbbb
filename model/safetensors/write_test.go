package safetensors

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"
)

func TestNewWriterRefuses(t *testing.T) {
	for _, c := range []struct {
		name     string
		tensors  []Info
		metadata map[string]string
	}{
		{"two tensors of one name", []Info{{Name: "a", DType: U8}, {Name: "a", DType: U8}}, nil},
		{"the metadata's name", []Info{{Name: "__metadata__", DType: U8}}, nil},
		{"name not UTF-8", []Info{{Name: "\xff", DType: U8}}, nil},
		{"metadata not UTF-8", nil, map[string]string{"k": "\xff"}},
		{"no element type", []Info{{Name: "a", Shape: []int{1}}}, nil},
		{"negative dimension", []Info{{Name: "a", DType: U8, Shape: []int{-1}}}, nil},
		{"shape overflows", []Info{{Name: "a", DType: F32, Shape: []int{math.MaxInt / 2}}}, nil},
		{"sum overflows", []Info{{Name: "a", DType: U8, Shape: []int{math.MaxInt}}, {Name: "b", DType: U8, Shape: []int{1}}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if _, err := NewWriter(&b, c.tensors, c.metadata); err == nil || b.Len() != 0 {
				t.Errorf("got error %v and %d bytes, want an error and none", err, b.Len())
			}
		})
	}
}

func TestWriterCountsBytes(t *testing.T) {
	tensors := []Info{{Name: "i", DType: U8, Shape: []int{2}}, {Name: "none", DType: F32, Shape: []int{0}}, {Name: "f", DType: F32, Shape: []int{1}}}
	newWriter := func() *Writer {
		w, err := NewWriter(io.Discard, tensors, nil)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := newWriter()
	if err := w.WriteFloat32([]float32{1}); err == nil {
		t.Error("float32 went into a U8 tensor")
	}
	if n, err := w.Write(make([]byte, 7)); n != 0 || err == nil {
		t.Errorf("too many bytes: got %d, %v, want 0 and an error", n, err)
	}
	if _, err := w.Write(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFloat32([]float32{1}); err == nil {
		t.Error("float32 went into the middle of an element")
	}
	if err := w.Close(); err == nil {
		t.Error("Close accepted a file cut short")
	}
	w = newWriter()
	if _, err := w.Write([]byte{1, 2}); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFloat32([]float32{1, 2}); err == nil {
		t.Error("values went beyond the last tensor")
	}
	if err := w.Close(); err != nil {
		t.Errorf("a whole file: got error %v", err)
	}
}

func TestWriterPassesErrorsOn(t *testing.T) {
	full := errors.New("disk full")
	if _, err := NewWriter(limitedWriter{left: new(int), err: full}, nil, nil); !errors.Is(err, full) {
		t.Errorf("header: got error %v, want %v", err, full)
	}
	left := 100
	w, err := NewWriter(limitedWriter{left: &left, err: full}, []Info{{Name: "t", DType: F32, Shape: []int{100}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFloat32(make([]float32, 100)); !errors.Is(err, full) {
		t.Errorf("data: got error %v, want %v", err, full)
	}
}

// limitedWriter fails with err once left bytes are written.
type limitedWriter struct {
	left *int
	err  error
}

func (l limitedWriter) Write(p []byte) (int, error) {
	n := min(len(p), *l.left)
	*l.left -= n
	if n < len(p) {
		return n, l.err
	}
	return n, nil
}
