// Package optim holds the optimisers that move weights along a gradient.
//
// An optimiser belongs to one vector of weights and keeps its own state. The same gradients give the same weights, bit for
// bit, on the same kind of processor.
package optim

import (
	"math"

	"github.com/accord-fl/accord/internal/fault"
)

// Names of the optimisers.
const (
	SGD  = "sgd"
	Adam = "adam"
)

// Config chooses an optimiser and its constants. Fields of the other optimiser
// must be zero.
type Config struct {
	Name string  `json:"name" yaml:"name"`
	LR   float64 `json:"lr" yaml:"lr"`
	// Momentum and WeightDecay belong to SGD. Weight decay is L2 added to the
	// gradient, g + λw, as in PyTorch.
	Momentum    float64 `json:"momentum,omitempty" yaml:"momentum,omitempty"`
	WeightDecay float64 `json:"weight_decay,omitempty" yaml:"weight_decay,omitempty"`
	// Beta1, Beta2 and Epsilon belong to Adam.
	Beta1   float64 `json:"beta1,omitempty" yaml:"beta1,omitempty"`
	Beta2   float64 `json:"beta2,omitempty" yaml:"beta2,omitempty"`
	Epsilon float64 `json:"epsilon,omitempty" yaml:"epsilon,omitempty"`
}

// Defaults returns Keras' constants for the named optimiser: SGD with rate
// 0.01 and no momentum; Adam with rate 0.001, β₁ 0.9, β₂ 0.999 and ε 1e-7. An
// unknown name comes back alone, for Validate to refuse.
func Defaults(name string) Config {
	switch name {
	case SGD:
		return Config{Name: SGD, LR: 0.01}
	case Adam:
		return Config{Name: Adam, LR: 0.001, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}
	}
	return Config{Name: name}
}

// Validate reports the first constant that makes no sense.
func (c Config) Validate() error {
	if c.Name != SGD && c.Name != Adam {
		return fault.Inputf("optimizer: %q is unknown: use %s or %s", c.Name, SGD, Adam)
	}
	if !positive(c.LR) {
		return fault.Inputf("lr: %v makes no sense: use a positive number such as %v", c.LR, Defaults(c.Name).LR)
	}
	if c.Name == SGD {
		return c.validateSGD()
	}
	return c.validateAdam()
}

func (c Config) validateSGD() error {
	switch {
	case !fraction(c.Momentum):
		return fault.Inputf("momentum: %v is not in [0, 1)", c.Momentum)
	case c.WeightDecay != 0 && !positive(c.WeightDecay):
		return fault.Inputf("weight_decay: %v is negative or not a number", c.WeightDecay)
	case c.Beta1 != 0 || c.Beta2 != 0 || c.Epsilon != 0:
		return fault.Inputf("beta1, beta2 and epsilon belong to adam, not to sgd")
	}
	return nil
}

func (c Config) validateAdam() error {
	switch {
	case !fraction(c.Beta1):
		return fault.Inputf("beta1: %v is not in [0, 1)", c.Beta1)
	case !fraction(c.Beta2):
		return fault.Inputf("beta2: %v is not in [0, 1)", c.Beta2)
	case !positive(c.Epsilon):
		return fault.Inputf("epsilon: %v must be a positive number", c.Epsilon)
	case c.Momentum != 0 || c.WeightDecay != 0:
		return fault.Inputf("momentum and weight_decay belong to sgd, not to adam")
	}
	return nil
}

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
func fraction(v float64) bool { return v >= 0 && v < 1 }

// Optimizer moves weights along gradients.
type Optimizer interface {
	// Advance begins the next step. It comes before the first Update.
	Advance()
	// Update makes the current step on the weights w = [begin, begin+len(w)) of
	// the vector, whose gradient is g. Every weight is updated once a step;
	// pieces without overlap can be updated at once.
	Update(begin int, w, g []float32)
}

// New returns the optimiser that cfg names for a vector of n weights.
func New(cfg Config, n int) (Optimizer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Name == Adam {
		return newAdam(cfg, n), nil
	}
	return newSGD(cfg, n), nil
}
