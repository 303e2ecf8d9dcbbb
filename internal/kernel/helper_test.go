package kernel

import (
	"math"
	"math/rand/v2"
	"runtime/debug"
	"testing"

	"pgregory.net/rapid"
)

// tolerance bounds |got − want| / Σ|terms| for sums of up to a few thousand
// float32 products.
const tolerance = 1e-6

// canary fills what a function must not write.
const canary = -12345

var (
	nan         = float32(math.NaN())
	negativeNaN = math.Float32frombits(0xFFC00000) // what x86 makes of Inf−Inf
	inf         = float32(math.Inf(1))
)

func isNaN(v float32) bool { return v != v }

// each runs check for every family that this machine has. An access outside of
// guarded memory fails the test.
func each(t *testing.T, check func(t *testing.T, f *family)) {
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) {
			before := debug.SetPanicOnFault(true)
			defer debug.SetPanicOnFault(before)
			previous := active
			defer func() { active = previous }()
			active = f
			check(t, f)
		})
	}
}

// drawing is one random case of a property.
type drawing struct {
	*rapid.T
	r     *rand.Rand
	front bool // guards lie before operands, or else behind
}

// property checks many random cases with a family.
func property(t *testing.T, check func(d *drawing)) {
	each(t, func(t *testing.T, _ *family) {
		rapid.Check(t, func(rt *rapid.T) {
			check(&drawing{
				T:     rt,
				r:     rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0)),
				front: rapid.Bool().Draw(rt, "front"),
			})
		})
	})
}

func (d *drawing) int(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(d.T, name) }

func (d *drawing) bool(name string) bool { return rapid.Bool().Draw(d.T, name) }

// values returns n guarded floats of which about half are zero.
func (d *drawing) values(n int) []float32 {
	v := guarded[float32](d, n)
	for i := range v {
		if d.r.IntN(2) == 0 {
			v[i] = float32(d.r.NormFloat64())
		}
	}
	return v
}

// canaries returns n guarded floats.
func (d *drawing) canaries(n int) []float32 {
	v := guarded[float32](d, n)
	for i := range v {
		v[i] = canary
	}
	return v
}

// sum is a float64 sum with the size of its terms.
type sum struct{ value, size float64 }

func (s *sum) add(a, b float32) {
	s.value += float64(a) * float64(b)
	s.size += math.Abs(float64(a) * float64(b))
}

func (s *sum) compare(d *drawing, what string, i int, got float32) {
	if miss := math.Abs(float64(got) - s.value); !(miss <= tolerance*s.size+1e-30) {
		d.Fatalf("%s[%d]: got %v, want %v", what, i, got, s.value)
	}
}

// near fails unless got equals want up to rounding, element by element.
func (d *drawing) near(what string, got, want []float32) {
	for i, v := range got {
		w := want[i]
		if isNaN(v) && isNaN(w) || v == w {
			continue
		}
		if !(math.Abs(float64(v-w)) <= 1e-5*(1+math.Abs(float64(w)))) {
			d.Fatalf("%s[%d]: got %v, want %v", what, i, v, w)
		}
	}
}
