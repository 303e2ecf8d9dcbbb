package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

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
func (p *Params) Write(w io.Writer) error { return p.contract.Write(w, p) }

// Digest returns the SHA-256, in hexadecimal, of exactly the bytes that Write
// gives.
func (p *Params) Digest() string {
	h := sha256.New()
	if err := p.Write(h); err != nil {
		panic("model: hashing weights failed: " + err.Error())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ReadAt implements Vector.
func (p *Params) ReadAt(dst []float32, off int) error {
	if off < 0 || len(dst) > len(p.flat)-off {
		return fmt.Errorf("model: %d elements from %d on are not all of %d", len(dst), off, len(p.flat))
	}
	copy(dst, p.flat[off:])
	return nil
}

// ReadParams reads weights that must match c as those of OpenFile do, every
// element finite.
func ReadParams(r io.ReaderAt, size int64, c Contract) (*Params, error) {
	f, err := OpenFile(r, size, c)
	if err != nil {
		return nil, fmt.Errorf("read weights: %w", err)
	}
	p, err := f.Params()
	if err != nil {
		return nil, fmt.Errorf("read weights: %w", err)
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
