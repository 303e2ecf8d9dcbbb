// Package loss measures how far a network's outputs are from the labels, and in
// which direction they should move. Its functions take the logits of one sample.
package loss

import "math"

// Softmax computes p = exp(z − max z) / Σ exp(z − max z). p may be z. A NaN
// among the logits makes all of p NaN.
func Softmax(p, z []float32) { softmax(p, z) }

// softmax returns log Σ exp(z − max z) and max z.
func softmax(p, z []float32) (logSum, top float64) {
	t := z[0]
	for _, v := range z {
		t = max(t, v)
	}
	top = float64(t)
	sum := 0.0
	for i, v := range z {
		e := math.Exp(float64(v) - top)
		sum += e
		p[i] = float32(e)
	}
	for i := range p {
		p[i] = float32(float64(p[i]) / sum)
	}
	return math.Log(sum), top
}

// SoftmaxCrossEntropy returns −log p[label] of the probabilities p = softmax(z),
// and writes the gradient of scale times that with respect to z,
// scale·(p − onehot(label)), to grad, which may be z.
func SoftmaxCrossEntropy(grad, z []float32, label int32, scale float32) float64 {
	truth := float64(z[label])
	logSum, top := softmax(grad, z)
	grad[label]--
	for j := range grad {
		grad[j] *= scale
	}
	return logSum + top - truth
}

// CrossEntropy returns −log p[label] of the probabilities p = softmax(z).
func CrossEntropy(z []float32, label int32) float64 {
	top := z[0]
	for _, v := range z {
		top = max(top, v)
	}
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(float64(v) - float64(top))
	}
	return math.Log(sum) + float64(top) - float64(z[label])
}
