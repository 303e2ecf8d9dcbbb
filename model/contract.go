package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/model/safetensors"
)

// MaxParameters is the largest number of elements that a contract may have
// (4 GiB of float32). Nobody needs to hold so much: see File.
const MaxParameters = 1 << 30

// maxTensors and maxDims bound a contract that arrives from elsewhere.
const (
	maxTensors = 1 << 16
	maxDims    = 8
)

// TensorSpec is what one tensor must look like.
type TensorSpec struct {
	Name  string `json:"name"`
	DType string `json:"dtype"` // always "F32" for now
	Shape []int  `json:"shape"` // empty for a single number
}

// Len returns the number of elements.
func (t TensorSpec) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Contract is what every file of weights of a run must look like: these
// tensors, in this order, and no others.
type Contract struct {
	// Spec is the hash of the Spec behind the tensors; empty when only the
	// tensors are known and some other program gives them meaning.
	Spec    string       `json:"spec,omitempty"`
	Tensors []TensorSpec `json:"tensors"`
}

// ContractOf returns the contract of a file of weights whose network is not
// known. Every tensor must be F32; the order is that of the data.
func ContractOf(f *safetensors.File) (Contract, error) {
	var c Contract
	for _, t := range f.Tensors() {
		if t.DType != safetensors.F32 {
			return Contract{}, fault.Inputf("tensor %q has type %s: only F32 weights can be averaged; convert the file", t.Name, t.DType)
		}
		c.Tensors = append(c.Tensors, TensorSpec{Name: t.Name, DType: t.DType.String(), Shape: slices.Clone(t.Shape)})
	}
	if err := c.Validate(); err != nil {
		return Contract{}, err
	}
	return c, nil
}

// Validate checks a contract that came from elsewhere: at least one tensor,
// names present and distinct, type F32, no negative or empty dimension, at most
// MaxParameters elements.
func (c Contract) Validate() error {
	if len(c.Tensors) == 0 {
		return fault.Inputf("a contract needs at least one tensor")
	}
	if len(c.Tensors) > maxTensors {
		return fault.Inputf("a contract of %d tensors is above the limit of %d", len(c.Tensors), maxTensors)
	}
	seen := make(map[string]bool, len(c.Tensors))
	total := 0
	for i, t := range c.Tensors {
		if t.Name == "" || t.Name == "__metadata__" || seen[t.Name] {
			return fault.Inputf("contract: tensor %d: the name %q is empty, reserved or used twice", i, t.Name)
		}
		if err := quote.Check("contract: tensor name", t.Name); err != nil {
			return err
		}
		seen[t.Name] = true
		n, err := t.checkedLen()
		if err != nil {
			return fmt.Errorf("contract: tensor %q: %w", t.Name, err)
		}
		if total += n; total > MaxParameters {
			return fault.Inputf("contract: more than %d elements in all", MaxParameters)
		}
	}
	return nil
}

func (t TensorSpec) checkedLen() (int, error) {
	if t.DType != safetensors.F32.String() {
		return 0, fault.Inputf("type %q is not supported, only F32", t.DType)
	}
	if len(t.Shape) > maxDims {
		return 0, fault.Inputf("%d dimensions, at most %d are allowed", len(t.Shape), maxDims)
	}
	n, ok := product(MaxParameters, t.Shape...)
	if !ok {
		return 0, fault.Inputf("shape %v has an empty dimension or more than %d elements", t.Shape, MaxParameters)
	}
	return n, nil
}

// product multiplies positive factors; ok is false when one is not positive or
// the product exceeds limit. It cannot overflow for limits below 2³¹.
func product(limit int, factors ...int) (n int, ok bool) {
	n = 1
	for _, f := range factors {
		if f < 1 || f > limit || n > limit/f {
			return 0, false
		}
		n *= f
	}
	return n, true
}

// Hash returns the SHA-256 of the contract's JSON, in hexadecimal.
func (c Contract) Hash() string {
	data, err := json.Marshal(c)
	if err != nil {
		panic("model: a contract is always representable in JSON: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Size returns the number of elements of all tensors.
func (c Contract) Size() int {
	n := 0
	for _, t := range c.Tensors {
		n += t.Len()
	}
	return n
}

// Bytes returns the size of the tensors' data, 4 bytes an element.
func (c Contract) Bytes() int64 { return 4 * int64(c.Size()) }

// MaxFile is how large, in bytes, a safetensors file of the contract's tensors
// may be: their data and a generous header, 512 bytes a tensor beside its name.
func (c Contract) MaxFile() int64 {
	limit := c.Bytes() + 4096
	for _, t := range c.Tensors {
		limit += 512 + int64(len(t.Name))
	}
	return limit
}
