package train

import (
	"math"

	"github.com/accord-fl/accord/model"
)

// A second implementation of the forward pass: float64, one loop an index, no
// code shared with the engine. Central differences of it check the gradients.

// tensor is one sample, [h, w, c].
type tensor struct {
	h, w, c int
	v       []float64
}

func newTensor(h, w, c int) tensor { return tensor{h, w, c, make([]float64, h*w*c)} }

func (t tensor) at(y, x, c int) *float64 { return &t.v[(y*t.w+x)*t.c+c] }

func (t tensor) inside(y, x int) bool { return y >= 0 && y < t.h && x >= 0 && x < t.w }

// referenceLoss is the mean cross-entropy of spec on samples x, [n, h, w, c].
func referenceLoss(spec *model.Spec, weights []float64, x []float64, labels []int32) float64 {
	size := spec.Input[0] * spec.Input[1] * spec.Input[2]
	sum := 0.0
	for i, label := range labels {
		t := tensor{spec.Input[0], spec.Input[1], spec.Input[2], x[i*size:][:size]}
		sum -= math.Log(referenceForward(spec, weights, t).v[label])
	}
	return sum / float64(len(labels))
}

func referenceForward(spec *model.Spec, weights []float64, t tensor) tensor {
	take := func(n int) []float64 {
		part := weights[:n]
		weights = weights[n:]
		return part
	}
	for _, l := range spec.Layers {
		switch {
		case l.Conv2D != nil:
			c := l.Conv2D
			kernel := take(c.Kernel[0] * c.Kernel[1] * t.c * c.Filters)
			t = referenceActivation(c.Activation, referenceConv(c, t, kernel, take(c.Filters)))
		case l.MaxPooling2D != nil:
			t = referencePool(l.MaxPooling2D, t, math.Inf(-1), math.Max, func(v float64, _ int) float64 { return v })
		case l.AveragePooling2D != nil:
			add := func(a, b float64) float64 { return a + b }
			t = referencePool(l.AveragePooling2D, t, 0, add, func(v float64, n int) float64 { return v / float64(n) })
		case l.Flatten != nil:
			t = tensor{1, 1, len(t.v), t.v}
		case l.Dense != nil:
			d := l.Dense
			out := newTensor(1, 1, d.Units)
			kernel := take(t.c * d.Units)
			bias := take(d.Units)
			for j := range out.v {
				out.v[j] = bias[j]
				for i, v := range t.v {
					out.v[j] += v * kernel[i*d.Units+j]
				}
			}
			t = referenceActivation(d.Activation, out)
		case l.Activation != nil:
			t = referenceActivation(l.Activation.Activation, t)
		}
	}
	return t
}

// referenceExtent returns the number of window positions and the padding before
// the first, by TensorFlow's rule.
func referenceExtent(in, size, stride int, padding model.Padding) (out, before int) {
	if padding == model.Same {
		out = int(math.Ceil(float64(in) / float64(stride)))
		return out, max((out-1)*stride+size-in, 0) / 2
	}
	return (in-size)/stride + 1, 0
}

func referenceConv(c *model.Conv2DSpec, in tensor, kernel, bias []float64) tensor {
	h, top := referenceExtent(in.h, c.Kernel[0], c.Strides[0], c.Padding)
	w, left := referenceExtent(in.w, c.Kernel[1], c.Strides[1], c.Padding)
	out := newTensor(h, w, c.Filters)
	for oy := range h {
		for ox := range w {
			for f := range c.Filters {
				sum := bias[f]
				for ky := range c.Kernel[0] {
					for kx := range c.Kernel[1] {
						y, x := oy*c.Strides[0]+ky-top, ox*c.Strides[1]+kx-left
						if !in.inside(y, x) {
							continue
						}
						for ch := range in.c {
							sum += *in.at(y, x, ch) * kernel[((ky*c.Kernel[1]+kx)*in.c+ch)*c.Filters+f]
						}
					}
				}
				*out.at(oy, ox, f) = sum
			}
		}
	}
	return out
}

func referencePool(p *model.PoolingSpec, in tensor, start float64, fold func(a, b float64) float64, end func(v float64, n int) float64) tensor {
	h, top := referenceExtent(in.h, p.Pool[0], p.Strides[0], p.Padding)
	w, left := referenceExtent(in.w, p.Pool[1], p.Strides[1], p.Padding)
	out := newTensor(h, w, in.c)
	for oy := range h {
		for ox := range w {
			for c := range in.c {
				v, n := start, 0
				for y := oy*p.Strides[0] - top; y < oy*p.Strides[0]-top+p.Pool[0]; y++ {
					for x := ox*p.Strides[1] - left; x < ox*p.Strides[1]-left+p.Pool[1]; x++ {
						if in.inside(y, x) {
							v, n = fold(v, *in.at(y, x, c)), n+1
						}
					}
				}
				*out.at(oy, ox, c) = end(v, n)
			}
		}
	}
	return out
}

func referenceActivation(a model.Activation, t tensor) tensor {
	switch a {
	case model.ReLU:
		for i, v := range t.v {
			t.v[i] = math.Max(v, 0)
		}
	case model.Softmax:
		sum := 0.0
		for i, v := range t.v {
			t.v[i] = math.Exp(v)
			sum += t.v[i]
		}
		for i := range t.v {
			t.v[i] /= sum
		}
	}
	return t
}
