package model

import (
	"bytes"
	"errors"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model/safetensors"
)

// FuzzWeights: a file of weights from outside is read whole and finite, in any
// of the ways that there are, or is bad input.
func FuzzWeights(f *testing.F) {
	c := Contract{Tensors: []TensorSpec{{Name: "00.kernel", DType: "F32", Shape: []int{2, 2}}, {Name: "00.bias", DType: "F32", Shape: []int{2}}}}
	var seed bytes.Buffer
	if err := NewParams(c).Write(&seed); err != nil {
		f.Fatal(err)
	}
	f.Add(seed.Bytes())
	f.Add(bytes.ReplaceAll(seed.Bytes(), []byte("00."), []byte("xy.")))
	f.Add(seed.Bytes()[:seed.Len()-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		r, size := bytes.NewReader(data), int64(len(data))
		check := func(p *Params, err error) {
			if err != nil {
				if !errors.Is(err, fault.Input) {
					t.Fatalf("%v is not of class fault.Input", err)
				}
				return
			}
			for _, v := range p.Flat() {
				if v-v != 0 {
					t.Fatalf("took %v for a weight", v)
				}
			}
		}
		check(ReadParams(r, size, c))
		p, _, err := MatchParams(r, size, c)
		check(p, err)
		file, err := safetensors.Open(r, size)
		if err != nil {
			return
		}
		own, err := ContractOf(file)
		if err != nil {
			check(nil, err)
			return
		}
		check(ReadParams(r, size, own))
	})
}
