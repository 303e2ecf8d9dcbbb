package participant

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/spool"
)

// syncAfter, or up to twice that, is how long a finished update waits for its
// receipt before the disk is made to keep it. Most receipts come before, and the
// files go unsynced: what a power cut takes within that time is trained again. The
// end of the process takes nothing.
const syncAfter = time.Second

// keepSafe writes what the disk did not take at once, and makes durable what
// stays in the outbox, until ctx ends, whose error it returns. It waits for the
// disk.
func (s *state) keepSafe(ctx context.Context) error {
	for {
		select {
		case <-s.outbox.added:
		case <-ctx.Done():
			return ctx.Err()
		}
		for more := true; more; {
			if !sleep(ctx, syncAfter) {
				return ctx.Err()
			}
			err := s.patience.retry(ctx, func() (err error) {
				more, err = s.sync(time.Now().Add(-syncAfter))
				return err
			})
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return err
			}
		}
	}
}

// sync makes durable what has been in the outbox since then, and reports whether
// there is more.
func (s *state) sync(until time.Time) (more bool, err error) {
	if err := s.outbox.flush(); err != nil {
		return true, err
	}
	due, more := s.outbox.unsynced(until)
	for _, e := range due {
		if err := s.syncOne(e); err != nil {
			s.outbox.settle(e.number, false)
			return true, fmt.Errorf("keep the reply to %s: %w", e.Task, err)
		}
		s.outbox.settle(e.number, true)
	}
	return more, nil
}

// syncOne makes a reply durable, after what it names. What is gone has been
// acknowledged meanwhile, or is missed when it is to be sent.
func (s *state) syncOne(e entry) error {
	if e.Update != nil {
		for _, a := range e.Update.Artefacts {
			if err := s.spool.Sync(a.Digest); err != nil && !errors.Is(err, spool.ErrNotFound) {
				return err
			}
		}
	}
	if err := atomicfile.On(s.disk).Sync(s.outbox.path(e.Task)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// mend removes replies whose artefacts a power cut has taken, unsynced as they
// were.
func (s *state) mend() error {
	for _, e := range s.outbox.all() {
		if e.Update == nil {
			continue
		}
		for _, a := range e.Update.Artefacts {
			if _, ok := s.spool.Has(a.Digest); ok {
				continue
			}
			if err := s.outbox.remove(e.Task); err != nil { // the coordinator asks again
				return err
			}
		}
	}
	return nil
}
