package coordinator

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
)

// A run of two sites does not end with the model of one: neither when the other
// declines, nor when it goes away for good.
func TestNoPublicationByOneOfTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, nil)
		defer w.close()
		y := w.site("y", 3)
		y.reply = func(task exchange.Task) exchange.Reply {
			return exchange.Reply{Task: task.ID, Outcome: exchange.Declined, Reason: "not for this model"}
		}
		leave := attend(t.Context(), y)
		defer attend(t.Context(), w.site("x", 1))()
		d := definition(2)
		d.MinSites, d.Retries = 2, 1
		if err := w.submit(d, params()); err != nil {
			t.Fatal(err)
		}
		if s := w.end("r"); s.Phase != round.Failed || len(s.Published) != 0 || !strings.Contains(s.Reason, "y: declined: not for this model") {
			t.Errorf("the other declines: got %+v, want a failed run without a version, and why", s)
		}

		leave()
		gone := w.site("y", 3)
		detach := w.Attach(gone)
		d.Name = "s"
		if err := w.submit(d, params()); err != nil {
			t.Fatal(err)
		}
		gone.answer(t, exchange.Accepted)
		<-gone.tasks // of round 2
		detach()
		time.Sleep(24 * time.Hour)
		s, err := w.Status("s")
		if err != nil || s.Phase != round.Selecting || len(s.Published) != 1 || s.Attempt != 1 || !strings.Contains(s.Reason, "y: the participant went away") || !strings.HasSuffix(s.Reason, "round 2 begins once 2 sites attend") {
			t.Errorf("the other has gone: got %+v (%v), want the run to wait for it", s, err)
		}
	})
}

// A round that goes on without a site says so, and why.
func TestARoundSaysWhoIsAbsent(t *testing.T) {
	w := start(t, t.TempDir(), nil, nil)
	defer w.close()
	z := w.site("z", 3)
	z.reply = func(task exchange.Task) exchange.Reply {
		return exchange.Reply{Task: task.ID, Outcome: exchange.Declined, Reason: "waits for approval", Later: true}
	}
	defer attend(t.Context(), w.site("x", 1), w.site("y", 1), z)()
	if err := w.submit(definition(1), params()); err != nil {
		t.Fatal(err)
	}
	s := w.end("r")
	if want := "round 1 goes on without z (declined: waits for approval)"; s.Phase != round.Completed || s.Reason != want {
		t.Errorf("got %s, reason %q; want it completed, and %q", s.Phase, s.Reason, want)
	}
}
