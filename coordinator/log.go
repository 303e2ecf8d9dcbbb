package coordinator

import (
	"cmp"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/round"
)

// logTransition says what a person who reads the log wants to know.
func (c *Coordinator) logTransition(s stepped) {
	log := c.log.With(zap.String("run", s.in.run), zap.Int("round", s.state.Round))
	switch e := s.in.event.(type) {
	case round.Submitted:
		log.Info("run submitted", zap.Int("rounds", e.Config.Rounds))
	case round.CohortSelected:
		log.Info("cohort selected", zap.Int("sites", len(e.Cohort)), zap.Int("attempt", e.Attempt))
	case round.Answered:
		if why := notAccepted(s.state, e); why != "" {
			log.Warn("answer not accepted", zap.String("participant", e.Participant), zap.String("task", e.Task), zap.String("reason", why))
		}
	case round.ArtefactLost:
		log.Error("artefact lost", zap.Strings("artefacts", e.Artefacts), zap.String("reason", e.Reason))
	case round.ParticipantLost:
		log.Warn("participant lost", zap.String("participant", e.Participant))
	case round.Replaced:
		if e.Participant == "" {
			log.Warn("nobody is free to replace a participant", zap.String("seat", e.Seat))
		} else {
			log.Info("participant replaced", zap.String("seat", e.Seat), zap.String("participant", e.Participant))
		}
	case round.Removed:
		c.log.Info("run removed", zap.String("run", s.in.run), zap.String("by", e.By))
	case round.Published:
		v, _ := s.state.Published.Newest()
		c.log.Info("version published", zap.String("run", s.in.run), zap.Int("round", v.Round), zap.Float64p("accuracy", v.Accuracy), zap.String("model", v.Model))
	}
	if s.state.Phase != s.before {
		switch s.state.Phase {
		case round.Aggregating:
			if absent := s.state.Absent(); absent != "" && s.before == round.Exchanging {
				log.Warn("window closed without some sites", zap.Int("updates", s.state.Count(round.Accepted)), zap.String("reason", absent))
			}
		case round.Retrying:
			log.Warn("attempt failed, the round is tried again", zap.Int("attempt", s.state.Attempt), zap.String("reason", s.state.Reason))
		case round.Completed, round.Failed, round.Stopped, round.Diverged:
			log.Info("run ended", zap.String("phase", string(s.state.Phase)), zap.String("reason", s.state.Reason))
		}
	}
}

// notAccepted returns why an answer that has led to s was not accepted; "": it was.
func notAccepted(s round.State, a round.Answered) string {
	verdict, why := round.Judge(s, a)
	if t, _ := s.Task(a.Task); verdict == round.VerdictDuplicate && t.Status == round.Accepted {
		return ""
	}
	return cmp.Or(why, a.Reason, string(verdict))
}
