package layer

import "github.com/accord-fl/accord/internal/kernel"

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

// MultiplyAdds counts the products and sums that one sample needs in a forward
// pass, and in a training step: forward, for the gradient of the weights and,
// but in the first layer that has any, for that of the input.
func (s *Sequence) MultiplyAdds() (forward, training int) {
	first := true
	for _, l := range s.layers {
		n := 0
		switch l := l.(type) {
		case *Conv2D:
			n = l.multiplyAdds()
		case *Dense:
			n = l.conv.multiplyAdds()
		}
		forward += n
		training += 3 * n
		if first {
			training -= n
		}
		first = first && n == 0
	}
	return forward, training
}

// Bind binds every layer, and pads samples from outside for layers that need it.
func (s *Sequence) Bind(p Plan) Bound {
	b := &sequenceBound{}
	for _, l := range s.layers {
		if p.In.Stride%kernel.Lanes != 0 && !takesPacked(l) {
			wide := Layout{p.In.Shape, kernel.Pad(p.In.C)}
			b.add(&repackBound{weightless{wide}, p.In}, 0)
			p.In = wide
		}
		b.add(l.Bind(p), WeightSize(l))
		p.In = b.Out()
		p.First = p.First && len(l.Weights()) == 0
	}
	return b
}

// takesPacked reports whether a layer can do with samples without padding.
func takesPacked(l Layer) bool {
	switch l.(type) {
	case *Conv2D, *Dense, *Flatten, *Sequence:
		return true
	}
	return false
}

// sequenceBound is layers whose vectors lie one after another.
type sequenceBound struct {
	layers []Bound
	begins []int // of each layer's vector, and the end of the last
	flats  []int // of each layer's flat weights, and the end of the last
}

func (b *sequenceBound) add(l Bound, flat int) {
	if len(b.layers) == 0 {
		b.begins, b.flats = []int{0}, []int{0}
	}
	last := len(b.layers)
	b.layers = append(b.layers, l)
	b.begins = append(b.begins, b.begins[last]+l.Size())
	b.flats = append(b.flats, b.flats[last]+flat)
}

// own is the part of a vector that belongs to layer i.
func (b *sequenceBound) own(w []float32, i int) []float32 { return w[b.begins[i]:b.begins[i+1]] }

func (b *sequenceBound) Out() Layout { return b.layers[len(b.layers)-1].Out() }

func (b *sequenceBound) Size() int { return b.begins[len(b.layers)] }

func (b *sequenceBound) Import(w, flat []float32) {
	for i, l := range b.layers {
		l.Import(b.own(w, i), flat[b.flats[i]:b.flats[i+1]])
	}
}

func (b *sequenceBound) Export(flat, w []float32) {
	for i, l := range b.layers {
		l.Export(flat[b.flats[i]:b.flats[i+1]], b.own(w, i))
	}
}

func (b *sequenceBound) Blocks() []Block {
	var all []Block
	for i, l := range b.layers {
		for _, block := range l.Blocks() {
			all = append(all, Block{block.Begin + b.begins[i], block.End + b.begins[i]})
		}
	}
	return all
}

func (b *sequenceBound) Refresh(w []float32, block Block) {
	i := 0
	for block.Begin >= b.begins[i+1] {
		i++
	}
	b.layers[i].Refresh(b.own(w, i), Block{block.Begin - b.begins[i], block.End - b.begins[i]})
}

func (b *sequenceBound) NewPass(samples int) Pass {
	p := &sequencePass{sequenceBound: b}
	for _, l := range b.layers {
		p.passes = append(p.passes, l.NewPass(samples))
	}
	return p
}

type sequencePass struct {
	*sequenceBound
	passes []Pass
}

func (p *sequencePass) Forward(w, x []float32, n int) []float32 {
	for i, l := range p.passes {
		x = l.Forward(p.own(w, i), x, n)
	}
	return x
}

func (p *sequencePass) Backward(w, dy []float32, n int, grad []float32, add bool) []float32 {
	for i := len(p.passes) - 1; i >= 0 && dy != nil; i-- {
		dy = p.passes[i].Backward(p.own(w, i), dy, n, p.own(grad, i), add)
	}
	return dy
}
