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
// there are retries left, else it has failed.
func (s State) fail(reason string, at time.Time, resume Phase) (State, []Effect, error) {
	s, withdrawn := s.withdraw("the attempt failed")
	s.Reason = reason
	if s.Attempt >= s.Config.Retries {
		s, effects := s.giveUp()
		return s, append(withdrawn, effects...), nil
	}
	s.Phase, s.Resume, s.Deadline = Retrying, resume, at.Add(pause(s.Attempt))
	return s, append(withdrawn, s.alarm()), nil
}

// giveUp fails the run, once the version of the round before is out.
func (s State) giveUp() (State, []Effect) {
	r := s.Release
	if r == nil || r.Round == s.Round {
		return s.end(Failed), nil
	}
	s.Phase, s.Resume = Evaluating, Failed
	if r.Measured {
		s.Phase = Publishing
	}
	return s.unhalt()
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
		s.Tasks = nil
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
