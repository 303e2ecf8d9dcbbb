package layer

import "github.com/accord-fl/accord/internal/kernel"

// convGrad is what only Backward needs.
type convGrad struct {
	dz     []float32 // dense: gradient before the pool
	dx     []float32 // nil in a first layer
	framed []float32 // sparse: one sample of dx with its border; nil without

	// Dense by rows, for 1, 2, … samples together:
	positions []*kernel.Walk     // nil with a pool
	rows      [][]*kernel.Places // of each spread

	live *kernel.Collector // sparse only

	// Sparse, or by filters:
	dw  []float32 // gradient of the kernel as [filter, ky, kx, c], lines padded by filters
	sum []float32 // the same, laid out as weights, where it is added
}

func (p *convPass) newGrad() *convGrad {
	g := new(convGrad)
	if p.sparse {
		g.live = kernel.NewCollector(p.reads, p.pool.rows.size*p.pool.cols.size, p.sources, p.places)
		g.dw = kernel.Alloc(p.depth() * p.units)
		if p.frame != nil {
			g.framed = kernel.Alloc(p.framed.Size())
		}
	} else if p.pool != nil {
		g.dz = kernel.Alloc(p.atOnce(p.samples) * largest(p.behind))
	}
	if !p.sparse && p.byFilters {
		g.dw = kernel.Alloc(p.units * p.rows.size * p.lineWide())
	}
	if p.back != nil {
		g.dx = kernel.Alloc(p.samples * p.input.Size())
	}
	if p.byRows && p.pool == nil {
		from, to := p.framed.Size(), p.pre.Size()
		if p.byFilters {
			from, to = to, from
		}
		g.positions = p.behind[0].gradient.Repeat(p.together, from, to)
	}
	for _, e := range p.spreads {
		g.rows = append(g.rows, e.rows.Repeat(p.together, p.pre.Size(), p.input.Size()))
	}
	return g
}

func (p *convPass) Backward(w, dy []float32, n int, grad []float32, add bool) []float32 {
	if p.grad == nil {
		p.grad = p.newGrad()
	}
	bias := p.bias(grad)
	if !add {
		clear(bias)
	}
	if p.pool != nil {
		kernel.DropDead(dy, p.arg[:len(dy)], bias)
	} else {
		kernel.FloorGrad(dy, p.y[:len(dy)], bias, p.floor)
	}
	switch {
	case p.sparse:
		p.backwardSparse(dy, n, grad, add)
	case p.byRows:
		p.backwardRows(dy, n, grad, add)
	default:
		p.backwardSamples(dy, n, grad, add)
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

// rowsGrad writes or adds the gradient of the kernel that rows of positions give,
// counted from sample s in the input. By filters it is not where it belongs before
// storeGrad.
func (p *convPass) rowsGrad(grad, dz []float32, s int, positions *kernel.Walk, add bool) {
	x, step := p.x[s*p.framed.Size():], p.cols.stride*p.framed.Stride
	if !p.byFilters {
		p.weightGrad(grad, kernel.Strided{Data: x, Row: 1, Col: step}, kernel.Rows(dz, p.pre.Stride, p.wide), p.pre.W, positions, add)
		return
	}
	wide := p.lineWide()
	for line := range p.rows.size {
		kernel.Mul(kernel.Rows(p.grad.dw[line*wide:], p.rows.size*wide, wide), p.units, wide, p.pre.W,
			kernel.Strided{Data: dz, Row: 1, Col: p.pre.Stride}, kernel.Rows(x[line*p.framed.W*p.framed.Stride:], step, wide),
			positions, kernel.Once, add)
	}
}

// weightGrad writes or adds the gradient of the kernel that some positions give,
// each stretch over k of them or over k samples.
func (p *convPass) weightGrad(grad []float32, a kernel.Strided, dz kernel.Matrix, k int, positions *kernel.Walk, add bool) {
	kernel.Mul(p.kernel(grad), p.lineRows(), p.wide, k, a, dz, positions, p.lines, add)
}

// inputGrad computes the gradient of the input of m samples from number s on, by
// rows.
func (p *convPass) inputGrad(dz []float32, s, m int) {
	if p.grad.dx == nil {
		return
	}
	dx := p.grad.dx[s*p.input.Size():][:m*p.input.Size()]
	clear(dx)
	n, row := p.backTail.vectors(), p.cols.stride*p.input.Stride
	for i := range p.spreads {
		e, rows := &p.spreads[i], p.grad.rows[i][m-1]
		kernel.Mul(kernel.Rows(dx, row, n), e.n, n, p.units, kernel.Strided{Data: dz, Row: p.pre.Stride, Col: 1},
			p.back.matrix(), e.taps, rows, true)
		p.backTail.mul(dx, row, e.n, p.units, dz, p.pre.Stride, e.along, rows, true)
	}
}

func (p *convPass) backwardRows(dy []float32, n int, grad []float32, add bool) {
	more := add && !p.byFilters // storeGrad adds
	if p.pool == nil {
		for s := 0; s < n; s += p.together {
			m, dz := min(p.together, n-s), dy[s*p.pre.Size():]
			p.rowsGrad(grad, dz, s, p.grad.positions[m-1], more || s > 0)
			p.inputGrad(dz, s, m)
		}
	} else {
		for s := range n {
			var dz []float32
			for i := range p.behind {
				band := &p.behind[i]
				dz = p.grad.dz[:band.size]
				p.unpool(dz, dy, s, band)
				p.rowsGrad(grad, dz, s, band.gradient, more || s+i > 0)
			}
			p.inputGrad(dz, s, 1)
		}
	}
	if p.byFilters {
		p.storeGrad(grad, p.lineRows(), p.lineWide(), add)
	}
}

func (p *convPass) backwardSamples(dy []float32, n int, grad []float32, add bool) {
	dz, band := dy, &p.behind[0]
	if p.pool != nil {
		dz = p.grad.dz
		for s := range n {
			p.unpool(dz[s*band.size:][:band.size], dy, s, band)
		}
	}
	p.weightGrad(grad, kernel.Strided{Data: p.x, Row: 1, Col: p.framed.Size()}, kernel.Rows(dz, band.size, p.wide), n, band.gradient, add)
	if p.grad.dx == nil {
		return
	}
	for i, pixel := range p.pixels {
		if pixel.Len() == 0 {
			continue // nothing ever writes there: it is zero since it was allocated
		}
		kernel.Mul(kernel.Rows(p.grad.dx[i*p.input.Stride:], p.input.Size(), p.input.Stride), n, p.input.Stride, p.units,
			kernel.Strided{Data: dz, Row: band.size, Col: 1}, p.back.matrix(), pixel, kernel.Once, false)
	}
}

// backwardSparse visits only the elements of dy that came through the pool and
// the activation.
func (p *convPass) backwardSparse(dy []float32, n int, grad []float32, add bool) {
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
	p.storeGrad(grad, p.depth(), p.depth(), add)
}

// storeGrad writes or adds the gradient of the kernel that has its filters as rows,
// in pieces of n elements that lie wide apart.
func (p *convPass) storeGrad(grad []float32, n, wide int, add bool) {
	g, sum := p.grad, grad[:p.depth()*p.wide]
	if add {
		g.sum = grow(g.sum, len(sum))
		sum = g.sum
	}
	m, pieces := p.kernel(sum), p.depth()/n
	for f := 0; f < p.units; f += m.Width {
		for i := range pieces {
			kernel.Transpose(sum[f/m.Width*m.Panel+i*n*m.Row:], m.Row, g.dw[(f*pieces+i)*wide:], pieces*wide, min(m.Width, p.units-f), n)
		}
	}
	if add {
		kernel.AddScaled(grad[:len(sum)], 1, sum)
	}
}
