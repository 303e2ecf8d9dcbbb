package layer

// Flatten turns an image into a vector; in memory nothing changes.
type Flatten struct{ in Shape }

// NewFlatten returns the layer for inputs of shape in.
func NewFlatten(in Shape) *Flatten { return &Flatten{in: in} }

var _ Layer = (*Flatten)(nil)

// Out returns {1, 1, n}.
func (f *Flatten) Out() Shape { return Shape{1, 1, f.in.Size()} }

// Weights returns nil.
func (f *Flatten) Weights() []Weight { return nil }

// Bind takes no memory.
func (f *Flatten) Bind(bool) Bound { return flattenBound{} }

type flattenBound struct{ weightless }

func (flattenBound) NewPass(int) Pass { return flattenPass{} }

type flattenPass struct{}

func (flattenPass) Forward(x []float32, _ int) []float32                { return x }
func (flattenPass) Backward(dy []float32, _ int, _ []float32) []float32 { return dy }
