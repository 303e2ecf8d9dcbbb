package optim

import (
	"math"

	"github.com/accord-fl/accord/internal/kernel"
)

// adam is Kingma and Ba's optimiser in Keras' form, which puts ε beside the
// uncorrected second moment:
//
//	m = β₁m + (1−β₁)g,  v = β₂v + (1−β₂)g²
//	w −= lr·√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε)
type adam struct {
	cfg   Config
	t     int // steps
	rates kernel.AdamRates
	m, v  []float32
}

var _ Optimizer = (*adam)(nil)

func newAdam(c Config, n int) *adam {
	return &adam{cfg: c, m: kernel.Alloc(n), v: kernel.Alloc(n)}
}

func (o *adam) Advance() {
	o.t++
	t := float64(o.t)
	rate := o.cfg.LR * math.Sqrt(1-math.Pow(o.cfg.Beta2, t)) / (1 - math.Pow(o.cfg.Beta1, t))
	o.rates = kernel.AdamRates{
		Step:    float32(rate),
		New1:    float32(1 - o.cfg.Beta1),
		New2:    float32(1 - o.cfg.Beta2),
		Epsilon: float32(o.cfg.Epsilon),
	}
}

func (o *adam) Update(begin int, w, g []float32) {
	end := begin + len(w)
	kernel.Adam(w, g, o.m[begin:end], o.v[begin:end], o.rates)
}
