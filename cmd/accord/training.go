package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/internal/term"
	"github.com/accord-fl/accord/internal/version"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// training is `accord train` at work: it keeps the best epoch so far in the
// run folder, so that an interrupted training leaves a model too.
type training struct {
	o      trainOptions
	begin  time.Time
	split  dataset.Split
	spec   *model.Spec
	params *model.Params
	folder report.Folder

	parent   string
	digest   string // of the training data
	perEpoch int64  // steps
	metrics  *report.Metrics
	measure  *train.Engine // beside the one that trains, which is in use
	progress term.Progress

	trained   time.Duration // in training, so far
	since     time.Time     // when the current stretch of training began
	samples   int64         // seen until the last epoch's end
	rounds    []report.Round
	bestScore float64 // on the validation set
	card      report.Model
	kept      int // the epoch whose model is in the folder; 0: none is
	summary   report.Summary
}

// run trains epoch by epoch.
func (t *training) run(ctx context.Context, stderr io.Writer) (err error) {
	if t.o.init != "" {
		t.parent = t.params.Digest()
	}
	t.digest = t.split.Train.Digest()
	if t.metrics, err = t.folder.OpenMetrics(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.metrics.Close()) }()
	if t.measure, err = newEngine(t.spec, t.o.threads); err != nil {
		return err
	}
	defer t.measure.Close()
	engine, err := newEngine(t.spec, t.o.threads)
	if err != nil {
		return err
	}
	defer engine.Close()
	t.progress = term.New(stderr, term.Options{Title: t.title(), Unit: "epoch", Parts: "steps"})
	defer t.progress.Close()
	return t.fit(ctx, engine)
}

// fit runs the plan, and measures and keeps the weights at the end of every
// epoch.
func (t *training) fit(ctx context.Context, engine *train.Engine) error {
	data, plan := t.split.Train.All(), t.o.local.Plan()
	t.perEpoch = stepsPerEpoch(data.Len(), plan.Batch)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	t.since = time.Now()
	result, err := engine.Fit(ctx, t.params, data, plan, rng.New(t.o.seed, "train"), func(p train.Progress) {
		t.show(p)
		if atEpochEnd(p, data.Len()) {
			if err := t.endEpoch(ctx, p); err != nil {
				stop(err)
			}
			t.show(p)
		}
	})
	if cause := context.Cause(ctx); cause != nil {
		if t.kept > 0 {
			t.progress.Line(fmt.Sprintf("stopped; the model of epoch %d is in %s", t.kept, t.folder.Path(report.ModelFile)))
		}
		return cause
	}
	if err != nil {
		return err
	}
	t.summary.SamplesPerSecond = float64(result.Samples) / t.trained.Seconds()
	t.summary.TrainSeconds = t.trained.Seconds()
	t.summary.Rounds = len(t.rounds)
	t.summary.BestAccuracy = report.Best(t.rounds)
	t.summary.PeakRSSBytes = report.PeakRSS()
	t.summary.ModelDigest = t.card.Digest
	t.summary.Seed = t.o.seed
	t.summary.Kernel = kernel.Family()
	t.summary.Seconds = time.Since(t.begin).Seconds()
	return nil
}

// atEpochEnd reports whether the step just done was the last of its epoch, or of
// the plan. n is the number of training samples.
func atEpochEnd(p train.Progress, n int) bool {
	return p.Samples%int64(n) == 0 || p.Step == p.Steps
}

// stepsPerEpoch is how often a batch is taken from n samples; batch 0 takes
// them all.
func stepsPerEpoch(n, batch int) int64 {
	if batch == 0 || batch > n {
		return 1
	}
	return int64((n + batch - 1) / batch)
}

// show updates the display after a step.
func (t *training) show(p train.Progress) {
	seconds := (t.trained + time.Since(t.since)).Seconds()
	before := int64(p.Epoch-1) * t.perEpoch
	s := term.Snapshot{
		Round: p.Epoch, Rounds: int((p.Steps + t.perEpoch - 1) / t.perEpoch),
		Done: p.Step - before, Total: min(t.perEpoch, p.Steps-before),
		Rate: float64(p.Samples) / seconds, TrainLoss: p.Loss,
	}
	if n := len(t.rounds); n > 0 && t.rounds[n-1].Accuracy != nil {
		s.Measured, s.Accuracy, s.Loss = n, *t.rounds[n-1].Accuracy, *t.rounds[n-1].Loss
	}
	t.progress.Update(s)
}

// endEpoch measures the weights, notes the epoch and keeps them when they are
// the ones to keep.
func (t *training) endEpoch(ctx context.Context, p train.Progress) error {
	stretch := time.Since(t.since)
	t.trained += stretch
	test, err := t.evaluate(ctx, t.split.Test)
	if err != nil {
		return err
	}
	val, err := t.evaluate(ctx, t.split.Val)
	if err != nil {
		return err
	}
	r := report.Round{
		Round: p.Epoch, TrainLoss: &p.Loss, Samples: p.Samples - t.samples,
		TrainSeconds: stretch.Seconds(), Seconds: time.Since(t.begin).Seconds(), Model: t.params.Digest(),
	}
	if test != nil {
		r.Accuracy, r.Loss = &test.Accuracy, &test.Loss
	}
	if val != nil {
		r.ValAccuracy, r.ValLoss = &val.Accuracy, &val.Loss
	}
	t.rounds, t.samples = append(t.rounds, r), p.Samples
	if err := t.metrics.Append(r); err != nil {
		return err
	}
	if val == nil || len(t.rounds) == 1 || val.Accuracy > t.bestScore {
		if val != nil {
			t.bestScore = val.Accuracy
		}
		if err := t.keep(r, test); err != nil {
			return err
		}
	}
	t.since = time.Now()
	return nil
}

// evaluate measures the weights on set, which may be nil.
func (t *training) evaluate(ctx context.Context, set *dataset.Set) (*train.Evaluation, error) {
	if set == nil {
		return nil, nil
	}
	e, err := t.measure.Evaluate(ctx, t.params, set.All())
	if err != nil {
		return nil, err
	}
	return &e, nil
}

// keep writes the weights of an epoch to the run folder.
func (t *training) keep(r report.Round, test *train.Evaluation) error {
	t.card = report.Model{
		Digest: r.Model, Spec: t.spec, ClassNames: t.split.Train.ClassNames(),
		Lineage: report.Lineage{
			Run: "train", Round: r.Round, Seed: t.o.seed, Kernel: kernel.Family(),
			Code: version.Get().String(), Dataset: t.digest, Parent: t.parent,
		},
	}
	t.card.Measure(test)
	if test != nil {
		t.summary.Measure(test)
	}
	if err := t.folder.WriteModel(t.params.Write, t.card); err != nil {
		return err
	}
	t.kept = r.Round
	return nil
}

func (t *training) title() string { return dataTitle(t.o.data) + " in one place" }
