package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/aggregation"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
)

// combine carries out a round.Aggregate: it computes the next global model into
// the spool. When what it reads is lost, it has the base repaired, and returns
// the event that asks for updates again.
func (c *Coordinator) combine(ctx context.Context, d Definition, e round.Aggregate) (round.Event, error) {
	for try := 1; ; try++ {
		digest, err := c.putPinned(func() (string, error) {
			digest, _, err := c.o.Spool.PutFunc(func(w io.Writer) error { return c.aggregate(ctx, d, e, w) })
			return digest, err
		})
		switch {
		case err == nil:
			return round.Aggregated{Round: e.Round, Attempt: e.Attempt, Model: digest}, nil
		case errors.Is(err, model.ErrNotFinite):
			return round.NotFinite{Round: e.Round, Attempt: e.Attempt, Reason: "the sum of the updates: " + err.Error()}, nil
		case !errors.Is(err, spool.ErrNotFound) || try == maxReadings:
			return nil, err
		}
		c.log.Error("an artefact of the round is lost", zap.String("run", d.Name), zap.Int("round", e.Round), zap.Error(err))
		if err := c.repaired(ctx, e.Base); err != nil {
			return nil, err
		}
		lost, err := c.lostUpdates(e)
		if err != nil {
			return nil, err
		}
		if lost.Artefacts != nil {
			return lost, nil
		}
	}
}

// lostUpdates finds out which of the updates can no longer be read: none, when
// the event has no artefacts.
func (c *Coordinator) lostUpdates(e round.Aggregate) (round.ArtefactLost, error) {
	lost := round.ArtefactLost{Round: e.Round, Attempt: e.Attempt, At: now()}
	for _, t := range e.Updates {
		err := c.o.Spool.Verify(t.Digest)
		switch {
		case err == nil:
		case errors.Is(err, spool.ErrNotFound):
			if lost.Artefacts == nil {
				lost.Reason = fmt.Sprintf("the update of %s is asked for again: %s", t.Participant, err)
			}
			lost.Artefacts = append(lost.Artefacts, t.Digest)
		default:
			return lost, fmt.Errorf("the update of %s: %w", t.Participant, err)
		}
	}
	if more := len(lost.Artefacts) - 1; more > 0 {
		lost.Reason += fmt.Sprintf(" (and %d more updates)", more)
	}
	return lost, nil
}

// aggregate writes the next global model to w. One that is not finite is
// model.ErrNotFinite.
func (c *Coordinator) aggregate(ctx context.Context, d Definition, e round.Aggregate, w io.Writer) (err error) {
	strategy, err := c.o.Strategy(d)
	if err != nil {
		return err
	}
	var open []*spool.Blob
	defer func() {
		for _, b := range open {
			err = errors.Join(err, b.Close())
		}
	}()
	read := func(digest string) (*model.File, error) {
		b, err := c.o.Spool.Open(digest)
		if err != nil {
			return nil, err
		}
		open = append(open, b)
		return model.OpenFile(b, b.Size(), d.Contract)
	}
	base, err := read(e.Base)
	if err != nil {
		return fmt.Errorf("open the global model: %w", err)
	}
	var updates []aggregation.Update
	for _, t := range e.Updates {
		v, err := read(t.Digest)
		if err != nil {
			return fmt.Errorf("open the update of %s: %w", t.Participant, err)
		}
		weight := 1.0
		if d.Weighted {
			weight = float64(t.Samples)
		}
		updates = append(updates, aggregation.Update{Participant: t.Participant, Task: t.ID, Weight: weight, Values: v})
	}
	out, err := d.Contract.NewWriter(w)
	if err != nil {
		return err
	}
	at := 0
	err = strategy.Aggregate(ctx, d.Contract.Size(), base, updates, func(values []float32) error {
		if err := d.Contract.CheckFinite(values, at); err != nil {
			return err
		}
		at += len(values)
		return out.WriteFloat32(values)
	})
	if err != nil {
		return err
	}
	return out.Close()
}
