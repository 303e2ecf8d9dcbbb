package aggregation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Block is how many elements combiners and Aggregate move at a time.
const Block = 1 << 16

// Reader gives random access to a vector of float32: a model's tensors in
// contract order, end to end. ReadAt fills dst from element off on; it may be
// called concurrently.
type Reader interface {
	ReadAt(dst []float32, off int) error
}

// Update is one accepted answer. Values holds w_k − w.
type Update struct {
	Participant string
	Task        string
	Weight      float64 // samples, or 1 for all; finite and above 0
	Values      Reader
}

// Combiner makes one Δ of K updates.
type Combiner interface {
	// Combine passes Δ, n elements, to emit in consecutive blocks from the
	// first element to the last. The updates come sorted by (participant,
	// task). emit may keep nothing of delta. Errors of emit and of the
	// updates' readers end it, as does ctx.
	Combine(ctx context.Context, n int, updates []Update, emit func(delta []float64) error) error
}

// Mean is the weighted mean Σ (p_k/Σp) Δ_k of FedAvg (McMahan et al. 2017,
// Algorithm 1).
type Mean struct{}

var _ Combiner = Mean{}

// Combine implements Combiner in one pass.
func (Mean) Combine(ctx context.Context, n int, updates []Update, emit func([]float64) error) error {
	var total float64
	for _, u := range updates {
		total += u.Weight
	}
	block := min(n, Block)
	values, sum := make([]float32, block), make([]float64, block)
	for off := 0; off < n; off += block {
		if err := ctx.Err(); err != nil {
			return err
		}
		values, sum := values[:min(block, n-off)], sum[:min(block, n-off)]
		clear(sum)
		for _, u := range updates {
			if err := u.Values.ReadAt(values, off); err != nil {
				return fmt.Errorf("read the update of %s: %w", u.Participant, err)
			}
			share := u.Weight / total
			for i, v := range values {
				// The conversion keeps the product from being fused into
				// the sum, which some processors would round differently.
				sum[i] += float64(share * float64(v))
			}
		}
		if err := emit(sum); err != nil {
			return err
		}
	}
	return nil
}

// ErrNoUpdates tells that there is nothing to combine.
var ErrNoUpdates = errors.New("aggregation: no updates")

// sorted checks updates and returns them in order of (participant, task).
func sorted(updates []Update) ([]Update, error) {
	if len(updates) == 0 {
		return nil, ErrNoUpdates
	}
	for _, u := range updates {
		if !(u.Weight > 0) || math.IsInf(u.Weight, 0) {
			return nil, fmt.Errorf("aggregation: weight %g of %s, want a finite number above 0", u.Weight, u.Participant)
		}
	}
	updates = slices.Clone(updates)
	slices.SortFunc(updates, func(a, b Update) int {
		return cmp.Or(cmp.Compare(a.Participant, b.Participant), cmp.Compare(a.Task, b.Task))
	})
	for i := 1; i < len(updates); i++ {
		if updates[i].Participant == updates[i-1].Participant && updates[i].Task == updates[i-1].Task {
			return nil, fmt.Errorf("aggregation: two updates of %s for task %s", updates[i].Participant, updates[i].Task)
		}
	}
	return updates, nil
}
