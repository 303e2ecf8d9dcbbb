package round

import (
	"cmp"
	"slices"
	"time"
)

// seat is whose place in the cohort the task has.
func (t Task) seat() string { return cmp.Or(t.Seat, t.Participant) }

// vacate makes the seat of a task that is lost, declined or rejected vacant,
// when it is worth a replacement: the cohort is not frozen, those who are left
// cannot reach the target, and at least half of the window is. Who joins must
// be asked everything, so seats are filled during the first exchange only.
func (s *State) vacate(t Task, at time.Time) {
	half := s.Config.Exchanges[s.Exchange].Window.Deadline / 2
	if s.Config.FrozenCohort || s.Exchange > 0 || at.After(s.Deadline.Add(-half)) {
		return
	}
	held := func(other Task) bool { return other.Status == Open || other.Status == Accepted }
	if slices.ContainsFunc(s.under().holders(t.seat()), held) || s.vacant.has(t.seat()) {
		return
	}
	target, _ := s.bounds()
	if s.Count(Accepted)+s.Count(Open)+s.vacant.len() < target {
		s.vacant = s.vacant.add(t.seat())
	}
}

// fill settles the seat of a task whose answer was accepted. A seat counts
// once: whoever else was asked in its place is let go.
func (s *State) fill(t Task) []Effect {
	s.vacant = s.vacant.remove(t.seat())
	var others []Task
	for _, other := range s.of(t.Exchange).holders(t.seat()) {
		if other.Status == Open || other.Status == Lost {
			other.Status, other.Reason = Withdrawn, t.Participant+" has answered in its place"
			s.set(other)
			others = append(others, other)
		}
	}
	if len(others) == 0 {
		return nil
	}
	return []Effect{Withdraw{Tasks: others, Reason: others[0].Reason}}
}

// replace puts a participant into the vacant seat, or leaves it empty.
func (s State) replace(e Replaced) (State, []Effect, error) {
	if err := s.current(e, e.Round, e.Attempt); err != nil {
		return s, nil, err
	}
	if e.Exchange != s.Exchange || s.vacant.len() == 0 || s.vacant.first() != e.Seat {
		return s, nil, s.illegal(e, "that seat is not the one to be filled")
	}
	place, asked := slices.BinarySearch(s.cohort, e.Participant)
	if asked {
		return s, nil, s.illegal(e, "the participant was asked before")
	}
	before := s
	s.vacant = s.vacant.remove(e.Seat)
	if e.Participant == "" {
		next, effects, err := s.advance(e.At, false)
		return next, next.refilling(before, effects), err
	}
	s.cohort = slices.Insert(slices.Clone(s.cohort), place, e.Participant)
	t := s.under().task(s.Exchange, e.Participant)
	t.Seat = e.Seat
	s.set(t)
	return s, s.refilling(before, []Effect{s.OfferOf(t)}), nil
}

// replacing asks for the first vacant seat to be filled.
func (s State) replacing() []Effect {
	if s.vacant.len() == 0 {
		return nil
	}
	return []Effect{Replace{s.Round, s.Attempt, s.Exchange, s.vacant.first(), s.cohort}}
}

// refilling adds to effects what a step from before on has made of the vacant
// seats: another one is the first to be filled now.
func (s State) refilling(before State, effects []Effect) []Effect {
	if s.vacant.len() == 0 || before.vacant.len() > 0 && before.vacant.first() == s.vacant.first() {
		return effects
	}
	return append(effects, s.replacing()...)
}
