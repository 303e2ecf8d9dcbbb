package participant

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant/policy"
	"github.com/accord-fl/accord/participant/trainer"
)

// Trainer trains for a task, on the site's data.
type Trainer interface {
	// Train starts from the global model and passes the trained weights, of
	// the same contract and finite, to done, which reads them before it
	// returns; its error is Train's. An error that wraps trainer.ErrDeclined
	// says that the site will not train this task. Site.Do calls it,
	// concurrently if Do is.
	Train(ctx context.Context, t exchange.Task, global *model.File, done func(trained model.Vector) error) (trainer.Result, error)
}

var (
	_ Trainer = (*trainer.Builtin)(nil)
	_ Trainer = (*trainer.Exec)(nil)
)

// Blob is an artefact to read. The reader closes it.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64 // in bytes
}

// Blobs is where a site finds global models and leaves updates. Site.Do calls
// it, concurrently if Do is.
type Blobs interface {
	// Fetch opens an artefact whose bytes are known to have a's digest.
	Fetch(ctx context.Context, a exchange.Artefact) (Blob, error)
	// Store keeps what write writes.
	Store(ctx context.Context, write func(io.Writer) error) (exchange.Artefact, error)
}

// Policy is what a site allows. Site.Do calls it once for each task that makes
// sense, before anything else is done for it, and concurrently if Do is.
type Policy interface {
	// Admit tells under what terms a task may be done. The error is a
	// *policy.Refusal when it may not.
	Admit(t exchange.Task) (policy.Terms, error)
	// Stopped is told of a task that was not done when its terms ended, and
	// returns why, a *policy.Refusal.
	Stopped(t exchange.Task) error
}

var _ Policy = (*policy.Gate)(nil)

// Site answers tasks. It is the whole of a participant but its connection, so
// that a simulation runs the same code without one. Do may be called
// concurrently when the trainer and the blobs allow it.
type Site struct {
	Name    string
	Trainer Trainer
	Blobs   Blobs
	Policy  Policy // nil: whatever is asked
	// Confide is told why a trainer failed, in words that may quote the site's
	// data or paths; the answer then says only that it did. nil: the answer
	// says why, as befits a simulation.
	Confide func(task string, err error)
}

// Do trains one task and returns the answer. What goes wrong is part of the
// answer: a task that does not suit the site is declined, one that makes no
// sense, that the training could not finish or that ctx cut short has failed,
// each with a reason. What the policy does not allow is declined, before the
// global model is fetched.
func (s *Site) Do(ctx context.Context, t exchange.Task) exchange.Reply {
	update, err := s.train(ctx, t)
	done := exchange.Reply{Task: t.ID, Outcome: exchange.Done, Update: update}
	if err == nil {
		err = done.Validate() // its numbers come from the trainer
	}
	var refusal *policy.Refusal
	switch {
	case err == nil:
		return done
	case errors.As(err, &refusal):
		return exchange.Reply{Task: t.ID, Outcome: exchange.Declined, Reason: reason(refusal), Later: refusal.Later}
	case ctx.Err() != nil:
		return exchange.Reply{Task: t.ID, Outcome: exchange.Failed, Reason: "cancelled"}
	case errors.Is(err, trainer.ErrDeclined):
		return exchange.Reply{Task: t.ID, Outcome: exchange.Declined, Reason: reason(err)}
	default:
		return exchange.Reply{Task: t.ID, Outcome: exchange.Failed, Reason: reason(err)}
	}
}

// reason fits an error into a reply. It may quote the site's own program, or what
// was offered.
func reason(err error) string { return quote.Cut(err.Error(), exchange.MaxReason) }

func (s *Site) train(ctx context.Context, t exchange.Task) (_ *exchange.Update, err error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if t.Participant != s.Name {
		return nil, fault.Inputf("task %s is for participant %s, this is %s", t.ID, t.Participant, s.Name)
	}
	terms := policy.Terms{Samples: true, Metrics: true}
	if s.Policy != nil {
		var err error
		if terms, err = s.Policy.Admit(t); err != nil {
			return nil, err
		}
	}
	if !terms.Until.IsZero() {
		open, stop := context.WithDeadlineCause(ctx, terms.Until, errTermsEnded)
		defer stop()
		ctx = open
	}
	delta, result, err := s.delta(ctx, t)
	if err != nil && errors.Is(context.Cause(ctx), errTermsEnded) {
		return nil, s.Policy.Stopped(t)
	}
	if err != nil {
		return nil, err
	}
	return answer(t, terms, delta, result), nil
}

// errTermsEnded is why a training stops whose terms have ended.
var errTermsEnded = errors.New("the policy's terms have ended")

// delta trains and stores what that added to the global model.
func (s *Site) delta(ctx context.Context, t exchange.Task) (delta exchange.Artefact, result trainer.Result, err error) {
	blob, err := s.Blobs.Fetch(ctx, t.Model)
	if err != nil {
		return delta, result, fmt.Errorf("fetch the global model: %w", err)
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	global, err := model.OpenFile(blob, blob.Size(), t.Contract)
	if err != nil {
		return delta, result, fmt.Errorf("read the global model %.12s: %w", t.Model.Digest, err)
	}
	result, err = s.Trainer.Train(ctx, t, global, func(trained model.Vector) (err error) {
		delta, err = s.Blobs.Store(ctx, func(w io.Writer) error {
			return t.Contract.Write(w, &difference{of: trained, base: global})
		})
		if err != nil {
			return fmt.Errorf("keep the update: %w", err)
		}
		return nil
	})
	if err != nil && s.Confide != nil && ctx.Err() == nil && !errors.Is(err, trainer.ErrDeclined) {
		s.Confide(t.ID, err)
		err = errors.New("the training failed; the site's log tells why")
	}
	return delta, result, err
}

// answer is the update that leaves the site: of what the training was made of,
// only what the task asks for and the terms allow. The steps go with the
// samples, which they tell to within a batch.
func answer(t exchange.Task, terms policy.Terms, delta exchange.Artefact, r trainer.Result) *exchange.Update {
	u := &exchange.Update{
		Task:      t.ID,
		Base:      t.Model.Digest,
		Artefacts: map[string]exchange.Artefact{exchange.Delta: delta},
	}
	if t.SendSamples && terms.Samples {
		u.Samples, u.Steps = r.Samples, r.Steps
	}
	if terms.Metrics {
		u.Metrics = r.Metrics
	}
	return u
}

// difference is what training added to the global model, element by element.
// One goroutine may read it.
type difference struct {
	of, base model.Vector
	buffer   []float32
}

// ReadAt implements model.Vector.
func (d *difference) ReadAt(dst []float32, off int) error {
	if len(d.buffer) < len(dst) {
		d.buffer = make([]float32, len(dst))
	}
	base := d.buffer[:len(dst)]
	if err := errors.Join(d.of.ReadAt(dst, off), d.base.ReadAt(base, off)); err != nil {
		return err
	}
	for i, b := range base {
		dst[i] -= b
	}
	return nil
}
