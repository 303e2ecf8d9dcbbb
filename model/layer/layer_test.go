package layer

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func window(size, stride int, same bool) Window {
	return Window{Size: [2]int{size, size}, Strides: [2]int{stride, stride}, Same: same}
}

func TestOutputShapes(t *testing.T) {
	in := Shape{28, 13, 3}
	pool := window(2, 2, false)
	conv := func(c ConvConfig) Layer {
		l, err := NewConv2D(in, c)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	maxPool, err := NewMaxPool2D(in, window(3, 2, true))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		l    Layer
		want Shape
	}{
		"valid":            {conv(ConvConfig{Filters: 8, Window: window(3, 1, false)}), Shape{26, 11, 8}},
		"valid, stride 2":  {conv(ConvConfig{Filters: 8, Window: window(3, 2, false)}), Shape{13, 6, 8}},
		"same":             {conv(ConvConfig{Filters: 8, Window: window(3, 1, true)}), Shape{28, 13, 8}},
		"same, stride 2":   {conv(ConvConfig{Filters: 8, Window: window(3, 2, true)}), Shape{14, 7, 8}},
		"pooled":           {conv(ConvConfig{Filters: 8, Window: window(3, 1, false), Pool: &pool}), Shape{13, 5, 8}},
		"max pool, padded": {maxPool, Shape{14, 7, 3}},
		"flatten":          {NewFlatten(in), Shape{1, 1, 1092}},
		"relu":             {NewReLU(in), in},
	} {
		if got := c.l.Out(); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestConstructorsRefuse(t *testing.T) {
	in := Shape{5, 5, 1}
	large, same := window(20, 1, false), window(2, 2, true)
	for _, c := range []struct {
		name, want string
		build      func() error
	}{
		{"no filters", "filters is 0", func() error { _, err := NewConv2D(in, ConvConfig{Window: window(3, 1, false)}); return err }},
		{"kernel too large", "6×6 does not fit into an input of 5×5×1", func() error {
			_, err := NewConv2D(in, ConvConfig{Filters: 1, Window: window(6, 1, false)})
			return err
		}},
		{"no stride", "every number must lie in", func() error { _, err := NewConv2D(in, ConvConfig{Filters: 1, Window: window(3, 0, false)}); return err }},
		{"pool of too many", "at most 255", func() error {
			_, err := NewConv2D(Shape{30, 30, 1}, ConvConfig{Filters: 1, Window: window(3, 1, false), Pool: &large})
			return err
		}},
		{"padded pool", "padding", func() error {
			_, err := NewConv2D(in, ConvConfig{Filters: 1, Window: window(3, 1, false), Pool: &same})
			return err
		}},
		{"average pool too large", "does not fit", func() error { _, err := NewAveragePool2D(in, window(6, 1, false)); return err }},
		{"dense on an image", "flat input, got 5×5×1", func() error { _, err := NewDense(in, 3, false); return err }},
		{"no units", "units is 0", func() error { _, err := NewDense(Shape{1, 1, 3}, 0, false); return err }},
	} {
		if err := c.build(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// A convolution with its pool on top must give what both give one after the
// other: the same output, up to the rounding of max(z)+b against max(z+b), and
// the same gradients.
func TestPooledConvolutionEqualsBothInTurn(t *testing.T) {
	for name, c := range map[string]struct {
		in       Shape
		conv     ConvConfig
		pool     Window
		isSparse bool
	}{
		"plain":        {Shape{9, 12, 5}, ConvConfig{Filters: 6, Window: window(3, 1, false), ReLU: true}, window(2, 2, false), false},
		"sparse":       {Shape{9, 12, 16}, ConvConfig{Filters: 6, Window: window(3, 1, false), ReLU: true}, window(2, 2, false), true},
		"linear":       {Shape{9, 12, 16}, ConvConfig{Filters: 17, Window: window(3, 1, false)}, window(2, 2, false), true},
		"border":       {Shape{9, 12, 5}, ConvConfig{Filters: 18, Window: window(3, 1, true), ReLU: true}, window(2, 2, false), false},
		"strided":      {Shape{13, 17, 3}, ConvConfig{Filters: 6, Window: window(3, 2, true), ReLU: true}, window(3, 3, false), false},
		"overlapping":  {Shape{9, 9, 3}, ConvConfig{Filters: 6, Window: window(2, 1, false), ReLU: true}, window(3, 2, false), false},
		"gaps":         {Shape{11, 11, 3}, ConvConfig{Filters: 6, Window: window(2, 1, false), ReLU: true}, window(2, 3, false), false},
		"short rows":   {Shape{20, 6, 16}, ConvConfig{Filters: 33, Window: window(3, 1, false), ReLU: true}, window(2, 2, false), true},
		"one position": {Shape{4, 4, 3}, ConvConfig{Filters: 6, Window: window(3, 1, false), ReLU: true}, window(2, 2, false), false},
	} {
		t.Run(name, func(t *testing.T) { checkPooled(t, c.in, c.conv, c.pool, c.isSparse) })
	}
}

func checkPooled(t *testing.T, in Shape, c ConvConfig, p Window, isSparse bool) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	conv, err := NewConv2D(in, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Pool = &p
	fused, err := NewConv2D(in, c)
	if err != nil {
		t.Fatal(err)
	}
	if b := fused.Bind(Plan{In: padded(in)}).(*convBound); b.sparse != isSparse {
		t.Errorf("sparse: %v", b.sparse)
	}
	pool, err := NewMaxPool2D(conv.Out(), p)
	if err != nil {
		t.Fatal(err)
	}
	const n = 3
	weights, x, dy := random(WeightSize(conv)), random(n*in.Size()), random(n*pool.Out().Size())
	run := func(l Layer) (y, dx, grad []float32) {
		b := l.Bind(Plan{In: padded(in)})
		w, g := make([]float32, b.Size()), make([]float32, b.Size())
		b.Import(w, weights)
		for _, block := range b.Blocks() {
			b.Refresh(w, block)
		}
		pass := b.NewPass(n)
		xs, dys := make([]float32, n*padded(in).Size()), make([]float32, n*b.Out().Size())
		repack(xs, padded(in), x, Packed(in), n)
		repack(dys, b.Out(), dy, Packed(l.Out()), n)
		y = slices.Clone(pass.Forward(w, xs, n))
		dx = pass.Backward(w, dys, n, g, false)
		grad = make([]float32, len(weights))
		b.Export(grad, g)
		return y, dx, grad
	}
	y1, dx1, grad1 := run(fused)
	y2, dx2, grad2 := run(NewSequence([]Layer{conv, pool}))
	for name, pair := range map[string][2][]float32{"output": {y1, y2}, "input gradient": {dx1, dx2}, "weight gradient": {grad1, grad2}} {
		if len(pair[0]) != len(pair[1]) {
			t.Fatalf("%s: %d and %d elements", name, len(pair[0]), len(pair[1]))
		}
		for i, v := range pair[0] {
			if math.Abs(float64(v-pair[1][i])) > 1e-4*max(1, math.Abs(float64(pair[1][i]))) {
				t.Fatalf("%s[%d]: got %v, want %v", name, i, v, pair[1][i])
			}
		}
	}
}
