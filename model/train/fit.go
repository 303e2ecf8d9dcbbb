package train

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
)

// Progress is where a training stands.
type Progress struct {
	Epoch   int     // the current one, from 1
	Epochs  int     // of so many
	Step    int64   // steps done
	Steps   int64   // of so many
	Samples int64   // samples seen, repeated ones included
	Loss    float64 // mean over the current epoch so far
}

// Result is what a training amounted to.
type Result struct {
	Steps   int64
	Samples int64   // seen, repeated ones included
	Loss    float64 // mean over the last epoch
	Seconds float64
}

// Fit trains p in place on d as plan says. r drives shuffling only, and may be
// nil without it. progress, when not nil, is called after every step from the
// calling goroutine; p holds the current weights only at the end of an epoch and
// at the last step. When ctx ends, Fit stops before the next step and returns
// ctx's error; p then holds the weights of the last step. A loss or a weight
// that is no longer finite is an error.
func (e *Engine) Fit(ctx context.Context, p *model.Params, d Data, plan Plan, r *rand.Rand, progress func(Progress)) (Result, error) {
	if err := plan.Validate(); err != nil {
		return Result{}, err
	}
	if err := e.fits(p, d); err != nil {
		return Result{}, err
	}
	opt, err := optim.New(plan.Optimizer, e.bound.Size())
	if err != nil {
		return Result{}, err
	}
	f := &fit{
		engine: e, params: p, data: d, plan: plan, opt: opt, rand: r, report: progress,
		order: make([]int, d.Len()),
	}
	f.batch = plan.Batch
	if f.batch == 0 || f.batch > d.Len() {
		f.batch = d.Len()
	}
	f.progress = Progress{Epochs: plan.Epochs, Steps: int64(plan.Epochs) * int64((d.Len()+f.batch-1)/f.batch)}
	if plan.Steps > 0 {
		f.progress.Steps = min(f.progress.Steps, int64(plan.Steps))
	}
	result, err := f.run(ctx)
	if err != nil {
		return Result{}, err
	}
	if err := finite(p); err != nil {
		return Result{}, err
	}
	return result, nil
}

// fit is one training under way.
type fit struct {
	engine   *Engine
	params   *model.Params
	data     Data
	plan     Plan
	opt      optim.Optimizer
	rand     *rand.Rand
	report   func(Progress)
	batch    int // samples a step
	order    []int
	progress Progress
}

func (f *fit) run(ctx context.Context) (Result, error) {
	begin := time.Now()
	f.engine.load(f.params)
	defer f.store()
	for i := range f.order {
		f.order[i] = i
	}
	for epoch := 1; epoch <= f.plan.Epochs && f.progress.Step < f.progress.Steps; epoch++ {
		f.progress.Epoch = epoch
		if err := f.epoch(ctx); err != nil {
			return Result{}, err
		}
	}
	return Result{
		Steps:   f.progress.Step,
		Samples: f.progress.Samples,
		Loss:    f.progress.Loss,
		Seconds: time.Since(begin).Seconds(),
	}, nil
}

// epoch goes over all samples once, or until the last step.
func (f *fit) epoch(ctx context.Context) error {
	if f.plan.Shuffle {
		f.rand.Shuffle(len(f.order), func(i, j int) { f.order[i], f.order[j] = f.order[j], f.order[i] })
	}
	sum, seen := 0.0, 0
	for seen < len(f.order) && f.progress.Step < f.progress.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		idx := f.order[seen:min(seen+f.batch, len(f.order))]
		loss, err := f.step(idx)
		if err != nil {
			return err
		}
		seen += len(idx)
		sum += float64(loss * float64(len(idx)))
		f.progress.Samples += int64(len(idx))
		f.progress.Loss = sum / float64(seen)
		if f.report != nil {
			if seen == len(f.order) || f.progress.Step == f.progress.Steps {
				f.store()
			}
			f.report(f.progress)
		}
	}
	return nil
}

// store puts the weights where the caller sees them.
func (f *fit) store() { f.engine.bound.Export(f.params.Flat(), f.engine.weights) }

// step moves the weights once along the gradient of the samples idx.
func (f *fit) step(idx []int) (float64, error) {
	e := f.engine
	loss, err := e.batch.run(f.data, idx)
	if err != nil {
		return 0, err
	}
	f.progress.Step++
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return 0, divergedf("the loss of step %d is %.4g; lower lr (now %v)", f.progress.Step, loss, f.plan.Optimizer.LR)
	}
	f.opt.Advance()
	e.update.opt = f.opt
	e.team.run(&e.update, len(e.blocks))
	return loss, nil
}

// ErrDiverged is in the chain of the error of a training whose loss or weights
// were no longer finite. It would end so again.
var ErrDiverged = errors.New("training diverged")

func divergedf(format string, args ...any) error {
	return fault.As(ErrDiverged, fault.Inputf("training diverged: "+format, args...))
}

// finite reports the first weight that is not.
func finite(p *model.Params) error {
	if err := p.Contract().CheckFinite(p.Flat(), 0); err != nil {
		return divergedf("%w; lower lr", err)
	}
	return nil
}
