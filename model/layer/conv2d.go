package layer

import "fmt"

// Conv2D is a two-dimensional convolution with bias, ReLU where wanted, and
// where wanted a maximum pool on top:
//
//	z[oy, ox, f] = b[f] + Σ over ky, kx, c of x[oy·sy+ky, ox·sx+kx, c]·W[ky, kx, c, f]
//
// W has shape [height, width, in, filters]. The pool is part of the layer
// because both profit: positions behind its last windows are not computed, and
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
		return fmt.Errorf("a pool with padding cannot be part of a convolution")
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
	return l.before()
}

// Framed is the shape of the input with its border of zeros, which is held beside
// it where there is a border.
func (l *Conv2D) Framed() Shape { return Shape{l.rows.padded(), l.cols.padded(), l.in.C} }

// before is the shape before the pool: the positions that are computed.
func (l *Conv2D) before() Shape { return Shape{l.rows.out, l.cols.out, l.filters} }

// Weights returns kernel [height, width, in, filters] and bias [filters].
func (l *Conv2D) Weights() []Weight {
	return []Weight{
		{"kernel", []int{l.rows.size, l.cols.size, l.in.C, l.filters}},
		{"bias", []int{l.filters}},
	}
}

// multiplyAdds counts the products that one sample's forward pass needs: not those
// with zeros of the padding, nor those of positions that no pool reads.
func (l *Conv2D) multiplyAdds() int {
	read := func(int) bool { return true }
	rows, cols := read, read
	if l.pool != nil {
		rows, cols = l.pool.rows.reads, l.pool.cols.reads
	}
	return l.rows.elements(rows) * l.cols.elements(cols) * l.in.C * l.filters
}
