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
func (r *ReLU) Bind(p Plan) Bound { return reluBound{weightless{p.In}} }

type reluBound struct{ weightless }

func (b reluBound) NewPass(samples int) Pass {
	return &reluPass{
		out: b.out, y: kernel.Alloc(samples * b.out.Size()),
		zero: kernel.Alloc(b.out.Stride), sum: kernel.Alloc(b.out.Stride),
	}
}

type reluPass struct {
	out  Layout
	y    []float32
	zero []float32 // a bias
	sum  []float32 // its gradient, which nobody wants
}

func (p *reluPass) Forward(_, x []float32, n int) []float32 {
	y := p.y[:n*p.out.Size()]
	copy(y, x)
	kernel.AddBias(y, p.zero, 0)
	return y
}

func (p *reluPass) Backward(_, dy []float32, n int, _ []float32, _ bool) []float32 {
	kernel.FloorGrad(dy, p.y[:n*p.out.Size()], p.sum, 0)
	return dy
}
