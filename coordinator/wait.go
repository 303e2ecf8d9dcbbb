package coordinator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/spool"
)

// The pauses between two tries of what the local disk does not allow just now,
// and how often the log says that it still does not.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
	tellEvery  = time.Minute
)

// wait tries something again and again while the local disk is full or fails.
// Such a fault is no answer of a site and no failure of a round, so it costs
// neither, and it needs nobody who starts anything again.
type wait struct {
	log    *zap.Logger // says what waits
	pauses *backoff.ExponentialBackOff
	since  time.Time // the first failure; zero: there was none
	told   time.Time
}

func newWait(log *zap.Logger) *wait {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstPause, maxPause
	return &wait{log: log, pauses: pauses}
}

// pause reports whether what ended with err is to be tried again, since the disk
// may have recovered, and after which pause. Any other err, nil among them, ends the
// wait.
func (w *wait) pause(err error) (pause time.Duration, again bool) {
	now := time.Now()
	if !disk.Passing(err) {
		if !w.since.IsZero() {
			w.log.Info("the disk works again", zap.Duration("waited", now.Sub(w.since).Round(time.Millisecond)))
		}
		return 0, false
	}
	if w.since.IsZero() {
		w.since = now
	}
	if now.Sub(w.told) >= tellEvery {
		w.told = now
		w.log.Error("waiting for the disk", zap.Error(err))
	}
	return w.pauses.NextBackOff(), true
}

// again reports whether what ended with err is to be tried again now, after a
// pause; not when ctx has ended.
func (w *wait) again(ctx context.Context, err error) bool {
	pause, again := w.pause(err)
	if !again {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// AwaitDisk does something again and again while the disk is full or fails, and
// returns the last error; log says what waits. ctx ends it, too.
func AwaitDisk(ctx context.Context, log *zap.Logger, do func() error) error {
	for w := newWait(log); ; {
		if err := do(); !w.again(ctx, err) {
			return err
		}
	}
}

// append makes the records of a batch durable, all or none, and at the same time
// the artefacts that they name. It waits for the disk: until then nothing that
// follows from them happens. Callers who can come again do not wait: see refuse.
// What comes in meanwhile, up to a batch, is later.
func (c *Coordinator) append(ctx context.Context, batch *changes) (_ *changes, later []input, err error) {
	if len(batch.records) == 0 {
		return batch, nil, nil
	}
	flushing, stop := context.WithCancel(ctx)
	defer stop()
	flushed, failing := make(chan error, 1), make(chan error, 1)
	artefacts := batch.artefacts                                     // all that what is left of the batch may name
	go func() { flushed <- c.flush(flushing, artefacts, failing) }() // awaited below
	w := newWait(c.log.With(zap.String("for", "the journal")))
	for len(batch.records) > 0 {
		err := c.o.Journal.Append(ctx, c.head, batch.records)
		pause, again := w.pause(err)
		if err == nil {
			later, err = c.flushed(ctx, flushed, failing, later)
			return batch, later, err
		}
		if !again {
			stop()
			return batch, later, errors.Join(fmt.Errorf("coordinator stops: %w", err), <-flushed)
		}
		full := fmt.Errorf("not recorded: %w", err)
		kept := make([]input, 0, len(batch.inputs))
		for _, in := range batch.inputs {
			if !c.refuse(in, full) {
				kept = append(kept, in)
			}
		}
		if len(kept) < len(batch.inputs) {
			if batch, err = c.prepare(kept); err != nil {
				stop()
				return batch, later, errors.Join(err, <-flushed)
			}
		}
		if len(batch.records) == 0 {
			break // whether the disk works again, the next batch finds out
		}
		if later, err = c.collect(ctx, pause, later, full); err != nil {
			stop()
			return batch, later, errors.Join(err, <-flushed)
		}
	}
	stop()
	if err := <-flushed; err != nil {
		c.log.Debug("not durable, and not needed any more", zap.Error(err))
	}
	return batch, later, nil
}

// flushed waits until artefacts are durable. When the disk refuses them, callers
// who can come again do not wait for that either.
func (c *Coordinator) flushed(ctx context.Context, flushed, failing <-chan error, later []input) ([]input, error) {
	var why error
	select {
	case err := <-flushed:
		return later, err
	case why = <-failing:
	}
	full := fmt.Errorf("not recorded: %w", why)
	for {
		var err error
		if later, err = c.collect(ctx, firstPause, later, full); err != nil {
			return later, errors.Join(err, <-flushed)
		}
		select {
		case err := <-flushed:
			return later, err
		default:
		}
	}
}

// collect takes what comes in during a pause; beyond a batch others wait.
func (c *Coordinator) collect(ctx context.Context, pause time.Duration, later []input, full error) ([]input, error) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		inbox := c.inbox
		if len(later) >= maxBatch {
			inbox = nil
		}
		select {
		case in := <-inbox:
			if !c.refuse(in, full) {
				later = append(later, in)
			}
		case <-timer.C:
			return later, nil
		case <-ctx.Done():
			return later, ctx.Err()
		}
	}
}

// refuse answers a request of a person or of the registry that cannot be recorded
// now, and reports whether in is one. Whoever asks learns at once that nothing has
// happened, and asks again; what belongs to a round waits.
func (c *Coordinator) refuse(in input, full error) bool {
	switch in.event.(type) {
	case round.Submitted, round.StopRequested, round.Removed:
	default:
		if in.own == nil || in.contest != nil {
			return false
		}
	}
	c.pins.unpin(pinned(in.event))
	c.discard(in.run, pinned(in.event)) // the model that a run was to start from
	in.tell(answer{err: full})
	return true
}

// flush makes artefacts durable. One that is lost is found again to be so by
// whoever needs it, and asked for or made again. The first failure that is waited
// for goes to failing, which has room for it.
func (c *Coordinator) flush(ctx context.Context, digests []string, failing chan<- error) error {
	if len(digests) == 0 {
		return nil
	}
	w := newWait(c.log.With(zap.String("for", "the spool")))
	for {
		err := c.o.Spool.Flush(digests)
		if disk.Passing(err) {
			select {
			case failing <- err:
			default: // it is known
			}
		}
		if w.again(ctx, err) {
			continue
		}
		if errors.Is(err, spool.ErrNotFound) {
			c.log.Error("an artefact was lost before it was durable", zap.Error(err))
			return nil
		}
		return err
	}
}
