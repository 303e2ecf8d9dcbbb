package loss

import (
	"math"
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
	logits := append(append([]float32{}, eighths...), 1000, 1000, -1000)
	grad := make([]float32, len(logits))
	sum := SoftmaxCrossEntropy(grad, logits, []int32{2, 0}, 3, 0.5)
	near(t, "sum", sum, math.Log(8.0/5)+math.Log(2))
	for i, want := range []float64{1.0 / 16, 2.0 / 16, -3.0 / 16, -0.25, 0.25, 0} {
		near(t, "gradient", float64(grad[i]), want)
	}
	near(t, "CrossEntropy", CrossEntropy(eighths, 1), math.Log(4))
	near(t, "CrossEntropy of large logits", CrossEntropy(logits[3:], 1), math.Log(2))
	if SoftmaxCrossEntropy(logits, logits, []int32{2, 0}, 3, 0.5); logits[0] != grad[0] || logits[5] != grad[5] {
		t.Error("in place: got another gradient")
	}
}

func TestSoftmax(t *testing.T) {
	p := make([]float32, 3)
	Softmax(p, eighths, 3)
	for i, want := range []float64{1.0 / 8, 2.0 / 8, 5.0 / 8} {
		near(t, "probability", float64(p[i]), want)
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		if Softmax(p, []float32{0, bad, 0}, 3); p[1] == p[1] {
			t.Errorf("softmax of %v: got %v, want NaN", bad, p[1])
		}
		if v := CrossEntropy([]float32{0, bad, 0}, 0); !math.IsNaN(v) && !math.IsInf(v, 1) {
			t.Errorf("loss of %v: got %v, want no finite number", bad, v)
		}
	}
}
