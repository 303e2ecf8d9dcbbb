package train

import (
	"fmt"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model/optim"
)

// The bounds of a plan that comes from elsewhere: beyond anything that is trained,
// and far from overflow.
const (
	MaxEpochs = 1 << 20
	MaxSteps  = 1 << 32
	MaxBatch  = 1 << 24
)

// Plan is how to train on one set of samples.
type Plan struct {
	// Epochs is how often each sample is used.
	Epochs int `json:"epochs" yaml:"epochs"`
	// Steps ends the training after so many steps; 0 means no limit.
	Steps int `json:"steps,omitempty" yaml:"steps,omitempty"`
	// Batch is the number of samples a step; 0 means all of them. The last
	// batch of an epoch may be smaller and is trained on all the same.
	Batch int `json:"batch" yaml:"batch"`
	// Shuffle draws a new order for every epoch.
	Shuffle   bool         `json:"shuffle" yaml:"shuffle"`
	Optimizer optim.Config `json:"optimizer" yaml:"optimizer"`
}

// Validate reports the first setting that makes no sense.
func (p Plan) Validate() error {
	switch {
	case p.Epochs < 1:
		return fault.Inputf("epochs: %d is below 1", p.Epochs)
	case p.Epochs > MaxEpochs:
		return fault.Inputf("epochs: %d is above %d", p.Epochs, MaxEpochs)
	case p.Steps < 0:
		return fault.Inputf("steps: %d is negative", p.Steps)
	case p.Steps > MaxSteps:
		return fault.Inputf("steps: %d is above %d", p.Steps, MaxSteps)
	case p.Batch < 0:
		return fault.Inputf("batch: %d is negative", p.Batch)
	case p.Batch > MaxBatch:
		return fault.Inputf("batch: %d is above %d", p.Batch, MaxBatch)
	}
	if err := p.Optimizer.Validate(); err != nil {
		return fmt.Errorf("optimizer: %w", err)
	}
	return nil
}
