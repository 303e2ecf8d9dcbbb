package layer

import "fmt"

// Shape is the size of one sample: height, width, channels. A vector of n is
// {1, 1, n}.
type Shape struct{ H, W, C int }

// Size returns the number of elements.
func (s Shape) Size() int { return s.H * s.W * s.C }

func (s Shape) String() string { return fmt.Sprintf("%d×%d×%d", s.H, s.W, s.C) }

// Weight is a trained tensor of a layer.
type Weight struct {
	Role  string // "kernel" or "bias"
	Shape []int
}

// Layer describes one step of a network. It does not change once built.
type Layer interface {
	// Out returns the shape of a sample after the layer.
	Out() Shape
	// Weights lists what is trained, in the order of the layer's flat weights.
	Weights() []Weight
	// Bind takes the memory that all workers share. The first layer of a
	// network computes no gradient for its input.
	Bind(first bool) Bound
}

// Bound is a layer with weights.
type Bound interface {
	// Pack copies the layer's flat weights w into the kernels' layout. The
	// operands that only Backward reads are left out unless backward is set.
	Pack(w []float32, backward bool)
	// NewPass takes the memory of one worker for at most so many samples.
	NewPass(samples int) Pass
}

// Pass is one worker's way through a layer. Its slices stay valid, and must not
// be changed, until the next call of the same method.
type Pass interface {
	// Forward computes the output of n samples x. It keeps x for Backward.
	Forward(x []float32, n int) []float32
	// Backward takes the gradient dy of the loss with respect to the output of
	// the last Forward, overwrites grad with that for the layer's flat weights,
	// summed over the samples, and returns that for the input, or nil for a
	// first layer. It may overwrite dy.
	Backward(dy []float32, n int, grad []float32) []float32
}

// WeightSize returns the number of elements of a layer's flat weights.
func WeightSize(l Layer) int {
	n := 0
	for _, w := range l.Weights() {
		size := 1
		for _, d := range w.Shape {
			size *= d
		}
		n += size
	}
	return n
}

// weightless is the part of a Bound that has nothing to pack.
type weightless struct{}

func (weightless) Pack([]float32, bool) {}

// grow returns a slice of n elements, s itself when it is long enough. Passes
// use it for memory that only training needs.
func grow[T any](s []T, n int) []T {
	if len(s) < n {
		return make([]T, n)
	}
	return s
}
