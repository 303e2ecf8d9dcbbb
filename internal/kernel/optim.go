package kernel

import "math"

// SGD computes w −= rate·(g + decay·w).
func SGD(w, g []float32, rate, decay float32) {
	sameLength(len(w), len(g))
	active.sgd(w, g, rate, decay)
}

func sgdPortable(w, g []float32, rate, decay float32) {
	for i, v := range w {
		w[i] = v - float32(rate*(g[i]+float32(decay*v)))
	}
}

// flush sets a moment below the normal numbers to zero. Where there is no gradient
// any more it would come to rest at such a number, not at zero, and some processors
// take a hundred cycles for every product with one.
func flush(v float32) float32 {
	const normal = 0x1p-126
	if -normal < v && v < normal {
		return 0
	}
	return v
}

// Momentum computes velocity = momentum·velocity + g + decay·w and then
// w −= rate·velocity. A velocity below the normal numbers becomes zero.
func Momentum(w, g, velocity []float32, rate, momentum, decay float32) {
	sameLength(len(w), len(g), len(velocity))
	active.momentum(w, g, velocity, rate, momentum, decay)
}

func momentumPortable(w, g, velocity []float32, rate, momentum, decay float32) {
	for i, v := range w {
		u := flush(float32(momentum*velocity[i]) + (g[i] + float32(decay*v)))
		velocity[i] = u
		w[i] = v - float32(rate*u)
	}
}

// AdamRates are the constants of one step of Adam. Step holds the bias
// correction, lr·√(1−β₂ᵗ)/(1−β₁ᵗ); New1 and New2 are 1−β₁ and 1−β₂, the shares
// of the new gradient.
type AdamRates struct{ Step, New1, New2, Epsilon float32 }

// Adam computes m += new1·(g−m), v += new2·(g²−v) and then w −= step·m/(√v+ε).
// Moments below the normal numbers become zero.
func Adam(w, g, m, v []float32, r AdamRates) {
	sameLength(len(w), len(g), len(m), len(v))
	active.adam(w, g, m, v, r)
}

func adamPortable(w, g, m, v []float32, r AdamRates) {
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	for i := range w {
		gi := g[i]
		mi := flush(m[i] + float32(r.New1*(gi-m[i])))
		vi := flush(v[i] + float32(r.New2*(float32(gi*gi)-v[i])))
		m[i], v[i] = mi, vi
		w[i] -= float32(r.Step*mi) / (float32(math.Sqrt(float64(vi))) + r.Epsilon)
	}
}
