package participant

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/accord-fl/accord/internal/atomicfile"
)

// syncAfter, or up to twice that, is how long a finished update waits for its
// receipt before the disk is made to keep it. Most receipts come before, and the
// files go unsynced: what a power cut takes within that time is trained again. The
// end of the process takes nothing.
const syncAfter = time.Second

// keepSafe makes durable what stays in the outbox, until ctx ends, whose error
// it returns, or the disk fails.
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
			var err error
			if more, err = s.sync(time.Now().Add(-syncAfter)); err != nil {
				return err
			}
		}
	}
}

// sync makes durable what has been in the outbox since then, and tells
// whether there is more.
func (s *state) sync(until time.Time) (more bool, err error) {
	replies, more := s.outbox.takeUnsynced(until)
	for _, r := range replies {
		var paths []string
		if r.Update != nil {
			for _, a := range r.Update.Artefacts {
				paths = append(paths, filepath.Join(s.spoolDir, a.Digest))
			}
		}
		for _, path := range append(paths, s.outbox.path(r.Task)) { // a reply after what it names
			if err := atomicfile.Sync(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // gone: the receipt has come
				return more, fmt.Errorf("keep the reply to %s: %w", r.Task, err)
			}
		}
	}
	return more, nil
}

// mend removes replies whose artefacts a power cut has taken, unsynced as they
// were.
func (s *state) mend() error {
	for _, r := range s.outbox.all() {
		if r.Update == nil {
			continue
		}
		for _, a := range r.Update.Artefacts {
			if _, ok := s.spool.Has(a.Digest); ok {
				continue
			}
			if err := s.outbox.remove(r.Task); err != nil { // the coordinator asks again
				return err
			}
		}
	}
	return nil
}
