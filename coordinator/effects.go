package coordinator

import (
	"context"
	"errors"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// Evaluator measures a model.
type Evaluator interface {
	// Evaluate is called for one model at a time. spec is nil where only the
	// contract is known; an evaluator that cannot measure such a model
	// returns an empty Measurement.
	Evaluate(ctx context.Context, spec *model.Spec, f *model.File) (Measurement, error)
}

// Measurement of a model. A nil field was not measured.
type Measurement struct {
	Test       *train.Evaluation
	Validation *train.Evaluation
	// NoLoss says that nobody measured Test.Loss. Otherwise a loss that is not
	// finite ends the run as diverged.
	NoLoss bool
}

// Publisher makes versions visible outside the coordinator.
type Publisher interface {
	// Publish is called once for each version, in order, and again for the
	// last one after a crash. It must be idempotent.
	Publish(ctx context.Context, p Publication) error
}

// Publication is a version to publish.
type Publication struct {
	Definition  Definition
	Version     round.Version
	Measurement Measurement
	// Best tells that this version is the one to hand out now: see
	// round.State.Candidate.
	Best    bool
	Updates []round.Task // that it was made of, sorted by participant
	// Told is what the updates told beside their artefacts, by task. After a
	// crash some may be missing.
	Told   map[string]exchange.Update
	Parent string      // digest of the model that the round started from
	Model  io.ReaderAt // the safetensors file
	Bytes  int64
	// Training is how long the round's windows were open, Elapsed how long
	// this process has had the run; 0: not known.
	Training, Elapsed time.Duration
}

// execute carries out one effect of an active run, without blocking the loop.
// Of a run whose turn has not come only what needs no turn: answers to what was
// asked before a restart may arrive. The rest is pending.
func (c *Coordinator) execute(r *run, in input, e round.Effect) {
	switch e := e.(type) {
	case round.Acknowledge:
		c.acknowledge(r, in, e)
	case round.Withdraw:
		for _, t := range e.Tasks {
			if l, ok := c.roster.get(t.Participant); ok {
				l.Cancel(t.ID, e.Reason)
			}
		}
	default:
		if r.active != nil {
			c.progress(r, e)
		}
	}
}

// acknowledge tells a participant what became of its answer.
func (c *Coordinator) acknowledge(r *run, in input, e round.Acknowledge) {
	if e.Verdict == round.VerdictAccepted && in.update != nil {
		if r.updates == nil {
			r.updates = map[string]exchange.Update{}
		}
		r.updates[e.Task] = *in.update
	}
	in.tell(answer{verdict: e.Verdict, reason: e.Reason})
}

// progress carries out what takes an active run further.
func (c *Coordinator) progress(r *run, e round.Effect) {
	switch e := e.(type) {
	case round.Select:
		r.active.selection, r.active.since, r.active.told = &e, time.Now(), -1
		for _, begin := range []time.Time{r.active.since, c.roster.lastLeft()} {
			c.after(c.o.Grace-time.Since(begin), input{}) // any input lets the loop look again
		}
		c.trySelect(r)
	case round.Offer:
		c.offer(r, e)
	case round.Replace:
		c.replace(r, e)
	case round.Arm:
		if r.active.timer != nil {
			r.active.timer.Stop()
		}
		// A deadline of before a restart is only as good as the clock was then.
		wait := min(time.Until(e.At), r.state.LongestWait())
		r.active.timer = c.after(wait, input{run: r.state.Run, event: round.DeadlinePassed(e)})
	case round.Aggregate:
		c.background(r, "aggregate", e.Round, e.Attempt, func(ctx context.Context) (round.Event, error) {
			return c.combine(ctx, r.definition, e)
		})
	case round.Evaluate:
		c.background(r, "evaluate", e.Round, e.Attempt, func(ctx context.Context) (round.Event, error) {
			m, err := c.measured(ctx, r, e.Model)
			return evaluated(e, m, err)
		})
	case round.Publish:
		c.publish(r, e)
	}
}

// background runs work beside the loop; its event, or its failure, comes back.
// Work that the local disk hinders is done again until it does not.
func (c *Coordinator) background(r *run, name string, rnd, attempt int, work func(context.Context) (round.Event, error)) {
	ctx, run := r.active.ctx, r.state.Run
	r.effects.Add(1)
	c.work.Go(func() {
		defer r.effects.Done()
		var event round.Event
		var err error
		for w := newWait(c.log.With(zap.String("for", name), zap.String("run", run))); ; {
			if event, err = work(ctx); !w.again(ctx, err) {
				break
			}
		}
		if ctx.Err() != nil {
			c.pins.unpin(pinned(event))
			return // the run or the coordinator ended; a restart does it again
		}
		if errors.Is(err, errReported) {
			return
		}
		if err != nil {
			c.log.Error("effect failed", zap.String("run", run), zap.Int("round", rnd), zap.String("effect", name), zap.Error(err))
			event = round.EffectFailed{Round: rnd, Attempt: attempt, Effect: name, Reason: err.Error(), At: now()}
		}
		_ = c.post(ctx, input{run: run, event: event}) // fails only at the end of run or coordinator
	})
}

// offer hands a task to its participant; one who is away gets it when back.
func (c *Coordinator) offer(r *run, o round.Offer) {
	l, ok := c.roster.get(o.Task.Participant)
	if !ok {
		c.watchAbsence(o.Task.Participant, c.o.Away)
		return
	}
	size, ok := c.o.Spool.Sound(o.Model)
	if !ok {
		c.want(o.Model) // all are offered once it is there
		return
	}
	l.Offer(r.definition.task(o, r.state.Seats(), r.state.Minimum(), size))
}

// publish hands a version to the publisher.
func (c *Coordinator) publish(r *run, e round.Publish) {
	p := Publication{
		Definition: r.definition, Version: e.Version, Best: r.state.Leads(e.Version),
		Updates: e.Updates, Told: map[string]exchange.Update{}, Parent: e.Parent, Training: r.training[e.Round], Elapsed: time.Since(r.began),
	}
	for _, t := range e.Updates {
		if u, ok := r.updates[t.ID]; ok {
			p.Told[t.ID] = u
		}
	}
	c.background(r, "publish", e.Round, e.Attempt, func(ctx context.Context) (_ round.Event, err error) {
		done := round.Published{Round: e.Round, Attempt: e.Attempt, Model: e.Version.Model}
		if c.o.Publisher == nil {
			return done, nil
		}
		if p.Measurement, err = c.measured(ctx, r, e.Version.Model); err != nil {
			return nil, err
		}
		return done, c.reading(ctx, e.Version.Model, func(b *spool.Blob) error {
			p.Model, p.Bytes = b, b.Size()
			return c.o.Publisher.Publish(ctx, p)
		})
	})
}
