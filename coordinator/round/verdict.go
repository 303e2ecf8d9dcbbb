package round

import "fmt"

// Verdict is what a run makes of an answer.
type Verdict string

// The verdicts.
const (
	VerdictAccepted  Verdict = "accepted"
	VerdictRejected  Verdict = "rejected"
	VerdictLate      Verdict = "late"
	VerdictDuplicate Verdict = "duplicate"
	VerdictNoted     Verdict = "noted"
)

// Judge says what s makes of an answer, without a change of state. A
// duplicate needs no event: it would change nothing.
func Judge(s State, a Answered) (Verdict, string) {
	t, ok := s.Task(a.Task)
	switch {
	case !ok:
		return VerdictLate, "its round is over"
	case t.Participant != a.Participant:
		return VerdictRejected, fmt.Sprintf("the task was given to %s, not to %s", t.Participant, a.Participant)
	}
	switch t.Status {
	case Accepted:
		if (a.Outcome == Valid || a.Outcome == Stale) && a.Digest == t.Digest {
			return VerdictDuplicate, ""
		}
		return VerdictRejected, "equivocation: another answer to this task was accepted before"
	case Rejected, Declined:
		return VerdictDuplicate, t.Reason
	case Withdrawn:
		return VerdictLate, t.Reason
	}
	return s.appraise(a)
}

// appraise judges the first answer to a task that awaits one.
func (s State) appraise(a Answered) (Verdict, string) {
	switch {
	case a.Outcome == Stale:
		return VerdictLate, a.Reason
	case a.Outcome == Refused:
		return VerdictNoted, a.Reason
	case a.Outcome != Valid:
		return VerdictRejected, a.Reason
	case s.Config.Weighted && a.Samples < 1:
		return VerdictRejected, fmt.Sprintf("%d samples: the run weighs updates by samples, so 1 or more are needed", a.Samples)
	case a.Samples > s.Config.MaxSamples:
		return VerdictRejected, fmt.Sprintf("%d samples: the run allows at most %d", a.Samples, s.Config.MaxSamples)
	}
	return VerdictAccepted, ""
}
