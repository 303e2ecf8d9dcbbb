package optim

import "github.com/accord-fl/accord/internal/kernel"

// sgd is w −= lr·v with v = µ·v + g + λ·w; without momentum v is g + λ·w. This
// is Keras' rule for a fixed rate (there the rate is folded into v) and
// PyTorch's.
type sgd struct {
	lr, momentum, decay float32
	velocity            []float32 // nil without momentum
}

var _ Optimizer = (*sgd)(nil)

func newSGD(c Config, n int) *sgd {
	o := &sgd{lr: float32(c.LR), momentum: float32(c.Momentum), decay: float32(c.WeightDecay)}
	if o.momentum != 0 {
		o.velocity = kernel.Alloc(n)
	}
	return o
}

func (o *sgd) Advance() {}

func (o *sgd) Update(begin int, w, g []float32) {
	if o.velocity == nil {
		kernel.SGD(w, g, o.lr, o.decay)
		return
	}
	kernel.Momentum(w, g, o.velocity[begin:][:len(w)], o.lr, o.momentum, o.decay)
}
