package coordinator

import "github.com/accord-fl/accord/coordinator/round"

// maxUnasked is how many answers of a participant that nobody awaits are
// recorded in an attempt of a round; more are turned down without a trace, so
// that nobody can fill the journal. Stale answers are among them.
const maxUnasked = 8

// worthRecording reports whether an answer goes into the journal: always one that
// is awaited.
func (c *Coordinator) worthRecording(state round.State, a round.Answered) bool {
	if t, ok := state.Task(a.Task); ok && t.Participant == a.Participant && awaited(t) && a.Outcome != round.Stale {
		return true
	}
	r := c.runs[state.Run]
	if r == nil {
		return false // it was removed a moment ago
	}
	if r.unasked == nil {
		r.unasked = map[string]int{}
	}
	r.unasked[a.Participant]++
	return r.unasked[a.Participant] <= maxUnasked
}
