package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/aggregation"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// Evaluator measures a model.
type Evaluator interface {
	// Evaluate is called for one model at a time. spec is nil where only the
	// contract is known; an evaluator that can not measure such a model
	// returns an empty Measurement.
	Evaluate(ctx context.Context, spec *model.Spec, f *model.File) (Measurement, error)
}

// Measurement of a model. A nil field was not measured.
type Measurement struct {
	Test       *train.Evaluation
	Validation *train.Evaluation
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
			digest, err := c.putPinned(func() (string, error) { return c.aggregate(ctx, r.definition, e) })
			return round.Aggregated{Round: e.Round, Attempt: e.Attempt, Model: digest}, err
		})
	case round.Evaluate:
		c.background(r, "evaluate", e.Round, e.Attempt, func(ctx context.Context) (round.Event, error) {
			m, err := c.measured(ctx, r, e.Model)
			return evaluated(e, m), err
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
	size, ok := c.o.Spool.Has(o.Model)
	if !ok {
		c.log.Error("the global model is not in the spool", zap.String("model", o.Model))
		return
	}
	l.Offer(r.definition.task(o, r.state.Seats(), r.state.Minimum(), size))
}

// aggregate computes the next global model into the spool.
func (c *Coordinator) aggregate(ctx context.Context, d Definition, e round.Aggregate) (digest string, err error) {
	strategy, err := c.o.Strategy(d)
	if err != nil {
		return "", err
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
		return "", fmt.Errorf("open the global model: %w", err)
	}
	var updates []aggregation.Update
	for _, t := range e.Updates {
		v, err := read(t.Digest)
		if err != nil {
			return "", fmt.Errorf("open the update of %s: %w", t.Participant, err)
		}
		weight := 1.0
		if d.Weighted {
			weight = float64(t.Samples)
		}
		updates = append(updates, aggregation.Update{Participant: t.Participant, Task: t.ID, Weight: weight, Values: v})
	}
	digest, _, err = c.o.Spool.PutFunc(func(w io.Writer) error {
		out, err := d.Contract.NewWriter(w)
		if err != nil {
			return err
		}
		if err := strategy.Aggregate(ctx, d.Contract.Size(), base, updates, out.WriteFloat32); err != nil {
			return err
		}
		return out.Close()
	})
	return digest, err
}

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
	b, err := c.o.Spool.Open(digest)
	if err != nil {
		return Measurement{}, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	f, err := model.OpenFile(b, b.Size(), d.Contract)
	if err != nil {
		return Measurement{}, err
	}
	return c.o.Evaluator.Evaluate(ctx, d.Spec, f)
}

func evaluated(e round.Evaluate, m Measurement) round.Evaluated {
	ev := round.Evaluated{Round: e.Round, Attempt: e.Attempt}
	if m.Test != nil {
		ev.Accuracy = &m.Test.Accuracy
		// The loss of a model that diverged may be no number, which neither
		// JSON nor a reader can use.
		if loss := m.Test.Loss; !math.IsNaN(loss) && !math.IsInf(loss, 0) {
			ev.Loss = &loss
		}
	}
	if m.Validation != nil {
		ev.Validation = &m.Validation.Accuracy
	}
	return ev
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
		b, err := c.o.Spool.Open(e.Version.Model)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, b.Close()) }()
		p.Model, p.Bytes = b, b.Size()
		return done, c.o.Publisher.Publish(ctx, p)
	})
}
