package round

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// cohort opens a window for so many sites.
func cohort(tb testing.TB, sites int) State {
	tb.Helper()
	var names []string
	for n := range sites {
		names = append(names, fmt.Sprintf("site-%06d", n))
	}
	run := submitted(1, 0)
	run.Config.Exchanges[0].Window.Deadline = time.Hour
	s := step(tb, State{}, run)
	return step(tb, s, CohortSelected{Round: 1, Cohort: names, Nonce: nonce, At: epoch})
}

func step(tb testing.TB, s State, e Event) State {
	tb.Helper()
	next, _, err := Step(s, e)
	if err != nil {
		tb.Fatal(err)
	}
	return next
}

// each makes the n-th site's event of some kind.
var each = map[string]func(n int) Event{
	"accepted": func(n int) Event {
		return Answered{Task: id(n), Participant: name(n), Outcome: Valid, Digest: "u", Samples: 1, At: epoch}
	},
	"rejected": func(n int) Event {
		return Answered{Task: id(n), Participant: name(n), Outcome: Invalid, Reason: "NaN", At: epoch}
	},
	"declined": func(n int) Event {
		return Answered{Task: id(n), Participant: name(n), Outcome: Refused, Reason: "declined", At: epoch}
	},
	"late": func(n int) Event {
		return Answered{Task: "r/9.9/train/x", Participant: name(n), Outcome: Valid, Digest: "u", At: epoch}
	},
	"stale": func(n int) Event { return Answered{Task: id(n), Participant: name(n), Outcome: Stale, At: epoch} },
	"lost":  func(n int) Event { return ParticipantLost{name(n), epoch} },
}

func name(n int) string { return fmt.Sprintf("site-%06d", n) }
func id(n int) string   { return "r/1.0/train/" + name(n) + "/" + nonce }

// What an event of one site costs does not grow with its cohort, but for the
// depth of a tree.
func TestAnEventCostsTheSameInAnyCohort(t *testing.T) {
	const small, large, events = 1 << 7, 1 << 14, 64 // twice as deep
	for kind, event := range each {
		t.Run(kind, func(t *testing.T) {
			cost := func(sites int) (bytes, allocations uint64) {
				s := cohort(t, sites)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for n := range events {
					s = step(t, s, event(n))
				}
				runtime.ReadMemStats(&after)
				return (after.TotalAlloc - before.TotalAlloc) / events, (after.Mallocs - before.Mallocs) / events
			}
			bytes, allocations := cost(small)
			if manyBytes, many := cost(large); manyBytes > 2*bytes+512 || many > 2*allocations+8 {
				t.Errorf("%d bytes in %d allocations of %d sites, %d in %d of %d", manyBytes, many, large, bytes, allocations, small)
			}
		})
	}
}

// The first vacant seat is filled at the same cost, however many follow it.
func TestVacanciesCostTheSameHoweverMany(t *testing.T) {
	cost := func(vacant int) float64 {
		s := cohort(t, 1<<12)
		for n := range vacant {
			s = step(t, s, each["lost"](n))
		}
		e := Replaced{Round: 1, Seat: s.vacant.first(), At: epoch} // by nobody
		return testing.AllocsPerRun(10, func() { step(t, s, e) })
	}
	if few, many := cost(1<<4), cost(1<<8); many > 2*few+8 {
		t.Errorf("%g allocations of %d vacancies, %g of %d", many, 1<<8, few, 1<<4)
	}
}

// Two states that grow from one do not disturb each other or it.
func TestStatesShareNothingThatChanges(t *testing.T) {
	s := cohort(t, 8)
	one := step(t, s, each["accepted"](1))
	other := step(t, s, each["declined"](1))
	for who, want := range map[*State]Status{&s: Open, &one: Accepted, &other: Declined} {
		got, ok := who.Task(id(1))
		if by, _ := who.TaskOf(name(1)); !ok || got.Status != want || by != got || who.Count(want) < 1 {
			t.Errorf("got %+v and %+v, %d of them; want %s", got, by, who.Count(want), want)
		}
	}
}

func BenchmarkReplayOfOneCohort(b *testing.B) {
	const answers = 20_000
	for b.Loop() {
		s := cohort(b, answers)
		for n := range answers {
			s = step(b, s, each["accepted"](n))
		}
		if s.Phase != Aggregating {
			b.Fatal(s.Phase)
		}
	}
}
