package round

import "testing"

// Sites are told that a version was lost, and that the rounds after it may ask for
// another model than before; a state that was kept and read again knows it, too.
func TestOffersTellOfVersionsThatWereMadeAgain(t *testing.T) {
	s := State{}
	step := func(e Event) {
		t.Helper()
		next, _, err := Step(s, e)
		if err != nil {
			t.Fatal(err)
		}
		data, err := EncodeState(next)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = DecodeState(data); err != nil {
			t.Fatal(err)
		}
	}
	answered := func(task string) Answered {
		return Answered{Task: task, Participant: "a", Outcome: Valid, Digest: "u", Samples: 1, At: epoch}
	}
	c := submitted(2, 0)
	step(c)
	step(CohortSelected{Round: 1, Cohort: []string{"a"}, At: epoch})
	step(answered("r/1.0/train/a"))
	step(Aggregated{Round: 1, Model: "m1"})
	step(CohortSelected{Round: 2, Cohort: []string{"a"}, At: epoch})
	first, _ := s.TaskOf("a")
	if o := s.OfferOf(first); o.Redone != 0 || o.Model != "m1" {
		t.Fatalf("got %+v", o)
	}
	step(ArtefactLost{Round: 2, Artefacts: []string{"m1"}, Reason: "damaged", At: epoch})
	step(CohortSelected{Round: 1, Attempt: 1, Cohort: []string{"a"}, At: epoch})
	step(answered("r/1.1/train/a"))
	step(Aggregated{Round: 1, Attempt: 1, Model: "other"})
	step(CohortSelected{Round: 2, Cohort: []string{"a"}, At: epoch})
	again, _ := s.TaskOf("a")
	if o := s.OfferOf(again); o.Redone != 1 || o.Model != "other" {
		t.Errorf("got %+v", o)
	}
}
