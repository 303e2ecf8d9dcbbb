package round

import "time"

func (s State) effectFailed(e EffectFailed) (State, []Effect, error) {
	if s.releases(e.Round, e.Attempt) {
		return s.halt(e)
	}
	if err := s.current(e, e.Round, e.Attempt); err != nil {
		return s, nil, err
	}
	if s.Phase != Selecting && s.Phase != Aggregating {
		return s, nil, s.illegal(e, "not legal here")
	}
	return s.fail(e.Effect+": "+e.Reason, e.At, Selecting)
}

// fail ends the attempt: after a pause the run resumes in the given phase while
// there are retries left, else it has failed. An attempt that sites held up
// which may take part later costs no retry.
func (s State) fail(reason string, at time.Time, resume Phase) (State, []Effect, error) {
	waits := s.waits(at)
	s, withdrawn := s.withdraw("the attempt failed")
	s.Reason = reason
	if s.exhausted() && !waits {
		s, effects := s.giveUp(Failed, reason)
		return s, append(withdrawn, effects...), nil
	}
	if waits {
		s.Waited++
	}
	s.Phase, s.Resume, s.Deadline = Retrying, resume, at.Add(pause(s.Attempt))
	return s, append(withdrawn, s.alarm()), nil
}

// exhausted reports whether no retry of the round is left.
func (s State) exhausted() bool { return s.Attempt-s.Waited >= s.Config.Retries }

// waits reports whether the window could close well at its deadline if the sites
// took part that declined for now.
func (s State) waits(at time.Time) bool {
	if s.Phase != Exchanging {
		return false
	}
	later, possible := 0, s.Count(Accepted)
	for _, t := range s.under().with(Declined) {
		if t.Later {
			later++
		}
	}
	if at.Before(s.Deadline) {
		possible += s.Count(Open)
	}
	_, minimum := s.bounds()
	return later > 0 && possible+later >= minimum
}

// giveUp ends the run in a final phase, once the version of the round before is
// out.
func (s State) giveUp(p Phase, reason string) (State, []Effect) {
	s, withdrawn := s.withdraw("the attempt failed")
	s.Reason = reason
	r := s.Release
	if r == nil || r.Round == s.Round {
		return s.end(p), withdrawn
	}
	s.Phase, s.Resume = Evaluating, p
	if r.Measured {
		s.Phase = Publishing
	}
	s, effects := s.unhalt()
	return s, append(withdrawn, effects...)
}

// pause before the attempt that follows attempt: 1 s, doubling, at most a
// minute.
func pause(attempt int) time.Duration {
	return min(time.Second<<min(attempt, 6), time.Minute)
}

// retry ends the pause.
func (s State) retry() (State, []Effect, error) {
	s.Phase, s.Resume, s.Attempt = s.Resume, "", s.Attempt+1
	s, effects := s.unhalt()
	if s.Phase == Selecting {
		s.clear()
		effects = append(effects, s.selection())
	}
	return s, effects, nil
}

func (s State) stop(e StopRequested) (State, []Effect, error) {
	s, withdrawn := s.withdraw("the run was stopped")
	s.Reason = e.Reason
	return s.end(Stopped), withdrawn, nil
}

// end leaves the run with the last published model. A version that was on its way
// out is dropped.
func (s State) end(p Phase) State {
	if s.Release != nil && s.Release.Round < s.Round {
		s.Model = s.Release.Parent
	}
	s.Phase, s.Release = p, nil
	return s
}
