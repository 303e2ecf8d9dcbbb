package model

import (
	"io"

	"github.com/accord-fl/accord/model/safetensors"
)

// NewWriter starts a file of weights: the caller then writes the elements of
// the contract's tensors, end to end, and closes it. The bytes are those of
// Params.Write, so a model too large for memory has the same digest.
func (c Contract) NewWriter(w io.Writer) (*safetensors.Writer, error) {
	infos := make([]safetensors.Info, len(c.Tensors))
	for i, t := range c.Tensors {
		infos[i] = safetensors.Info{Name: t.Name, DType: safetensors.F32, Shape: t.Shape}
	}
	return safetensors.NewWriter(w, infos, map[string]string{contractKey: c.Hash()})
}
