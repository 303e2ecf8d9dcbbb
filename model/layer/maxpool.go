package layer

import "github.com/accord-fl/accord/internal/kernel"

// MaxPool2D takes the largest value of each window, channel by channel. The
// gradient goes to the first position that has it.
type MaxPool2D struct{ pool }

// NewMaxPool2D returns the layer for inputs of shape in.
func NewMaxPool2D(in Shape, w Window) (*MaxPool2D, error) {
	p, err := newPool(in, w)
	if err != nil {
		return nil, err
	}
	if err := checkTaps(w); err != nil {
		return nil, err
	}
	return &MaxPool2D{p}, nil
}

var _ Layer = (*MaxPool2D)(nil)

// Bind lists the windows.
func (m *MaxPool2D) Bind(p Plan) Bound {
	return &maxPoolBound{weightless{padded(m.Out())}, &m.pool, p.In, m.runs(p.In.Stride)}
}

type maxPoolBound struct {
	weightless
	pool *pool
	in   Layout
	runs []poolRun
}

func (b *maxPoolBound) NewPass(samples int) Pass {
	out := samples * b.out.Size()
	return &maxPoolPass{
		maxPoolBound: b, samples: samples,
		zero: kernel.Alloc(b.in.Stride), y: kernel.Alloc(out), arg: make([]uint8, out),
	}
}

type maxPoolPass struct {
	*maxPoolBound
	samples     int
	zero, y, dx []float32
	arg         []uint8
}

func (p *maxPoolPass) Forward(_, x []float32, n int) []float32 {
	in, out, channels := p.in.Size(), p.out.Size(), p.in.Stride
	for s := range n {
		for i := range p.runs {
			run := &p.runs[i]
			begin, end := s*out+run.cell*channels, s*out+(run.cell+run.Cells)*channels
			kernel.MaxPool(p.y[begin:end], p.arg[begin:end], x[s*in+run.from:], run.Pooling, p.zero, kernel.NoFloor)
		}
	}
	return p.y[:n*out]
}

func (p *maxPoolPass) Backward(_, dy []float32, n int, _ []float32, _ bool) []float32 {
	in, out, channels := p.in.Size(), p.out.Size(), p.in.Stride
	p.dx = grow(p.dx, p.samples*in)
	tiles := p.pool.tiles()
	if !tiles {
		clear(p.dx[:n*in])
	}
	for s := range n {
		for i := range p.runs {
			run := &p.runs[i]
			begin, end := s*out+run.cell*channels, s*out+(run.cell+run.Cells)*channels
			kernel.Unpool(p.dx[s*in+run.from:], dy[begin:end], p.arg[begin:end], run.Pooling, channels, !tiles)
		}
	}
	return p.dx[:n*in]
}
