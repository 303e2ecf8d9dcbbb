package layer

import (
	"fmt"

	"github.com/accord-fl/accord/internal/kernel"
)

// Dense is y = x·W + b on a flat input, with ReLU where wanted. W has shape
// [in, units].
type Dense struct {
	in, units int
	relu      bool
}

// NewDense returns a layer of units outputs. The input must be flat.
func NewDense(in Shape, units int, relu bool) (*Dense, error) {
	if in.H != 1 || in.W != 1 {
		return nil, fmt.Errorf("needs a flat input, got %v: put a flatten layer before it", in)
	}
	if units < 1 {
		return nil, fmt.Errorf("units is %d, must be at least 1", units)
	}
	return &Dense{in: in.C, units: units, relu: relu}, nil
}

var _ Layer = (*Dense)(nil)

// Out returns {1, 1, units}.
func (d *Dense) Out() Shape { return Shape{1, 1, d.units} }

// Weights returns kernel [in, units] and bias [units].
func (d *Dense) Weights() []Weight {
	return []Weight{{"kernel", []int{d.in, d.units}}, {"bias", []int{d.units}}}
}

// Bind takes memory for W, its transpose and the bias.
func (d *Dense) Bind(first bool) Bound {
	b := &denseBound{Dense: d, w: kernel.NewPanels(d.in, d.units), bias: make([]float32, d.units)}
	if !first {
		b.wt = kernel.NewPanels(d.units, d.in)
	}
	return b
}

type denseBound struct {
	*Dense
	w    kernel.Panels // W
	wt   kernel.Panels // its transpose; empty in a first layer
	bias []float32
}

func (b *denseBound) Pack(w []float32, backward bool) {
	size := b.in * b.units
	b.w.Pack(0, b.in, w[:size], b.units, 1)
	copy(b.bias, w[size:])
	if backward && b.wt.N > 0 {
		b.wt.Pack(0, b.units, w[:size], 1, b.units)
	}
}

func (b *denseBound) NewPass(samples int) Pass {
	return &densePass{denseBound: b, samples: samples, y: make([]float32, samples*b.units)}
}

type densePass struct {
	*denseBound
	samples int
	x       []float32 // input of the last Forward
	y       []float32
	dx      []float32
	dy      kernel.Panels // gradient as right operand
}

// whole is a product in one stretch.
var whole = []kernel.Segment{{A: 0, B: 0}}

func (p *densePass) Forward(x []float32, n int) []float32 {
	p.x = x
	y := p.y[:n*p.units]
	kernel.GEMM(y, p.units, n, p.in, kernel.Strided{Data: x, Row: p.in, Col: 1}, p.w, whole, false)
	if p.relu {
		kernel.AddBiasReLU(y, p.bias)
	} else {
		kernel.AddBias(y, p.bias)
	}
	return y
}

func (p *densePass) Backward(dy []float32, n int, grad []float32) []float32 {
	if p.relu {
		kernel.ReLUGrad(dy, dy, p.y[:n*p.units])
	}
	if p.dy.K == 0 {
		p.dy = kernel.NewPanels(p.samples, p.units)
	}
	p.dy.Pack(0, n, dy, p.units, 1)
	dw, db := grad[:p.in*p.units], grad[p.in*p.units:]
	kernel.GEMM(dw, p.units, p.in, n, kernel.Strided{Data: p.x, Row: 1, Col: p.in}, p.dy, whole, false)
	clear(db)
	kernel.AddRows(db, dy)
	if p.wt.N == 0 {
		return nil
	}
	p.dx = grow(p.dx, p.samples*p.in)
	dx := p.dx[:n*p.in]
	kernel.GEMM(dx, p.in, n, p.units, kernel.Strided{Data: dy, Row: p.units, Col: 1}, p.wt, whole, false)
	return dx
}
