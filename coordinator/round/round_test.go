package round

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

const nonce = "00112233445566ff"

func submitted(rounds, retries int) Submitted {
	return Submitted{Run: "r", Model: "m0", Config: Config{
		Rounds: rounds, Fraction: 1, MinSites: 1, MaxSamples: 100, Weighted: true, Retries: retries,
		Exchanges: []Exchange{{Name: "train", Window: Window{Deadline: time.Minute}}},
	}}
}

// randomEvent draws an event that may or may not make sense in s.
func randomEvent(t *rapid.T, s State) Event {
	rnd := s.Round
	if rapid.IntRange(0, 9).Draw(t, "stale") == 0 {
		s.Attempt--
	}
	// What has to do with a version may be of the round before.
	version, attempt := rnd, s.Attempt
	if s.Release != nil && rapid.IntRange(0, 9).Draw(t, "of the release") > 0 {
		version = s.Release.Round
		attempt = s.Release.Attempt
	}
	names := []string{"a", "b", "c", "d"}
	name := rapid.SampledFrom(names).Draw(t, "name")
	if s.vacant.len() > 0 && rapid.Bool().Draw(t, "replace") {
		return Replaced{rnd, s.Attempt, 0, rapid.SampledFrom(waiting(s)).Draw(t, "seat"), rapid.SampledFrom(append(names, "")).Draw(t, "replacement"), epoch}
	}
	switch rapid.IntRange(0, 12).Draw(t, "kind") {
	case 11:
		lost := rapid.SampledFrom([]string{"u1", "u2", "u1", "u2", fmt.Sprintf("m%d", version)}).Draw(t, "lost")
		return ArtefactLost{Round: rnd, Attempt: s.Attempt, Artefacts: []string{lost}, Reason: "damaged", At: epoch}
	case 12:
		if rapid.IntRange(0, 9).Draw(t, "diverged") > 0 {
			return Published{version, attempt, fmt.Sprintf("m%d", version)}
		}
		return NotFinite{Round: version, Attempt: attempt, Reason: "the loss is NaN"}
	case 0:
		return CohortSelected{rnd, s.Attempt, names[:rapid.IntRange(0, 3).Draw(t, "cohort")], rapid.SampledFrom([]string{"", nonce}).Draw(t, "nonce"), epoch}
	case 1, 2, 3:
		task := fmt.Sprintf("r/%d.%d/train/%s%s", rnd, s.Attempt, name, s.exchange("").suffix)
		if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
			task += "#2"
		}
		return Answered{
			Task:        task,
			Participant: rapid.SampledFrom(names).Draw(t, "by"),
			Outcome:     rapid.SampledFrom([]Outcome{Valid, Valid, Valid, Invalid, Refused, Stale}).Draw(t, "outcome"),
			Digest:      rapid.SampledFrom([]string{"u1", "u2"}).Draw(t, "digest"),
			Samples:     rapid.Int64Range(-1, 120).Draw(t, "samples"),
			Later:       rapid.Bool().Draw(t, "later"),
			Diverged:    rapid.IntRange(0, 3).Draw(t, "not finite") == 0,
			At:          epoch.Add(rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "at")),
		}
	case 4:
		return ParticipantLost{name, epoch}
	case 5:
		return DeadlinePassed{rnd, s.Attempt, 0, epoch}
	case 6:
		return Aggregated{rnd, s.Attempt, fmt.Sprintf("m%d", rnd)}
	case 7:
		accuracy := rapid.Float64Range(0, 1).Draw(t, "accuracy")
		return Evaluated{Round: version, Attempt: attempt, Accuracy: &accuracy}
	case 8:
		return EffectFailed{Round: version, Attempt: attempt, Effect: "an effect", Reason: "disk full", At: epoch}
	default:
		return Published{version, attempt, fmt.Sprintf("m%d", version)}
	}
}

// Whatever happens, in whatever order: the state given to Step stays as it
// is, a refused event changes nothing, encoded events replay to the same
// state, no accepted answer is lost or counted twice, no seat counts twice, a
// run that has not ended always awaits something, and what it awaits was asked
// for.
func TestAnyOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := submitted(rapid.IntRange(1, 3).Draw(t, "rounds"), rapid.IntRange(0, 2).Draw(t, "retries"))
		first.Config.FrozenCohort = rapid.Bool().Draw(t, "frozen")
		first.Config.Quorum = rapid.IntRange(0, 2).Draw(t, "quorum")
		first.Config.Exchanges[0].Window.Target = rapid.IntRange(0, 3).Draw(t, "target")
		events := []Event{first}
		state, _, err := Step(State{}, events[0])
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			event := randomEvent(t, state)
			before := whole(state)
			accepted := state.Counts.Accepted
			next, effects, err := Step(state, event)
			if after := whole(state); after != before {
				t.Fatalf("%T changed the state it was given:\n%s\n%s", event, before, after)
			}
			if err != nil {
				var illegal *TransitionError
				if !errors.As(err, &illegal) || whole(next) != before {
					t.Fatalf("%T refused with %v, state %+v", event, err, next)
				}
				continue
			}
			if a, ok := event.(Answered); ok {
				verdict, _ := Judge(state, a)
				if got := next.Counts.Accepted - accepted; got == 1 != (verdict == VerdictAccepted) {
					t.Fatalf("verdict %s, but %d accepted", verdict, got)
				}
			}
			checkAsked(t, state, next, effects)
			checkSeats(t, next)
			events, state = append(events, event), next
			for i, v := range state.Published.All() {
				if v.Round != i+1 || v.Model != fmt.Sprintf("m%d", v.Round) || v.Accuracy == nil {
					t.Fatalf("version %d is %+v", i+1, v)
				}
			}
			ended := state.Attempt
			if state.Phase == Retrying {
				ended++
			}
			if state.Waited > ended || state.Attempt-state.Waited > state.Config.Retries {
				t.Fatalf("attempt %d, %d of them waited, with %d retries", state.Attempt, state.Waited, state.Config.Retries)
			}
			if state.Phase.Final() && state.Release != nil {
				t.Fatalf("%s with a version on its way out", state.Phase)
			}
			if pending := Pending(state); state.Phase.Final() != (len(pending) == 0) {
				t.Fatalf("phase %s awaits %d effects", state.Phase, len(pending))
			}
		}
		if replayed := replay(t, events); whole(state) != whole(replayed) {
			t.Fatalf("replay differs:\n%s", cmp.Diff(whole(state), whole(replayed)))
		}
	})
}

// whole is all that is in a state.
func whole(s State) string {
	tasks, cohort, vacant := slices.Collect(s.Tasks()), s.cohort, waiting(s)
	out, err := json.Marshal([]any{s.Release, s.Published.All()}) // figures are behind pointers
	s.clear()
	s.Release, s.Published = nil, History{}
	return fmt.Sprintf("%+v tasks %+v of %v, vacant %v, versions %s %v", s, tasks, cohort, vacant, out, err)
}

// waiting are the vacant seats, the next first.
func waiting(s State) (seats []string) {
	for _, seat := range s.vacant.turns.all() {
		seats = append(seats, seat)
	}
	return seats
}

// checkAsked finds what is awaited after a step, but was neither before nor has
// been asked for in it.
func checkAsked(t *rapid.T, before, after State, effects []Effect) {
	asked := map[string]bool{}
	for _, e := range append(effects, Pending(before)...) {
		asked[fmt.Sprintf("%T%+v", e, e)] = true
	}
	for _, e := range Pending(after) {
		if !asked[fmt.Sprintf("%T%+v", e, e)] {
			t.Fatalf("%T%+v is awaited, but nobody was asked", e, e)
		}
	}
}

// checkSeats finds a seat that counts twice, or is vacant and taken.
func checkSeats(t *rapid.T, s State) {
	counted := map[string]Status{}
	for task := range s.Tasks() {
		seat := task.seat()
		switch {
		case task.Status == Accepted && counted[seat] == Accepted:
			t.Fatalf("seat %s counts twice: %s", seat, describe(s))
		case task.Status == Open && counted[seat] == Open:
			t.Fatalf("seat %s is taken twice: %s", seat, describe(s))
		case (task.Status == Open || task.Status == Accepted) && s.vacant.has(seat):
			t.Fatalf("seat %s is vacant, and taken: %s", seat, describe(s))
		case task.Status == Accepted || task.Status == Open:
			counted[seat] = task.Status
		}
	}
	if s.vacant.len() > 0 && (s.Phase != Exchanging || s.Config.FrozenCohort) {
		t.Fatalf("vacant seats %v in phase %s of a frozen (%v) cohort", waiting(s), s.Phase, s.Config.FrozenCohort)
	}
}

func replay(t *rapid.T, events []Event) State {
	var s State
	for _, e := range events {
		kind, data, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := Decode(kind, data)
		if err != nil {
			t.Fatal(err)
		}
		if s, _, err = Step(s, decoded); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestConfigValidate(t *testing.T) {
	good := submitted(1, 0).Config
	if err := good.Validate(); err != nil {
		t.Errorf("a good config was refused: %v", err)
	}
	for name, spoil := range map[string]func(*Config){
		"no rounds":          func(c *Config) { c.Rounds = 0 },
		"fraction above 1":   func(c *Config) { c.Fraction = 1.1 },
		"fraction NaN":       func(c *Config) { c.Fraction -= c.Fraction; c.Fraction /= c.Fraction },
		"no sites":           func(c *Config) { c.MinSites = 0 },
		"no exchanges":       func(c *Config) { c.Exchanges = nil },
		"no deadline":        func(c *Config) { c.Exchanges = []Exchange{{Name: "train"}} },
		"minimum > target":   func(c *Config) { c.Exchanges = []Exchange{{"train", Window{3, 2, time.Second}}} },
		"negative minimum":   func(c *Config) { c.Exchanges = []Exchange{{"train", Window{-1, 2, time.Second}}} },
		"exchange no name":   func(c *Config) { c.Exchanges = []Exchange{{"", Window{1, 2, time.Second}}} },
		"stop at 2":          func(c *Config) { c.StopAt = 2 },
		"negative retries":   func(c *Config) { c.Retries = -1 },
		"no samples allowed": func(c *Config) { c.MaxSamples = 0 },
	} {
		c := good
		spoil(&c)
		if c.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCandidate(t *testing.T) {
	v := func(round int, validation float64) Version { return Version{Round: round, Validation: &validation} }
	for _, tt := range []struct {
		name string
		all  []Version
		want int
	}{
		{"without validation the last", []Version{{Round: 1}, {Round: 2}}, 2},
		{"the best", []Version{v(1, .5), v(2, .9), v(3, .7)}, 2},
		{"the earliest of equals", []Version{v(1, .5), v(2, .9), v(3, .9)}, 2},
	} {
		if got, ok := (State{Published: HistoryOf(tt.all...)}).Candidate(); !ok || got.Round != tt.want {
			t.Errorf("%s: got round %d, want %d", tt.name, got.Round, tt.want)
		}
	}
	if _, ok := (State{}).Candidate(); ok {
		t.Error("a candidate before anything was published")
	}
}

// Only a run that has ended can be removed, however it has; then its name awaits
// another.
func TestRemove(t *testing.T) {
	for _, phase := range append(allowed[Answered{}.kind()], "") {
		next, effects, err := Step(State{Run: "r", Phase: phase}, Removed{By: "carol"})
		if removed := err == nil; removed != phase.Final() {
			t.Errorf("%q: removed %t (%v), want %t", phase, removed, err, phase.Final())
		}
		if err == nil && (whole(next) != whole(State{}) || len(effects) > 0) {
			t.Errorf("%q: got state %+v and %d effects, want none", phase, next, len(effects))
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range []Event{submitted(1, 0), CohortSelected{}, Answered{}, ParticipantLost{}, Replaced{}, DeadlinePassed{}, Aggregated{}, Evaluated{}, Published{}, EffectFailed{}, StopRequested{}, ArtefactLost{}, NotFinite{}, Removed{}} {
		kind, data, err := Encode(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kind, data)
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		if e, err := Decode(kind, data); err == nil {
			if _, _, err := Encode(e); err != nil {
				t.Errorf("decoded %s, but: %v", kind, err)
			}
		}
	})
}
