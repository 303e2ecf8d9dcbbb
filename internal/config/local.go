package config

import (
	"math"

	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
)

// Local is what a site does in a round: a train.Plan, written flat, and how its
// learning rate falls from round to round.
type Local struct {
	Epochs      int            `yaml:"epochs"`
	Batch       int            `yaml:"batch"`           // samples a step; 0 is the whole shard
	Steps       int            `yaml:"steps,omitempty"` // stop after so many; 0: no limit
	Shuffle     bool           `yaml:"shuffle"`
	Optimizer   string         `yaml:"optimizer"` // sgd or adam
	LR          float64        `yaml:"lr"`
	LRSchedule  optim.Schedule `yaml:"lr_schedule,omitempty"`  // constant or inverse_sqrt
	Momentum    float64        `yaml:"momentum,omitempty"`     // sgd only
	WeightDecay float64        `yaml:"weight_decay,omitempty"` // sgd only
}

// DefaultLocal returns the local plan of a run that says nothing but the
// optimiser: 4 epochs in batches of 10, with the learning rate 0.1 for sgd and
// 0.001 for adam in every round. An unknown optimiser is left for Validate to find.
func DefaultLocal(optimizer string) Local {
	l := Local{Epochs: 4, Batch: 10, Shuffle: true, Optimizer: optimizer, LR: 0.1, LRSchedule: optim.Constant}
	if optimizer == optim.Adam {
		l.LR = 0.001
	}
	return l
}

// Plan returns l as the training engine takes it in the first round.
func (l Local) Plan() train.Plan {
	o := optim.Defaults(l.Optimizer)
	o.Name, o.LR, o.Momentum, o.WeightDecay = l.Optimizer, l.LR, l.Momentum, l.WeightDecay
	return train.Plan{Epochs: l.Epochs, Steps: l.Steps, Batch: l.Batch, Shuffle: l.Shuffle, Optimizer: o}
}

// Validate reports, as Problems, every field that makes no sense.
func (l Local) Validate() error {
	var c checker
	l.check(&c, "")
	return c.err()
}

// check notes what is wrong with the section that prefix leads to.
func (l Local) check(c *checker, prefix string) {
	c.require(l.Epochs >= 1, prefix+"epochs", "want 1 or more, got %d", l.Epochs)
	c.atMost(l.Epochs, train.MaxEpochs, prefix+"epochs")
	c.require(l.Batch >= 0, prefix+"batch", "want 1 or more, or 0 for the whole shard, got %d", l.Batch)
	c.atMost(l.Batch, train.MaxBatch, prefix+"batch")
	c.require(l.Steps >= 0, prefix+"steps", "want 1 or more, or 0 for no limit, got %d", l.Steps)
	c.atMost(l.Steps, train.MaxSteps, prefix+"steps")
	c.require(l.Optimizer == optim.SGD || l.Optimizer == optim.Adam, prefix+"optimizer",
		"%q is not known; want %s or %s", l.Optimizer, optim.SGD, optim.Adam)
	c.positive(l.LR, prefix+"lr")
	if err := l.LRSchedule.Validate(); err != nil {
		c.require(false, prefix+"lr_schedule", "%v", err)
	}
	c.require(l.Momentum >= 0 && l.Momentum < 1, prefix+"momentum", "want at least 0 and below 1, got %v", l.Momentum)
	c.require(l.WeightDecay >= 0 && !math.IsInf(l.WeightDecay, 1), prefix+"weight_decay", "want a finite number, 0 or more, got %v", l.WeightDecay)
	if l.Optimizer == optim.Adam {
		c.require(l.Momentum == 0, prefix+"momentum", "only sgd has it; adam has its own")
		c.require(l.WeightDecay == 0, prefix+"weight_decay", "only sgd has it")
	}
}
