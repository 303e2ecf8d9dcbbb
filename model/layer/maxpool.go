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
func (m *MaxPool2D) Bind(bool) Bound { return &maxPoolBound{pool: &m.pool, taps: m.cells()} }

type maxPoolBound struct {
	weightless
	*pool
	taps [][]int32
}

func (b *maxPoolBound) NewPass(samples int) Pass {
	out := samples * b.Out().Size()
	return &maxPoolPass{maxPoolBound: b, samples: samples, y: make([]float32, out), arg: make([]uint8, out)}
}

type maxPoolPass struct {
	*maxPoolBound
	samples int
	y, dx   []float32
	arg     []uint8
}

func (p *maxPoolPass) Forward(x []float32, n int) []float32 {
	in, channels := p.in.Size(), p.in.C
	at := 0
	for s := range n {
		sample := x[s*in:][:in]
		for _, taps := range p.taps {
			kernel.MaxPool(p.y[at:at+channels], p.arg[at:at+channels], sample, taps)
			at += channels
		}
	}
	return p.y[:at]
}

func (p *maxPoolPass) Backward(dy []float32, n int, _ []float32) []float32 {
	in, channels := p.in.Size(), p.in.C
	p.dx = grow(p.dx, p.samples*in)
	clear(p.dx[:n*in])
	at := 0
	for s := range n {
		dx := p.dx[s*in:][:in]
		for _, taps := range p.taps {
			for c := range channels {
				dx[int(taps[p.arg[at]])+c] += dy[at]
				at++
			}
		}
	}
	return p.dx[:n*in]
}
