package coordinator

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
)

// The answer to a task of another life, whose journal is gone, is late, though a
// run of the same name asks the same of the same site.
func TestAnswerOfAnotherLife(t *testing.T) {
	asked := func(w *world) (*site, exchange.Task, func()) {
		s := w.site("x", 1)
		detach := w.Attach(s)
		if err := w.submit(alone(), params()); err != nil {
			t.Fatal(err)
		}
		return s, <-s.tasks, detach
	}
	former := start(t, t.TempDir(), nil, nil)
	_, lost, detach := asked(former)
	detach()
	if err := former.close(); err != nil {
		t.Fatal(err)
	}
	w := start(t, t.TempDir(), nil, nil)
	defer w.close()
	s, task, detach := asked(w)
	defer detach()
	if lost.ID == task.ID || lost.Model != task.Model {
		t.Fatalf("two lives ask %s and %s", lost.ID, task.ID)
	}
	if w.Awaits("x", lost.ID) != 0 {
		t.Error("the update of another life is awaited")
	}
	if r, err := w.Answer(t.Context(), "x", s.honest(lost)); err != nil || r.Verdict != exchange.Late {
		t.Errorf("got %+v, %v; want late", r, err)
	}
	if r, err := w.Answer(t.Context(), "x", s.honest(task)); err != nil || r.Verdict != exchange.Accepted {
		t.Errorf("got %+v, %v; want accepted", r, err)
	}
	if end := w.end("r"); end.Phase != round.Completed || end.Counts.Late != 1 {
		t.Errorf("got %+v, want one late answer", end)
	}
}

func alone() Definition {
	d := definition(1)
	d.MinSites = 1
	return d
}

// An answer to another offer of a task does not count, and leaves the task open:
// it is offered again when that is asked for. The offer is the same after a
// restart.
func TestAnswerToAnotherOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := start(t, dir, nil, nil)
		s := w.site("x", 1)
		detach := w.Attach(s)
		if err := w.submit(alone(), params()); err != nil {
			t.Fatal(err)
		}
		task := <-s.tasks
		detach()
		if err := w.close(); err != nil {
			t.Fatal(err)
		}

		w = start(t, dir, nil, nil)
		defer w.close()
		s = w.site("x", 1)
		defer w.Attach(s)()
		if again := <-s.tasks; string(again.Document()) != string(task.Document()) {
			t.Errorf("offered again, the task is\n%s, before it was\n%s", again.Document(), task.Document())
		}
		for _, reply := range []exchange.Reply{s.honest(task), {Task: task.ID, Outcome: exchange.Declined, Reason: "no"}} {
			reply.Offer = strings.Repeat("0", 64)
			if r, err := w.Answer(t.Context(), "x", reply); err != nil || r.Verdict != exchange.Late || !strings.Contains(r.Reason, "another offer") {
				t.Errorf("got %+v, %v; want late", r, err)
			}
			if synctest.Wait(); len(s.tasks) != 0 {
				t.Fatal("offered before the receipt is out")
			}
			s.seen.Clear()
			w.OfferAgain("x", task.ID)
			synctest.Wait()
			if again := <-s.tasks; again.ID != task.ID {
				t.Errorf("offered again: %s, want %s", again.ID, task.ID)
			}
		}
		reply := s.honest(task)
		reply.Offer = exchange.OfferDigest(task.Document())
		if r, err := w.Answer(t.Context(), "x", reply); err != nil || r.Verdict != exchange.Accepted {
			t.Errorf("got %+v, %v; want accepted", r, err)
		}
		w.OfferAgain("x", task.ID)
		w.OfferAgain("x", "other/1.0/train/x")
		if s := w.end("r"); s.Phase != round.Completed || s.Counts.Late != 2 {
			t.Errorf("got %+v, want two late answers", s)
		}
		if synctest.Wait(); len(s.tasks) != 0 {
			t.Error("a task that is answered is offered again")
		}
	})
}

// A site that answers other offers for ever does not fill the journal.
func TestAFloodOfStaleAnswersIsNotRecorded(t *testing.T) {
	w := start(t, t.TempDir(), nil, nil)
	defer w.close()
	s := w.site("x", 1)
	defer w.Attach(s)()
	if err := w.submit(alone(), params()); err != nil {
		t.Fatal(err)
	}
	task := <-s.tasks
	reply := s.honest(task)
	reply.Offer = strings.Repeat("0", 64)
	for range 10 * maxUnasked {
		if r, err := w.Answer(t.Context(), "x", reply); err != nil || r.Verdict != exchange.Late {
			reply = s.honest(task) // its artefact went with the answer before
			reply.Offer = strings.Repeat("0", 64)
		}
	}
	status, err := w.Status("r")
	if err != nil || status.Counts.Late != maxUnasked {
		t.Errorf("%d of %d stale answers are recorded (%v), want %d", status.Counts.Late, 10*maxUnasked, err, maxUnasked)
	}
}
