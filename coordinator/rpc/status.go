package rpc

import (
	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// phases pairs each phase with its spelling on the wire.
func phases() map[round.Phase]accordv1.Phase {
	return map[round.Phase]accordv1.Phase{
		round.Selecting:   accordv1.Phase_PHASE_SELECTING,
		round.Exchanging:  accordv1.Phase_PHASE_EXCHANGING,
		round.Aggregating: accordv1.Phase_PHASE_AGGREGATING,
		round.Evaluating:  accordv1.Phase_PHASE_EVALUATING,
		round.Publishing:  accordv1.Phase_PHASE_PUBLISHING,
		round.Retrying:    accordv1.Phase_PHASE_RETRYING,
		round.Completed:   accordv1.Phase_PHASE_COMPLETED,
		round.Failed:      accordv1.Phase_PHASE_FAILED,
		round.Stopped:     accordv1.Phase_PHASE_STOPPED,
		round.Diverged:    accordv1.Phase_PHASE_DIVERGED,
	}
}

// status writes how a run stands; one that is held up says why.
func (a *admin) status(s coordinator.RunStatus) *accordv1.Run {
	return heldUp(fromRunStatus(s), a.runs.Held())
}

// heldUp gives a run that has not ended the reason why no run goes on, if there is
// one.
func heldUp(r *accordv1.Run, why string) *accordv1.Run {
	if why != "" && !toPhase(r.GetPhase()).Final() {
		r.Reason = why
	}
	return r
}

func fromRunStatus(s coordinator.RunStatus) *accordv1.Run {
	r := &accordv1.Run{
		Name:     s.Name,
		Phase:    phases()[s.Phase],
		Round:    int32(s.Round),
		Rounds:   int32(s.Rounds),
		Attempt:  int32(s.Attempt),
		Cohort:   s.Cohort,
		Accepted: int32(s.Accepted),
		Model:    s.Model,
		Counts: &accordv1.Counts{
			Accepted: int32(s.Counts.Accepted),
			Rejected: int32(s.Counts.Rejected),
			Declined: int32(s.Counts.Declined),
			Late:     int32(s.Counts.Late),
			Lost:     int32(s.Counts.Lost),
		},
		Reason:    s.Reason,
		Published: fromVersions(s.Published),
		Versions:  int32(s.Versions),
	}
	if n := len(s.Published); s.Candidate != nil && (n == 0 || *s.Candidate != s.Published[n-1]) {
		r.Candidate = fromVersion(*s.Candidate)
	}
	return r
}

func fromVersion(v round.Version) *accordv1.Version {
	return &accordv1.Version{Round: int32(v.Round), Model: v.Model, Accuracy: v.Accuracy, Loss: v.Loss, Validation: v.Validation}
}

func fromVersions(versions []round.Version) []*accordv1.Version {
	var all []*accordv1.Version
	for _, v := range versions {
		all = append(all, fromVersion(v))
	}
	return all
}

func toVersion(v *accordv1.Version) round.Version {
	return round.Version{Round: int(v.GetRound()), Model: v.GetModel(), Accuracy: v.Accuracy, Loss: v.Loss, Validation: v.Validation}
}

func toVersions(versions []*accordv1.Version) []round.Version {
	var all []round.Version
	for _, v := range versions {
		all = append(all, toVersion(v))
	}
	return all
}

func toRunStatus(r *accordv1.Run) coordinator.RunStatus {
	s := coordinator.RunStatus{
		Name:     r.GetName(),
		Phase:    toPhase(r.GetPhase()),
		Round:    int(r.GetRound()),
		Rounds:   int(r.GetRounds()),
		Attempt:  int(r.GetAttempt()),
		Cohort:   r.GetCohort(),
		Accepted: int(r.GetAccepted()),
		Model:    r.GetModel(),
		Counts: round.Counts{
			Accepted: int(r.GetCounts().GetAccepted()),
			Rejected: int(r.GetCounts().GetRejected()),
			Declined: int(r.GetCounts().GetDeclined()),
			Late:     int(r.GetCounts().GetLate()),
			Lost:     int(r.GetCounts().GetLost()),
		},
		Reason:    r.GetReason(),
		Published: toVersions(r.GetPublished()),
		Versions:  int(r.GetVersions()),
	}
	if best := r.GetCandidate(); best != nil {
		candidate := toVersion(best)
		s.Candidate = &candidate
	} else if n := len(s.Published); n > 0 {
		s.Candidate = &s.Published[n-1]
	}
	if s.Versions == 0 && len(s.Published) > 0 { // a coordinator that sends all of them, and no more
		s.Versions = len(s.Published)
		candidate, _ := round.State{Published: round.HistoryOf(s.Published...)}.Candidate()
		s.Candidate = &candidate
	}
	return s
}

// toPhase reads a phase; one that is not known, from a newer coordinator,
// keeps its name on the wire.
func toPhase(p accordv1.Phase) round.Phase {
	for phase, spelled := range phases() {
		if spelled == p {
			return phase
		}
	}
	return round.Phase(p.String())
}
