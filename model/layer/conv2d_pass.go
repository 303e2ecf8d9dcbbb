package layer

import "github.com/accord-fl/accord/internal/kernel"

func (b *convBound) NewPass(samples int) Pass {
	p := &convPass{convBound: b, samples: samples, y: kernel.Alloc(samples * b.out.Size())}
	p.z = p.y
	if b.pool != nil {
		p.z = kernel.Alloc(b.atOnce(samples) * b.pre.Size())
		p.arg = make([]uint8, len(p.y))
	}
	if b.framed != b.input {
		p.frame = kernel.Alloc(samples * b.framed.Size())
	}
	return p
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
	frame   []float32 // where it lies; nil when there is no border
	z       []float32 // before the pool; y without
	y       []float32
	arg     []uint8 // tap of the pool that gave y
	grad    *convGrad
}

func (p *convPass) Forward(w, x []float32, n int) []float32 {
	p.x = x
	if p.frame != nil {
		p.eachRow(p.frame, x, n, func(framed, row []float32) { copy(framed, row) })
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
	row, wide := b.input.W*b.input.Stride, b.framed.W*b.framed.Stride
	for s := range n {
		for y := range b.input.H {
			at := s*b.framed.Size() + (y+b.rows.before)*wide + b.cols.before*b.framed.Stride
			visit(framed[at:][:row], x[s*b.input.Size()+y*row:][:row])
		}
	}
}

// forwardRows computes sample after sample, and pools each row as soon as what
// it reads is there.
func (p *convPass) forwardRows(w []float32, n int) {
	size := p.pre.Size()
	for s := range n {
		x := p.x[s*p.framed.Size():]
		if p.pool == nil {
			p.convolveRows(p.z[s*size:][:size], w, x, 0, p.pre.H)
			continue
		}
		done := 0
		for i := range p.runs {
			end := p.runs[i].from/(p.pre.W*p.pre.Stride) + p.pool.rows.size
			p.convolveRows(p.z, w, x, done, end)
			done = max(done, end)
			p.maximum(p.z, w, s, &p.runs[i])
		}
	}
}

// convolveRows computes rows [oy, end) of a sample before bias, activation and
// pool.
func (p *convPass) convolveRows(z, w, x []float32, oy, end int) {
	for ; oy < end; oy++ {
		row := kernel.Rows(z[oy*p.pre.W*p.pre.Stride:], p.pre.Stride, p.wide)
		a := kernel.Strided{Data: x[p.sources[oy*p.pre.W]:], Row: p.cols.stride * p.framed.Stride, Col: 1}
		kernel.Mul(row, p.pre.W, p.wide, p.lineRows(), a, p.kernel(w), p.forward, false)
	}
}

// forwardSamples computes position after position for all samples.
func (p *convPass) forwardSamples(w []float32, n int) {
	for i, source := range p.sources {
		position := kernel.Rows(p.z[i*p.pre.Stride:], p.pre.Size(), p.wide)
		a := kernel.Strided{Data: p.x[source:], Row: p.framed.Size(), Col: 1}
		kernel.Mul(position, n, p.wide, p.lineRows(), a, p.kernel(w), p.forward, false)
	}
	if p.pool == nil {
		return
	}
	for s := range n {
		for i := range p.runs {
			p.maximum(p.z[s*p.pre.Size():], w, s, &p.runs[i])
		}
	}
}

// maximum pools a run of cells of sample s and applies bias and activation,
// which do not change which element is the largest.
func (p *convPass) maximum(z, w []float32, s int, run *poolRun) {
	begin := s*p.out.Size() + run.cell*p.out.Stride
	end := begin + run.Cells*p.out.Stride
	kernel.MaxPool(p.y[begin:end], p.arg[begin:end], z[run.from:], run.Pooling, p.bias(w), p.floor)
}
