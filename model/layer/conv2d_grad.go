package layer

import "github.com/accord-fl/accord/internal/kernel"

// convGrad is what only Backward needs.
type convGrad struct {
	dz     []float32 // dense: gradient before the pool
	dx     []float32 // nil in a first layer
	framed []float32 // sparse: one sample of dx with its border; nil without

	// Sparse only:
	live *kernel.Collector
	dw   []float32 // gradient of the kernel as [filter, ky, kx, c]
	sum  []float32 // the same, laid out as weights
}

func (p *convPass) newGrad() *convGrad {
	g := new(convGrad)
	if p.sparse {
		g.live = kernel.NewCollector(p.reads, p.pool.rows.size*p.pool.cols.size, p.sources, p.places)
		g.dw = kernel.Alloc(p.depth() * p.units)
		g.sum = kernel.Alloc(p.depth() * p.wide)
		if p.frame != nil {
			g.framed = kernel.Alloc(p.framed.Size())
		}
	} else if p.pool != nil {
		g.dz = kernel.Alloc(p.atOnce(p.samples) * largest(p.behind))
	}
	if p.back != nil {
		g.dx = kernel.Alloc(p.samples * p.input.Size())
	}
	return g
}

func (p *convPass) Backward(w, dy []float32, n int, grad []float32) []float32 {
	if p.grad == nil {
		p.grad = p.newGrad()
	}
	if p.pool != nil {
		kernel.DropDead(dy, p.arg[:len(dy)], p.bias(grad))
	} else {
		kernel.FloorGrad(dy, p.y[:len(dy)], p.bias(grad), p.floor)
	}
	switch {
	case p.sparse:
		p.backwardSparse(dy, n, grad)
	case p.byRows:
		p.backwardRows(dy, n, grad)
	default:
		p.backwardSamples(dy, n, grad)
	}
	if p.grad.dx == nil {
		return nil
	}
	return p.grad.dx[:n*p.input.Size()]
}

// unpool undoes the pool for a band of sample s: dz becomes the gradient before
// it.
func (p *convPass) unpool(dz, dy []float32, s int, b *band) {
	tiles := p.pool.tiles()
	if !tiles {
		clear(dz)
	}
	for i := range b.runs {
		run := &b.runs[i]
		arg := p.arg[s*p.out.Size()+run.cell*p.out.Stride:][:run.Cells*p.out.Stride]
		kernel.Unpool(dz[run.from:], p.cells(dy, s, run), arg, run.Pooling, p.out.Stride, !tiles)
	}
}

// addWeights adds the gradient of the kernel that the positions of a band give,
// each stretch over k positions or samples.
func (p *convPass) addWeights(grad, x []float32, col int, dz []float32, row, k int, b *band) {
	a := kernel.Strided{Data: x, Row: 1, Col: col}
	kernel.Mul(p.kernel(grad), p.lineRows(), p.wide, k, a, kernel.Rows(dz, row, p.wide), b.gradient, p.lines, true)
}

func (p *convPass) backwardRows(dy []float32, n int, grad []float32) {
	for s := range n {
		var dz []float32
		for i := range p.behind {
			band := &p.behind[i]
			if p.pool == nil {
				dz = dy[s*band.size:][:band.size]
			} else {
				dz = p.grad.dz[:band.size]
				p.unpool(dz, dy, s, band)
			}
			p.addWeights(grad, p.x[s*p.framed.Size():], p.cols.stride*p.framed.Stride, dz, p.pre.Stride, p.pre.W, band)
		}
		if p.grad.dx == nil {
			continue
		}
		dx := p.grad.dx[s*p.input.Size():][:p.input.Size()]
		clear(dx)
		for i := range p.spreads {
			e := &p.spreads[i]
			kernel.Mul(kernel.Rows(dx, p.cols.stride*p.input.Stride, p.input.Stride), e.n, p.input.Stride, p.units,
				kernel.Strided{Data: dz, Row: p.pre.Stride, Col: 1}, p.back.matrix(), e.taps, e.rows, true)
		}
	}
}

func (p *convPass) backwardSamples(dy []float32, n int, grad []float32) {
	dz, band := dy, &p.behind[0]
	if p.pool != nil {
		dz = p.grad.dz
		for s := range n {
			p.unpool(dz[s*band.size:][:band.size], dy, s, band)
		}
	}
	p.addWeights(grad, p.x, p.framed.Size(), dz, band.size, n, band)
	if p.grad.dx == nil {
		return
	}
	for i, pixel := range p.pixels {
		to := p.grad.dx[i*p.input.Stride:]
		if pixel.Len() == 0 {
			for s := range n {
				clear(to[s*p.input.Size():][:p.input.Stride])
			}
			continue
		}
		kernel.Mul(kernel.Rows(to, p.input.Size(), p.input.Stride), n, p.input.Stride, p.units,
			kernel.Strided{Data: dz, Row: band.size, Col: 1}, p.back.matrix(), pixel, kernel.Once, false)
	}
}

// backwardSparse visits only the elements of dy that came through the pool and
// the activation.
func (p *convPass) backwardSparse(dy []float32, n int, grad []float32) {
	g, size := p.grad, p.out.Size()
	across, inRow := p.cols.size*p.channels, p.framed.W*p.framed.Stride
	clear(g.dw)
	for s := range n {
		g.live.Collect(dy[s*size:][:size], p.arg[s*size:][:size], p.out.Stride)
		kernel.MulSparse(g.dw, across, p.places, g.live.ByChannel, p.x[s*p.framed.Size():], inRow, p.rows.size, across)
		dx := p.grad.dx[s*p.input.Size():][:p.input.Size()]
		to := dx
		if g.framed != nil {
			to = g.framed
		}
		clear(to)
		kernel.MulSparse(to, inRow, p.sources, g.live.ByPosition, p.back.data, across, p.rows.size, across)
		if g.framed != nil {
			p.eachRow(g.framed, dx, 1, func(framed, row []float32) { copy(row, framed) })
		}
	}
	m := p.kernel(g.sum)
	for f := 0; f < p.units; f += m.Width {
		kernel.Transpose(g.sum[f/m.Width*m.Panel:], m.Row, g.dw[f*p.depth():], p.depth(), min(m.Width, p.units-f), p.depth())
	}
	kernel.AddScaled(grad[:len(g.sum)], 1, g.sum)
}
