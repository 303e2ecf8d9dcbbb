// Package loss measures how far a network's outputs are from the labels, and in
// which direction they should move.
//
// Sums are taken in float64 and in order of the samples, so that they do not
// depend on how samples are spread over workers.
package loss

import "math"

// Softmax computes p = exp(z − max z) / Σ exp(z − max z) for every row of
// logits, [n, classes]. p may be logits. A NaN among a row's logits makes the row
// NaN.
func Softmax(p, logits []float32, classes int) {
	for at := 0; at < len(logits); at += classes {
		softmaxRow(p[at:at+classes], logits[at:at+classes])
	}
}

// softmaxRow returns log Σ exp(z − max z) and max z.
func softmaxRow(p, z []float32) (logSum, top float64) {
	t := z[0]
	for _, v := range z {
		t = max(t, v)
	}
	top = float64(t)
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(float64(v) - top)
	}
	for i, v := range z {
		p[i] = float32(math.Exp(float64(v)-top) / sum)
	}
	return math.Log(sum), top
}

// SoftmaxCrossEntropy computes, for every row of logits, [n, classes], the
// probabilities p and the loss −log p[label]. It returns the sum of the losses,
// and writes the gradient of scale·sum with respect to the logits,
// scale·(p − onehot(label)), to grad, which may be logits. Labels are below
// classes.
func SoftmaxCrossEntropy(grad, logits []float32, labels []int32, classes int, scale float32) float64 {
	sum := 0.0
	for i, label := range labels {
		z := logits[i*classes:][:classes]
		g := grad[i*classes:][:classes]
		truth := float64(z[label])
		logSum, top := softmaxRow(g, z)
		sum += logSum + top - truth
		g[label]--
		for j := range g {
			g[j] *= scale
		}
	}
	return sum
}

// CrossEntropy returns the loss −log p[label] of one row of logits.
func CrossEntropy(logits []float32, label int32) float64 {
	top := logits[0]
	for _, v := range logits {
		top = max(top, v)
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - float64(top))
	}
	return math.Log(sum) + float64(top) - float64(logits[label])
}
