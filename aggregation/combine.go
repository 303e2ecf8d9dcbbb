package aggregation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/accord-fl/accord/internal/kernel"
)

// Block is how many elements combiners and Aggregate pass on at a time.
const Block = 1 << 16

// tile elements of together updates are folded at once: few enough for all of them
// to stay in a processor's own cache.
const (
	tile     = 1 << 13
	together = 8
)

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
// Algorithm 1). It folds several blocks at once, each in the order of the
// updates, so the result does not depend on how many.
type Mean struct {
	Threads int // 0 for one on each core
}

var _ Combiner = Mean{}

// Combine implements Combiner in one pass.
func (m Mean) Combine(ctx context.Context, n int, updates []Update, emit func([]float64) error) error {
	threads := m.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	threads = max(1, min(threads, (n+Block-1)/Block))
	group, ctx := errgroup.WithContext(ctx)
	// Thread t folds the blocks t, t+threads, … and emits each when it is its
	// turn, which it hands on.
	turns := make([]chan struct{}, threads)
	for t := range turns {
		turns[t] = make(chan struct{}, 1)
	}
	turns[0] <- struct{}{}
	for t := range turns {
		group.Go(func() error {
			return fold(n, updates, t*Block, threads*Block, func(sum []float64) error {
				select {
				case <-turns[t]:
				case <-ctx.Done():
					return ctx.Err()
				}
				// When both were ready, either may have been taken.
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := emit(sum); err != nil {
					return err
				}
				turns[(t+1)%threads] <- struct{}{}
				return nil
			})
		})
	}
	return group.Wait()
}

// scratch is what one thread folds in. It is used again: beside a round of a small
// model it is much to clear and to collect.
type scratch struct {
	values [together * tile]float32
	sum    [Block]float64
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// fold passes the weighted mean of the blocks from elements first, first+step, …
// on to done.
func fold(n int, updates []Update, first, step int, done func([]float64) error) error {
	own := scratches.Get().(*scratch)
	defer scratches.Put(own)
	shares := make([]float64, len(updates))
	var total float64
	for _, u := range updates {
		total += u.Weight
	}
	for i, u := range updates {
		shares[i] = u.Weight / total
	}
	for off := first; off < n; off += step {
		sum := own.sum[:min(Block, n-off)]
		clear(sum)
		for at := 0; at < len(sum); at += tile {
			if err := foldTile(sum[at:min(at+tile, len(sum))], off+at, updates, shares, own.values[:]); err != nil {
				return err
			}
		}
		if err := done(sum); err != nil {
			return err
		}
	}
	return nil
}

// foldTile adds the shares of all updates from element off on to sum.
func foldTile(sum []float64, off int, updates []Update, shares []float64, values []float32) error {
	for first := 0; first < len(updates); first += together {
		end := min(first+together, len(updates))
		for i, u := range updates[first:end] {
			if err := u.Values.ReadAt(values[i*len(sum):][:len(sum)], off); err != nil {
				return fmt.Errorf("read the update of %s: %w", u.Participant, err)
			}
		}
		kernel.Fold(sum, values, len(sum), shares[first:end])
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
