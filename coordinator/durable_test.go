package coordinator

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/disk/disktest"
	"github.com/accord-fl/accord/internal/spool"
)

// syncingLater has the coordinator's spool make artefacts durable with their
// events, on a disk.
func syncingLater(t *testing.T, dir string, d disk.Disk) func(*Options) {
	return func(o *Options) {
		var err error
		if o.Spool, err = spool.Open(filepath.Join(dir, "spool"), spool.Options{Sync: true, Later: SmallArtefact, Disk: d}); err != nil {
			t.Fatal(err)
		}
	}
}

// batches is a journal.Store that notes the kinds of each batch.
type batches struct {
	journal.Store
	mu    sync.Mutex
	kinds []string
}

func (b *batches) Append(ctx context.Context, head uint64, records []journal.Record) error {
	var kinds []string
	for _, r := range records {
		kinds = append(kinds, r.Kind)
	}
	b.mu.Lock()
	b.kinds = append(b.kinds, strings.Join(kinds, " "))
	b.mu.Unlock()
	return b.Store.Append(ctx, head, records)
}

// What follows from an aggregate at once is one append with it: the cohort of the
// next round, too, which is offered the model thus after one fsync.
func TestARoundFollowsTheOneBeforeInOneBatch(t *testing.T) {
	for name, tt := range map[string]struct {
		evaluator Evaluator
		publisher Publisher
		want      []string
	}{
		"nothing is measured or published": {nil, nil, []string{"aggregated evaluated cohort_selected published", "aggregated evaluated published"}},
		"nothing is measured":              {nil, &copies{}, []string{"aggregated evaluated cohort_selected", "published", "aggregated evaluated", "published"}},
		"all is":                           {probe{}, &copies{}, []string{"aggregated cohort_selected", "evaluated", "published", "aggregated", "evaluated", "published"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &batches{}
			w := start(t, t.TempDir(), func(s journal.Store) journal.Store { b.Store = s; return b }, func(o *Options) {
				o.Evaluator, o.Publisher = tt.evaluator, tt.publisher
			})
			leave := attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))
			if err := w.submit(definition(2), params(1, 2, 3, 4)); err != nil {
				t.Fatal(err)
			}
			if last := w.end("r"); last.Phase != round.Completed {
				t.Errorf("%s: the run ended %s: %s", name, last.Phase, last.Reason)
			}
			leave()
			if err := w.close(); err != nil {
				t.Error(err)
			}
			// How answers and measurements meet in batches is chance; what follows at
			// once is not.
			var got []string
			for _, kinds := range b.kinds {
				got = append(got, strings.TrimSpace(strings.ReplaceAll(kinds, "answered", "")))
			}
			for _, want := range tt.want {
				if !slices.ContainsFunc(got, func(kinds string) bool { return strings.Contains(kinds, want) }) {
					t.Errorf("%s: got batches %q, want %q in one", name, b.kinds, want)
				}
			}
		})
	}
}

// The artefact of an event is durable when the event shows.
func TestArtefactsAreDurableWithTheirEvents(t *testing.T) {
	dir, d := t.TempDir(), disktest.New()
	var kinds atomic.Int64
	durable := func(e round.Event, digest string) {
		kinds.Add(1)
		_, log := d.Calls()
		file := slices.Index(log, "fsync "+filepath.Join(dir, "spool", digest))
		if file < 0 || !slices.Contains(log, "syncdir "+filepath.Join(dir, "spool")) {
			t.Errorf("%T: artefact %.12s is not durable: %v", e, digest, log)
		}
	}
	w := start(t, dir, nil, func(o *Options) {
		syncingLater(t, dir, d)(o)
		o.Observe = func(s round.State, e round.Event) {
			if digest := pinned(e); digest != "" {
				durable(e, digest)
			}
		}
	})
	leave := attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))
	if err := w.submit(definition(2), params(1, 2, 3, 4)); err != nil {
		t.Fatal(err)
	}
	if s := w.end("r"); s.Phase != round.Completed {
		t.Errorf("the run ended %s: %s", s.Phase, s.Reason)
	}
	leave()
	if err := w.close(); err != nil {
		t.Error(err)
	}
	if got := kinds.Load(); got != 1+6+2 {
		t.Errorf("%d artefacts, want one that was submitted, six updates and two aggregates", got)
	}
	// Each is synced once, and together with it, at most, the folder.
	_, log := d.Calls()
	files, folders := 0, 0
	for _, call := range log {
		if strings.HasPrefix(call, "fsync ") {
			files++
		}
		if strings.HasPrefix(call, "syncdir ") {
			folders++
		}
	}
	if files != 9 || folders > files {
		t.Errorf("%d files and %d folders were synced, want 9 and no more than that", files, folders)
	}
}

// reluctant is a disk of which one request to make something durable fails.
type reluctant struct {
	disk.Disk
	fails int64 // from 1
	asked atomic.Int64
}

func (d *reluctant) refuse(path string) error {
	if d.asked.Add(1) == d.fails {
		return &fs.PathError{Op: "fsync", Path: path, Err: syscall.EIO}
	}
	return nil
}

func (d *reluctant) OpenFile(path string, flag int, mode fs.FileMode) (disk.File, error) {
	f, err := d.Disk.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	return reluctantFile{f, d}, nil
}

func (d *reluctant) SyncDir(dir string) error {
	if err := d.refuse(dir); err != nil {
		return err
	}
	return d.Disk.SyncDir(dir)
}

type reluctantFile struct {
	disk.File
	disk *reluctant
}

func (f reluctantFile) Sync() error {
	if err := f.disk.refuse(f.Name()); err != nil {
		return err
	}
	return f.File.Sync()
}

// Whichever artefact cannot be made durable at first: the run waits for that, at no
// cost of a retry, and ends as it would have.
func TestAnArtefactThatIsNotDurableIsWaitedFor(t *testing.T) {
	want := []float32{10, 11, 12, 13}
	for fails := int64(1); ; fails++ {
		d := &reluctant{Disk: disk.OS(), fails: fails}
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			w := start(t, dir, nil, syncingLater(t, dir, d))
			leave := attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))
			run := definition(2)
			run.Retries = 0
			if err := w.submit(run, params(1, 2, 3, 4)); err != nil {
				t.Fatal(err)
			}
			last := w.end("r")
			if last.Phase != round.Completed || last.Attempt > 0 {
				t.Errorf("failure %d: the run ended %s: %s", fails, last.Phase, last.Reason)
			} else if diff := cmp.Diff(want, w.weights(last.Model)); diff != "" {
				t.Errorf("failure %d: weights differ (-want +got):\n%s", fails, diff)
			}
			leave()
			if err := w.close(); err != nil {
				t.Error(err)
			}
		})
		if d.asked.Load() < fails {
			return
		}
	}
}
