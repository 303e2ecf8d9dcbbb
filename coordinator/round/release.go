package round

// aggregated turns the aggregate into a release. Unless the measurement decides
// whether there is another round, the next one begins at once.
func (s State) aggregated(e Aggregated) (State, []Effect, error) {
	if err := s.current(e, e.Round, e.Attempt); err != nil {
		return s, nil, err
	}
	if s.Release != nil {
		return s, nil, s.illegal(e, "the version before is not out yet")
	}
	s.Release = &Release{
		Version: Version{Round: s.Round, Model: e.Model},
		Attempt: s.Attempt, Parent: s.Model, Updates: s.updates(),
	}
	s.Phase = Evaluating
	if s.Round < s.Config.Rounds && s.Config.StopAt == 0 {
		s = s.nextRound(e.Model)
	}
	return s, Pending(s), nil
}

// nextRound begins the round after this one, from a model.
func (s State) nextRound(model string) State {
	s.Phase, s.Round, s.Attempt, s.Waited, s.Reason, s.Model = Selecting, s.Round+1, 0, 0, "", model
	s.clear()
	return s
}

func (s State) evaluated(e Evaluated) (State, []Effect, error) {
	if !s.releases(e.Round, e.Attempt) || s.Release.Measured {
		return s, nil, s.illegal(e, "no such version is to be measured")
	}
	r := *s.Release
	r.Measured, r.Accuracy, r.Loss, r.Validation = true, e.Accuracy, e.Loss, e.Validation
	s.Release = &r
	if s.Phase == Evaluating {
		s.Phase = Publishing
	}
	return s, s.releasing(), nil
}

func (s State) published(e Published) (State, []Effect, error) {
	if !s.releases(e.Round, e.Attempt) || !s.Release.Measured || e.Model != s.Release.Model {
		return s, nil, s.illegal(e, "no such version is to be published")
	}
	v := s.Release.Version
	s.Release = nil
	s.Published = s.Published.add(v)
	switch s.Phase {
	case Publishing:
		if s.Resume.Final() {
			return s.end(s.Resume), nil, nil
		}
		score, measured := v.score()
		if s.Round == s.Config.Rounds || s.Config.StopAt > 0 && measured && score >= s.Config.StopAt {
			s.Phase, s.Model, s.Reason = Completed, v.Model, ""
			return s, nil, nil
		}
		s = s.nextRound(v.Model)
		return s, s.progressing(), nil
	case Aggregating:
		return s, s.progressing(), nil
	default:
		return s, nil, nil
	}
}

// releases reports whether a result is of the version on its way out. One that
// has halted awaits no result before it goes on.
func (s State) releases(round, attempt int) bool {
	return s.Release != nil && !s.Release.Halted && s.Release.Round == round && s.Release.Attempt == attempt
}

// halt keeps a release whose effect has failed. A round under way is not
// disturbed by that: it is tried again with the next answer, and before the round
// aggregates.
func (s State) halt(e EffectFailed) (State, []Effect, error) {
	r := *s.Release
	r.Halted = true
	s.Release = &r
	reason := e.Effect + ": " + e.Reason
	switch s.Phase {
	case Aggregating, Evaluating, Publishing:
	default:
		s.Reason = reason
		return s, nil, nil
	}
	switch {
	case s.Resume.Final(): // the run ends for another reason
		return s.end(s.Resume), nil, nil
	case s.exhausted():
		s.Reason = reason
		return s.end(Failed), nil, nil
	}
	return s.fail(reason, e.At, s.Phase)
}

// unhalt lets a release go on that has halted.
func (s State) unhalt() (State, []Effect) {
	if s.Release == nil || !s.Release.Halted {
		return s, nil
	}
	r := *s.Release
	r.Halted = false
	s.Release = &r
	return s, s.releasing()
}

// aggregate follows the last window: the updates are combined, but not before
// the version before is out.
func (s State) aggregate() (State, []Effect) {
	s.Phase = Aggregating
	if s.Release != nil {
		return s.unhalt()
	}
	return s, s.progressing()
}
