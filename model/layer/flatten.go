package layer

import "github.com/accord-fl/accord/internal/kernel"

// Flatten turns an image into a vector.
type Flatten struct{ in Shape }

// NewFlatten returns the layer for inputs of shape in.
func NewFlatten(in Shape) *Flatten { return &Flatten{in: in} }

var _ Layer = (*Flatten)(nil)

// Out returns {1, 1, n}.
func (f *Flatten) Out() Shape { return Shape{1, 1, f.in.Size()} }

// Weights returns nil.
func (f *Flatten) Weights() []Weight { return nil }

// Bind takes no memory. Where positions have no padding, nothing needs to move.
func (f *Flatten) Bind(p Plan) Bound {
	if p.In.Stride == p.In.C {
		return flattenBound{weightless{Packed(f.Out())}}
	}
	return &repackBound{weightless{padded(f.Out())}, p.In}
}

type flattenBound struct{ weightless }

func (flattenBound) NewPass(int) Pass { return flattenPass{} }

type flattenPass struct{}

func (flattenPass) Forward(_, x []float32, _ int) []float32                        { return x }
func (flattenPass) Backward(_, dy []float32, _ int, _ []float32, _ bool) []float32 { return dy }

// repackBound moves samples between two layouts of the same elements.
type repackBound struct {
	weightless
	in Layout
}

func (b *repackBound) NewPass(samples int) Pass {
	return &repackPass{repackBound: b, samples: samples, y: kernel.Alloc(samples * b.out.Size())}
}

type repackPass struct {
	*repackBound
	samples int
	y, dx   []float32
}

func (p *repackPass) Forward(_, x []float32, n int) []float32 {
	repack(p.y, p.out, x, p.in, n)
	return p.y[:n*p.out.Size()]
}

func (p *repackPass) Backward(_, dy []float32, n int, _ []float32, _ bool) []float32 {
	p.dx = grow(p.dx, p.samples*p.in.Size())
	repack(p.dx, p.in, dy, p.out, n)
	return p.dx[:n*p.in.Size()]
}

// repack copies n samples from one layout to another. Zeros between are not
// touched.
func repack(dst []float32, to Layout, src []float32, from Layout, n int) {
	// The smaller number of channels divides the larger.
	run, long := min(to.C, from.C), max(to.C, from.C)
	for s := range n {
		for at := 0; at < to.Shape.Size(); at += long {
			copyRuns(dst[s*to.Size()+to.at(at):], to.apart(run), src[s*from.Size()+from.at(at):], from.apart(run), run, long/run)
		}
	}
}

// copyRuns copies n runs of elements between places where they lie so far apart.
func copyRuns(dst []float32, to int, src []float32, from, run, n int) {
	for i := range n {
		copy(dst[i*to:][:run], src[i*from:])
	}
}

// at is where element i of a sample lies, counted without zeros.
func (l Layout) at(i int) int { return i/l.C*l.Stride + i%l.C }

// apart is the distance of runs that channels are cut into.
func (l Layout) apart(run int) int {
	if run == l.C {
		return l.Stride
	}
	return run
}
