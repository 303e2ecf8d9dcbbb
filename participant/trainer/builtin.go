package trainer

import (
	"context"
	"fmt"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// Builtin trains with the built-in engine. Methods may be called
// concurrently; the pool decides how many trainings run side by side.
type Builtin struct {
	Data    train.Data
	Named   map[string]train.Data // that tasks ask for by name, instead of Data
	Engines *Pool
	// Progress, when set, hears how a training gets on, as train.Engine.Fit
	// tells it.
	Progress func(exchange.Task, train.Progress)
}

// Train trains the global model by the task's plan on all of the data set that
// it asks for, and passes the result to done. It declines a task whose model the
// engine does not know or the data does not suit.
func (b *Builtin) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (Result, error) {
	data, err := b.data(t.Dataset)
	if err == nil {
		err = suits(t, data)
	}
	if err != nil {
		return Result{}, err
	}
	p, err := global.Params()
	if err != nil {
		return Result{}, fmt.Errorf("read the global model %.12s: %w", t.Model.Digest, err)
	}
	engine, release, err := b.Engines.Acquire(ctx, t.Spec)
	if err != nil {
		return Result{}, fmt.Errorf("prepare the engine: %w", err)
	}
	defer release()

	var progress func(train.Progress)
	if b.Progress != nil {
		progress = func(now train.Progress) { b.Progress(t, now) }
	}
	fit, err := engine.Fit(ctx, p, data, t.Plan, t.Rand(), progress)
	if err != nil {
		return Result{}, err
	}
	if err := done(p); err != nil {
		return Result{}, err
	}
	return Result{
		Samples: int64(data.Len()),
		Steps:   fit.Steps,
		Metrics: map[string]float64{"loss": fit.Loss, "seconds": fit.Seconds},
	}, nil
}

// BuiltinMetrics names the metrics of a training by Builtin, sorted.
func BuiltinMetrics() []string { return []string{"loss", "seconds"} }

// data returns the data set that a task asks for; "" asks for none by name.
func (b *Builtin) data(name string) (train.Data, error) {
	if name == "" {
		return b.Data, nil
	}
	data, ok := b.Named[name]
	if !ok {
		return nil, declinef("the site has no data set %s", name)
	}
	return data, nil
}

// suits reports whether the task's model and the site's data fit together.
func suits(t exchange.Task, data train.Data) error {
	switch {
	case t.Spec == nil:
		return declinef("the run has no spec, only a contract, and the built-in trainer needs a spec: use trainer exec")
	case data.Len() == 0:
		return declinef("the site has no training data")
	case t.Spec.Input != data.Shape():
		return declinef("the model takes images of %v (height, width, channels), the site holds %v", t.Spec.Input, data.Shape())
	case data.Classes() > t.Spec.Classes():
		return declinef("the model tells %d classes apart, the site's data has %d", t.Spec.Classes(), data.Classes())
	}
	return nil
}
