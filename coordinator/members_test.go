package coordinator

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
)

// Hints shorten the wait for a participant whose stream is broken, and do
// nothing else.
func TestHints(t *testing.T) {
	tests := []struct {
		name string
		hint func(w *world, detach func()) // in the end the participant is detached
		lost time.Duration                 // after its stream broke
	}{
		{"none", func(_ *world, detach func()) { detach() }, 10 * time.Second},
		{"gone, then its stream breaks", func(w *world, detach func()) { w.Suspect("silent"); detach() }, time.Second},
		{"gone, after its stream broke", func(w *world, detach func()) { detach(); w.Suspect("silent") }, time.Second},
		{"gone and back, then its stream breaks", func(w *world, detach func()) { w.Suspect("silent"); w.Back("silent"); detach() }, 10 * time.Second},
		{"gone and back, after its stream broke", func(w *world, detach func()) { detach(); w.Suspect("silent"); w.Back("silent") }, 10 * time.Second},
		{"gone and back, late", func(w *world, detach func()) {
			detach()
			time.Sleep(6 * time.Second)
			w.Suspect("silent")
			w.Back("silent")
		}, 10 * time.Second},
		{"gone, late", func(w *world, detach func()) { detach(); time.Sleep(9500 * time.Millisecond); w.Suspect("silent") }, 10 * time.Second},
		{"another is gone", func(w *world, detach func()) { w.Suspect("x"); w.Suspect("nobody"); detach() }, 10 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, t.TempDir(), nil, nil)
				defer w.close()
				silent := w.site("silent", 100)
				detach := w.Attach(silent)
				defer attend(t.Context(), w.site("x", 1), w.site("y", 3))()
				if err := w.submit(definition(1), params()); err != nil {
					t.Fatal(err)
				}
				<-silent.tasks
				begin := time.Now()
				test.hint(w, detach)
				s := w.end("r")
				if got := time.Since(begin); got != test.lost {
					t.Errorf("the participant was lost after %s, want %s", got, test.lost)
				}
				if s.Phase != round.Completed || s.Counts.Lost != 1 || s.Counts.Accepted != 2 {
					t.Errorf("got %+v, want a completed run with one lost", s)
				}
			})
		})
	}
}

func TestAHintNeverEndsALiveStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, nil)
		defer w.close()
		slow := w.site("slow", 1)
		defer w.Attach(slow)()
		defer attend(t.Context(), w.site("x", 1), w.site("y", 3))()
		if err := w.submit(definition(1), params()); err != nil {
			t.Fatal(err)
		}
		task := <-slow.tasks
		w.Suspect("slow")
		time.Sleep(time.Minute)
		receipt, err := w.Answer(t.Context(), "slow", slow.honest(task))
		if err != nil || receipt.Verdict != exchange.Accepted {
			t.Errorf("got %+v (%v), want the answer accepted", receipt, err)
		}
		if s := w.end("r"); s.Counts.Lost != 0 || s.Counts.Accepted != 3 {
			t.Errorf("got %+v, want three answers, none lost", s.Counts)
		}
	})
}

func TestHintsAreBounded(t *testing.T) {
	var h hints
	for i := range maxHints {
		h.note(fmt.Sprint(i), true)
	}
	if h.note("one more", true) || h.suspects("one more") {
		t.Error("took one hint too many")
	}
	h.note("7", false)
	if !h.note("one more", true) || h.suspects("7") {
		t.Error("a hint taken back left no room")
	}
}

func TestMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, nil)
		defer w.close()
		begin := now()
		busy, other, gone := w.site("busy", 1), w.site("other", 1), w.site("gone", 1)
		defer w.Attach(busy)()
		detach := w.Attach(gone)
		time.Sleep(time.Minute)
		detach()
		defer w.Attach(other)()
		d := definition(1)
		d.MinSites, d.Window = 2, round.Window{Minimum: 1, Deadline: time.Hour}
		if err := w.submit(d, params()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Answer(t.Context(), "other", other.honest(<-other.tasks)); err != nil {
			t.Fatal(err)
		}
		later := begin.Add(time.Minute)
		want := []Member{
			{Name: "busy", Role: RoleParticipant, State: Attending, Since: begin, Heard: later, Version: "test", Run: "r", Round: 1, Load: 1},
			{Name: "gone", Role: RoleParticipant, State: Away, Since: later, Heard: later, Version: "test"},
			{Name: "other", Role: RoleParticipant, State: Attending, Since: later, Heard: later, Version: "test"},
		}
		if diff := cmp.Diff(want, w.Members()); diff != "" {
			t.Errorf("got (+), want (-):\n%s", diff)
		}
		again := w.site("gone", 1)
		defer w.Attach(again)()
		if m := w.Members()[1]; m.State != Attending || m.Since != later {
			t.Errorf("got %+v, want one who attends again", m)
		}
	})
}

func TestTheLongestGoneAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoster()
		for i := range maxGone + goneSlack + 1 {
			s := &site{name: fmt.Sprintf("s%05d", i)}
			r.put(s)
			r.remove(s)
			time.Sleep(time.Second)
		}
		all := r.members()
		SortMembers(all)
		if first, last := all[0].Name, all[len(all)-1].Name; len(all) != maxGone || first != "s01025" || last != "s05120" {
			t.Errorf("%d are remembered, from %s to %s; want the last %d", len(all), first, last, maxGone)
		}
	})
}
