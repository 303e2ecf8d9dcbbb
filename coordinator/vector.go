package coordinator

import (
	"fmt"
	"io"
	"math"

	"github.com/accord-fl/accord/aggregation"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/safetensors"
)

// vector reads a safetensors file as the contract's tensors end to end,
// whatever their order in the file.
type vector struct {
	file    *safetensors.File
	tensors []safetensors.Info // in contract order
}

var _ aggregation.Reader = (*vector)(nil)

// openVector checks that the file of size bytes in r has exactly the
// contract's tensors: names, dtypes, shapes. Values are not looked at.
func openVector(r io.ReaderAt, size int64, c model.Contract) (*vector, error) {
	f, err := safetensors.Open(r, size)
	if err != nil {
		return nil, err
	}
	if got, want := len(f.Tensors()), len(c.Tensors); got != want {
		return nil, fault.Inputf("%d tensors, the contract has %d", got, want)
	}
	v := &vector{file: f}
	for _, want := range c.Tensors {
		got, ok := f.Lookup(want.Name)
		if !ok {
			return nil, fault.Inputf("tensor %s is missing", want.Name)
		}
		if got.DType.String() != want.DType || !equalShape(got.Shape, want.Shape) {
			return nil, fault.Inputf("tensor %s: got %s %v, the contract has %s %v", want.Name, got.DType, got.Shape, want.DType, want.Shape)
		}
		v.tensors = append(v.tensors, got)
	}
	return v, nil
}

func equalShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// ReadAt implements aggregation.Reader.
func (v *vector) ReadAt(dst []float32, off int) error {
	at := int64(off)
	for _, t := range v.tensors {
		if len(dst) == 0 {
			return nil
		}
		if at >= t.Len() {
			at -= t.Len()
			continue
		}
		n := min(int64(len(dst)), t.Len()-at)
		if err := v.file.ReadFloat32(dst[:n], t, at); err != nil {
			return err
		}
		dst, at = dst[n:], 0
	}
	if len(dst) > 0 {
		return fmt.Errorf("read %d elements beyond the last tensor", len(dst))
	}
	return nil
}

// checkFinite reads every value once and names the first that is NaN or
// infinite.
func (v *vector) checkFinite() error {
	buffer := make([]float32, aggregation.Block)
	for _, t := range v.tensors {
		for at := int64(0); at < t.Len(); at += int64(len(buffer)) {
			block := buffer[:min(int64(len(buffer)), t.Len()-at)]
			if err := v.file.ReadFloat32(block, t, at); err != nil {
				return err
			}
			for i, x := range block {
				const exponent = 0x7f800000 // all ones: NaN or infinite
				if math.Float32bits(x)&exponent == exponent {
					return fault.Inputf("tensor %s: element %d is %g", t.Name, at+int64(i), x)
				}
			}
		}
	}
	return nil
}
