package coordinator

import (
	"context"
	"errors"
	"fmt"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// measured is measure with a memory of one: publishing needs again what
// evaluating has just found.
func (c *Coordinator) measured(ctx context.Context, r *run, digest string) (Measurement, error) {
	c.mu.RLock()
	last := r.measured
	c.mu.RUnlock()
	if last.model == digest {
		return last.measurement, nil
	}
	m, err := c.measure(ctx, r.definition, digest)
	if err != nil {
		return Measurement{}, err
	}
	c.mu.Lock()
	r.measured = measuredModel{model: digest, measurement: m}
	c.mu.Unlock()
	return m, nil
}

type measuredModel struct {
	model       string
	measurement Measurement
}

// measure evaluates a model of the spool, when there is a way to.
func (c *Coordinator) measure(ctx context.Context, d Definition, digest string) (m Measurement, err error) {
	if c.o.Evaluator == nil {
		return Measurement{}, nil
	}
	err = c.reading(ctx, digest, func(b *spool.Blob) error {
		f, err := model.OpenFile(b, b.Size(), d.Contract)
		if err != nil {
			return err
		}
		m, err = c.o.Evaluator.Evaluate(ctx, d.Spec, f)
		return err
	})
	return m, err
}

// evaluated is what a measurement, or its error, means for the run.
func evaluated(e round.Evaluate, m Measurement, err error) (round.Event, error) {
	why := m.diverged()
	if errors.Is(err, model.ErrNotFinite) {
		why, err = err.Error(), nil
	}
	if err != nil {
		return nil, err
	}
	if why != "" {
		return round.NotFinite{Round: e.Round, Attempt: e.Attempt, Reason: why}, nil
	}
	ev := round.Evaluated{Round: e.Round, Attempt: e.Attempt}
	if m.Test != nil {
		ev.Accuracy = &m.Test.Accuracy
		if !m.NoLoss {
			ev.Loss = &m.Test.Loss
		}
	}
	if m.Validation != nil {
		ev.Validation = &m.Validation.Accuracy
	}
	return ev, nil
}

// diverged says which loss is no number, "" if none: then the model's weights are
// finite, but what it computes is not.
func (m Measurement) diverged() string {
	test := m.Test
	if m.NoLoss {
		test = nil
	}
	for _, part := range []struct {
		set string
		of  *train.Evaluation
	}{{"test", test}, {"validation", m.Validation}} {
		if part.of != nil && finite(&part.of.Loss) == nil {
			return fmt.Sprintf("the model's loss on the %s set is %v", part.set, part.of.Loss)
		}
	}
	return ""
}
