package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/internal/report"
)

// Archive is a Publisher that leaves each run's results in a folder: the best
// model so far, where it comes from, and the metrics of every round.
type Archive struct {
	// Folder returns a run's folder; it is asked for each publication.
	Folder     func(run string) (report.Folder, error)
	Code       string   // version of the binary
	Dataset    string   // digest of the training data, where it is at hand
	ClassNames []string // where classes are more than numbers

	mu sync.Mutex // Folder may make one
}

var (
	_ Publisher = (*Archive)(nil)
	_ Copies    = (*Archive)(nil)
)

// Publish implements Publisher.
func (a *Archive) Publish(_ context.Context, p Publication) error {
	folder, err := a.folder(p.Definition.Name)
	if err != nil {
		return err
	}
	metrics, err := folder.OpenMetrics()
	if err != nil {
		return err
	}
	// All of it becomes durable at the same time. What a crash leaves of it is
	// written again with the version's next publication.
	noted := make(chan error, 1)
	go func() { noted <- errors.Join(metrics.Append(line(p)), metrics.Close()) }() // awaited below
	if p.Best {
		err = folder.WriteModel(func(w io.Writer) error {
			_, err := io.Copy(w, io.NewSectionReader(p.Model, 0, p.Bytes))
			return err
		}, a.card(p))
	}
	return errors.Join(err, <-noted)
}

func (a *Archive) folder(run string) (report.Folder, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.Folder(run)
}

// Copy implements Copies.
func (a *Archive) Copy(run, digest string, w io.Writer) (err error) {
	folder, err := a.folder(run)
	if err != nil {
		return err
	}
	card, err := report.ReadModel(folder.Path(report.CardFile))
	if err != nil {
		return err
	}
	if card.Digest != digest {
		return fmt.Errorf("published is model %s", card.Digest)
	}
	f, err := os.Open(folder.Path(report.ModelFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(w, f)
	return err
}

// card says what the model is and where it comes from.
func (a *Archive) card(p Publication) report.Model {
	m := report.Model{
		Digest: p.Version.Model, Spec: p.Definition.Spec, ClassNames: a.ClassNames,
		Lineage: report.Lineage{
			Run: p.Definition.Name, Round: p.Version.Round, Seed: p.Definition.Seed,
			Sites: len(p.Updates), Kernel: kernel.Family(), Code: a.Code, Dataset: a.Dataset, Parent: p.Parent,
		},
	}
	for _, t := range p.Updates {
		m.Lineage.Updates = append(m.Lineage.Updates, t.Digest)
	}
	m.Measure(p.Measurement.Test)
	m.Loss = finite(m.Loss)
	return m
}

// line is the round's line of metrics.
func line(p Publication) report.Round {
	r := report.Round{
		Round: p.Version.Round, Sites: len(p.Updates), Model: p.Version.Model,
		TrainSeconds: p.Training.Seconds(), Seconds: p.Elapsed.Seconds(),
		Samples: samples(p), TrainLoss: meanLoss(p.Updates, p.Told),
	}
	if e := p.Measurement.Test; e != nil {
		r.Accuracy, r.Loss = &e.Accuracy, finite(&e.Loss)
	}
	if e := p.Measurement.Validation; e != nil {
		r.ValAccuracy, r.ValLoss = &e.Accuracy, finite(&e.Loss)
	}
	return r
}

// finite returns nil for what JSON cannot hold.
func finite(x *float64) *float64 {
	if x == nil || math.IsNaN(*x) || math.IsInf(*x, 0) {
		return nil
	}
	return x
}

// samples trained on in the round, 0 when not all updates are at hand.
func samples(p Publication) int64 {
	var sum int64
	if len(p.Told) < len(p.Updates) {
		return 0
	}
	for _, t := range p.Updates {
		u, told := p.Told[t.ID]
		switch plan := p.Definition.Plan; {
		case told && plan.Steps > 0 && plan.Batch > 0:
			sum += min(u.Steps*int64(plan.Batch), t.Samples*int64(plan.Epochs))
		case told:
			sum += t.Samples * int64(plan.Epochs)
		}
	}
	return sum
}

// meanLoss is the mean training loss of the round, weighted by samples where
// they are known; nil when not all updates are at hand.
func meanLoss(updates []round.Task, told map[string]exchange.Update) *float64 {
	var sum, weights float64
	for _, t := range updates {
		update, here := told[t.ID]
		if !here {
			return nil
		}
		loss, ok := update.Metrics["loss"]
		if !ok {
			continue // the site's program tells none
		}
		weight := max(1, float64(t.Samples))
		sum += weight * loss
		weights += weight
	}
	if weights == 0 {
		return nil
	}
	mean := sum / weights
	return finite(&mean)
}
