package layer

import (
	"fmt"

	"github.com/accord-fl/accord/internal/kernel"
)

// Shape is the size of one sample: height, width, channels. A vector of n is
// {1, 1, n}.
type Shape struct{ H, W, C int }

// Size returns the number of elements.
func (s Shape) Size() int { return s.H * s.W * s.C }

func (s Shape) String() string { return fmt.Sprintf("%d×%d×%d", s.H, s.W, s.C) }

// Layout is a shape in memory: neighbouring positions lie Stride elements apart,
// of which the first C are channels and the rest zeros.
type Layout struct {
	Shape
	Stride int
}

// Packed is the layout without zeros, in which samples come from outside.
func Packed(s Shape) Layout { return Layout{s, s.C} }

// padded is the layout between layers, as the kernels want it.
func padded(s Shape) Layout { return Layout{s, kernel.Pad(s.C)} }

// Size returns the number of elements of a sample, zeros included.
func (l Layout) Size() int { return l.H * l.W * l.Stride }

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
	// Bind plans the layer's arithmetic.
	Bind(Plan) Bound
}

// Plan is what a layer must know to plan its arithmetic.
type Plan struct {
	// In is how samples arrive. It is padded for all but the first layers.
	In Layout
	// First tells that no layer before has weights, so that the gradient of the
	// input is not wanted.
	First bool
	// Dense leaves out the backward pass that visits only the non-zeros of a
	// pooled gradient.
	Dense bool
}

// Bound is a layer with a plan. Its weights lie in one vector, which the layer
// lays out as its kernels want it; where nothing of the layer's weights lies
// there are zeros, and they stay zero when such vectors are added and scaled.
type Bound interface {
	// Out returns how samples leave.
	Out() Layout
	// Size returns the length of the vector.
	Size() int
	// Import fills the vector w from the layer's flat weights, Export does the
	// opposite. Both work for gradients, too.
	Import(w, flat []float32)
	Export(flat, w []float32)
	// Blocks cuts the vector into pieces, in order and without gaps.
	Blocks() []Block
	// Refresh derives from a block of w what passes need of it. It can run for
	// several blocks at once.
	Refresh(w []float32, b Block)
	// NewPass takes the memory of one worker for at most so many samples.
	NewPass(samples int) Pass
}

// Block is the piece [Begin, End) of a vector of weights.
type Block struct{ Begin, End int }

// Pass is one worker's way through a layer with weights w. Its slices stay valid,
// and must not be changed, until the next call of the same method.
type Pass interface {
	// Forward computes the output of n samples x. It keeps x for Backward.
	Forward(w, x []float32, n int) []float32
	// Backward takes the gradient dy of the loss with respect to the output of
	// the last Forward, writes that for the weights, summed over the samples, to
	// grad, or adds it, and returns that for the input, or nil for a first layer.
	// It may overwrite dy. grad must be zero where no weights lie.
	Backward(w, dy []float32, n int, grad []float32, add bool) []float32
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

// weightless is the part of a Bound that has no weights.
type weightless struct{ out Layout }

func (b weightless) Out() Layout                { return b.out }
func (weightless) Size() int                    { return 0 }
func (weightless) Import(_, _ []float32)        {}
func (weightless) Export(_, _ []float32)        {}
func (weightless) Blocks() []Block              { return nil }
func (weightless) Refresh(_ []float32, _ Block) {}

// grow returns a slice of n elements, s itself when it is long enough. Passes
// use it for memory that only training needs.
func grow(s []float32, n int) []float32 {
	if len(s) < n {
		return kernel.Alloc(n)
	}
	return s
}
