package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/model"
)

const (
	// gradientTolerance bounds ‖analytic − numeric‖ / ‖numeric‖ of each tensor.
	gradientTolerance = 1e-5
	// differenceStep is small enough that few samples cross a kink of ReLU or a
	// maximum, and large enough for float64.
	differenceStep = 1e-7
)

// samples is Data in memory.
type samples struct {
	shape   [3]int
	classes int
	x       []float32
	y       []int32
}

var _ Data = (*samples)(nil)

func (s *samples) Len() int      { return len(s.y) }
func (s *samples) Shape() [3]int { return s.shape }
func (s *samples) Classes() int  { return s.classes }

func (s *samples) Gather(x []float32, y []int32, idx []int) {
	size := len(s.x) / len(s.y)
	for i, j := range idx {
		copy(x[i*size:(i+1)*size], s.x[j*size:])
		y[i] = s.y[j]
	}
}

// randomSamples draws n samples of which the given share of elements is zero.
func randomSamples(r *rand.Rand, spec *model.Spec, n int, zeros float64) *samples {
	s := &samples{shape: spec.Input, classes: spec.Classes(), y: make([]int32, n)}
	s.x = make([]float32, n*spec.Input[0]*spec.Input[1]*spec.Input[2])
	for i := range s.x {
		if r.Float64() >= zeros {
			s.x[i] = float32(r.NormFloat64())
		}
	}
	for i := range s.y {
		s.y[i] = int32(r.IntN(s.classes))
	}
	return s
}

// randomWeights is Init with random biases, so that no unit is right at a kink.
func randomWeights(r *rand.Rand, spec *model.Spec) *model.Params {
	p := spec.Init(r)
	for _, t := range p.Tensors() {
		if len(t.Shape) == 1 {
			for i := range t.Data {
				t.Data[i] = float32(r.NormFloat64() * 0.1)
			}
		}
	}
	return p
}

func parse(tb testing.TB, text string) *model.Spec {
	tb.Helper()
	spec, err := model.ParseSpec("test", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	full, err := model.NewNetwork(spec)
	if err != nil {
		tb.Fatal(err)
	}
	return full.Spec()
}

func newEngine(tb testing.TB, spec *model.Spec, threads int) *Engine {
	tb.Helper()
	net, err := model.NewNetwork(spec)
	if err != nil {
		tb.Fatal(err)
	}
	e, err := NewEngine(net, threads)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.Close)
	return e
}

const head = `
- flatten: {}
- dense: {units: 3, activation: softmax}
`

func TestGradientMatchesCentralDifferences(t *testing.T) {
	for name, text := range map[string]string{
		"dense":                        "input: [1, 1, 13]\nlayers:\n- dense: {units: 17, activation: relu}\n- dense: {units: 3, activation: softmax}",
		"dense, linear":                "input: [1, 1, 5]\nlayers:\n- dense: {units: 6}\n- dense: {units: 3, activation: softmax}",
		"activations as layers":        "input: [1, 1, 5]\nlayers:\n- dense: {units: 6}\n- activation: relu\n- dense: {units: 3}\n- activation: softmax",
		"conv":                         "input: [7, 5, 2]\nlayers:\n- conv2d: {filters: 5, kernel: 3, activation: relu}" + head,
		"conv, linear":                 "input: [6, 5, 1]\nlayers:\n- conv2d: {filters: 4, kernel: [2, 3]}" + head,
		"conv on conv, 17 channels":    "input: [7, 7, 3]\nlayers:\n- conv2d: {filters: 17, kernel: 3, activation: relu}\n- conv2d: {filters: 6, kernel: [3, 2], activation: relu}" + head,
		"conv, stride 2":               "input: [8, 9, 2]\nlayers:\n- conv2d: {filters: 4, kernel: 1}\n- conv2d: {filters: 5, kernel: 3, strides: 2, activation: relu}" + head,
		"conv, strides 1 and 3":        "input: [6, 11, 2]\nlayers:\n- conv2d: {filters: 4, kernel: 1}\n- conv2d: {filters: 5, kernel: 2, strides: [1, 3], activation: relu}" + head,
		"conv, same":                   "input: [6, 7, 2]\nlayers:\n- conv2d: {filters: 4, kernel: [2, 3], padding: same, activation: relu}\n- conv2d: {filters: 3, kernel: [3, 4], padding: same}" + head,
		"conv, same, stride 2":         "input: [7, 8, 2]\nlayers:\n- conv2d: {filters: 4, kernel: 3, padding: same, activation: relu}\n- conv2d: {filters: 3, kernel: 3, strides: 2, padding: same}" + head,
		"conv, same, large stride":     "input: [7, 8, 2]\nlayers:\n- conv2d: {filters: 4, kernel: 1}\n- conv2d: {filters: 3, kernel: 2, strides: 3, padding: same}" + head,
		"17 and 19 filters, stride 2":  "input: [12, 12, 1]\nlayers:\n- conv2d: {filters: 17, kernel: 3, padding: same, activation: relu}\n- conv2d: {filters: 19, kernel: 5, strides: 2, padding: same, activation: relu}" + head,
		"17 and 18 filters, max pool":  "input: [12, 12, 1]\nlayers:\n- conv2d: {filters: 17, kernel: 3, activation: relu}\n- conv2d: {filters: 18, kernel: 3, padding: same, activation: relu}\n- max_pooling2d:" + head,
		"33 channels, valid":           "input: [9, 9, 2]\nlayers:\n- conv2d: {filters: 33, kernel: 2, activation: relu}\n- conv2d: {filters: 5, kernel: 3, activation: relu}" + head,
		"conv and max pool":            "input: [9, 8, 2]\nlayers:\n- conv2d: {filters: 4, kernel: 2, activation: relu}\n- conv2d: {filters: 5, kernel: 2, activation: relu}\n- max_pooling2d:" + head,
		"conv and max pool, odd":       "input: [9, 9, 1]\nlayers:\n- conv2d: {filters: 4, kernel: 3, activation: relu}\n- max_pooling2d: {}\n- conv2d: {filters: 5, kernel: 1, activation: relu}\n- max_pooling2d: {}" + head,
		"conv and overlapping pool":    "input: [8, 8, 1]\nlayers:\n- conv2d: {filters: 3, kernel: 1}\n- conv2d: {filters: 5, kernel: 2}\n- max_pooling2d: {pool: 3, strides: 2}" + head,
		"conv and sparse pool":         "input: [9, 9, 1]\nlayers:\n- conv2d: {filters: 3, kernel: 1}\n- conv2d: {filters: 5, kernel: 2}\n- max_pooling2d: {pool: 2, strides: 3}" + head,
		"conv, same, and pool, same":   "input: [7, 7, 2]\nlayers:\n- conv2d: {filters: 4, kernel: 3, padding: same, activation: relu}\n- max_pooling2d: {pool: 2, padding: same}" + head,
		"max pool alone":               "input: [7, 6, 3]\nlayers:\n- conv2d: {filters: 4, kernel: 1}\n- activation: relu\n- max_pooling2d: {pool: [3, 2], strides: [2, 1]}" + head,
		"average pool":                 "input: [7, 6, 3]\nlayers:\n- conv2d: {filters: 4, kernel: 2, activation: relu}\n- average_pooling2d: {pool: [3, 2], strides: [2, 1]}" + head,
		"average pool, same":           "input: [7, 6, 3]\nlayers:\n- conv2d: {filters: 4, kernel: 2, activation: relu}\n- average_pooling2d: {pool: 3, padding: same}" + head,
		"pool first":                   "input: [7, 6, 3]\nlayers:\n- max_pooling2d: {}\n- conv2d: {filters: 4, kernel: 2, activation: relu}" + head,
		"convolution down to a vector": "input: [4, 4, 2]\nlayers:\n- conv2d: {filters: 3, kernel: 4, activation: softmax}",
		"he initialisers":              "input: [6, 6, 1]\nlayers:\n- conv2d: {filters: 3, kernel: 3, kernel_initializer: he_normal, activation: relu}\n- flatten:\n- dense: {units: 3, kernel_initializer: he_uniform, activation: softmax}",
	} {
		t.Run(name, func(t *testing.T) {
			r := rng.New(1, "gradient", name)
			spec := parse(t, text)
			checkGradient(t, spec, randomWeights(r, spec), randomSamples(r, spec, 7, 0))
			checkGradient(t, spec, randomWeights(r, spec), randomSamples(r, spec, 19, 0.7))
		})
	}
}

// The reference network on small images: the numeric gradient of all weights
// would take minutes, so only a sample of each tensor is differenced.
func TestGradientOfReferenceNetwork(t *testing.T) {
	spec, err := model.ReferenceFor(18, 18, 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(1, "gradient", "reference")
	checkGradient(t, spec, randomWeights(r, spec), randomSamples(r, spec, 3, 0.5))
}

// A batch of more shards than groups, whose gradients add up within a group.
func TestGradientOfALargeBatchIsTheMeanOfItsParts(t *testing.T) {
	for _, text := range []string{tiny, sparse, odd} {
		spec := parse(t, text)
		e := newEngine(t, spec, 2)
		r := rng.New(1, "large")
		p, d := randomWeights(r, spec), randomSamples(r, spec, 300, 0.5)
		all, part := make([]float32, len(p.Flat())), make([]float32, len(p.Flat()))
		idx := make([]int, d.Len())
		for i := range idx {
			idx[i] = i
		}
		if _, err := e.Gradient(p, d, idx, all); err != nil {
			t.Fatal(err)
		}
		mean := make([]float64, len(all))
		for begin := 0; begin < len(idx); begin += 10 {
			if _, err := e.Gradient(p, d, idx[begin:begin+10], part); err != nil {
				t.Fatal(err)
			}
			for i, g := range part {
				mean[i] += float64(g) / 30
			}
		}
		var miss, norm float64
		for i, want := range mean {
			miss += math.Pow(float64(all[i])-want, 2)
			norm += want * want
		}
		if rel := math.Sqrt(miss / norm); !(rel <= gradientTolerance) {
			t.Errorf("relative error %.2g, want at most %g%s", rel, gradientTolerance, text)
		}
	}
}

// A ReLU as a layer of its own is computed as that of the layer below.
func TestReLUAsALayerIsTheSame(t *testing.T) {
	inside := parse(t, sparse)
	apart := parse(t, strings.ReplaceAll(sparse, ", activation: relu}", "}\n- activation: relu"))
	if len(apart.Layers) != len(inside.Layers)+2 {
		t.Fatalf("%d and %d layers", len(apart.Layers), len(inside.Layers))
	}
	r := rng.New(1, "relu")
	p, d := randomWeights(r, inside), randomSamples(r, inside, 20, 0.5)
	var grads [][]float32
	for _, spec := range []*model.Spec{inside, apart} {
		e, grad := newEngine(t, spec, 1), make([]float32, len(p.Flat()))
		if len(e.net.Contract().Tensors) != len(p.Contract().Tensors) {
			t.Fatal("other tensors")
		}
		q := model.NewParams(e.net.Contract())
		copy(q.Flat(), p.Flat())
		if _, err := e.Gradient(q, d, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, grad); err != nil {
			t.Fatal(err)
		}
		grads = append(grads, grad)
	}
	if !slices.Equal(grads[0], grads[1]) {
		t.Error("other gradients")
	}
}

// sampled is how many elements of a tensor are differenced at most.
func sampled() int {
	if testing.Short() {
		return 5
	}
	return 20
}

// checkGradient compares the engine's gradient with central differences of the
// float64 reference, tensor by tensor.
func checkGradient(t *testing.T, spec *model.Spec, p *model.Params, d *samples) {
	t.Helper()
	e := newEngine(t, spec, 1)
	idx := make([]int, d.Len())
	for i := range idx {
		idx[i] = i
	}
	grad := model.NewParams(p.Contract())
	loss, err := e.Gradient(p, d, idx, grad.Flat())
	if err != nil {
		t.Fatal(err)
	}
	weights, x := widen(p.Flat()), widen(d.x)
	if want := referenceLoss(spec, weights, x, d.y); math.Abs(loss-want) > 1e-6*math.Abs(want) {
		t.Errorf("loss: got %v, want %v", loss, want)
	}
	r := rng.New(1, "sampled")
	begin := 0
	for _, tensor := range grad.Tensors() {
		var miss, norm float64
		for _, i := range pick(r, len(tensor.Data)) {
			want := difference(spec, weights, begin+i, x, d.y)
			miss += math.Pow(float64(tensor.Data[i])-want, 2)
			norm += want * want
		}
		if rel := math.Sqrt(miss / norm); !(rel <= gradientTolerance) {
			t.Errorf("%s: relative error %.2g, want at most %g (norm %.2g)", tensor.Name, rel, gradientTolerance, math.Sqrt(norm))
		}
		begin += len(tensor.Data)
	}
}

func pick(r *rand.Rand, n int) []int {
	order := r.Perm(n)
	return order[:min(n, sampled())]
}

// difference is the central difference of the loss by weight i.
func difference(spec *model.Spec, w []float64, i int, x []float64, y []int32) float64 {
	old := w[i]
	defer func() { w[i] = old }()
	w[i] = old + differenceStep
	up := referenceLoss(spec, w, x, y)
	w[i] = old - differenceStep
	return (up - referenceLoss(spec, w, x, y)) / (2 * differenceStep)
}

func widen(v []float32) []float64 {
	wide := make([]float64, len(v))
	for i, f := range v {
		wide[i] = float64(f)
	}
	return wide
}
