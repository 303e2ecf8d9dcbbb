package round

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// thawed is the state that a snapshot of s restores.
func thawed(t testing.TB, s State) State {
	t.Helper()
	data, err := EncodeState(s)
	if err != nil {
		t.Fatal(err)
	}
	restored, err := DecodeState(data)
	if err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	if again, err := EncodeState(restored); err != nil || !bytes.Equal(again, data) {
		t.Fatalf("the encoding is not kept (%v):\n%s\n%s", err, data, again)
	}
	return restored
}

// alike steps both states and compares everything that a coordinator sees of it.
func alike(t *rapid.T, s, restored State, e Event) (State, State) {
	next, effects, err := Step(s, e)
	other, otherEffects, otherErr := Step(restored, e)
	if whole(next) != whole(other) || fmt.Sprint(err) != fmt.Sprint(otherErr) {
		t.Fatalf("%T%+v leads elsewhere after a snapshot (%v, %v):\n%s\n%s", e, e, err, otherErr, whole(next), whole(other))
	}
	if got, want := asText(otherEffects), asText(effects); got != want {
		t.Fatalf("%T%+v asks for something else after a snapshot:\n%s\n%s", e, e, got, want)
	}
	return next, other
}

func asText(effects []Effect) (text string) {
	for _, e := range effects {
		data, err := json.Marshal(e)
		text += fmt.Sprintf("%T %s %v\n", e, data, err)
	}
	return text
}

// A state that was taken from a snapshot at any time goes on as the one does of
// which the snapshot was, whatever happens then: the same states, effects, errors,
// and what is pending.
func TestASnapshotGoesOnAsItsState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := submitted(rapid.IntRange(1, 3).Draw(t, "rounds"), rapid.IntRange(0, 2).Draw(t, "retries"))
		first.Definition = []byte(`{"name":"r"}`)
		first.Config.FrozenCohort = rapid.Bool().Draw(t, "frozen")
		first.Config.Quorum = rapid.IntRange(0, 2).Draw(t, "quorum")
		first.Config.Exchanges[0].Window.Target = rapid.IntRange(0, 3).Draw(t, "target")
		s, _, err := Step(State{}, first)
		if err != nil {
			t.Fatal(err)
		}
		restored := s
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			if rapid.IntRange(0, 3).Draw(t, "snapshot") == 0 {
				data, err := EncodeState(restored)
				if err != nil {
					t.Fatal(err)
				}
				if restored, err = DecodeState(data); err != nil {
					t.Fatalf("%v: %s", err, data)
				}
				if again, err := EncodeState(s); err != nil || !bytes.Equal(again, data) {
					t.Fatalf("equal states, other encodings (%v):\n%s\n%s", err, data, again)
				}
			}
			s, restored = alike(t, s, restored, randomEvent(t, s))
			if got, want := asText(Pending(restored)), asText(Pending(s)); got != want || restored.Absent() != s.Absent() {
				t.Fatalf("pending after a snapshot: got %s, want %s", got, want)
			}
		}
	})
}

// Replacements and those whom they replace keep their seats.
func TestASnapshotKeepsSeats(t *testing.T) {
	s := cohort(t, 4)
	s = step(t, s, each["lost"](1))
	s = step(t, s, Replaced{Round: 1, Seat: name(1), Participant: "spare-1", At: epoch})
	s = step(t, s, ParticipantLost{"spare-1", epoch})
	s = step(t, s, each["lost"](2)) // waits behind the first seat
	restored := thawed(t, s)
	if got, want := fmt.Sprint(waiting(restored)), fmt.Sprint(waiting(s)); got != want {
		t.Fatalf("vacant: got %s, want %s", got, want)
	}
	if restored.Seats() != s.Seats() || restored.Seats() != 4 {
		t.Errorf("got %d seats, want %d", restored.Seats(), s.Seats())
	}
	for _, state := range []*State{&s, &restored} {
		*state = step(t, *state, Replaced{Round: 1, Seat: name(1), Participant: "spare-2", At: epoch})
		*state = step(t, *state, each["accepted"](1)) // whose seat it is
	}
	if whole(restored) != whole(s) {
		t.Errorf("got %s, want %s", whole(restored), whole(s))
	}
	if task, _ := restored.TaskOf("spare-2"); task.Status != Withdrawn {
		t.Errorf("the replacement's task is %s, want %s", task.Status, Withdrawn)
	}
}

func TestDecodeStateRefuses(t *testing.T) {
	good, err := EncodeState(cohort(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	for what, replaced := range map[string][2]string{
		"an unknown field":          {`"phase":`, `"more":1,"phase":`},
		"an unknown phase":          {`"phase":"exchanging"`, `"phase":"dreaming"`},
		"an unknown status":         {`"status":"open"`, `"status":"shut"`},
		"a participant twice":       {name(1), name(0)},
		"tasks of another exchange": {`"exchange":0,"participant"`, `"exchange":1,"participant"`},
		"a config of no run":        {`"rounds":1`, `"rounds":0`},
	} {
		bad := bytes.ReplaceAll(good, []byte(replaced[0]), []byte(replaced[1]))
		if bytes.Equal(bad, good) {
			t.Fatalf("%s: %q is not in %s", what, replaced[0], good)
		}
		if _, err := DecodeState(bad); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	s := cohort(f, 3)
	for _, state := range []State{s, step(f, s, each["lost"](1)), step(f, s, each["accepted"](1)), step(f, s, StopRequested{"enough"})} {
		data, err := EncodeState(state)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := DecodeState(data)
		if err != nil {
			return
		}
		if !s.Deadline.Before(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)) || s.Deadline.Year() < 0 {
			return // JSON has no such time
		}
		thawed(t, s)
		for _, e := range []Event{each["accepted"](1), each["lost"](0), DeadlinePassed{s.Round, s.Attempt, s.Exchange, epoch}, StopRequested{}} {
			_, _, _ = Step(s, e) // it may be refused, and does not panic
		}
		Pending(s)
	})
}
