package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model/safetensors"
)

// contractKey is the only metadata in a file of weights.
const contractKey = "accord.contract"

// Tensor is a named view into a Params' flat slice.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// Params are the weights of one model: the contract's tensors, in order, as
// views into one flat slice.
type Params struct {
	contract Contract
	flat     []float32
	tensors  []Tensor
}

// NewParams returns weights that are all zero. The contract must be valid.
func NewParams(c Contract) *Params {
	p := &Params{contract: c, flat: make([]float32, c.Size()), tensors: make([]Tensor, 0, len(c.Tensors))}
	begin := 0
	for _, t := range c.Tensors {
		end := begin + t.Len()
		p.tensors = append(p.tensors, Tensor{Name: t.Name, Shape: t.Shape, Data: p.flat[begin:end:end]})
		begin = end
	}
	return p
}

// Flat returns all elements in the contract's order. It is the storage itself,
// not a copy.
func (p *Params) Flat() []float32 { return p.flat }

// Tensors returns the tensors in the contract's order; their Data share the
// storage of Flat. The caller must not change the slice.
func (p *Params) Tensors() []Tensor { return p.tensors }

// Contract returns what these weights look like.
func (p *Params) Contract() Contract { return p.contract }

// Clone returns a copy with its own storage.
func (p *Params) Clone() *Params {
	q := NewParams(p.contract)
	copy(q.flat, p.flat)
	return q
}

// CopyFrom overwrites p's elements with q's. Both must have as many.
func (p *Params) CopyFrom(q *Params) {
	if len(p.flat) != len(q.flat) {
		panic("model: CopyFrom between different contracts")
	}
	copy(p.flat, q.flat)
}

// Write writes the tensors as a safetensors file. The metadata hold the
// contract's hash and nothing else, so equal weights give equal bytes.
func (p *Params) Write(w io.Writer) error {
	infos := make([]safetensors.Info, len(p.tensors))
	for i, t := range p.tensors {
		infos[i] = safetensors.Info{Name: t.Name, DType: safetensors.F32, Shape: t.Shape}
	}
	sw, err := safetensors.NewWriter(w, infos, map[string]string{contractKey: p.contract.Hash()})
	if err != nil {
		return fmt.Errorf("write weights: %w", err)
	}
	if err := sw.WriteFloat32(p.flat); err != nil {
		return fmt.Errorf("write weights: %w", err)
	}
	return sw.Close()
}

// Digest returns the SHA-256, in hexadecimal, of exactly the bytes that Write
// gives.
func (p *Params) Digest() string {
	h := sha256.New()
	if err := p.Write(h); err != nil {
		panic("model: hashing weights failed: " + err.Error())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ReadParams reads weights that must match c in names, shapes and types, with
// no tensor missing or left over and every element finite. The file's order of
// tensors does not matter. An error names the tensor, what it has and what it
// should have.
func ReadParams(r io.ReaderAt, size int64, c Contract) (*Params, error) {
	f, err := safetensors.Open(r, size)
	if err != nil {
		return nil, fmt.Errorf("read weights: %w", err)
	}
	if err := checkNames(f, c); err != nil {
		return nil, fmt.Errorf("read weights: %w", err)
	}
	p := NewParams(c)
	for i, t := range p.tensors {
		info, _ := f.Lookup(t.Name)
		if got, want := info.DType.String(), c.Tensors[i].DType; got != want {
			return nil, fault.Inputf("read weights: tensor %q: got type %s, want %s", t.Name, got, want)
		}
		if err := readTensor(f, info, t); err != nil {
			return nil, fmt.Errorf("read weights: %w", err)
		}
	}
	return p, nil
}

// LoadParams reads the file at path as ReadParams does.
func LoadParams(path string, c Contract) (*Params, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load model: %w", fault.As(fault.Input, err))
	}
	defer func() { _ = file.Close() }() // only read from
	stat, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", path, err)
	}
	p, err := ReadParams(file, stat.Size(), c)
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", path, err)
	}
	return p, nil
}

// SaveParams writes p to path, whole or not at all.
func SaveParams(path string, p *Params) error {
	if err := atomicfile.Write(path, p.Write); err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	return nil
}

// checkNames reports the first tensor that the file lacks or has too many.
func checkNames(f *safetensors.File, c Contract) error {
	wanted := make(map[string]bool, len(c.Tensors))
	for _, t := range c.Tensors {
		wanted[t.Name] = true
		if _, ok := f.Lookup(t.Name); !ok {
			return fault.Inputf("tensor %q %v is missing", t.Name, t.Shape)
		}
	}
	for _, t := range f.Tensors() {
		if !wanted[t.Name] {
			return fault.Inputf("tensor %q %v is not part of the model", t.Name, t.Shape)
		}
	}
	return nil
}

// readTensor fills t from the file's tensor info, which may have another name.
func readTensor(f *safetensors.File, info safetensors.Info, t Tensor) error {
	if !slices.Equal(info.Shape, t.Shape) {
		return fault.Inputf("tensor %q: got shape %v, want %v", info.Name, info.Shape, t.Shape)
	}
	if err := f.ReadFloat32(t.Data, info, 0); err != nil {
		return fmt.Errorf("tensor %q: %w", info.Name, err)
	}
	for i, v := range t.Data {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fault.Inputf("tensor %q: element %d is %v: weights must be finite", info.Name, i, v)
		}
	}
	return nil
}
