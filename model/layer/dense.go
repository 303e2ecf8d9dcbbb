package layer

import "fmt"

// Dense is y = x·W + b on a flat input, with ReLU where wanted. W has shape
// [in, units].
type Dense struct {
	in, units int
	conv      *Conv2D
}

// NewDense returns a layer of units outputs. The input must be flat.
func NewDense(in Shape, units int, relu bool) (*Dense, error) {
	if in.H != 1 || in.W != 1 {
		return nil, fmt.Errorf("needs a flat input, got %v: put a flatten layer before it", in)
	}
	if units < 1 {
		return nil, fmt.Errorf("units is %d, must be at least 1", units)
	}
	one := [2]int{1, 1}
	conv, err := NewConv2D(in, ConvConfig{Filters: units, Window: Window{Size: one, Strides: one}, ReLU: relu})
	if err != nil {
		return nil, err
	}
	return &Dense{in: in.C, units: units, conv: conv}, nil
}

var _ Layer = (*Dense)(nil)

// Out returns {1, 1, units}.
func (d *Dense) Out() Shape { return Shape{1, 1, d.units} }

// Weights returns kernel [in, units] and bias [units].
func (d *Dense) Weights() []Weight {
	return []Weight{{"kernel", []int{d.in, d.units}}, {"bias", []int{d.units}}}
}

// Bind plans a convolution over the only position that there is.
func (d *Dense) Bind(p Plan) Bound { return d.conv.Bind(p) }
