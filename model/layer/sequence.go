package layer

// Sequence applies layers one after another, and is a layer itself.
type Sequence struct {
	layers []Layer
	out    Shape
}

// NewSequence returns the composition of layers, each built for the output of
// the one before. There is at least one.
func NewSequence(layers []Layer) *Sequence {
	return &Sequence{layers: layers, out: layers[len(layers)-1].Out()}
}

var _ Layer = (*Sequence)(nil)

// Out returns the shape after the last layer.
func (s *Sequence) Out() Shape { return s.out }

// Weights returns the layers' weights in order.
func (s *Sequence) Weights() []Weight {
	var all []Weight
	for _, l := range s.layers {
		all = append(all, l.Weights()...)
	}
	return all
}

// Bind binds every layer.
func (s *Sequence) Bind(first bool) Bound {
	b := &sequenceBound{}
	for i, l := range s.layers {
		b.layers = append(b.layers, l.Bind(first && i == 0))
		b.sizes = append(b.sizes, WeightSize(l))
	}
	return b
}

type sequenceBound struct {
	layers []Bound
	sizes  []int // of each layer's flat weights
}

func (b *sequenceBound) Pack(w []float32, backward bool) {
	for i, l := range b.layers {
		l.Pack(w[:b.sizes[i]], backward)
		w = w[b.sizes[i]:]
	}
}

func (b *sequenceBound) NewPass(samples int) Pass {
	p := &sequencePass{sizes: b.sizes}
	for _, l := range b.layers {
		p.layers = append(p.layers, l.NewPass(samples))
	}
	return p
}

type sequencePass struct {
	layers []Pass
	sizes  []int
}

func (p *sequencePass) Forward(x []float32, n int) []float32 {
	for _, l := range p.layers {
		x = l.Forward(x, n)
	}
	return x
}

func (p *sequencePass) Backward(dy []float32, n int, grad []float32) []float32 {
	for i := len(p.layers) - 1; i >= 0; i-- {
		begin := len(grad) - p.sizes[i]
		dy = p.layers[i].Backward(dy, n, grad[begin:])
		grad = grad[:begin]
	}
	return dy
}
