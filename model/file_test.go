package model

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model/safetensors"
)

// fileContract has a tensor of one element and one between others.
var fileContract = Contract{Tensors: []TensorSpec{
	{Name: "b", DType: "F32", Shape: []int{2, 3}}, {Name: "scale", DType: "F32"}, {Name: "a", DType: "F32", Shape: []int{5}},
}}

// counted is a vector whose elements are their places.
type counted struct{}

func (counted) ReadAt(dst []float32, off int) error {
	for i := range dst {
		dst[i] = float32(off + i)
	}
	return nil
}

// The file's order of tensors is not the contract's.
func TestFileReadsAnyPart(t *testing.T) {
	c := Contract{Tensors: []TensorSpec{fileContract.Tensors[2], fileContract.Tensors[0], fileContract.Tensors[1]}}
	var b bytes.Buffer
	if err := c.Write(&b, counted{}); err != nil { // a is 0…4, b is 5…10, scale is 11
		t.Fatal(err)
	}
	f, err := OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()), fileContract)
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4}
	for off := range want {
		for end := off; end <= len(want); end++ {
			got := make([]float32, end-off)
			if err := f.ReadAt(got, off); err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if got[i] != want[off+i] {
					t.Fatalf("elements %d to %d: got %v, want %v", off, end, got, want[off:end])
				}
			}
		}
	}
	for _, off := range []int{-1, 11, 12, 100} {
		if err := f.ReadAt(make([]float32, 2), off); err == nil {
			t.Errorf("two elements from %d on: no error", off)
		}
	}
}

func TestContractWritesWhatParamsDo(t *testing.T) {
	p := NewParams(fileContract)
	if err := (counted{}).ReadAt(p.Flat(), 0); err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(p.Write(&a), fileContract.Write(&b, counted{})); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the same elements gave other bytes")
	}
	broken := fault.Inputf("broken")
	if err := fileContract.Write(&b, failing{broken}); !errors.Is(err, broken) {
		t.Errorf("got %v, want the vector's error", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]float32, int) error { return f.err }

// A header that is longer than the contract can need is not read.
func TestOpenFileRefusesALongHeader(t *testing.T) {
	var b bytes.Buffer
	infos := []safetensors.Info{{Name: "w", DType: safetensors.F32, Shape: []int{1}}}
	long := map[string]string{"x": string(bytes.Repeat([]byte("y"), 1<<20))}
	w, err := safetensors.NewWriter(&b, infos, long)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.WriteFloat32([]float32{1}), w.Close()); err != nil {
		t.Fatal(err)
	}
	c := Contract{Tensors: []TensorSpec{{Name: "w", DType: "F32", Shape: []int{1}}}}
	if _, err := OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()), c); !errors.Is(err, safetensors.ErrFormat) {
		t.Errorf("got %v, want %v", err, safetensors.ErrFormat)
	}
}

func FuzzOpenFile(f *testing.F) {
	var b bytes.Buffer
	if err := fileContract.Write(&b, counted{}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := OpenFile(bytes.NewReader(data), int64(len(data)), fileContract)
		if err != nil {
			if !errors.Is(err, fault.Input) {
				t.Fatalf("%v is not of class fault.Input", err)
			}
			return
		}
		p, err := v.Params()
		if (err == nil) != (v.CheckFinite() == nil) {
			t.Fatalf("Params says %v, CheckFinite %v", err, v.CheckFinite())
		}
		if err != nil {
			return
		}
		for _, x := range p.Flat() {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				t.Fatalf("%v passed", x)
			}
		}
	})
}
