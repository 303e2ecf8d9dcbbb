package coordinator

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
)

// FuzzUpdate: an update's file is read as the contract's elements end to end,
// or is bad input.
func FuzzUpdate(f *testing.F) {
	c := model.Contract{Tensors: []model.TensorSpec{{Name: "a", DType: "F32", Shape: []int{2, 2}}, {Name: "b", DType: "F32", Shape: []int{3}}}}
	var seed bytes.Buffer
	if err := model.NewParams(c).Write(&seed); err != nil {
		f.Fatal(err)
	}
	f.Add(seed.Bytes())
	f.Add(bytes.ReplaceAll(seed.Bytes(), []byte("[2,2]"), []byte("[4,1]")))
	f.Add(append(bytes.Clone(seed.Bytes()[:seed.Len()-4]), 0, 0, 0xc0, 0x7f)) // NaN
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := openVector(bytes.NewReader(data), int64(len(data)), c)
		if err == nil {
			err = v.checkFinite()
		}
		if err != nil {
			if !errors.Is(err, fault.Input) {
				t.Fatalf("%v is not of class fault.Input", err)
			}
			return
		}
		all, part := make([]float32, c.Size()), make([]float32, 3)
		if err := errors.Join(v.ReadAt(all, 0), v.ReadAt(part, 2)); err != nil {
			t.Fatal(err)
		}
		for i := range part {
			if part[i] != all[2+i] {
				t.Fatalf("element %d is %v alone, %v among all", 2+i, part[i], all[2+i])
			}
		}
	})
}

// FuzzDefinition: what a journal says of a run is the same when written again.
func FuzzDefinition(f *testing.F) {
	d := DefaultDefinition()
	d.Spec = model.Reference()
	d.Contract = d.Spec.Contract()
	seed, err := json.Marshal(d)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Definition
		if json.Unmarshal(data, &d) != nil || d.Validate() != nil {
			return
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var read Definition
		if err := json.Unmarshal(again, &read); err != nil || !read.Equal(d) {
			t.Errorf("%s: %v, or another run", again, err)
		}
	})
}
