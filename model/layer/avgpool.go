package layer

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
func (a *AveragePool2D) Bind(bool) Bound { return &avgPoolBound{pool: &a.pool, taps: a.cells()} }

type avgPoolBound struct {
	weightless
	*pool
	taps [][]int32
}

func (b *avgPoolBound) NewPass(samples int) Pass {
	return &avgPoolPass{avgPoolBound: b, samples: samples, y: make([]float32, samples*b.Out().Size())}
}

type avgPoolPass struct {
	*avgPoolBound
	samples int
	y, dx   []float32
}

func (p *avgPoolPass) Forward(x []float32, n int) []float32 {
	in, channels := p.in.Size(), p.in.C
	at := 0
	for s := range n {
		sample := x[s*in:][:in]
		for _, taps := range p.taps {
			scale := 1 / float32(len(taps))
			for c := range channels {
				var sum float32
				for _, t := range taps {
					sum += sample[int(t)+c]
				}
				p.y[at] = sum * scale
				at++
			}
		}
	}
	return p.y[:at]
}

func (p *avgPoolPass) Backward(dy []float32, n int, _ []float32) []float32 {
	in, channels := p.in.Size(), p.in.C
	p.dx = grow(p.dx, p.samples*in)
	clear(p.dx[:n*in])
	at := 0
	for s := range n {
		dx := p.dx[s*in:][:in]
		for _, taps := range p.taps {
			scale := 1 / float32(len(taps))
			for c := range channels {
				d := float32(dy[at] * scale)
				for _, t := range taps {
					dx[int(t)+c] += d
				}
				at++
			}
		}
	}
	return p.dx[:n*in]
}
