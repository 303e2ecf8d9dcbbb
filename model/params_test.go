package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/model/safetensors"
)

func small(t *testing.T) *Spec {
	t.Helper()
	s, err := ParseSpec("small", []byte("input: [1, 1, 3]\nlayers: [{dense: {units: 2}}, {dense: {units: 2, activation: softmax}}]"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// file writes tensors named and shaped as given, filled with 1, 2, 3, …
func file(t *testing.T, dtype safetensors.DType, names []string, shapes [][]int) []byte {
	t.Helper()
	var infos []safetensors.Info
	size := 0
	for i, shape := range shapes {
		n := 1
		for _, d := range shape {
			n *= d
		}
		size += n
		infos = append(infos, safetensors.Info{Name: names[i], DType: dtype, Shape: shape})
	}
	var b bytes.Buffer
	w, err := safetensors.NewWriter(&b, infos, nil)
	if err != nil {
		t.Fatal(err)
	}
	if dtype == safetensors.F32 {
		values := make([]float32, size)
		for i := range values {
			values[i] = float32(i + 1)
		}
		err = w.WriteFloat32(values)
	} else {
		_, err = w.Write(make([]byte, size*dtype.Size()))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var (
	goodNames  = []string{"00.kernel", "00.bias", "01.kernel", "01.bias"}
	goodShapes = [][]int{{3, 2}, {2}, {2, 2}, {2}}
)

func TestParamsSurviveAFile(t *testing.T) {
	s := small(t)
	p := s.Init(rng.New(1, "params"))
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := SaveParams(path, p); err != nil {
		t.Fatal(err)
	}
	q, err := LoadParams(path, s.Contract())
	if err != nil {
		t.Fatal(err)
	}
	if p.Digest() != q.Digest() {
		t.Error("weights changed on the way through a file")
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	if got, want := p.Digest(), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("digest: got %s, want that of the bytes, %s", got, want)
	}
	c := p.Clone()
	c.Flat()[0]++
	if c.Digest() == p.Digest() {
		t.Error("another weight, the same digest")
	}
	if c.CopyFrom(p); c.Digest() != p.Digest() {
		t.Error("CopyFrom left something behind")
	}
	if _, err := LoadParams(path+".not", s.Contract()); !errors.Is(err, fault.Input) {
		t.Errorf("missing file: got %v, want an error of class Input", err)
	}
}

func TestReadParamsRefuses(t *testing.T) {
	contract := small(t).Contract()
	withNaN := file(t, safetensors.F32, goodNames, goodShapes)
	copy(withNaN[len(withNaN)-4*4:], []byte{0, 0, 0xC0, 0x7F}) // third element of 01.kernel
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"missing", file(t, safetensors.F32, goodNames[:3], goodShapes[:3]), `tensor "01.bias" [2] is missing`},
		{"left over", file(t, safetensors.F32, append(goodNames[:4:4], "x"), append(goodShapes[:4:4], []int{1})), `tensor "x" [1] is not part of the model`},
		{"shape", file(t, safetensors.F32, goodNames, [][]int{{2, 3}, {2}, {2, 2}, {2}}), `tensor "00.kernel": got shape [2 3], want [3 2]`},
		{"type", file(t, safetensors.F16, goodNames, goodShapes), `tensor "00.kernel": got type F16, want F32`},
		{"NaN", withNaN, `tensor "01.kernel": element 2 is NaN`},
		{"not a file", []byte("hello"), ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadParams(bytes.NewReader(c.data), int64(len(c.data)), contract)
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, fault.Input) {
				t.Errorf("got %v, want an error of class Input with %q", err, c.want)
			}
		})
	}
}

func TestMatchParams(t *testing.T) {
	contract := small(t).Contract()
	shuffled := []string{"01.bias", "00.kernel", "01.kernel", "00.bias"}
	for _, c := range []struct {
		name   string
		names  []string
		shapes [][]int
		how    string
		want   []float32 // first element of each tensor
	}{
		{"by name", shuffled, [][]int{{2}, {3, 2}, {2, 2}, {2}}, "by name", []float32{3, 13, 9, 1}},
		{"by order", []string{"a", "b", "c", "d"}, goodShapes, "by order and shape", []float32{1, 7, 9, 13}},
		{"bias first", []string{"a", "b", "c", "d"}, [][]int{{2}, {3, 2}, {2}, {2, 2}}, "by order and shape", []float32{3, 1, 11, 9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := file(t, safetensors.F32, c.names, c.shapes)
			p, how, err := MatchParams(bytes.NewReader(data), int64(len(data)), contract)
			if err != nil {
				t.Fatal(err)
			}
			if how != c.how {
				t.Errorf("matched %q, want %q", how, c.how)
			}
			for i, tensor := range p.Tensors() {
				if tensor.Data[0] != c.want[i] {
					t.Errorf("%s starts with %v, want %v", tensor.Name, tensor.Data[0], c.want[i])
				}
			}
		})
	}
	for name, shapes := range map[string][][]int{"too few": goodShapes[:3], "wrong shape": {{3, 2}, {2}, {2, 3}, {2}}} {
		data := file(t, safetensors.F32, []string{"a", "b", "c", "d"}[:len(shapes)], shapes)
		if _, _, err := MatchParams(bytes.NewReader(data), int64(len(data)), contract); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %v, want an error of class Input", name, err)
		}
	}
}

func TestContractOf(t *testing.T) {
	data := file(t, safetensors.F32, goodNames, goodShapes)
	open := func(data []byte) *safetensors.File {
		f, err := safetensors.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	c, err := ContractOf(open(data))
	if err != nil {
		t.Fatal(err)
	}
	if c.Spec != "" || c.Size() != 14 {
		t.Errorf("got spec %q and %d elements, want none and 14", c.Spec, c.Size())
	}
	if c.Hash() == small(t).Contract().Hash() {
		t.Error("a contract without its spec has the hash of one with it")
	}
	if _, err := ContractOf(open(file(t, safetensors.F16, goodNames, goodShapes))); !errors.Is(err, fault.Input) {
		t.Errorf("F16: got %v, want an error of class Input", err)
	}
}

func TestContractValidateRefuses(t *testing.T) {
	tensor := func(name, dtype string, shape ...int) TensorSpec { return TensorSpec{name, dtype, shape} }
	for name, tensors := range map[string][]TensorSpec{
		"none":      nil,
		"no name":   {tensor("", "F32", 1)},
		"reserved":  {tensor("__metadata__", "F32", 1)},
		"twice":     {tensor("a", "F32", 1), tensor("a", "F32", 1)},
		"type":      {tensor("a", "F64", 1)},
		"empty":     {tensor("a", "F32", 3, 0)},
		"negative":  {tensor("a", "F32", -3, -3)},
		"overflow":  {tensor("a", "F32", math.MaxInt, math.MaxInt)},
		"too large": {tensor("a", "F32", MaxParameters), tensor("b", "F32", 1)},
		"deep":      {tensor("a", "F32", 1, 1, 1, 1, 1, 1, 1, 1, 1)},
	} {
		if err := (Contract{Tensors: tensors}).Validate(); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %v, want an error of class Input", name, err)
		}
	}
}
