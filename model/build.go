package model

import (
	"errors"
	"fmt"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/model/layer"
)

// Limits on what a spec may ask for, so that one from elsewhere cannot exhaust
// the machine. maxWeights limits the weights.
const (
	// MaxActivations is the largest number of elements that all layers' inputs
	// with their borders and outputs may have together for one sample, their
	// channels padded as they are in memory.
	MaxActivations = 1 << 24
	// MaxLayers is the largest number of layers.
	MaxLayers = 256
)

// maxWeights bounds the weights of a network (256 MiB of float32, once). In training
// they lie in memory up to some twenty times: a gradient for each of 16 parts of a
// large batch, the optimizer's moments, and the weights in the order of the kernels.
const maxWeights = 1 << 26

// maxSize bounds every number in a spec.
const maxSize = 1 << 15

// Validate reports the first thing that is wrong: no input, an unknown
// activation, shapes that do not fit, too large a network, an end other than
// softmax. Errors name the layer, counted from 1, and the shapes.
func (s *Spec) Validate() error {
	_, err := s.build()
	return err
}

// build turns the spec into layers, without the final softmax, which belongs to
// the loss.
func (s *Spec) build() (*layer.Sequence, error) {
	full := s.withDefaults()
	if len(full.Layers) == 0 || len(full.Layers) > MaxLayers {
		return nil, fault.Inputf("layers: got %d, want 1 to %d", len(full.Layers), MaxLayers)
	}
	b := &builder{shape: layer.Shape{H: s.Input[0], W: s.Input[1], C: s.Input[2]}}
	if err := b.spend(b.shape); err != nil {
		return nil, fault.Inputf("input: %w", err)
	}
	for b.at < len(full.Layers) {
		number := b.at + 1
		if err := b.add(full.Layers[b.at:]); err != nil {
			return nil, full.wrong(number, err)
		}
	}
	if !b.softmax {
		return nil, full.wrong(b.at, errors.New("the network must end in softmax"))
	}
	if b.shape.H != 1 || b.shape.W != 1 || b.shape.C < 2 {
		return nil, full.wrong(b.at, fmt.Errorf("softmax needs a vector of at least 2 classes, got %v", b.shape))
	}
	if b.weights == 0 {
		return nil, fault.Inputf("layers: none has weights, so there is nothing to train")
	}
	return layer.NewSequence(b.layers), nil
}

// layerError is a mistake in one layer of a spec. It is of class fault.Input.
type layerError struct {
	number int // from 1
	kind   string
	err    error
}

func (e *layerError) Error() string   { return fmt.Sprintf("layer %d (%s): %v", e.number, e.kind, e.err) }
func (e *layerError) Unwrap() []error { return []error{e.err, fault.Input} }

func (s *Spec) wrong(number int, err error) error {
	return &layerError{number, s.Layers[number-1].kind(), err}
}

// kind returns the layer's key in a file, or what is wrong with it.
func (l LayerSpec) kind() string {
	kind, n := "empty", 0
	note := func(set bool, name string) {
		if set {
			kind, n = name, n+1
		}
	}
	note(l.Conv2D != nil, "conv2d")
	note(l.MaxPooling2D != nil, "max_pooling2d")
	note(l.AveragePooling2D != nil, "average_pooling2d")
	note(l.Flatten != nil, "flatten")
	note(l.Dense != nil, "dense")
	note(l.Activation != nil, "activation")
	if n > 1 {
		return "several kinds"
	}
	return kind
}

// builder adds layers one after another.
type builder struct {
	at          int // layers of the spec used so far
	layers      []layer.Layer
	shape       layer.Shape
	softmax     bool // reached; nothing may follow
	weights     int
	activations int
}

// add builds the first layer of rest, and the pool after it where they form one.
func (b *builder) add(rest []LayerSpec) error {
	if b.softmax {
		return fmt.Errorf("softmax must be the last step")
	}
	b.at++
	l := rest[0]
	switch l.kind() {
	case "conv2d":
		return b.addConv(*l.Conv2D, rest[1:])
	case "max_pooling2d":
		p, err := layer.NewMaxPool2D(b.shape, l.MaxPooling2D.window())
		if err != nil {
			return err
		}
		return b.takeWindowed(p, l.MaxPooling2D.Pool)
	case "average_pooling2d":
		p, err := layer.NewAveragePool2D(b.shape, l.AveragePooling2D.window())
		if err != nil {
			return err
		}
		return b.takeWindowed(p, l.AveragePooling2D.Pool)
	case "flatten":
		return b.take(layer.NewFlatten(b.shape), nil)
	case "dense":
		return b.addDense(*l.Dense, rest[1:])
	case "activation":
		return b.activate(l.Activation.Activation)
	}
	return fmt.Errorf("exactly one kind of layer must be set")
}

func (b *builder) addConv(c Conv2DSpec, rest []LayerSpec) error {
	if err := c.check(); err != nil {
		return err
	}
	c.Activation, rest = b.withReLU(c.Activation, rest)
	if _, ok := product(maxWeights, c.Kernel[0], c.Kernel[1], b.shape.C, c.Filters); !ok {
		return fmt.Errorf("a kernel of %d×%d×%d×%d has more than %d weights", c.Kernel[0], c.Kernel[1], b.shape.C, c.Filters, maxWeights)
	}
	cfg := layer.ConvConfig{
		Filters: c.Filters,
		Window:  layer.Window{Size: c.Kernel, Strides: c.Strides, Same: c.Padding == Same},
		ReLU:    c.Activation == ReLU,
	}
	conv, err := layer.NewConv2D(b.shape, cfg)
	if err != nil {
		return err
	}
	pooled := len(rest) > 0 && rest[0].kind() == "max_pooling2d" && rest[0].MaxPooling2D.Padding == Valid
	if !pooled || c.Activation == Softmax {
		if err := b.takeWindowed(conv, c.Kernel); err != nil {
			return err
		}
		return b.finish(c.Activation)
	}
	// The bare convolution bounds the memory of the pooled one.
	if err := errors.Join(checkWindows(conv.Out(), c.Kernel), checkWindows(conv.Out(), rest[0].MaxPooling2D.Pool)); err != nil {
		return err
	}
	if _, err := elements(conv.Out()); err != nil {
		return err
	}
	window := rest[0].MaxPooling2D.window()
	cfg.Pool = &window
	if conv, err = layer.NewConv2D(b.shape, cfg); err != nil {
		return fmt.Errorf("with layer %d (max_pooling2d) on top: %w", b.at+1, err)
	}
	b.at++
	return b.take(conv, nil)
}

func (b *builder) addDense(d DenseSpec, rest []LayerSpec) error {
	if err := d.check(); err != nil {
		return err
	}
	d.Activation, _ = b.withReLU(d.Activation, rest)
	if _, ok := product(maxWeights, b.shape.Size(), d.Units); !ok {
		return fmt.Errorf("%d×%d weights are more than %d", b.shape.Size(), d.Units, maxWeights)
	}
	dense, err := layer.NewDense(b.shape, d.Units, d.Activation == ReLU)
	if err := b.take(dense, err); err != nil {
		return err
	}
	return b.finish(d.Activation)
}

// withReLU returns a layer's activation, and what follows the layer: a ReLU that
// does so as a layer of its own is taken for the layer's.
func (b *builder) withReLU(own Activation, rest []LayerSpec) (Activation, []LayerSpec) {
	if own != Linear || len(rest) == 0 || rest[0].kind() != "activation" || rest[0].Activation.Activation != ReLU {
		return own, rest
	}
	b.at++
	return ReLU, rest[1:]
}

// activate adds an activation as a layer of its own.
func (b *builder) activate(a Activation) error {
	if err := a.check(); err != nil {
		return err
	}
	if a == ReLU {
		return b.take(layer.NewReLU(b.shape), nil)
	}
	return b.finish(a)
}

// finish notes a softmax.
func (b *builder) finish(a Activation) error {
	b.softmax = a == Softmax
	return nil
}

// take appends a layer that was built without error, within the limits.
func (b *builder) take(l layer.Layer, err error) error {
	if err != nil {
		return err
	}
	if conv, ok := l.(*layer.Conv2D); ok && conv.Framed() != b.shape {
		framed := conv.Framed()
		if len(b.layers) > 0 {
			framed.C = kernel.Pad(framed.C)
		}
		if err := b.spend(framed); err != nil {
			return err
		}
	}
	out := l.Out()
	if _, err := elements(out); err != nil { // what is padded must not overflow
		return err
	}
	out.C = kernel.Pad(out.C)
	if err := b.spend(out); err != nil {
		return err
	}
	if units := l.Out().C; layer.WeightSize(l) > 0 {
		b.weights += layer.WeightSize(l) / units * kernel.Pad(units)
	}
	if b.weights > maxWeights {
		return fmt.Errorf("the network has more than %d weights, counted as in memory, for multiples of %d units", maxWeights, kernel.Lanes)
	}
	b.layers = append(b.layers, l)
	b.shape = l.Out()
	return nil
}

// takeWindowed is take for a layer that walks over its input by windows.
func (b *builder) takeWindowed(l layer.Layer, window Pair) error {
	if err := checkWindows(l.Out(), window); err != nil {
		return err
	}
	return b.take(l, nil)
}

// checkWindows bounds the tables that say where windows look.
func checkWindows(out layer.Shape, window Pair) error {
	if _, ok := product(MaxActivations, out.H, out.W, window[0], window[1]); !ok {
		return fmt.Errorf("%d×%d windows of %d×%d are too many: more than %d elements to visit", out.H, out.W, window[0], window[1], MaxActivations)
	}
	return nil
}

// elements counts a shape's, at most MaxActivations.
func elements(s layer.Shape) (int, error) {
	n, ok := product(MaxActivations, s.H, s.W, s.C)
	if !ok {
		return 0, fmt.Errorf("a shape of %v is empty or has more than %d elements", s, MaxActivations)
	}
	return n, nil
}

// spend counts a shape against MaxActivations.
func (b *builder) spend(s layer.Shape) error {
	n, err := elements(s)
	if err != nil {
		return err
	}
	if b.activations += n; b.activations > MaxActivations {
		return fmt.Errorf("with %v the layers together have more than %d elements in memory for a sample", s, MaxActivations)
	}
	return nil
}

func (p *PoolingSpec) window() layer.Window {
	return layer.Window{Size: p.Pool, Strides: p.Strides, Same: p.Padding == Same}
}
