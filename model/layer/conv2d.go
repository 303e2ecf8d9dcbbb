package layer

import (
	"fmt"

	"github.com/accord-fl/accord/internal/kernel"
)

// Conv2D is a two-dimensional convolution with bias, ReLU where wanted, and
// where wanted a maximum pool on top:
//
//	z[oy, ox, f] = b[f] + Σ over ky, kx, c of x[oy·sy+ky, ox·sx+kx, c]·W[ky, kx, c, f]
//
// W has shape [height, width, in, filters]. The pool is part of the layer
// because both profit: only positions that some window reads are computed, and
// the gradient is known to be zero at all but one position a window.
type Conv2D struct {
	in         Shape
	filters    int
	relu       bool
	rows, cols axis
	pool       *pool // nil without
}

// ConvConfig is what a convolution is made of.
type ConvConfig struct {
	Filters int
	Window  Window
	ReLU    bool
	Pool    *Window // maximum pool without padding; nil for none
}

// NewConv2D returns the layer for inputs of shape in.
func NewConv2D(in Shape, c ConvConfig) (*Conv2D, error) {
	if c.Filters < 1 {
		return nil, fmt.Errorf("filters is %d, must be at least 1", c.Filters)
	}
	rows, cols, err := c.Window.over(in)
	if err != nil {
		return nil, err
	}
	l := &Conv2D{in: in, filters: c.Filters, relu: c.ReLU, rows: rows, cols: cols}
	if c.Pool != nil {
		if err := l.poolBy(*c.Pool); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// poolBy puts a maximum pool on top and forgets the positions it never reads.
func (l *Conv2D) poolBy(w Window) error {
	if w.Same {
		return fmt.Errorf("a pool with padding can not be part of a convolution")
	}
	if err := checkTaps(w); err != nil {
		return err
	}
	p, err := newPool(Shape{l.rows.out, l.cols.out, l.filters}, w)
	if err != nil {
		return err
	}
	l.rows.out, l.cols.out = min(l.rows.out, p.rows.read()), min(l.cols.out, p.cols.read())
	p, err = newPool(Shape{l.rows.out, l.cols.out, l.filters}, w)
	l.pool = &p
	return err
}

var _ Layer = (*Conv2D)(nil)

// Out returns the shape after the convolution and its pool.
func (l *Conv2D) Out() Shape {
	if l.pool != nil {
		return l.pool.Out()
	}
	return Shape{l.rows.out, l.cols.out, l.filters}
}

// Weights returns kernel [height, width, in, filters] and bias [filters].
func (l *Conv2D) Weights() []Weight {
	return []Weight{
		{"kernel", []int{l.rows.size, l.cols.size, l.in.C, l.filters}},
		{"bias", []int{l.filters}},
	}
}

// positions returns how many places of the image are computed.
func (l *Conv2D) positions() int { return l.rows.out * l.cols.out }

// depth returns how many numbers one output element sums.
func (l *Conv2D) depth() int { return l.rows.size * l.rowDepth() }

// rowDepth is the part of depth that lies in one row of the image, and so in
// one stretch of memory.
func (l *Conv2D) rowDepth() int { return l.cols.size * l.in.C }

// padded is the shape of a sample with its border of zeros.
func (l *Conv2D) padded() Shape { return Shape{l.rows.padded(), l.cols.padded(), l.in.C} }

// Bind lists how the kernels walk over a sample and takes memory for the
// weights.
func (l *Conv2D) Bind(first bool) Bound {
	b := &convBound{
		Conv2D:   l,
		w:        kernel.NewPanels(l.depth(), l.filters),
		bias:     make([]float32, l.filters),
		segments: l.segments(),
		forward:  l.forwardWalk(),
		weights:  l.weightWalk(),
		sources:  l.sources(),
	}
	if !first {
		b.wt = kernel.NewPanels(l.rows.size*l.cols.size*l.filters, l.in.C)
		b.input = l.inputWalk()
	}
	if l.pool != nil {
		b.taps = l.pool.cells()
	}
	return b
}

type convBound struct {
	*Conv2D
	w    kernel.Panels // [ky, kx, c] × filters
	wt   kernel.Panels // [ky, kx from right to left, filter] × c; empty in a first layer
	bias []float32

	segments []kernel.Segment // rows of a window, for a dense input
	forward  kernel.Walk      // the same for a sparse input: a row for every position
	input    kernel.Walk      // gradient of the input: a row for every pixel
	weights  kernel.Walk      // gradient of the weights: a row for every filter and ky
	sources  []int32          // where in the padded input each position's window starts
	taps     [][]int32        // where in the convolution's output each pool window looks
}

func (b *convBound) Pack(w []float32, backward bool) {
	size := b.depth() * b.filters
	b.w.Pack(0, b.depth(), w[:size], b.filters, 1)
	copy(b.bias, w[size:])
	if !backward || b.wt.N == 0 {
		return
	}
	kh, kw := b.rows.size, b.cols.size
	for ky := range kh {
		for kx := range kw {
			tap := w[(ky*kw+kx)*b.in.C*b.filters : size]
			b.wt.Pack((ky*kw+kw-1-kx)*b.filters, b.filters, tap, 1, b.filters)
		}
	}
}
