package coordinator

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
)

// eager is a journal whose compaction is always due. It remembers what was ever
// appended.
type eager struct {
	*journal.File
	all *[]journal.Record
}

func (e eager) Due() bool { return true }

func (e eager) Append(ctx context.Context, head uint64, records []journal.Record) error {
	err := e.File.Append(ctx, head, records)
	if err == nil {
		*e.all = append(*e.all, records...)
	}
	return err
}

// frozenRuns are what is known of all runs.
func frozenRuns(t *testing.T, c *Coordinator) map[string]string {
	t.Helper()
	c.order = slices.SortedFunc(maps.Values(c.runs), func(a, b *run) int { return int(a.number) - int(b.number) })
	records, err := c.snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, r := range records {
		all[r.Run] = string(r.Data)
	}
	return all
}

// However often the journal is compacted, and wherever the coordinator is started
// again, runs lead to the same models, and the journal to the same states as all
// that was ever appended to it.
func TestCompactionChangesNoRun(t *testing.T) {
	models := func(t *testing.T, wrap func(journal.Store) journal.Store, restarts int) (dir string, published map[string][]string) {
		t.Helper()
		dir, published = t.TempDir(), map[string][]string{}
		w := start(t, dir, wrap, nil)
		runs := []string{"first", "second", "third"}
		for i, name := range runs {
			d := definition(3)
			d.Name, d.Seed = name, uint64(i)
			if err := w.submit(d, params(1, 2, 3, float32(i))); err != nil {
				t.Fatal(err)
			}
		}
		for life := 0; ; life++ {
			bad := w.site("z", 6)
			bad.reply = func(task exchange.Task) exchange.Reply {
				if task.Round == 2 && !strings.Contains(task.ID, "/2.1/") {
					return exchange.Reply{Task: task.ID, Outcome: exchange.Declined, Reason: "not now", Later: true}
				}
				return bad.honest(task)
			}
			ctx, cancel := context.WithCancel(t.Context())
			leave := attend(ctx, w.site("x", 1), w.site("y", 2), bad)
			if life < restarts {
				if _, seq, err := w.Since(ctx, "second", 0); err != nil {
					t.Fatal(err)
				} else if _, _, err = w.Since(ctx, "second", seq); err != nil {
					t.Fatal(err)
				}
			} else {
				for _, name := range runs {
					s := w.end(name)
					if s.Phase != round.Completed {
						t.Errorf("%s: got %+v", name, s)
					}
					for _, v := range s.Published {
						published[name] = append(published[name], v.Model)
					}
				}
			}
			err := w.close()
			cancel()
			leave()
			if err != nil {
				t.Fatal(err)
			}
			if life == restarts {
				return dir, published
			}
			w = start(t, dir, wrap, nil)
		}
	}
	_, want := models(t, nil, 0)
	var all []journal.Record
	dir, got := models(t, func(s journal.Store) journal.Store { return eager{s.(*journal.File), &all} }, 4)
	for name, versions := range want {
		if !slices.Equal(got[name], versions) {
			t.Errorf("%s: got models %v, want %v", name, got[name], versions)
		}
	}

	whole := &Coordinator{runs: map[string]*run{}}
	for _, rec := range all {
		if err := whole.replay(rec); err != nil {
			t.Fatalf("record %d: %v", rec.Seq, err)
		}
	}
	again := start(t, dir, nil, nil)
	defer again.close()
	for name, state := range frozenRuns(t, whole) {
		if now := frozenRuns(t, again.Coordinator)[name]; now != state {
			t.Errorf("run %s from a snapshot is\n%s, and from all records\n%s", name, now, state)
		}
	}
	if len(again.runs) != len(want) {
		t.Errorf("%d runs, want %d", len(again.runs), len(want))
	}
}

// Of a run that was removed a compaction leaves nothing that names it.
func TestCompactionForgetsRemovedRuns(t *testing.T) {
	dir := t.TempDir()
	w := start(t, dir, nil, nil)
	for _, name := range []string{"kept", "first-try"} {
		d := definition(1)
		d.Name = name
		if err := w.submit(d, params()); err != nil {
			t.Fatal(err)
		}
		if err := w.Stop(t.Context(), name, "enough"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Remove(t.Context(), "first-try", "carol", false); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal.jsonl")
	mentions := func(name string) bool {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(data, []byte(`"`+name+`"`))
	}
	if !mentions("first-try") {
		t.Fatal("the journal never named the run")
	}
	file, err := journal.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c, err := New(t.Context(), Options{Journal: file, Spool: w.o.Spool, Log: w.log})
	if err != nil {
		t.Fatal(err)
	}
	done, err := c.Compact(t.Context())
	if err != nil || done.Removed < 5 || done.Head != c.head {
		t.Errorf("got %+v, error %v, head %d", done, err, c.head)
	}
	if mentions("first-try") || !mentions("kept") {
		t.Error("the journal names the run that was removed, or not the one that was kept")
	}
}

// failing is a journal that cannot be compacted now.
type failing struct {
	journal.Store
	tries *[]time.Time
}

func (f failing) Due() bool { return true }

func (f failing) Prepare(context.Context) error { return nil }

func (f failing) Compact(context.Context, uint64, []journal.Record) (journal.Compaction, error) {
	*f.tries = append(*f.tries, time.Now())
	return journal.Compaction{}, &fs.PathError{Op: "write", Err: syscall.ENOSPC}
}

// A compaction that fails holds nothing up, and is tried again after a while.
func TestACompactionThatFailsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Time
		w := start(t, t.TempDir(), func(s journal.Store) journal.Store { return failing{s, &tries} }, nil)
		defer w.close()
		leave := attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))
		defer leave()
		for i, name := range []string{"a", "b", "c"} {
			d := definition(2)
			d.Name = name
			if err := w.submit(d, params()); err != nil {
				t.Fatal(err)
			}
			if s := w.end(name); s.Phase != round.Completed {
				t.Errorf("got %+v", s)
			}
			synctest.Wait()
			if len(tries) != i+1 {
				t.Errorf("%d tries after run %s, want %d", len(tries), name, i+1)
			}
			time.Sleep(compactAgain)
		}
	})
}

// A snapshot that this coordinator cannot take in stops the start.
func TestSnapshotsThatAreWrong(t *testing.T) {
	state, _, err := round.Step(round.State{}, round.Submitted{Run: "r", Config: definition(1).config(), Definition: []byte(`{"name":"r"}`)})
	if err != nil {
		t.Fatal(err)
	}
	c := &Coordinator{runs: map[string]*run{"r": {state: state, number: 3, seq: 4}}}
	c.order = []*run{c.runs["r"]}
	records, err := c.snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	good := records[0]
	if err := (&Coordinator{runs: map[string]*run{}}).replay(good); err != nil {
		t.Errorf("a good one: %v", err)
	}
	other := good
	other.Run = "other"
	broken := good
	broken.Data = good.Data[:len(good.Data)-1]
	foreign := good
	foreign.Data = bytes.Replace(good.Data, []byte(`"selecting"`), []byte(`"dreaming"`), 1)
	for name, err := range map[string]error{
		"a run twice":      c.replay(good),
		"another run":      c.replay(other),
		"half of it":       (&Coordinator{runs: map[string]*run{}}).replay(broken),
		"an unknown phase": (&Coordinator{runs: map[string]*run{}}).replay(foreign),
	} {
		if err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
