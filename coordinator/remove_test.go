package coordinator

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/fault"
)

// shelf publishes runs, in so much time, and keeps which it has published.
type shelf struct {
	takes time.Duration
	err   error // of Remove

	mu   sync.Mutex
	runs map[string]int // versions, by name
}

func (s *shelf) Publish(_ context.Context, p Publication) error {
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[p.Definition.Name]++
	return nil
}

func (s *shelf) Has(run string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[run] > 0, nil
}

func (s *shelf) Remove(run string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		delete(s.runs, run)
	}
	return s.err
}

// on puts the shelf into a coordinator's options.
func (s *shelf) on(o *Options) { o.Publisher, o.Results = s, s }

func (w *world) names() []string {
	var names []string
	for _, e := range w.List(0, 99, false) {
		names = append(names, e.State.Run)
	}
	return names
}

// A run that was removed is gone, from the spool, too, and after a restart; its name
// is free once what it published is gone.
func TestRemove(t *testing.T) {
	dir, shelf := t.TempDir(), &shelf{runs: map[string]int{}}
	w := start(t, dir, nil, shelf.on)
	defer func() { w.close() }()
	leave := attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))
	waits := definition(1)
	waits.Name, waits.MinSites = "waits", 99
	if err := errors.Join(w.submit(definition(2), params(1, 2, 3, 4)), w.submit(waits, params(5))); err != nil {
		t.Fatal(err)
	}
	first := w.end("r")
	for name, want := range map[string]error{"waits": fault.Input, "nobody": ErrNoRun} {
		if _, err := w.Remove(t.Context(), name, "carol", true); !errors.Is(err, want) || !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	kept, err := w.Remove(t.Context(), "r", "carol", false)
	if err != nil || !kept {
		t.Fatalf("got kept %t (%v), want it kept", kept, err)
	}
	if _, ok := w.Spool().Has(first.Model); ok {
		t.Error("its model is still in the spool")
	}
	// A reply that was on its way to the loop meanwhile is late, as for any round that is over.
	late := round.Answered{Task: "r/1.0/train/x", Participant: "x", Outcome: round.Refused, At: now()}
	if receipt, err := w.record(t.Context(), input{run: "r", event: late}, late); err != nil || receipt.Verdict != "late" {
		t.Errorf("a reply to a removed run: got %+v (%v), want it late", receipt, err)
	}
	for range 2 {
		if _, err := w.Status("r"); !errors.Is(err, ErrNoRun) || !slices.Equal(w.names(), []string{"waits"}) {
			t.Errorf("got runs %v (%v), want the other alone", w.names(), err)
		}
		if err := w.submit(definition(1), params()); !errors.Is(err, fault.Exists) {
			t.Errorf("another of the name: got %v, want class fault.Exists", err)
		}
		leave()
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		w = start(t, dir, nil, shelf.on)
		leave = attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))
	}
	defer func() { leave() }()
	if err := shelf.Remove("r"); err != nil { // as an operator would, with rm
		t.Fatal(err)
	}
	if err := w.submit(definition(3), params(1, 2, 3, 4)); err != nil {
		t.Fatal(err)
	}
	if second := w.end("r"); second.Phase != round.Completed || second.Versions != 3 || shelf.runs["r"] != 3 {
		t.Errorf("got %+v and %d published, want a run of three rounds", second, shelf.runs["r"])
	}
	leave()
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	w = start(t, dir, nil, shelf.on)
	if !slices.Equal(w.names(), []string{"r", "waits"}) {
		t.Errorf("after a restart: got runs %v, want the second of its name to be the newest", w.names())
	}
	if kept, err := w.Remove(t.Context(), "r", "carol", true); err != nil || kept || len(shelf.runs) > 0 {
		t.Errorf("with its files: got kept %t (%v) and %v", kept, err, shelf.runs)
	}
}

// Files that cannot be removed leave the run where it is.
func TestRemoveThatFails(t *testing.T) {
	shelf := &shelf{runs: map[string]int{}, err: errors.New("read-only file system")}
	w := start(t, t.TempDir(), nil, shelf.on)
	defer w.close()
	if err := errors.Join(w.submit(definition(1), params()), w.Stop(t.Context(), "r", "")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Remove(t.Context(), "r", "carol", true); !errors.Is(err, shelf.err) {
		t.Errorf("got %v, want %v", err, shelf.err)
	}
	if !slices.Equal(w.names(), []string{"r"}) {
		t.Errorf("got runs %v, want it to be there", w.names())
	}
}

// A version that is being published when its run is stopped is out before the run's
// files are removed, so that none comes back.
func TestRemoveWaitsForAPublication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shelf := &shelf{runs: map[string]int{}, takes: time.Hour}
		w := start(t, t.TempDir(), nil, shelf.on)
		defer w.close()
		defer attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))()
		if err := w.submit(definition(1), params()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s, err := w.Status("r"); err != nil || s.Phase != round.Publishing {
			t.Fatalf("got %+v (%v), want it publishing", s, err)
		}
		if err := w.Stop(t.Context(), "r", ""); err != nil {
			t.Fatal(err)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := w.Remove(impatient, "r", "", true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v while a version is being published", err)
		}
		if kept, err := w.Remove(t.Context(), "r", "", true); err != nil || kept {
			t.Errorf("got kept %t (%v), want nothing to be left", kept, err)
		}
	})
}
