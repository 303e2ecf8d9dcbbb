package coordinator

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/internal/disk"
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

// append makes records durable, all or none. It waits for the disk: until then
// nothing that follows from them happens.
func (c *Coordinator) append(ctx context.Context, records []journal.Record) error {
	w := newWait(c.log.With(zap.String("for", "the journal")))
	for {
		err := c.o.Journal.Append(ctx, c.head, records)
		if !w.again(ctx, err) {
			return err
		}
	}
}
