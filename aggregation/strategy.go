package aggregation

import (
	"context"
	"fmt"

	"github.com/accord-fl/accord/internal/fault"
)

// ServerOptimizer moves the global model by a round's Δ.
type ServerOptimizer interface {
	// Apply changes the block w of the model in place by delta, of the same
	// length.
	Apply(w []float32, delta []float64)
}

// SGD is w ← w + LR·Δ. With LR 1 and the mean it is FedAvg.
type SGD struct{ LR float64 }

var _ ServerOptimizer = SGD{}

// Apply implements ServerOptimizer.
func (o SGD) Apply(w []float32, delta []float64) {
	for i, d := range delta {
		w[i] = float32(float64(w[i]) + float64(o.LR*d))
	}
}

// Strategy is how a round's updates become the next global model.
type Strategy struct {
	Combiner Combiner
	Server   ServerOptimizer
}

// Preset returns the strategy called name: "fedavg" is Mean × SGD with the
// learning rate serverLR.
func Preset(name string, serverLR float64) (Strategy, error) {
	switch name {
	case "fedavg":
		return Strategy{Combiner: Mean{}, Server: SGD{LR: serverLR}}, nil
	default:
		return Strategy{}, fault.Inputf("strategy %q is not known; known: fedavg", name)
	}
}

// Aggregate computes the next model from base, n elements, and passes it to
// write in consecutive blocks. write may keep nothing of its argument. The
// order of updates does not matter.
func (s Strategy) Aggregate(ctx context.Context, n int, base Reader, updates []Update, write func(w []float32) error) error {
	updates, err := sorted(updates)
	if err != nil {
		return err
	}
	off := 0
	var buffer []float32
	err = s.Combiner.Combine(ctx, n, updates, func(delta []float64) error {
		if len(delta) == 0 || off+len(delta) > n {
			return fmt.Errorf("aggregation: the combiner gave a block of %d at element %d of %d", len(delta), off, n)
		}
		if cap(buffer) < len(delta) {
			buffer = make([]float32, len(delta))
		}
		w := buffer[:len(delta)]
		if err := base.ReadAt(w, off); err != nil {
			return fmt.Errorf("read the global model: %w", err)
		}
		s.Server.Apply(w, delta)
		off += len(delta)
		return write(w)
	})
	if err == nil && off != n {
		err = fmt.Errorf("aggregation: the combiner gave %d of %d elements", off, n)
	}
	return err
}
