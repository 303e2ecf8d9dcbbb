package train

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/accord-fl/accord/internal/testdata"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/safetensors"
)

// Tolerances against what Keras computes for the reference network. Gradients
// are relative to each tensor's largest entry. After ten steps of Adam a gradient
// near zero amplifies rounding, so a few weights may differ more.
const (
	traceProbability = 1e-6
	traceGradient    = 1e-5
	traceSGD         = 1e-6
	traceAdamWorst   = 1e-3
	traceAdamMost    = 1e-4
	traceAdamShare   = 0.999
)

// trace is the reference network's first steps, recorded from Keras.
type trace struct {
	dir  string
	spec *model.Spec
	data *samples // 320, to be used in order
}

func openTrace(t *testing.T) *trace {
	tr := &trace{dir: testdata.Dir(t, "reference/keras-trace"), spec: model.Reference()}
	x := tr.read(t, "data", "x")
	y := tr.read(t, "data", "y")
	tr.data = &samples{shape: tr.spec.Input, classes: 10, x: x, y: make([]int32, len(y))}
	for i, v := range y {
		tr.data.y[i] = int32(v)
	}
	return tr
}

// read returns one tensor of a file, converted to float32.
func (tr *trace) read(t *testing.T, file, tensor string) []float32 {
	t.Helper()
	f, err := os.Open(filepath.Join(tr.dir, file+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	stat, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st, err := safetensors.Open(f, stat.Size())
	if err != nil {
		t.Fatal(err)
	}
	info, ok := st.Lookup(tensor)
	if !ok {
		t.Fatalf("%s has no tensor %q", file, tensor)
	}
	n := 1
	for _, d := range info.Shape {
		n *= d
	}
	v := make([]float32, n)
	if err := st.ReadFloat32(v, info, 0); err != nil {
		t.Fatal(err)
	}
	return v
}

func (tr *trace) params(t *testing.T, file string) *model.Params {
	t.Helper()
	p, err := model.LoadParams(filepath.Join(tr.dir, file+".safetensors"), tr.spec.Contract())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestForwardAndGradientMatchKeras(t *testing.T) {
	tr := openTrace(t)
	e := newEngine(t, tr.spec, 1)
	p := tr.params(t, "init")
	probs := make([]float32, 32*10)
	if err := e.Predict(p, tr.data.x[:32*784], probs); err != nil {
		t.Fatal(err)
	}
	want := tr.read(t, "forward", "probabilities")
	if miss := worst(probs, want); miss > traceProbability {
		t.Errorf("probabilities differ by %g, want at most %g", miss, traceProbability)
	}
	grad := model.NewParams(p.Contract())
	idx := make([]int, 32)
	for i := range idx {
		idx[i] = i
	}
	loss, err := e.Gradient(p, tr.data, idx, grad.Flat())
	if err != nil {
		t.Fatal(err)
	}
	if want := float64(tr.read(t, "forward", "loss")[0]); math.Abs(loss-want) > traceProbability {
		t.Errorf("loss: got %v, want %v", loss, want)
	}
	keras := tr.params(t, "gradient")
	for i, g := range grad.Tensors() {
		want := keras.Tensors()[i].Data
		if miss := worst(g.Data, want) / worst(want, make([]float32, len(want))); miss > traceGradient {
			t.Errorf("gradient of %s differs by %g of its largest entry, want at most %g", g.Name, miss, traceGradient)
		}
	}
}

func TestOptimizersMatchKeras(t *testing.T) {
	tr := openTrace(t)
	e := newEngine(t, tr.spec, 2)
	for _, c := range []struct {
		name  string
		cfg   optim.Config
		worst float64 // of all weights
		most  float64 // of traceAdamShare of them
	}{
		{"sgd", optim.Config{Name: optim.SGD, LR: 0.05}, traceSGD, traceSGD},
		{"momentum", optim.Config{Name: optim.SGD, LR: 0.05, Momentum: 0.9}, traceSGD, traceSGD},
		{"adam", optim.Defaults(optim.Adam), traceAdamWorst, traceAdamMost},
	} {
		for steps, suffix := range map[int]string{1: "1", 10: "10"} {
			t.Run(c.name+"-"+suffix, func(t *testing.T) {
				p := tr.params(t, "init")
				plan := Plan{Epochs: 1, Batch: 32, Steps: steps, Optimizer: c.cfg}
				if _, err := e.Fit(context.Background(), p, tr.data, plan, nil, nil); err != nil {
					t.Fatal(err)
				}
				keras := tr.params(t, c.name+"-"+suffix)
				miss := differences(p.Flat(), keras.Flat())
				most := miss[int(traceAdamShare*float64(len(miss)))]
				if last := miss[len(miss)-1]; last > c.worst || most > c.most {
					t.Errorf("weights differ by %g at worst and %g at 99.9 %%, want %g and %g", last, most, c.worst, c.most)
				}
			})
		}
	}
}

// differences returns |a−b| in ascending order.
func differences(a, b []float32) []float64 {
	d := make([]float64, len(a))
	for i, v := range a {
		d[i] = math.Abs(float64(v) - float64(b[i]))
	}
	slices.Sort(d)
	return d
}

func worst(a, b []float32) float64 { return slices.Max(differences(a, b)) }
