package coordinator

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
)

// A head is anchored while Run runs; before and after it is refused at once.
func TestAnchor(t *testing.T) {
	var file *journal.File
	w := start(t, t.TempDir(), func(s journal.Store) journal.Store {
		file, _ = s.(*journal.File)
		return s
	}, nil)
	defer w.close()
	head := journal.Head{Size: 3}
	for range 2 {
		before := file.Head().Size
		<-w.running
		if err := w.Anchor(t.Context(), head); err != nil {
			t.Fatal(err)
		}
		if after := file.Head().Size; after != before+1 {
			t.Errorf("the journal has %d records after %d", after, before)
		}
	}
	d := definition(1) // the loop goes on with its own records
	if err := w.submit(d, params()); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Anchor(t.Context(), head); !errors.Is(err, ErrClosed) {
		t.Errorf("after Run: got error %v, want %v", err, ErrClosed)
	}
	again, err := journal.OpenFile(filepath.Join(w.dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	blobs, err := spool.Open(filepath.Join(w.dir, "spool"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(t.Context(), Options{Journal: again, Spool: blobs, Log: w.log})
	if err != nil {
		t.Fatal(err)
	}
	if runs := c.List(0, 10, false); len(runs) != 1 {
		t.Errorf("%d runs, want 1", len(runs))
	}
	if err := c.Anchor(t.Context(), head); !errors.Is(err, errNotRunning) {
		t.Errorf("before Run: got error %v, want %v", err, errNotRunning)
	}
}

// A folder of the version before, killed when one of two sites had answered in the
// third of eight rounds, goes on: only the other is asked in that round.
func TestAJournalOfTheVersionBeforeGoesOn(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("journal", "testdata", "v1"))); err != nil {
		t.Fatal(err)
	}
	w := start(t, dir, nil, nil)
	defer w.close()
	const name = "tiny"
	d, err := w.Definition(name)
	if err != nil {
		t.Fatal(err)
	}
	before, err := w.Status(name)
	if err != nil || before.Phase != round.Exchanging || before.Round != 3 || before.Accepted != 1 {
		t.Fatalf("got %+v, error %v, want the third round with one answer", before, err)
	}
	var sites []*site
	for _, who := range []string{"site-a", "site-b"} {
		s := w.site(who, 0)
		s.reply = func(task exchange.Task) exchange.Reply {
			if task.Round == before.Round && who == "site-a" {
				t.Errorf("%s is asked again for %s, which it had answered", who, task.ID)
			}
			delta := s.store(model.NewParams(d.Contract).Write)
			return exchange.Reply{Task: task.ID, Outcome: exchange.Done, Update: &exchange.Update{
				Task: task.ID, Base: task.Model.Digest, Artefacts: map[string]exchange.Artefact{exchange.Delta: delta}, Samples: 1, Steps: 1,
			}}
		}
		sites = append(sites, s)
	}
	defer attend(t.Context(), sites...)()
	if s := w.end(name); s.Phase != round.Completed || len(s.Published) != d.Rounds || s.Counts.Accepted != 2*d.Rounds {
		t.Errorf("got %+v, want %d versions of two updates each", s, d.Rounds)
	}
}
