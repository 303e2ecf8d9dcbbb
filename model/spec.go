package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Spec is a network for classifying images, as a list of layers. The zero
// value of an optional field means its default. A Spec that came from
// ParseSpec or JSON has been checked; call Validate on one built by hand.
type Spec struct {
	// Input is the shape of one sample: height, width, channels.
	Input [3]int
	// Layers are applied in order. The last one ends in softmax.
	Layers []LayerSpec
}

// LayerSpec is one layer: exactly one field is set.
type LayerSpec struct {
	Conv2D           *Conv2DSpec     `json:"conv2d,omitempty"`
	MaxPooling2D     *PoolingSpec    `json:"max_pooling2d,omitempty"`
	AveragePooling2D *PoolingSpec    `json:"average_pooling2d,omitempty"`
	Flatten          *FlattenSpec    `json:"flatten,omitempty"`
	Dense            *DenseSpec      `json:"dense,omitempty"`
	Activation       *ActivationSpec `json:"activation,omitempty"`
}

// Conv2DSpec is a two-dimensional convolution with bias. Its kernel has shape
// [height, width, in, filters].
type Conv2DSpec struct {
	Filters           int         `json:"filters"`
	Kernel            Pair        `json:"kernel"`
	Strides           Pair        `json:"strides"`            // default 1
	Padding           Padding     `json:"padding"`            // default valid
	Activation        Activation  `json:"activation"`         // default linear
	KernelInitializer Initializer `json:"kernel_initializer"` // default glorot_uniform
}

// PoolingSpec is maximum or average pooling over windows of size Pool. With
// padding same, positions outside the image do not count.
type PoolingSpec struct {
	Pool    Pair    `json:"pool"`    // default 2
	Strides Pair    `json:"strides"` // default Pool
	Padding Padding `json:"padding"` // default valid
}

// FlattenSpec turns an image into a vector, row by row, channels last.
type FlattenSpec struct{}

// DenseSpec is a fully connected layer with bias on a flat input. Its kernel
// has shape [in, units].
type DenseSpec struct {
	Units             int         `json:"units"`
	Activation        Activation  `json:"activation"`         // default linear
	KernelInitializer Initializer `json:"kernel_initializer"` // default glorot_uniform
}

// ActivationSpec applies a function to every element (softmax: to the vector).
type ActivationSpec struct {
	Activation Activation `json:"activation"`
}

// Pair is a height and a width. A single number in a file stands for both.
type Pair [2]int

// Padding says what happens at an image's border.
type Padding string

// Valid uses only windows inside the image; Same pads with zeros, the odd one
// at the bottom and right, so that stride 1 keeps the size.
const (
	Valid Padding = "valid"
	Same  Padding = "same"
)

// Activation names the function applied to a layer's output.
type Activation string

// Softmax is allowed as the network's last step only, where it is required.
const (
	Linear  Activation = "linear"
	ReLU    Activation = "relu"
	Softmax Activation = "softmax"
)

// Initializer names the distribution of a kernel's first values, with fan_in
// and fan_out counted as in Keras (for a convolution height·width·channels).
type Initializer string

// GlorotUniform draws from ±√(6/(fan_in+fan_out)), HeUniform from
// ±√(6/fan_in), HeNormal from a normal distribution of standard deviation
// √(2/fan_in) cut at two deviations.
const (
	GlorotUniform Initializer = "glorot_uniform"
	HeUniform     Initializer = "he_uniform"
	HeNormal      Initializer = "he_normal"
)

// canonical is the form that is hashed and written: defaults filled in, keys
// in the order of the fields.
type canonical struct {
	Input  [3]int      `json:"input"`
	Layers []LayerSpec `json:"layers"`
}

// MarshalJSON returns the canonical form: every default spelled out, always the
// same bytes for the same network.
func (s *Spec) MarshalJSON() ([]byte, error) {
	full := s.withDefaults()
	return json.Marshal(canonical{Input: full.Input, Layers: full.Layers})
}

// Hash returns the SHA-256 of the canonical JSON, in hexadecimal.
func (s *Spec) Hash() string {
	data, err := s.MarshalJSON()
	if err != nil {
		panic("model: a spec is always representable in JSON: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// withDefaults returns a deep copy in which no optional field is zero.
func (s *Spec) withDefaults() *Spec {
	full := &Spec{Input: s.Input, Layers: make([]LayerSpec, len(s.Layers))}
	for i, l := range s.Layers {
		full.Layers[i] = l.withDefaults()
	}
	return full
}

func (l LayerSpec) withDefaults() LayerSpec {
	if l.Conv2D != nil {
		c := *l.Conv2D
		c.Strides = orElse(c.Strides, Pair{1, 1})
		c.Padding = orElse(c.Padding, Valid)
		c.Activation = orElse(c.Activation, Linear)
		c.KernelInitializer = orElse(c.KernelInitializer, GlorotUniform)
		l.Conv2D = &c
	}
	if l.Dense != nil {
		d := *l.Dense
		d.Activation = orElse(d.Activation, Linear)
		d.KernelInitializer = orElse(d.KernelInitializer, GlorotUniform)
		l.Dense = &d
	}
	l.MaxPooling2D = l.MaxPooling2D.withDefaults()
	l.AveragePooling2D = l.AveragePooling2D.withDefaults()
	return l
}

func (p *PoolingSpec) withDefaults() *PoolingSpec {
	if p == nil {
		return nil
	}
	full := *p
	full.Pool = orElse(full.Pool, Pair{2, 2})
	full.Strides = orElse(full.Strides, full.Pool)
	full.Padding = orElse(full.Padding, Valid)
	return &full
}

// orElse returns v, or fallback when v is the zero value.
func orElse[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
