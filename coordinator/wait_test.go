package coordinator

import (
	"context"
	"io/fs"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
)

// fullUntil is a disk that is full until a time.
type fullUntil struct {
	journal.Store
	until   atomic.Int64 // Unix time, in nanoseconds
	refused atomic.Int64
}

func (f *fullUntil) error() error {
	if time.Now().UnixNano() < f.until.Load() {
		f.refused.Add(1)
		return &fs.PathError{Op: "write", Path: "journal.jsonl", Err: syscall.ENOSPC}
	}
	return nil
}

func (f *fullUntil) Append(ctx context.Context, head uint64, records []journal.Record) error {
	if err := f.error(); err != nil {
		return err
	}
	return f.Store.Append(ctx, head, records)
}

func (f *fullUntil) Publish(context.Context, Publication) error { return f.error() }

// A disk that is full for minutes costs neither a retry nor the run, and
// nobody need do anything when there is space again.
func TestFullDiskIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disks := map[string]*fullUntil{"journal": {}, "publication": {}}
		w := start(t, t.TempDir(), func(s journal.Store) journal.Store {
			disks["journal"].Store = s
			return disks["journal"]
		}, func(o *Options) { o.Publisher = disks["publication"] })
		leave := attend(t.Context(), w.site("a", 1), w.site("b", 2), w.site("c", 3))
		d := definition(2)
		d.Retries = 0
		if err := w.submit(d, params(0, 0, 0, 0)); err != nil {
			t.Fatal(err)
		}
		disks["journal"].until.Store(time.Now().Add(2 * time.Minute).UnixNano())
		disks["publication"].until.Store(time.Now().Add(4 * time.Minute).UnixNano())
		if last := w.end("r"); last.Phase != round.Completed || len(last.Published) != 2 || last.Counts.Accepted != 6 {
			t.Errorf("the run ended %+v, want it complete with 2 versions of 3 answers each", last)
		}
		leave()
		if err := w.close(); err != nil {
			t.Error(err)
		}
		for name, full := range disks {
			// At most one try each five seconds, once the pauses have grown.
			if n := full.refused.Load(); n < 2 || n > 60 {
				t.Errorf("%s: the full disk was tried %d times in some minutes, want a few", name, n)
			}
		}
	})
}
