package layer

import "github.com/accord-fl/accord/internal/kernel"

// ReLU is y = max(x, 0), element by element.
type ReLU struct{ in Shape }

// NewReLU returns the layer for inputs of shape in.
func NewReLU(in Shape) *ReLU { return &ReLU{in: in} }

var _ Layer = (*ReLU)(nil)

// Out returns the shape of the input.
func (r *ReLU) Out() Shape { return r.in }

// Weights returns nil.
func (r *ReLU) Weights() []Weight { return nil }

// Bind takes no memory.
func (r *ReLU) Bind(bool) Bound { return &reluBound{size: r.in.Size()} }

type reluBound struct {
	weightless
	size int
}

func (b *reluBound) NewPass(samples int) Pass {
	return &reluPass{size: b.size, y: make([]float32, samples*b.size)}
}

type reluPass struct {
	size int
	y    []float32
}

func (p *reluPass) Forward(x []float32, n int) []float32 {
	y := p.y[:n*p.size]
	kernel.ReLU(y, x)
	return y
}

func (p *reluPass) Backward(dy []float32, n int, _ []float32) []float32 {
	kernel.ReLUGrad(dy, dy, p.y[:n*p.size])
	return dy
}
