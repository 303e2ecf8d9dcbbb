package optim

import (
	"math"

	"github.com/accord-fl/accord/internal/fault"
)

// Schedule says how the learning rate falls over the rounds of a run. The zero
// value is Constant.
type Schedule string

const (
	Constant Schedule = "constant" // lr_t = lr
	// InverseSqrt is lr_t = lr/√t. A rate that falls over the rounds is what
	// lets FedAvg converge over data that are not alike: see Li et al., "On the
	// Convergence of FedAvg on Non-IID Data" (2020).
	InverseSqrt Schedule = "inverse_sqrt"
)

// Rate returns the rate of a round, which is 1 or more, in a run whose first
// round has lr.
func (s Schedule) Rate(lr float64, round int) float64 {
	if s == InverseSqrt {
		return lr / math.Sqrt(float64(round))
	}
	return lr
}

// Validate reports a schedule that is not known; it is of class fault.Input.
func (s Schedule) Validate() error {
	switch s {
	case "", Constant, InverseSqrt:
		return nil
	}
	return fault.Inputf("%q is not known; want %s or %s", string(s), Constant, InverseSqrt)
}
