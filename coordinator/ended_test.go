package coordinator

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
)

// checkReferences compares the counts of references, and the list of unfinished
// runs, with what all runs' states say. The loop calls it after each event.
func checkReferences(t *testing.T, c *Coordinator) {
	t.Helper()
	want, unfinished := references{}, []string(nil)
	for _, r := range c.order {
		s := r.state
		want.add(c.needed(s))
		if !s.Phase.Final() {
			unfinished = append(unfinished, s.Run)
		}
	}
	if diff := cmp.Diff(want, c.references); diff != "" {
		t.Errorf("references differ (-states +counts):\n%s", diff)
	}
	var listed []string
	for _, r := range c.unfinished {
		listed = append(listed, r.state.Run)
	}
	if diff := cmp.Diff(unfinished, listed); diff != "" {
		t.Errorf("unfinished runs differ (-states +list):\n%s", diff)
	}
}

// discarding is a Publisher that takes everything.
type discarding struct{}

func (discarding) Publish(context.Context, Publication) error { return nil }

// The spool keeps nothing of a run that has ended and is published elsewhere,
// however it ended; nor does it after a restart.
func TestSpoolKeepsNothingOfEndedRuns(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options func(*Options)
		want    int // artefacts, of three runs
	}{
		{"published", func(o *Options) { o.Publisher = discarding{} }, 0},
		{"published, the best kept", func(o *Options) { o.Publisher, o.KeepBest = discarding{}, true }, 1},
		{"published, all kept", func(o *Options) { o.Publisher, o.KeepVersions = discarding{}, true }, 2},
		{"in the spool alone", func(*Options) {}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			w := start(t, dir, nil, tt.options)
			defer w.close()
			declining := w.site("z", 1)
			declining.reply = func(task exchange.Task) exchange.Reply {
				if task.Run == "failing" {
					return exchange.Reply{Task: task.ID, Outcome: exchange.Declined, Reason: "no"}
				}
				return declining.honest(task)
			}
			defer attend(t.Context(), w.site("x", 1), w.site("y", 2), declining)()
			failing, waiting := definition(1), definition(1)
			failing.Name, failing.Window.Minimum, failing.Retries = "failing", 3, 0
			waiting.Name, waiting.MinSites = "waiting", 9
			if err := errors.Join(w.submit(definition(2), params(1, 2, 3, 4)), w.submit(failing, params(2)), w.submit(waiting, params(3))); err != nil {
				t.Fatal(err)
			}
			if r, f := w.end("r"), w.end("failing"); r.Phase != round.Completed || f.Phase != round.Failed {
				t.Errorf("got %+v and %+v, want one completed and one failed", r, f)
			}
			if err := w.Stop(t.Context(), "waiting", "enough"); err != nil {
				t.Fatal(err)
			}
			check := func(w *world) {
				if digests, err := w.Spool().List(); err != nil || len(digests) != tt.want || len(w.references) != tt.want {
					t.Errorf("the spool holds %d artefacts (%v), %d of them needed; want %d", len(digests), err, len(w.references), tt.want)
				}
			}
			if err := w.close(); err != nil {
				t.Fatal(err)
			}
			check(w)
			w = start(t, dir, nil, tt.options)
			defer w.close()
			check(w)
		})
	}
}

// What a round costs does not depend on how many runs have ended before it.
func TestEndedRunsCostARoundNothing(t *testing.T) {
	cost := func(ended int) uint64 {
		w := start(t, t.TempDir(), nil, func(o *Options) { o.Publisher = discarding{} })
		defer w.close()
		c := w.Coordinator
		for n := range ended {
			name := fmt.Sprintf("ended-%d", n)
			if err := errors.Join(w.submit(named(name), params()), w.Stop(t.Context(), name, "enough")); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.submit(named("r"), params(1)); err != nil {
			t.Fatal(err)
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		// The loop has stopped: its work is done here, and counted.
		run := c.runs["r"]
		run.active = &active{}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s := stepped{in: input{run: "r", event: round.Answered{}}, before: run.state.Phase, state: run.state}
		for range 100 {
			c.refer(run.state, s)
			if err := c.sweepPartials(); err != nil {
				t.Fatal(err)
			}
			if got := c.activeRuns(); len(got) != 1 || len(c.unfinished) != 1 || len(c.references) != 1 || !c.Offered(run.state.Model) {
				t.Fatalf("%d active of %d unfinished runs, %d artefacts needed; want one of each", len(got), len(c.unfinished), len(c.references))
			}
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	if none, many := cost(0), cost(200); many > 2*none+100 {
		t.Errorf("%d allocations after 200 runs, %d after none", many, none)
	}
}

// named is a run that waits for sites.
func named(name string) Definition {
	d := definition(1)
	d.Name = name
	return d
}
