package coordinator

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
)

// What a site has stored nobody else may fetch; the model that all start from,
// everybody may, until the run is over.
func TestOnlyTheModelIsOffered(t *testing.T) {
	w := start(t, t.TempDir(), nil, nil)
	defer w.close()
	x := w.site("x", 1)
	defer w.Attach(x)()
	d := definition(1)
	d.MinSites = 1
	if err := w.submit(d, params()); err != nil {
		t.Fatal(err)
	}
	task := <-x.tasks
	reply := x.honest(task)
	delta := reply.Update.Artefacts[exchange.Delta].Digest
	if !w.Offered(task.Model.Digest) || w.Offered(delta) || w.Offered("") {
		t.Errorf("offered: model %v, update %v, nothing %v", w.Offered(task.Model.Digest), w.Offered(delta), w.Offered(""))
	}
	if _, err := w.Answer(t.Context(), "x", reply); err != nil {
		t.Fatal(err)
	}
	if s := w.end("r"); w.Offered(s.Model) {
		t.Error("the model of a finished run is offered")
	}
}

// A reply to one's own task that is not even valid is its answer: rejected at
// once, not at the deadline.
func TestAnInvalidReplyEndsItsTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, nil)
		defer w.close()
		bad := w.site("bad", 100)
		bad.reply = func(task exchange.Task) exchange.Reply {
			r := bad.honest(task)
			r.Update.Samples = -1
			return r
		}
		defer attend(t.Context(), w.site("x", 1), w.site("y", 3), bad)()
		began := time.Now()
		if err := w.submit(definition(1), params()); err != nil {
			t.Fatal(err)
		}
		s := w.end("r")
		if s.Phase != round.Completed || s.Counts.Rejected != 1 || time.Since(began) > time.Second {
			t.Errorf("after %v: got %+v, want one of three rejected at once", time.Since(began), s)
		}
		if r := <-bad.got; r.Verdict != exchange.Rejected || !strings.Contains(r.Reason, "samples") {
			t.Errorf("got %+v", r)
		}
	})
}

// Nor is one that cannot be read; only its own site can spoil a task so.
func TestAnUnreadableReplyEndsItsTask(t *testing.T) {
	w := start(t, t.TempDir(), nil, nil)
	defer w.close()
	x, y := w.site("x", 1), w.site("y", 1)
	defer w.Attach(x)()
	defer w.Attach(y)()
	d := definition(1)
	d.MinSites, d.Window.Minimum = 2, 1
	if err := w.submit(d, params()); err != nil {
		t.Fatal(err)
	}
	task, why := <-x.tasks, fault.Inputf("no JSON")
	if _, err := w.Misunderstood(t.Context(), "y", task.ID, why); !errors.Is(err, fault.Input) {
		t.Errorf("about another's task: got error %v, want bad input", err)
	}
	if r, err := w.Misunderstood(t.Context(), "x", task.ID, why); err != nil || r.Verdict != exchange.Rejected || r.Reason != "no JSON" {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := w.Misunderstood(t.Context(), "x", task.ID, why); !errors.Is(err, fault.Input) {
		t.Errorf("again: got error %v, want bad input", err)
	}
	if _, err := w.Answer(t.Context(), "y", y.honest(<-y.tasks)); err != nil {
		t.Fatal(err)
	}
	if s := w.end("r"); s.Phase != round.Completed || s.Counts.Rejected != 1 {
		t.Errorf("got %+v, want one of two rejected", s)
	}
}

// Answers that nobody asked for are turned down, and do not fill the journal.
func TestAFloodOfAnswersIsNotRecorded(t *testing.T) {
	w := start(t, t.TempDir(), nil, nil)
	defer w.close()
	x := w.site("x", 1)
	defer w.Attach(x)()
	d := definition(1)
	d.MinSites = 1
	d.Window.Target = 1
	if err := w.submit(d, params()); err != nil {
		t.Fatal(err)
	}
	task := <-x.tasks
	for _, id := range []string{"r/9.9/train/x", task.ID} {
		for range 1000 {
			r, err := w.Answer(t.Context(), "y", exchange.Reply{Task: id, Outcome: exchange.Failed, Reason: "no"})
			if err != nil || r.Verdict != exchange.Rejected && r.Verdict != exchange.Late {
				t.Fatalf("task %s: got %+v, %v", id, r, err)
			}
		}
	}
	journal, err := os.ReadFile(filepath.Join(w.dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(journal, []byte(`"seq":`)); n > 2*maxUnasked {
		t.Errorf("%d records of 2000 answers", n)
	}
	if r, err := w.Answer(t.Context(), "x", x.honest(task)); err != nil || r.Verdict != exchange.Accepted {
		t.Errorf("the answer that is awaited: got %+v, %v", r, err)
	}
}

// The second of two different answers to a task is rejected, and says so in
// the journal, whose reader knows the site.
func TestASecondAnswerIsEquivocation(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	w := start(t, t.TempDir(), nil, func(o *Options) { o.Log = zap.New(core) })
	defer w.close()
	x, y := w.site("x", 1), w.site("y", 3)
	defer w.Attach(x)()
	defer w.Attach(y)()
	d := definition(1)
	d.MinSites = 2
	if err := w.submit(d, params()); err != nil {
		t.Fatal(err)
	}
	task, other := <-x.tasks, <-y.tasks
	if r, err := w.Answer(t.Context(), "x", x.honest(task)); err != nil || r.Verdict != exchange.Accepted {
		t.Fatalf("got %+v, %v", r, err)
	}
	x.number = 50
	second := x.honest(task)
	if r, err := w.Answer(t.Context(), "x", second); err != nil || r.Verdict != exchange.Rejected || !strings.Contains(r.Reason, "equivocation") {
		t.Errorf("got %+v, %v", r, err)
	}
	// Whoever reads the log learns that somebody has answered twice, and no other.
	if said := logs.FilterMessage("answer not accepted").All(); len(said) != 1 || !strings.Contains(fmt.Sprint(said[0].ContextMap()["reason"]), "equivocation") {
		t.Errorf("logged %v, want one answer that was not accepted, and why", said)
	}
	if _, err := w.Spool().Open(second.Update.Artefacts[exchange.Delta].Digest); err == nil || !strings.Contains(err.Error(), spool.ErrNotFound.Error()) {
		t.Errorf("the second artefact: %v, want it gone", err)
	}
	if _, err := w.Answer(t.Context(), "y", y.honest(other)); err != nil {
		t.Fatal(err)
	}
	if s := w.end("r"); s.Phase != round.Completed || s.Counts.Rejected != 1 || w.weights(s.Model)[0] != 2 {
		t.Errorf("got %+v with weight %v, want the mean of the first answers", s, w.weights(s.Model)[0])
	}
}

// A task cannot fill the disk with artefacts that no answer names.
func TestUploadsAreBoundedAndGo(t *testing.T) {
	w := start(t, t.TempDir(), nil, nil)
	defer w.close()
	x := w.site("x", 1)
	defer w.Attach(x)()
	d := definition(1)
	d.MinSites = 1
	if err := w.submit(d, params()); err != nil {
		t.Fatal(err)
	}
	task := <-x.tasks
	for n := range maxUploads {
		if w.Awaits("x", task.ID) == 0 {
			t.Fatalf("nothing is awaited after %d artefacts", n)
		}
		w.Stored(task.ID, x.store(params(float32(n+7)).Write).Digest)
	}
	if w.Awaits("x", task.ID) != 0 {
		t.Error("another artefact is awaited")
	}
	if r, err := w.Answer(t.Context(), "x", x.honest(task)); err != nil || r.Verdict != exchange.Accepted {
		t.Fatalf("got %+v, %v", r, err)
	}
	w.end("r")
	if err := w.close(); err != nil { // the end is known before the spool is swept
		t.Fatal(err)
	}
	if digests, err := w.Spool().List(); err != nil || len(digests) != 1 {
		t.Errorf("the spool holds %d artefacts (%v), want the published one alone", len(digests), err)
	}
}
