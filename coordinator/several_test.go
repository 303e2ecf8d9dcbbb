package coordinator

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
)

// A run that waits for sites holds no other up, and each gets what it would
// have got alone.
func TestRunsGoOnTogether(t *testing.T) {
	w := start(t, t.TempDir(), nil, nil)
	defer w.close()
	first, second := definition(2), definition(3)
	first.MinSites, second.Name = 4, "s"
	if err := errors.Join(w.submit(first, params(1, 2, 3, 4)), w.submit(second, params())); err != nil {
		t.Fatal(err)
	}
	defer attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))()
	if s := w.end("s"); s.Phase != round.Completed {
		t.Fatalf("second run: got %+v, want completed", s)
	}
	if s, err := w.Status("r"); err != nil || s.Phase != round.Selecting {
		t.Fatalf("first run: got %+v (%v), want it to wait for sites", s, err)
	}
	defer attend(t.Context(), w.site("v", 3))()
	if s := w.end("r"); s.Phase != round.Completed {
		t.Fatalf("first run: got %+v, want completed", s)
	}
	for name, want := range map[string][]float32{"r": {10, 11, 12, 13}, "s": {18, 18, 18, 18}} {
		s, err := w.Status(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, w.weights(s.Model)); diff != "" {
			t.Errorf("run %s: weights differ (-want +got):\n%s", name, diff)
		}
	}
}

// With MaxRuns the others wait in order, also for those that a restart finds;
// what sites answer meanwhile is taken.
func TestMaxRuns(t *testing.T) {
	dir := t.TempDir()
	w := start(t, dir, nil, nil)
	x := w.site("x", 1)
	detach := w.Attach(x)
	defer detach()
	for _, name := range []string{"a", "b", "c"} {
		d := definition(1)
		d.Name, d.MinSites = name, 1
		if err := w.submit(d, params()); err != nil {
			t.Fatal(err)
		}
	}
	tasks := []exchange.Task{<-x.tasks, <-x.tasks, <-x.tasks}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}

	w = start(t, dir, nil, func(o *Options) { o.MaxRuns = 1 })
	defer w.close()
	x.w = w
	for _, task := range []exchange.Task{tasks[2], tasks[1]} {
		if r, err := w.Answer(t.Context(), "x", x.honest(task)); err != nil || r.Verdict != exchange.Accepted {
			t.Errorf("answer of waiting run %s: got %+v, %v; want accepted", task.Run, r, err)
		}
		if s, err := w.Status(task.Run); err != nil || s.Phase != round.Aggregating {
			t.Errorf("waiting run %s: got %+v (%v), want it to wait before it aggregates", task.Run, s, err)
		}
	}
	if r, err := w.Answer(t.Context(), "x", x.honest(tasks[0])); err != nil || r.Verdict != exchange.Accepted {
		t.Errorf("answer of the active run: got %+v, %v; want accepted", r, err)
	}
	for _, task := range tasks {
		if s := w.end(task.Run); s.Phase != round.Completed {
			t.Errorf("run %s: got %+v, want completed", task.Run, s)
		}
	}
}

// gate is a Publisher that waits until it is open.
type gate chan struct{}

func (g gate) Publish(ctx context.Context, _ Publication) error {
	select {
	case <-g:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// An update may have the very bytes of a model that is let go just then: the
// update was looked at before, and counts after.
func TestUpdateOfAModelsBytesStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		published, heard := make(gate), make(chan struct{})
		w := start(t, t.TempDir(), nil, func(o *Options) {
			o.Publisher = published
			o.Observe = func(s round.State, e round.Event) {
				if a, ok := e.(round.Answered); ok && a.Participant == "y" && s.Round == 2 {
					<-heard // the loop hears nothing until then
				}
			}
		})
		defer w.close()
		idle := w.site("x", 0) // its updates are zeros, as is the initial model
		defer w.Attach(idle)()
		defer attend(t.Context(), w.site("y", 1))()
		d := definition(2)
		d.MinSites = 2
		if err := w.submit(d, params()); err != nil {
			t.Fatal(err)
		}
		answer := func() {
			task := <-idle.tasks
			if r, err := w.Answer(t.Context(), "x", idle.honest(task)); err != nil || r.Verdict != exchange.Accepted {
				t.Errorf("task %s: got %+v, %v; want accepted", task.ID, r, err)
			}
		}
		answer()
		synctest.Wait() // y has answered in round 2
		close(published)
		synctest.Wait() // that round 1 is published is on its way, which lets the initial model go
		go answer()
		synctest.Wait()
		close(heard)
		if s := w.end("r"); s.Phase != round.Completed || s.Counts.Accepted != 4 {
			t.Errorf("got %+v, want two rounds of two updates", s)
		}
	})
}

// What one run no longer needs stays while another's event that names it is on
// its way.
func TestPinnedArtefactStays(t *testing.T) {
	w := start(t, t.TempDir(), nil, nil)
	defer w.close()
	digest, err := w.putPinned(func() (string, error) {
		digest, _, err := w.Spool().PutFunc(params(1).Write)
		return digest, err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if err := w.pins.remove(digest, w.Spool().Remove); err != nil {
			t.Fatal(err)
		}
		if _, got := w.Spool().Has(digest); got != want {
			t.Errorf("artefact there: %v, want %v", got, want)
		}
		w.pins.unpin(digest)
	}
}

// seated lets four sites attend, of which a run selects three.
func seated(t *testing.T, w *world) (cohort []*site, spare *site, detach map[*site]func()) {
	t.Helper()
	d := definition(1)
	d.MinSites, d.Fraction = 4, .75
	detach = map[*site]func(){}
	var sites []*site
	for i, name := range []string{"a", "b", "c", "d"} {
		s := w.site(name, float32(i))
		sites, detach[s] = append(sites, s), w.Attach(s)
	}
	if err := w.submit(d, params()); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	for _, s := range sites {
		if len(s.tasks) > 0 {
			cohort = append(cohort, s)
		} else {
			spare = s
		}
	}
	if len(cohort) != 3 {
		t.Fatalf("a cohort of %d, want 3", len(cohort))
	}
	return cohort, spare, detach
}

func (s *site) answer(t *testing.T, want exchange.Verdict) {
	t.Helper()
	r, err := s.w.Answer(t.Context(), s.name, s.honest(<-s.tasks))
	if err != nil || r.Verdict != want {
		t.Errorf("answer of %s: got %+v, %v; want %s", s.name, r, err, want)
	}
}

// A site that dies in mid-round is replaced after Away. When it comes back, its
// answer counts if it is the first of the two.
func TestReplacement(t *testing.T) {
	for _, returns := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, t.TempDir(), nil, func(o *Options) { o.Away, o.Grace = 3*time.Second, 30*time.Second })
			defer w.close()
			cohort, spare, detach := seated(t, w)
			dead := cohort[0]
			detach[dead]()
			time.Sleep(3*time.Second - time.Nanosecond)
			if synctest.Wait(); len(spare.tasks) > 0 {
				t.Error("replaced before its time")
			}
			time.Sleep(time.Nanosecond)
			if synctest.Wait(); len(spare.tasks) != 1 {
				t.Fatal("not replaced in time")
			}
			first, second := spare, dead
			if returns {
				first, second = dead, spare
				defer w.Attach(dead)()
			}
			cohort[1].answer(t, exchange.Accepted)
			first.answer(t, exchange.Accepted)
			second.answer(t, exchange.Late)
			cohort[2].answer(t, exchange.Accepted)
			if s := w.end("r"); s.Phase != round.Completed || s.Counts.Accepted != 3 || s.Counts.Lost != 1 {
				t.Errorf("got %+v, want a completed run from three updates, one lost", s)
			}
		})
	}
}

// A site that reconnects again and again is never lost, though the times it was
// away add up.
func TestFlappingIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, func(o *Options) { o.Away, o.Grace = 3*time.Second, 30*time.Second })
		defer w.close()
		cohort, spare, detach := seated(t, w)
		for range 10 {
			detach[cohort[0]]()
			time.Sleep(2 * time.Second)
			detach[cohort[0]] = w.Attach(cohort[0])
			time.Sleep(time.Second / 2)
		}
		if s, err := w.Status("r"); err != nil || s.Counts.Lost != 0 || len(spare.tasks) > 0 {
			t.Errorf("got %+v (%v), want nobody lost or replaced", s, err)
		}
	})
}

// When all are gone at once, the coordinator's own line is as likely to be cut:
// they have Grace to come back. After that they are lost.
func TestAllGoneAtOnce(t *testing.T) {
	for _, away := range []time.Duration{29 * time.Second, 31 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, t.TempDir(), nil, func(o *Options) { o.Away, o.Grace = 3*time.Second, 30*time.Second })
			defer w.close()
			cohort, spare, detach := seated(t, w)
			for _, s := range append(cohort, spare) {
				detach[s]()
			}
			time.Sleep(away)
			s, err := w.Status("r")
			if err != nil || (s.Counts.Lost == 0) != (away < 30*time.Second) {
				t.Errorf("away for %v: got %+v (%v)", away, s, err)
			}
		})
	}
}

// A site that is gone for good is waited for once, not in every round.
func TestGoneForGoodIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, func(o *Options) { o.Away, o.Grace = 3*time.Second, 30*time.Second })
		defer w.close()
		dead := w.site("dead", 100)
		detach := w.Attach(dead)
		defer attend(t.Context(), w.site("x", 1), w.site("y", 3))()
		if err := w.submit(definition(4), params()); err != nil {
			t.Fatal(err)
		}
		<-dead.tasks
		begin := time.Now()
		detach()
		if s := w.end("r"); s.Phase != round.Completed || len(s.Published) != 4 {
			t.Errorf("got %+v, want four versions", s)
		}
		if got := time.Since(begin); got != 30*time.Second {
			t.Errorf("the run ended %s after the loss, want one grace of 30s", got)
		}
	})
}

// A run may be gone that a site has answered: it was removed, or a restore has lost
// it. The site is told that its answers are late, however many it kept, and not that
// they make no sense, for which it would be sent away.
func TestAnswersToARunThatIsGoneAreLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, nil)
		defer w.close()
		done := exchange.Reply{Task: "gone/1.0/train/x", Outcome: exchange.Done, Update: &exchange.Update{
			Task: "gone/1.0/train/x", Base: someDigest, Artefacts: map[string]exchange.Artefact{exchange.Delta: {Digest: someDigest, Bytes: 1}},
		}}
		for _, r := range []exchange.Reply{done, {Task: done.Task, Outcome: exchange.Declined, Reason: "later", Later: true}} {
			receipt, err := w.Answer(t.Context(), "x", r)
			if err != nil || receipt.Verdict != exchange.Late || receipt.Task != r.Task {
				t.Errorf("%s: got %+v, %v", r.Outcome, receipt, err)
			}
		}
	})
}

const someDigest = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
