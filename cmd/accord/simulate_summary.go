package main

import (
	"context"
	"time"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/model/train"
)

// keeper is an Archive that remembers how the kept version measured.
type keeper struct {
	coordinator.Archive
	test *train.Evaluation
}

// Publish implements coordinator.Publisher.
func (k *keeper) Publish(ctx context.Context, p coordinator.Publication) error {
	if p.Best {
		k.test = p.Measurement.Test
	}
	return k.Archive.Publish(ctx, p)
}

// summarise fills in what --json prints. A resumption that published nothing
// better has not seen how the kept version measured, and measures it again.
func (o *outcome) summarise(ctx context.Context, start time.Time) (err error) {
	if o.result.Model != nil { // else nothing was published
		if o.rounds, err = report.ReadMetrics(o.folder.Path(report.MetricsFile)); err != nil {
			return err
		}
	}
	if o.test == nil && o.result.Model != nil && o.split.Test != nil {
		kept := trained{spec: o.options.Definition.Spec, params: o.result.Model}
		e, err := evaluate(ctx, kept, o.split.Test, o.cfg.Simulation.Threads)
		if err != nil {
			return err
		}
		o.test = &e
	}
	o.summary = report.Summary{
		BestAccuracy: report.Best(o.rounds), Rounds: len(o.rounds),
		RoundsToTarget: roundsTo(o.cfg.StopAt, o.result.State.Published.All()),
		PeakRSSBytes:   report.PeakRSS(), ModelDigest: o.result.Version.Model, Seed: o.cfg.Seed, Kernel: kernel.Family(),
	}
	if o.test != nil {
		o.summary.Measure(o.test)
	}
	var samples int64
	for _, r := range o.rounds {
		if r.TrainSeconds > 0 { // a round cut in two by an interruption tells no time
			o.summary.TrainSeconds += r.TrainSeconds
			samples += r.Samples
		}
	}
	if o.summary.TrainSeconds > 0 {
		o.summary.SamplesPerSecond = float64(samples) / o.summary.TrainSeconds
	}
	o.summary.Seconds = time.Since(start).Seconds()
	return nil
}

// roundsTo is the first round that reached the target, nil if there is none.
func roundsTo(target float64, versions []round.Version) *int {
	for _, v := range versions {
		score := v.Validation
		if score == nil {
			score = v.Accuracy
		}
		if target > 0 && score != nil && *score >= target {
			return &v.Round
		}
	}
	return nil
}
