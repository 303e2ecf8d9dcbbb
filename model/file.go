package model

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"sync"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model/safetensors"
)

// Vector gives the elements of a contract's tensors, in its order, end to end.
// ReadAt fills dst from element off on.
type Vector interface {
	ReadAt(dst []float32, off int) error
}

// blockLen is how many elements are read and written at a time: enough for each
// call of the system to be cheap, and no more for the collector than that.
const blockLen = 1 << 14

// File is weights in a safetensors file, read when they are needed, so that
// the model need not fit into memory. It is safe for concurrent use when its
// reader is, and does not close that reader.
type File struct {
	contract Contract
	file     *safetensors.File
	tensors  []safetensors.Info // in the contract's order
	starts   []int              // each tensor's first element in the vector
	spans    []span
	size     int // elements of all
}

// span is tensors that follow each other in the file as they do in the vector, so
// that one call reads them: most files are one.
type span struct {
	safetensors.Info     // whose bytes are those of all
	start            int // first element in the vector
}

var (
	_ Vector = (*File)(nil)
	_ Vector = (*Params)(nil)
)

// OpenFile opens the weights that fill the first size bytes of r. They must
// match c in names, shapes and types, with no tensor missing or left over; the
// file's order of tensors does not matter. Values are not looked at. An error
// names the tensor, what it has and what it should have.
func OpenFile(r io.ReaderAt, size int64, c Contract) (*File, error) {
	f, err := safetensors.OpenWithin(r, size, c.maxHeader())
	if err != nil {
		return nil, err
	}
	if err := checkNames(f, c); err != nil {
		return nil, err
	}
	infos := make([]safetensors.Info, len(c.Tensors))
	for i, t := range c.Tensors {
		infos[i], _ = f.Lookup(t.Name)
		if got, want := infos[i].DType.String(), t.DType; got != want {
			return nil, fault.Inputf("tensor %q: got type %s, want %s", t.Name, got, want)
		}
	}
	return newFile(f, infos, c)
}

// maxHeader is more than a header of the contract's tensors can need, so that
// a file from elsewhere is not read into memory as one.
func (c Contract) maxHeader() int64 {
	limit := int64(1 << 16)
	for _, t := range c.Tensors {
		limit += 512 + 6*int64(len(t.Name)) // as many bytes as an escaped one
	}
	return limit
}

// newFile checks the shapes of what stands for the contract's tensors.
func newFile(f *safetensors.File, infos []safetensors.Info, c Contract) (*File, error) {
	v := &File{contract: c, file: f, tensors: infos, starts: make([]int, len(infos))}
	at := 0
	for i, t := range c.Tensors {
		if !slices.Equal(infos[i].Shape, t.Shape) {
			return nil, fault.Inputf("tensor %q: got shape %v, want %v", infos[i].Name, infos[i].Shape, t.Shape)
		}
		v.starts[i] = at
		v.extend(infos[i], at)
		at += t.Len()
	}
	v.size = at
	return v, nil
}

// extend adds a tensor that is at start in the vector to the last span, or begins
// another.
func (f *File) extend(t safetensors.Info, start int) {
	if n := len(f.spans); n > 0 {
		if last := &f.spans[n-1].Info; last.DType == t.DType && last.End == t.Begin {
			last.End = t.End
			return
		}
	}
	f.spans = append(f.spans, span{t, start})
}

// Contract returns what these weights look like.
func (f *File) Contract() Contract { return f.contract }

// ReadAt implements Vector.
func (f *File) ReadAt(dst []float32, off int) error {
	if off < 0 || len(dst) > f.size-off {
		return fmt.Errorf("model: %d elements from %d on are not all of %d", len(dst), off, f.size)
	}
	next := sort.Search(len(f.spans), func(i int) bool { return f.spans[i].start > off })
	for ; len(dst) > 0; next++ {
		s, end := f.spans[next-1], f.size
		if next < len(f.spans) {
			end = f.spans[next].start
		}
		n := min(len(dst), end-off)
		if err := f.file.ReadFloat32(dst[:n], s.Info, int64(off-s.start)); err != nil {
			return fmt.Errorf("from tensor %q on: %w", f.tensors[f.tensorAt(off)].Name, err)
		}
		dst, off = dst[n:], off+n
	}
	return nil
}

// tensorAt returns the index of the tensor that element off lies in.
func (f *File) tensorAt(off int) int { return sort.SearchInts(f.starts, off+1) - 1 }

// blocks are buffers of CheckFinite, which a coordinator calls for each update.
var blocks = sync.Pool{New: func() any { return new([blockLen]float32) }}

// CheckFinite reads every value and names the first that is NaN or infinite.
func (f *File) CheckFinite() error {
	buf := blocks.Get().(*[blockLen]float32)
	defer blocks.Put(buf)
	for at := 0; at < f.size; at += blockLen {
		block := buf[:min(blockLen, f.size-at)]
		if err := f.ReadAt(block, at); err != nil {
			return err
		}
		if bad := notFinite(block); bad >= 0 {
			i := f.tensorAt(at + bad)
			return notFinitef(f.tensors[i].Name, at+bad-f.starts[i], block[bad])
		}
	}
	return nil
}

// ErrNotFinite is in the chain of errors about weights that are NaN or infinite.
var ErrNotFinite = fault.As(fault.Input, errors.New("weights must be finite"))

func notFinitef(tensor string, element int, value float32) error {
	return fmt.Errorf("tensor %q: element %d is %v: %w", tensor, element, value, ErrNotFinite)
}

// CheckFinite names the first of values that is NaN or infinite; they are the
// elements from off on of the contract's tensors, in its order, end to end.
func (c Contract) CheckFinite(values []float32, off int) error {
	bad := notFinite(values)
	if bad < 0 {
		return nil
	}
	element := off + bad
	for _, t := range c.Tensors {
		if element < t.Len() {
			return notFinitef(t.Name, element, values[bad])
		}
		element -= t.Len()
	}
	return notFinitef("", element, values[bad])
}

// notFinite returns the index of the first value that is NaN or infinite, -1
// when there is none.
func notFinite(values []float32) int {
	const exponent = 0xff << 23 // all ones in what is no number
	for i, v := range values {
		if math.Float32bits(v)&exponent == exponent {
			return i
		}
	}
	return -1
}

// Params reads all values, which must be finite, into memory.
func (f *File) Params() (*Params, error) {
	p := NewParams(f.contract)
	for i, t := range p.tensors {
		if err := f.ReadAt(t.Data, f.starts[i]); err != nil {
			return nil, err
		}
		if bad := notFinite(t.Data); bad >= 0 {
			return nil, notFinitef(f.tensors[i].Name, bad, t.Data[bad])
		}
	}
	return p, nil
}

// Write writes v's elements as a file of weights, block by block. The bytes
// are those of Params.Write.
func (c Contract) Write(w io.Writer, v Vector) error {
	out, err := c.NewWriter(w)
	if err != nil {
		return fmt.Errorf("write weights: %w", err)
	}
	size := c.Size()
	block := make([]float32, min(blockLen, size))
	for at := 0; at < size; at += len(block) {
		block := block[:min(len(block), size-at)]
		if err := v.ReadAt(block, at); err != nil {
			return fmt.Errorf("write weights: %w", err)
		}
		if err := out.WriteFloat32(block); err != nil {
			return fmt.Errorf("write weights: %w", err)
		}
	}
	return out.Close()
}
