package layer

import "github.com/accord-fl/accord/internal/kernel"

func (b *convBound) NewPass(samples int) Pass {
	in, out := b.padded(), samples*b.Out().Size()
	p := &convPass{
		convBound: b,
		y:         make([]float32, out),
		pixels:    kernel.NewSparse(in.H*in.W, in.Size()),
	}
	if in != b.in {
		p.border = make([]float32, in.Size())
	}
	if b.pool != nil {
		p.z = make([]float32, b.positions()*b.filters)
		p.arg = make([]uint8, out)
	}
	p.samples = samples
	return p
}

type convPass struct {
	*convBound
	samples int
	x       []float32 // input of the last Forward
	border  []float32 // one padded sample; nil without padding
	z       []float32 // one sample before the pool; nil without
	y       []float32
	arg     []uint8        // position in the pool window that gave y
	pixels  *kernel.Sparse // non-zeros of one sample, by pixel
	back    *convBack      // nil until Backward is first called
}

func (p *convPass) Forward(x []float32, n int) []float32 {
	p.x = x
	out := p.Out().Size()
	for s := range n {
		y := p.y[s*out:][:out]
		if p.pool == nil {
			p.convolve(y, p.sample(s))
		} else {
			p.convolve(p.z, p.sample(s))
			p.maximum(y, p.arg[s*out:][:out])
		}
		// Bias and ReLU do not change which element is the largest, so they
		// come after the pool, where there is less to do.
		if p.relu {
			kernel.AddBiasReLU(y, p.bias)
		} else {
			kernel.AddBias(y, p.bias)
		}
	}
	return p.y[:n*out]
}

// sample returns sample s of the input with its padding.
func (p *convPass) sample(s int) []float32 {
	x := p.x[s*p.in.Size():][:p.in.Size()]
	if p.border == nil {
		return x
	}
	row, wide := p.in.W*p.in.C, p.padded().W*p.in.C
	for y := range p.in.H {
		copy(p.border[(y+p.rows.before)*wide+p.cols.before*p.in.C:], x[y*row:][:row])
	}
	return p.border
}

// maximum pools one sample.
func (p *convPass) maximum(y []float32, arg []uint8) {
	for i, taps := range p.taps {
		at := i * p.filters
		kernel.MaxPool(y[at:at+p.filters], arg[at:at+p.filters], p.z, taps)
	}
}

// convolve computes one sample without bias and activation.
func (p *convPass) convolve(z, x []float32) {
	if kernel.SparsePays(p.pixels.Compress(x, p.in.C), len(x)) {
		p.pixels.Mul(z, p.filters, p.forward, p.w, false)
	} else {
		across := p.cols.out
		for oy := range p.rows.out {
			a := kernel.Strided{Data: x[p.sources[oy*across]:], Row: p.cols.stride * p.in.C, Col: 1}
			kernel.GEMM(z[oy*across*p.filters:], p.filters, across, p.rowDepth(), a, p.w, p.segments, false)
		}
	}
}

// convBack is what only Backward needs.
type convBack struct {
	live      []int32
	entries   []entry
	filters   *kernel.Sparse // gradient by filter
	positions *kernel.Sparse // gradient by position; nil in a first layer
	dw        []float32      // gradient of the weights, [filter, ky, kx, c]
	dx        []float32
}

// entry is one non-zero of the gradient before the activation.
type entry struct {
	position, filter int32
	d                float32
}

func (p *convPass) newBack() *convBack {
	size := p.Out().Size()
	b := &convBack{
		live:    make([]int32, p.filters),
		entries: make([]entry, 0, size),
		filters: kernel.NewSparse(p.filters, size),
		dw:      make([]float32, p.depth()*p.filters),
	}
	if p.wt.N > 0 {
		b.positions = kernel.NewSparse(p.convBound.positions(), size)
		b.dx = make([]float32, p.samples*p.in.Size())
	}
	return b
}

func (p *convPass) Backward(dy []float32, n int, grad []float32) []float32 {
	if p.back == nil {
		p.back = p.newBack()
	}
	b, in, out := p.back, p.in.Size(), p.Out().Size()
	clear(b.dw)
	dw, db := grad[:len(b.dw)], grad[len(b.dw):]
	clear(db)
	for s := range n {
		p.collect(dy[s*out:][:out], s*out)
		p.arrange(db)
		b.filters.MulRaw(b.dw, p.rowDepth(), p.rowDepth(), p.weights, p.sample(s), true)
		if b.dx != nil {
			b.positions.Mul(b.dx[s*in:][:in], p.in.C, p.input, p.wt, false)
		}
	}
	kernel.Transpose(dw, b.dw, p.filters, p.depth())
	if b.dx == nil {
		return nil
	}
	return b.dx[:n*in]
}

// collect lists the non-zeros of one sample's gradient; the sample's output
// starts at element at of y.
func (p *convPass) collect(dy []float32, at int) {
	b := p.back
	b.entries = b.entries[:0]
	for cell := range len(dy) / p.filters {
		d := dy[cell*p.filters:][:p.filters]
		var y []float32
		if p.relu {
			y = p.y[at+cell*p.filters:][:p.filters]
		}
		for _, f := range b.live[:kernel.Live(b.live, d, y)] {
			position := int32(cell)
			if p.pool != nil {
				position = p.taps[cell][p.arg[at+cell*p.filters+int(f)]] / int32(p.filters)
			}
			b.entries = append(b.entries, entry{position, f, d[f]})
		}
	}
}

// arrange sorts the entries by filter and by position, and adds them to the
// gradient of the bias.
func (p *convPass) arrange(db []float32) {
	b := p.back
	b.filters.Clear()
	for _, e := range b.entries {
		b.filters.Count(int(e.filter))
		db[e.filter] += e.d
	}
	b.filters.Arrange()
	for _, e := range b.entries {
		b.filters.Append(int(e.filter), p.sources[e.position], e.d)
	}
	if b.positions == nil {
		return
	}
	b.positions.Clear()
	for _, e := range b.entries {
		b.positions.Count(int(e.position))
	}
	b.positions.Arrange()
	for _, e := range b.entries {
		row := int(e.position)*p.filters + int(e.filter)
		b.positions.Append(int(e.position), kernel.RowOffset(row), e.d)
	}
}
