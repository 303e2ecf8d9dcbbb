package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

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

// again reports whether what ended with err is to be tried again now: the disk
// may have recovered. It pauses before. Any other err, nil among them, ends the
// wait, as ctx does.
func (w *wait) again(ctx context.Context, err error) bool {
	now := time.Now()
	if !disk.Passing(err) {
		if !w.since.IsZero() {
			w.log.Info("the disk works again", zap.Duration("waited", now.Sub(w.since).Round(time.Millisecond)))
		}
		return false
	}
	if w.since.IsZero() {
		w.since = now
	}
	if now.Sub(w.told) >= tellEvery {
		w.told = now
		w.log.Error("waiting for the disk", zap.Error(err))
	}
	timer := time.NewTimer(w.pauses.NextBackOff())
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// persist makes records durable, all or none, and at the same time the artefacts
// that they name. It waits for the disk: until then nothing that follows from them
// happens.
func (c *Coordinator) persist(ctx context.Context, b *changes) error {
	flushed := make(chan error, 1)
	if len(b.artefacts) > 0 {
		go func() { flushed <- c.flush(ctx, b.artefacts) }() // awaited below
	} else {
		flushed <- nil
	}
	w := newWait(c.log.With(zap.String("for", "the journal")))
	for {
		err := c.o.Journal.Append(ctx, c.head, b.records)
		if !w.again(ctx, err) {
			return errors.Join(err, <-flushed)
		}
	}
}

// flush makes artefacts durable. One that is lost is found again to be so by
// whoever needs it, and asked for or made again.
func (c *Coordinator) flush(ctx context.Context, digests []string) error {
	w := newWait(c.log.With(zap.String("for", "the spool")))
	for {
		err := c.o.Spool.Flush(digests)
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
