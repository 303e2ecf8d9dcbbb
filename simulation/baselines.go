package simulation

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/sync/errgroup"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/participant/trainer"
)

// Baselines is what a federation is measured against: the same network from
// the same weights, with as many passes over the data as the federation made,
// measured on the same test set. They keep the first round's learning rate.
type Baselines struct {
	Sites   []Baseline       // each site training alone, in the order of Options.Sites
	Central train.Evaluation // all data in one place
}

// Baseline is one site's result.
type Baseline struct {
	Site string
	train.Evaluation
}

// Compare trains the baselines of a run that ended after rounds rounds,
// Options.Threads at a time. The options are those of Run; progress, when set,
// hears of every step, called concurrently; site is "" for all data.
func Compare(ctx context.Context, o Options, central train.Data, rounds int, progress func(site string, p train.Progress)) (Baselines, error) {
	if o.Test == nil {
		return Baselines{}, fault.Inputf("baselines: there is no test set to compare on")
	}
	if err := o.prepare(); err != nil {
		return Baselines{}, err
	}
	engines := trainer.NewPool(o.Threads, 1)
	defer engines.Close()
	plan := o.Definition.Plan
	plan.Epochs = int(math.Ceil(float64(plan.Epochs*rounds) * o.Definition.Fraction))
	plan.Steps = int(math.Ceil(float64(plan.Steps*rounds) * o.Definition.Fraction))

	result := Baselines{Sites: make([]Baseline, len(o.Sites))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.Threads)
	one := func(site string, data train.Data, into *train.Evaluation) {
		group.Go(func() error {
			e, err := o.alone(ctx, engines, site, data, plan, progress)
			*into = e
			return err
		})
	}
	one("", central, &result.Central) // the longest first
	for i, s := range o.Sites {
		result.Sites[i].Site = s.Name
		one(s.Name, s.Data, &result.Sites[i].Evaluation)
	}
	return result, group.Wait()
}

// alone trains on one place's data and measures the result.
func (o *Options) alone(ctx context.Context, engines *trainer.Pool, site string, data train.Data, plan train.Plan, progress func(string, train.Progress)) (train.Evaluation, error) {
	d := o.Definition
	engine, release, err := engines.Acquire(ctx, d.Spec)
	if err != nil {
		return train.Evaluation{}, err
	}
	defer release()
	p := o.initial()
	var hear func(train.Progress)
	if progress != nil {
		hear = func(now train.Progress) { progress(site, now) }
	}
	if _, err := engine.Fit(ctx, p, data, plan, rng.New(d.Seed, "alone", d.Name, site), hear); err != nil {
		return train.Evaluation{}, fmt.Errorf("baseline %s: %w", site, err)
	}
	return engine.Evaluate(ctx, p, o.Test)
}

// initial weights of the run, the caller's to change.
func (o *Options) initial() *model.Params {
	if o.Initial != nil {
		return o.Initial.Clone()
	}
	return coordinator.InitialModel(o.Definition.Spec, o.Definition.Seed)
}
