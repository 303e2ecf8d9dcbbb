package federation

import (
	"errors"

	"github.com/accord-fl/accord/model"
)

// Noise is a vector of small numbers, another one in each place and for each
// seed, without end.
type Noise uint32

var _ model.Vector = Noise(0)

// ReadAt implements model.Vector.
func (n Noise) ReadAt(dst []float32, off int) error {
	for i := range dst {
		x := (uint32(off+i) ^ uint32(n)) * 2654435761 // a multiplicative hash
		x ^= x >> 15
		dst[i] = float32(int32(x)) * (1.0 / (1 << 36))
	}
	return nil
}

// perturbed is the sum of a model and noise, never in memory. One goroutine may
// read it.
type perturbed struct {
	of     model.Vector
	by     Noise
	buffer []float32
}

// ReadAt implements model.Vector.
func (p *perturbed) ReadAt(dst []float32, off int) error {
	if len(p.buffer) < len(dst) {
		p.buffer = make([]float32, len(dst))
	}
	by := p.buffer[:len(dst)]
	if err := errors.Join(p.of.ReadAt(dst, off), p.by.ReadAt(by, off)); err != nil {
		return err
	}
	for i, x := range by {
		dst[i] += x
	}
	return nil
}

// nudged is a model whose first weight has moved.
type nudged struct {
	of model.Vector
	by float32
}

// ReadAt implements model.Vector.
func (n nudged) ReadAt(dst []float32, off int) error {
	err := n.of.ReadAt(dst, off)
	if off == 0 && len(dst) > 0 {
		dst[0] += n.by
	}
	return err
}
