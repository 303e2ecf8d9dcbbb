package participant

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/spool"
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
	// Store keeps what write writes. It may call write several times, one after
	// another.
	Store(ctx context.Context, write func(io.Writer) error) (exchange.Artefact, error)
}

// Policy is what a site allows. Site.Do calls Admit once for each task that makes
// sense, before anything else is done for it, and concurrently if Do is.
type Policy interface {
	// Admit tells under what terms a task may be done. The error is a
	// *policy.Refusal when it may not.
	Admit(t exchange.Task) (policy.Terms, error)
	// Stopped is called for a task that was admitted and not done for the reason
	// r, and returns r once that is noted.
	Stopped(t exchange.Task, r policy.Refusal) error
	// Forked is told, before anything is offered, in which incarnation the
	// coordinator's journal is: another one after each restore. Run calls it once
	// for each connection. What the disk has not allowed, disk.Passing, the next
	// Admit does first.
	Forked(incarnation string) error
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
	// Retry does something until the site's disk lets it succeed, or ctx ends; its
	// other errors it returns. nil: once.
	Retry func(ctx context.Context, do func() error) error
}

// Do trains one task and returns the answer. What goes wrong is part of the
// answer: a task that does not suit the site is declined, one that makes no
// sense, that the training could not finish or that ctx cut short has failed,
// each with a reason. What the policy does not allow is declined, before the
// global model is fetched. What the site's disk did not allow until the deadline
// is declined for now.
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
	case errors.Is(err, errDisk):
		return exchange.Reply{Task: t.ID, Outcome: exchange.Declined, Reason: errDisk.Error(), Later: true}
	case errors.Is(context.Cause(ctx), errDeadline):
		return exchange.Reply{Task: t.ID, Outcome: exchange.Failed, Reason: errDeadline.Error()}
	case ctx.Err() != nil:
		return exchange.Reply{Task: t.ID, Outcome: exchange.Failed, Reason: "cancelled"}
	case errors.Is(err, trainer.ErrDeclined):
		return exchange.Reply{Task: t.ID, Outcome: exchange.Declined, Reason: reason(err)}
	case s.Confide != nil && local(err):
		s.Confide(t.ID, err)
		return exchange.Reply{Task: t.ID, Outcome: exchange.Failed, Reason: "a file of the site's could not be read or written; the site's log says why"}
	default:
		return exchange.Reply{Task: t.ID, Outcome: exchange.Failed, Reason: reason(err), Diverged: diverged(err)}
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
		err := s.retry(ctx, func() (err error) {
			terms, err = s.Policy.Admit(t)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	open := ctx
	if !terms.Until.IsZero() {
		var stop context.CancelFunc
		open, stop = context.WithDeadlineCause(ctx, terms.Until, errTermsEnded)
		defer stop()
	}
	delta, result, err := s.delta(open, t)
	var refusal *policy.Refusal
	switch {
	case err == nil:
		return answer(t, terms, delta, result), nil
	case errors.Is(context.Cause(open), errTermsEnded):
		refusal = &policy.Refusal{Rule: policy.RuleHours, Reason: "stopped at closing time, before the training had ended", Later: true}
	case s.Policy == nil || !errors.As(err, &refusal):
		return nil, err
	}
	return nil, s.retry(ctx, func() error { return s.Policy.Stopped(t, *refusal) })
}

// retry is Retry.
func (s *Site) retry(ctx context.Context, do func() error) error {
	if s.Retry == nil {
		return do()
	}
	return s.Retry(ctx, do)
}

// errTermsEnded is why a training stops whose terms have ended.
var errTermsEnded = errors.New("the policy's terms have ended")

// errDeadline is why a training stops whose answer would come late.
var errDeadline = errors.New("the deadline passed before the training had ended")

// maxTrainings is how often a task is trained whose global model turns out to be
// damaged on the site's own disk.
const maxTrainings = 3

// delta trains and stores what that added to the global model.
func (s *Site) delta(ctx context.Context, t exchange.Task) (delta exchange.Artefact, result trainer.Result, err error) {
	for try := 1; ; try++ {
		delta, result, err = s.deltaOnce(ctx, t)
		var damaged *spool.DamagedError
		again := errors.As(err, &damaged) && damaged.Digest == t.Model.Digest && try < maxTrainings
		if !again || ctx.Err() != nil {
			return delta, result, err
		}
	}
}

// deltaOnce is delta without a second try.
func (s *Site) deltaOnce(ctx context.Context, t exchange.Task) (delta exchange.Artefact, result trainer.Result, err error) {
	blob, err := s.Blobs.Fetch(ctx, t.Model)
	if err != nil {
		return delta, result, fmt.Errorf("fetch the global model: %w", err)
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	global, err := model.OpenFile(blob, blob.Size(), t.Contract)
	if err != nil {
		return delta, result, fmt.Errorf("read the global model %.12s: %w", t.Model.Digest, err)
	}
	err = s.retry(ctx, func() (err error) {
		result, err = s.Trainer.Train(ctx, t, global, func(trained model.Vector) (err error) {
			delta, err = s.Blobs.Store(ctx, func(w io.Writer) error {
				return t.Contract.Write(w, &difference{of: trained, base: global})
			})
			if err != nil {
				return fmt.Errorf("keep the update: %w", err)
			}
			return nil
		})
		return s.confide(ctx, t, err)
	})
	return delta, result, err
}

// confide returns the error of a trainer as it may leave the site.
func (s *Site) confide(ctx context.Context, t exchange.Task, err error) error {
	if err == nil || s.Confide == nil || ctx.Err() != nil || errors.Is(err, trainer.ErrDeclined) || errors.Is(err, trainer.ErrDisk) || errors.Is(err, spool.ErrNotFound) {
		return err
	}
	s.Confide(t.ID, err)
	if diverged(err) {
		return errDiverged
	}
	return errors.New("the training failed; the site's log says why")
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
