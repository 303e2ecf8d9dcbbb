package layer

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/kernel"
)

// sparseTolerance is relative, for sums that differ in their order only.
const sparseTolerance = 1e-5

// The backward pass that visits only the non-zeros of a pooled gradient must give
// what the dense one gives.
func TestSparseBackwardEqualsDense(t *testing.T) {
	for name, c := range map[string]struct {
		in   Shape
		conv ConvConfig
		pool Window
	}{
		"2×2":                     {Shape{9, 12, 16}, ConvConfig{Filters: 20, Window: window(3, 1, false), ReLU: true}, window(2, 2, false)},
		"linear":                  {Shape{9, 12, 16}, ConvConfig{Filters: 20, Window: window(3, 1, false)}, window(2, 2, false)},
		"border":                  {Shape{8, 9, 32}, ConvConfig{Filters: 17, Window: window(5, 1, true), ReLU: true}, window(2, 2, false)},
		"strided":                 {Shape{17, 15, 16}, ConvConfig{Filters: 33, Window: window(3, 2, true), ReLU: true}, window(2, 2, false)},
		"pools with gaps":         {Shape{12, 12, 16}, ConvConfig{Filters: 5, Window: window(2, 1, false), ReLU: true}, window(2, 3, false)},
		"pools that overlap":      {Shape{13, 13, 16}, ConvConfig{Filters: 5, Window: window(2, 1, false), ReLU: true}, window(3, 2, false)},
		"pools of many positions": {Shape{14, 14, 16}, ConvConfig{Filters: 5, Window: window(2, 1, false), ReLU: true}, window(5, 4, false)},
		"few positions in a row":  {Shape{20, 6, 48}, ConvConfig{Filters: 64, Window: window(3, 1, false), ReLU: true}, window(2, 2, false)},
	} {
		t.Run(name, func(t *testing.T) {
			c.conv.Pool = &c.pool
			l, err := NewConv2D(c.in, c.conv)
			if err != nil {
				t.Fatal(err)
			}
			random := normal(1, 2)
			const n = 3
			flat, x := random(WeightSize(l)), random(n*padded(c.in).Size())
			dy := random(n * l.Out().Size())
			run := func(dense bool) (dx, grad []float32) {
				b := l.Bind(Plan{In: padded(c.in), Dense: dense}).(*convBound)
				if b.sparse == dense {
					t.Fatalf("with Dense %v the layer is sparse: %v", dense, b.sparse)
				}
				w, g, d := kernel.Alloc(b.Size()), kernel.Alloc(b.Size()), kernel.Alloc(n*b.Out().Size())
				b.Import(w, flat)
				for _, block := range b.Blocks() {
					b.Refresh(w, block)
				}
				repack(d, b.Out(), dy, Packed(l.Out()), n)
				pass := b.NewPass(n)
				pass.Forward(w, x, n)
				dx = pass.Backward(w, d, n, g, false)
				grad = make([]float32, len(flat))
				b.Export(grad, g)
				return dx, grad
			}
			dx1, grad1 := run(false)
			dx2, grad2 := run(true)
			near(t, "gradient of the input", dx1, dx2)
			near(t, "gradient of the weights", grad1, grad2)
		})
	}
}

// normal returns a source of vectors of normal variates.
func normal(seed1, seed2 uint64) func(n int) []float32 {
	r := rand.New(rand.NewPCG(seed1, seed2))
	return func(n int) []float32 {
		v := kernel.Alloc(n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
}

// near compares by the norm.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	var miss, size float64
	for i, v := range want {
		miss += math.Pow(float64(got[i]-v), 2)
		size += math.Pow(float64(v), 2)
	}
	if !(size > 0 && math.Sqrt(miss/size) <= sparseTolerance) {
		t.Errorf("%s: relative error %.2g (norm %.2g)", what, math.Sqrt(miss/size), math.Sqrt(size))
	}
}

// What would be zeros for the most part is computed in another way, and nothing
// else is: above all not in the reference network.
func TestPlanOfRemainders(t *testing.T) {
	pool := window(2, 2, false)
	for name, c := range map[string]struct {
		in         Shape
		conf       ConvConfig
		byFilters  bool
		tail, back int
	}{
		"17 of 17":           {Shape{14, 14, 17}, ConvConfig{Filters: 17, Window: window(5, 2, true)}, true, 1, 1},
		"17 of 16":           {Shape{14, 14, 16}, ConvConfig{Filters: 17, Window: window(5, 2, true)}, true, 1, 0},
		"16 of 17":           {Shape{14, 14, 17}, ConvConfig{Filters: 16, Window: window(5, 2, true)}, false, 0, 1},
		"31 of 17":           {Shape{14, 14, 17}, ConvConfig{Filters: 31, Window: window(5, 2, true)}, false, 0, 1},
		"5 of 17":            {Shape{14, 14, 17}, ConvConfig{Filters: 5, Window: window(5, 2, true)}, true, 0, 1},
		"few positions":      {Shape{5, 5, 17}, ConvConfig{Filters: 17, Window: window(5, 2, true)}, false, 0, 0},
		"reference, conv 2":  {Shape{13, 13, 32}, ConvConfig{Filters: 64, Window: window(3, 1, false), Pool: &pool}, false, 0, 0},
		"reference, conv 3":  {Shape{5, 5, 64}, ConvConfig{Filters: 64, Window: window(3, 1, false)}, false, 0, 0},
		"reference, dense 2": {Shape{1, 1, 64}, ConvConfig{Filters: 10, Window: window(1, 1, false)}, false, 0, 0},
	} {
		l, err := NewConv2D(c.in, c.conf)
		if err != nil {
			t.Fatal(err)
		}
		b := l.Bind(Plan{In: padded(c.in), Dense: true}).(*convBound)
		if b.byFilters != c.byFilters || b.tail.count != c.tail || b.backTail.count != c.back {
			t.Errorf("%s: got by filters %v, %d and %d columns, want %v, %d and %d",
				name, b.byFilters, b.tail.count, b.backTail.count, c.byFilters, c.tail, c.back)
		}
	}
}

// Backward overwrites what is in the gradient, or adds to it, on every path.
func TestBackwardAdds(t *testing.T) {
	pool := window(2, 2, false)
	for name, c := range map[string]struct {
		in    Shape
		conf  ConvConfig
		dense bool
	}{
		"rows":           {Shape{9, 9, 3}, ConvConfig{Filters: 5, Window: window(3, 1, false), ReLU: true}, false},
		"by filters":     {Shape{12, 12, 17}, ConvConfig{Filters: 17, Window: window(5, 2, true), ReLU: true}, false},
		"filters pooled": {Shape{16, 16, 17}, ConvConfig{Filters: 17, Window: window(3, 1, true), ReLU: true, Pool: &pool}, true},
		"rows, pooled":   {Shape{16, 16, 16}, ConvConfig{Filters: 5, Window: window(3, 1, false), ReLU: true, Pool: &pool}, true},
		"sparse":         {Shape{16, 16, 16}, ConvConfig{Filters: 5, Window: window(3, 1, false), ReLU: true, Pool: &pool}, false},
		"samples":        {Shape{5, 5, 3}, ConvConfig{Filters: 5, Window: window(3, 1, false), ReLU: true}, false},
		"one position":   {Shape{1, 1, 20}, ConvConfig{Filters: 5, Window: window(1, 1, false)}, false},
		"samples pooled": {Shape{6, 6, 16}, ConvConfig{Filters: 5, Window: window(3, 1, false), ReLU: true, Pool: &pool}, true},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := NewConv2D(c.in, c.conf)
			if err != nil {
				t.Fatal(err)
			}
			const n = 3
			random := normal(3, 4)
			b := l.Bind(Plan{In: padded(c.in), Dense: c.dense})
			flat, before, x, dy := random(WeightSize(l)), random(WeightSize(l)), random(n*c.in.Size()), random(n*l.Out().Size())
			run := func(before []float32, add bool) []float32 {
				w, g, d := kernel.Alloc(b.Size()), kernel.Alloc(b.Size()), kernel.Alloc(n*b.Out().Size())
				b.Import(w, flat)
				b.Import(g, before)
				for _, block := range b.Blocks() {
					b.Refresh(w, block)
				}
				xs := kernel.Alloc(n * padded(c.in).Size())
				repack(xs, padded(c.in), x, Packed(c.in), n)
				repack(d, b.Out(), dy, Packed(l.Out()), n)
				pass := b.NewPass(n)
				pass.Forward(w, xs, n)
				pass.Backward(w, d, n, g, add)
				grad := make([]float32, len(flat))
				b.Export(grad, g)
				return grad
			}
			want := run(make([]float32, len(flat)), false)
			if diff := cmp.Diff(want, run(before, false)); diff != "" {
				t.Errorf("what was in the gradient shows (-want +got):\n%s", diff)
			}
			for i, v := range before {
				want[i] += v
			}
			near(t, "gradient added to", run(before, true), want)
		})
	}
}
