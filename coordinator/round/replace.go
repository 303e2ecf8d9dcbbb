package round

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// seat is whose place in the cohort the task has.
func (t Task) seat() string { return cmp.Or(t.Seat, t.Participant) }

// vacate makes the seat of a task that is lost, declined or rejected vacant,
// when it is worth a replacement: the cohort is not frozen, those who are left
// can not reach the target, and at least half of the window is. Who joins must
// be asked everything, so seats are filled during the first exchange only.
func (s *State) vacate(t Task, at time.Time) {
	half := s.Config.Exchanges[s.Exchange].Window.Deadline / 2
	if s.Config.FrozenCohort || s.Exchange > 0 || at.After(s.Deadline.Add(-half)) {
		return
	}
	held := func(other *Task) bool {
		return other.seat() == t.seat() && (other.Status == Open || other.Status == Accepted)
	}
	if slices.ContainsFunc(s.Tasks, held) || slices.Contains(s.Vacant, t.seat()) {
		return
	}
	target, _ := s.bounds()
	if s.count(0, Accepted)+s.count(0, Open)+len(s.Vacant) < target {
		s.Vacant = append(slices.Clone(s.Vacant), t.seat())
	}
}

// fill settles the seat of a task whose answer was accepted. A seat counts
// once: whoever else was asked in its place is let go.
func (s *State) fill(t Task) []Effect {
	s.Vacant = slices.DeleteFunc(slices.Clone(s.Vacant), func(seat string) bool { return seat == t.seat() })
	var others []Task
	for _, task := range s.Tasks {
		other := *task
		waits := other.Exchange == t.Exchange && (other.Status == Open || other.Status == Lost)
		if waits && other.seat() == t.seat() {
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
	if e.Exchange != s.Exchange || len(s.Vacant) == 0 || s.Vacant[0] != e.Seat {
		return s, nil, s.illegal(e, "that seat is not the one to be filled")
	}
	if slices.Contains(s.Cohort(), e.Participant) {
		return s, nil, s.illegal(e, "the participant was asked before")
	}
	before := s
	s.Vacant = slices.Clone(s.Vacant[1:])
	if e.Participant == "" {
		next, effects, err := s.advance(e.At, false)
		return next, next.refilling(before, effects), err
	}
	t := Task{
		ID:       s.taskID(s.Config.Exchanges[s.Exchange].Name, e.Participant),
		Exchange: s.Exchange, Participant: e.Participant, Seat: e.Seat, Status: Open,
	}
	s.Tasks = append(slices.Clone(s.Tasks), &t)
	slices.SortFunc(s.Tasks, func(a, b *Task) int {
		return cmp.Or(cmp.Compare(a.Exchange, b.Exchange), strings.Compare(a.Participant, b.Participant))
	})
	return s, s.refilling(before, []Effect{s.offer(t)}), nil
}

// replacing asks for the first vacant seat to be filled.
func (s State) replacing() []Effect {
	if len(s.Vacant) == 0 {
		return nil
	}
	return []Effect{Replace{s.Round, s.Attempt, s.Exchange, s.Vacant[0], s.Cohort()}}
}

// refilling adds to effects what a step from before on has made of the vacant
// seats: another one is the first to be filled now.
func (s State) refilling(before State, effects []Effect) []Effect {
	if len(s.Vacant) == 0 || len(before.Vacant) > 0 && before.Vacant[0] == s.Vacant[0] {
		return effects
	}
	return append(effects, s.replacing()...)
}
