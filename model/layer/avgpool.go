package layer

import "github.com/accord-fl/accord/internal/kernel"

// AveragePool2D takes the mean of each window, channel by channel.
type AveragePool2D struct{ pool }

// NewAveragePool2D returns the layer for inputs of shape in.
func NewAveragePool2D(in Shape, w Window) (*AveragePool2D, error) {
	p, err := newPool(in, w)
	if err != nil {
		return nil, err
	}
	return &AveragePool2D{p}, nil
}

var _ Layer = (*AveragePool2D)(nil)

// Bind lists the windows.
func (a *AveragePool2D) Bind(p Plan) Bound {
	return &avgPoolBound{weightless{padded(a.Out())}, p.In, a.runs(p.In.Stride)}
}

type avgPoolBound struct {
	weightless
	in   Layout
	runs []poolRun
}

func (b *avgPoolBound) NewPass(samples int) Pass {
	return &avgPoolPass{avgPoolBound: b, samples: samples, y: kernel.Alloc(samples * b.out.Size())}
}

type avgPoolPass struct {
	*avgPoolBound
	samples int
	y, dx   []float32
}

func (p *avgPoolPass) Forward(_, x []float32, n int) []float32 {
	y := p.y[:n*p.out.Size()]
	clear(y)
	p.visit(n, func(cell, at int, scale float32) {
		kernel.AddScaled(y[cell:][:p.in.Stride], scale, x[at:][:p.in.Stride])
	})
	return y
}

func (p *avgPoolPass) Backward(_, dy []float32, n int, _ []float32, _ bool) []float32 {
	p.dx = grow(p.dx, p.samples*p.in.Size())
	dx := p.dx[:n*p.in.Size()]
	clear(dx)
	p.visit(n, func(cell, at int, scale float32) {
		kernel.AddScaled(dx[at:][:p.in.Stride], scale, dy[cell:][:p.in.Stride])
	})
	return dx
}

// visit calls f for every element of every window, with where the cell starts in
// the output, where the element starts in the input, and one over the window's
// size.
func (p *avgPoolPass) visit(n int, f func(cell, at int, scale float32)) {
	for s := range n {
		for i := range p.runs {
			run := &p.runs[i]
			scale := 1 / float32(len(run.Taps))
			for c := range run.Cells {
				cell := s*p.out.Size() + (run.cell+c)*p.in.Stride
				for _, tap := range run.Taps {
					f(cell, s*p.in.Size()+run.from+c*run.Step+int(tap), scale)
				}
			}
		}
	}
}
