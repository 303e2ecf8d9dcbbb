package coordinator

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/accord-fl/accord/coordinator/round"
)

// change is what a call of Since came to.
type change struct {
	state round.State
	seq   uint64
	err   error
}

// since calls Since beside the test; the channel has what it returns.
func (w *world) since(ctx context.Context, name string, seq uint64) <-chan change {
	came := make(chan change, 1)
	go func() {
		state, last, err := w.Since(ctx, name, seq)
		came <- change{state, last, err}
	}()
	return came
}

func TestSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, nil)
		defer w.close()
		if err := w.submit(definition(3), params()); err != nil {
			t.Fatal(err)
		}
		first := <-w.since(t.Context(), "r", 0)
		if first.err != nil || first.state.Phase != round.Selecting {
			t.Fatalf("got %+v, want how the run stands now", first)
		}
		slow := first.seq // a reader that looks again when all is over
		next := w.since(t.Context(), "r", first.seq)
		ctx, cancel := context.WithCancel(t.Context())
		patient := w.since(ctx, "r", first.seq)
		synctest.Wait()
		select {
		case c := <-next:
			t.Fatalf("got %+v before there was a change", c)
		default:
		}
		cancel()
		if c := <-patient; !errors.Is(c.err, context.Canceled) {
			t.Errorf("a reader that gives up: got %v", c.err)
		}
		leave := attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))
		if c := <-next; c.err != nil || c.seq <= first.seq {
			t.Errorf("got %+v, want the next change", c)
		}
		w.end("r")
		leave()
		last := <-w.since(t.Context(), "r", slow)
		if last.err != nil || last.state.Phase != round.Completed || last.state.Published.Len() != 3 {
			t.Errorf("got %+v, want the run's end with all versions", last)
		}
		// A number of a later life, which a restore has made unknown, is no reason to wait.
		if c := <-w.since(t.Context(), "r", last.seq+9); c.seq != last.seq {
			t.Errorf("a number from the future: got %+v", c)
		}
		removed := w.since(t.Context(), "r", last.seq)
		synctest.Wait()
		if _, err := w.Remove(t.Context(), "r", "carol", false); err != nil {
			t.Fatal(err)
		}
		if c := <-removed; !errors.Is(c.err, ErrNoRun) {
			t.Errorf("of a run that is removed: got %v, want %v", c.err, ErrNoRun)
		}
	})
}

// Numbers of changes last longer than the process; one that stops tells who waits.
func TestSinceOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := start(t, dir, nil, nil)
		if err := w.submit(definition(1), params()); err != nil {
			t.Fatal(err)
		}
		first := <-w.since(t.Context(), "r", 0)
		next := w.since(t.Context(), "r", first.seq)
		synctest.Wait()
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		if c := <-next; !errors.Is(c.err, ErrClosed) {
			t.Errorf("got %v, want %v", c.err, ErrClosed)
		}
		w = start(t, dir, nil, nil)
		defer w.close()
		next = w.since(t.Context(), "r", first.seq)
		synctest.Wait()
		if err := w.Stop(t.Context(), "r", ""); err != nil {
			t.Fatal(err)
		}
		if c := <-next; c.err != nil || c.state.Phase != round.Stopped {
			t.Errorf("got %+v, want the stop", c)
		}
	})
}

// ended is a coordinator of so many runs that have ended, each with so many
// versions.
func ended(count, versions int) *Coordinator {
	var history []round.Version
	for n := range versions {
		history = append(history, round.Version{Round: n + 1})
	}
	c := &Coordinator{runs: map[string]*run{}, done: make(chan struct{})}
	for n := range count {
		name := fmt.Sprintf("run-%05d", n)
		c.runs[name] = &run{number: uint64(10*n + 1), seq: uint64(10*n + 9), state: round.State{
			Run: name, Phase: round.Completed, Published: round.HistoryOf(history...),
		}}
		c.order = append(c.order, c.runs[name])
	}
	return c
}

// A change costs nothing for those who do not wait for it, and the same for those who
// do, however much was published.
func TestAChangeIsNotComputedForNobody(t *testing.T) {
	cost := func(versions int) (notified, read float64) {
		c := ended(1, versions)
		return testing.AllocsPerRun(100, func() { c.notify(c.runs["run-00000"]) }),
			testing.AllocsPerRun(100, func() {
				s, _, err := c.Since(t.Context(), "run-00000", 0)
				if summary := Summary(s); err != nil || summary.Versions != versions || len(summary.Published) != 1 {
					t.Errorf("got %+v (%v), want the newest of %d versions", summary, err, versions)
				}
			})
	}
	notified, few := cost(10)
	if notified > 0 {
		t.Errorf("a change that nobody waits for takes %g allocations", notified)
	}
	if _, many := cost(50_000); many > few {
		t.Errorf("a look takes %g allocations with 10 versions and %g with 50000", few, many)
	}
}

func TestList(t *testing.T) {
	c := ended(20_000, 1)
	goesOn := c.runs["run-00003"]
	goesOn.state.Phase = round.Selecting
	c.unfinished = append(c.unfinished, goesOn)
	c.drop("run-19998", c.runs["run-19998"])
	for _, tt := range []struct {
		name   string
		before uint64
		limit  int
		active bool
		want   []string
	}{
		{"the newest", 0, 2, false, []string{"run-19999", "run-19997"}},
		{"those before", 199_971, 2, false, []string{"run-19996", "run-19995"}},
		{"those before one that was removed", 199_981, 1, false, []string{"run-19997"}},
		{"the oldest", 11, 5, false, []string{"run-00000"}},
		{"before the oldest", 1, 5, false, nil},
		{"those that go on", 0, 5, true, []string{"run-00003"}},
	} {
		var got []string
		for _, e := range c.List(tt.before, tt.limit, tt.active) {
			got = append(got, e.State.Run)
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	const page = 500
	if allocations := testing.AllocsPerRun(10, func() { c.List(0, page, false) }); allocations > page/10 {
		t.Errorf("a page of %d runs takes %g allocations", page, allocations)
	}
}
