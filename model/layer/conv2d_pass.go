package layer

import (
	"math"

	"github.com/accord-fl/accord/internal/kernel"
)

func (b *convBound) NewPass(samples int) Pass {
	p := &convPass{convBound: b, samples: samples, y: kernel.Alloc(samples * b.out.Size())}
	p.z = p.y
	if b.pool != nil {
		p.z = kernel.Alloc(b.atOnce(samples) * largest(b.ahead))
		p.arg = make([]uint8, len(p.y))
	}
	if b.framed != b.input {
		p.frame = kernel.Alloc(samples*b.framed.Size() + kernel.Lanes) // by filters, lines are read with what follows
	}
	p.together = b.together(samples)
	if b.byRows && b.pool == nil {
		p.starts = b.ahead[0].starts.Repeat(p.together, b.framed.Size(), b.pre.Size())
	}
	return p
}

// together is how many of so many samples one product goes over where rows are
// positions: all where there is no pool, unless tables of offsets cannot hold
// that many.
func (b *convBound) together(samples int) int {
	if b.pool != nil || samples*max(b.framed.Size(), b.pre.Size(), b.input.Size()) > math.MaxInt32 {
		return 1
	}
	return samples
}

// atOnce is how many of so many samples are held before the pool.
func (b *convBound) atOnce(samples int) int {
	if b.byRows {
		return 1
	}
	return samples
}

// convPass is one worker's memory.
type convPass struct {
	*convBound
	samples int
	x       []float32 // the framed input of the last Forward
	frame   []float32 // where it lies; nil when that is the input itself
	z       []float32 // before the pool; y without
	y       []float32
	arg     []uint8 // tap of the pool that gave y
	grad    *convGrad

	together int
	starts   []*kernel.Places // for 1, 2, … samples together; nil with a pool
}

func (p *convPass) Forward(w, x []float32, n int) []float32 {
	p.x = x
	if p.frame != nil {
		p.eachRow(p.frame, x, n, p.pack)
		p.x = p.frame
	}
	if p.byRows {
		p.forwardRows(w, n)
	} else {
		p.forwardSamples(w, n)
	}
	y := p.y[:n*p.out.Size()]
	if p.pool == nil {
		kernel.AddBias(y, p.bias(w), p.floor)
	}
	return y
}

// eachRow visits every row of n samples, with and without border.
func (b *convBound) eachRow(framed, x []float32, n int, visit func(framed, row []float32)) {
	row, framedRow, wide := b.input.W*b.input.Stride, b.input.W*b.framed.Stride, b.framed.W*b.framed.Stride
	for s := range n {
		for y := range b.input.H {
			at := s*b.framed.Size() + (y+b.rows.before)*wide + b.cols.before*b.framed.Stride
			visit(framed[at:][:framedRow], x[s*b.input.Size()+y*row:][:row])
		}
	}
}

// pack copies a row of the input without what lies between positions.
func (b *convBound) pack(framed, row []float32) {
	if b.framed.Stride == b.input.Stride {
		copy(framed, row)
		return
	}
	copyRuns(framed, b.framed.Stride, row, b.input.Stride, b.framed.C, b.input.W)
}

// forwardRows computes all samples together, or with a pool sample after sample,
// and pools each band as soon as it is there.
func (p *convPass) forwardRows(w []float32, n int) {
	if p.pool == nil {
		for s := 0; s < n; s += p.together {
			p.rowsOf(p.z[s*p.pre.Size():], w, s, p.starts[min(p.together, n-s)-1])
		}
		return
	}
	for s := range n {
		for i := range p.ahead {
			band := &p.ahead[i]
			p.rowsOf(p.z, w, s, band.starts)
			p.maximum(p.z, w, s, band)
		}
	}
}

// rowsOf computes the rows of positions that begin at starts, counted from sample
// s in the input.
func (p *convPass) rowsOf(z, w []float32, s int, starts *kernel.Places) {
	a := kernel.Strided{Data: p.x[s*p.framed.Size():], Row: p.cols.stride * p.framed.Stride, Col: 1}
	n := p.tail.vectors()
	kernel.Mul(kernel.Rows(z, p.pre.Stride, n), p.pre.W, n, p.lineRows(), a, p.kernel(w), p.forward, starts, false)
	p.tail.mul(z, p.pre.Stride, p.pre.W, p.lineRows(), a.Data, a.Row, p.along, starts, false)
}

// forwardSamples computes position after position for all samples.
func (p *convPass) forwardSamples(w []float32, n int) {
	band := &p.ahead[0]
	a := kernel.Strided{Data: p.x, Row: p.framed.Size(), Col: 1}
	kernel.Mul(kernel.Rows(p.z, band.size, p.wide), n, p.wide, p.lineRows(), a, p.kernel(w), p.forward, band.starts, false)
	for s := range n {
		p.maximum(p.z[s*band.size:], w, s, band)
	}
}

// maximum pools a band of sample s, where there is a pool, and applies bias and
// activation, which do not change which element is the largest.
func (p *convPass) maximum(z, w []float32, s int, b *band) {
	for i := range b.runs {
		run := &b.runs[i]
		y, arg := p.cells(p.y, s, run), p.arg[s*p.out.Size()+run.cell*p.out.Stride:][:run.Cells*p.out.Stride]
		kernel.MaxPool(y, arg, z[run.from:], run.Pooling, p.bias(w), p.floor)
	}
}

// cells is what a run of pooled cells of sample s takes of y.
func (b *convBound) cells(y []float32, s int, run *poolRun) []float32 {
	return y[s*b.out.Size()+run.cell*b.out.Stride:][:run.Cells*b.out.Stride]
}
