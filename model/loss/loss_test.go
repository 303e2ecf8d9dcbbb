package loss

import (
	"math"
	"slices"
	"testing"
)

// lossTolerance is for float32 probabilities.
const lossTolerance = 1e-6

// Logits ln 1, ln 2, ln 5 have probabilities 1/8, 2/8, 5/8.
var eighths = []float32{0, float32(math.Log(2)), float32(math.Log(5))}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= lossTolerance) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestSoftmaxCrossEntropy(t *testing.T) {
	for _, c := range []struct {
		logits []float32
		label  int32
		loss   float64
		grad   []float64 // scaled by a half
	}{
		{eighths, 2, math.Log(8.0 / 5), []float64{1.0 / 16, 2.0 / 16, -3.0 / 16}},
		{[]float32{1000, 1000, -1000}, 0, math.Log(2), []float64{-0.25, 0.25, 0}},
	} {
		grad := make([]float32, len(c.logits))
		near(t, "loss", SoftmaxCrossEntropy(grad, c.logits, c.label, 0.5), c.loss)
		for i, want := range c.grad {
			near(t, "gradient", float64(grad[i]), want)
		}
		near(t, "CrossEntropy", CrossEntropy(c.logits, c.label), c.loss)
		inPlace := slices.Clone(c.logits)
		if SoftmaxCrossEntropy(inPlace, inPlace, c.label, 0.5); !slices.Equal(inPlace, grad) {
			t.Errorf("in place: got gradient %v, want %v", inPlace, grad)
		}
	}
}

func TestSoftmax(t *testing.T) {
	p := make([]float32, 3)
	Softmax(p, eighths)
	for i, want := range []float64{1.0 / 8, 2.0 / 8, 5.0 / 8} {
		near(t, "probability", float64(p[i]), want)
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		if Softmax(p, []float32{0, bad, 0}); p[1] == p[1] {
			t.Errorf("softmax of %v: got %v, want NaN", bad, p[1])
		}
		if v := CrossEntropy([]float32{0, bad, 0}, 0); !math.IsNaN(v) && !math.IsInf(v, 1) {
			t.Errorf("loss of %v: got %v, want no finite number", bad, v)
		}
	}
}
