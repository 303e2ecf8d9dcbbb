package model

import (
	"math"
	"math/rand/v2"
	"strings"
)

// Init draws the first weights: kernels as their kernel_initializer says, in
// the order of the contract, biases zero. Every element draws once from r (he_normal
// as often as it needs), so weights depend on r and the spec only.
func (s *Spec) Init(r *rand.Rand) *Params {
	p := NewParams(s.Contract())
	var kernels []Initializer
	for _, l := range s.withDefaults().Layers {
		switch {
		case l.Conv2D != nil:
			kernels = append(kernels, l.Conv2D.KernelInitializer)
		case l.Dense != nil:
			kernels = append(kernels, l.Dense.KernelInitializer)
		}
	}
	for _, t := range p.Tensors() {
		if strings.HasSuffix(t.Name, ".kernel") {
			kernels[0].fill(t, r)
			kernels = kernels[1:]
		}
	}
	return p
}

// fill draws a kernel of shape [..., in, out], where the leading dimensions
// multiply both fans.
func (i Initializer) fill(t Tensor, r *rand.Rand) {
	d := len(t.Shape)
	fanIn, fanOut := t.Shape[d-2], t.Shape[d-1]
	for _, n := range t.Shape[:d-2] {
		fanIn *= n
		fanOut *= n
	}
	draw := func() float64 { return r.Float64()*2 - 1 }
	scale := math.Sqrt(6 / float64(fanIn+fanOut))
	switch i {
	case HeUniform:
		scale = math.Sqrt(6 / float64(fanIn))
	case HeNormal:
		draw = func() float64 { return truncatedNormal(r) }
		scale = math.Sqrt(2/float64(fanIn)) / truncatedDeviation
	}
	for j := range t.Data {
		t.Data[j] = float32(draw() * scale)
	}
}

// truncatedDeviation is the standard deviation of a standard normal that is cut
// at ±2, by which Keras' variance scaling divides.
const truncatedDeviation = 0.87962566103423978

func truncatedNormal(r *rand.Rand) float64 {
	for {
		if v := r.NormFloat64(); math.Abs(v) <= 2 {
			return v
		}
	}
}
