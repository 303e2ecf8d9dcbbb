package round

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ArtefactLost reports artefacts that are damaged or missing, and that nothing at
// hand could repair.
type ArtefactLost struct {
	Round     int       `json:"round"` // of the effect that needed them, as is Attempt
	Attempt   int       `json:"attempt"`
	Artefacts []string  `json:"artefacts"` // digests: models, or accepted answers of the attempt
	Reason    string    `json:"reason"`
	At        time.Time `json:"at"`
}

func (ArtefactLost) kind() string { return "artefact_lost" }

// maxAsked is how often a participant is asked for an answer whose artefact is
// lost each time, before that costs a retry: a disk that keeps nothing must not
// hold a run for ever.
const maxAsked = 4

// artefactLost goes back to where the artefacts come from. An answer is asked for
// again, within a window of its own; a version that is not out yet is made again
// by its round; without any other model the run cannot go on. Nothing of this
// costs a retry.
func (s State) artefactLost(e ArtefactLost) (State, []Effect, error) {
	r := s.Release
	switch {
	case r != nil && slices.Contains(e.Artefacts, r.Model):
		return s.redo(e)
	case (r == nil || r.Round < s.Round) && slices.Contains(e.Artefacts, s.Model):
		s, withdrawn := s.withdraw("the global model is lost")
		s.Reason = e.Reason + "; restore a backup of the coordinator's folder"
		return s.end(Failed), withdrawn, nil
	}
	if err := s.current(e, e.Round, e.Attempt); err != nil {
		return s, nil, err
	}
	if s.Phase != Aggregating {
		return s, nil, s.illegal(e, "nothing needs those")
	}
	return s.reopen(e)
}

// redo forgets a version on its way out, and what was begun from it, and does its
// round again.
func (s State) redo(e ArtefactLost) (State, []Effect, error) {
	s, withdrawn := s.withdraw("the model that it starts from is lost")
	if s.Resume.Final() { // the run ends for another reason
		return s.end(s.Resume), withdrawn, nil
	}
	r := s.Release
	s.clear()
	s.Release, s.Model, s.Resume, s.Reason = nil, r.Parent, "", e.Reason+"; its round is done again"
	s.Redone++ // what follows may start from another model than sites were asked with before
	s.Phase, s.Round, s.Attempt, s.Waited = Selecting, r.Round, r.Attempt+1, r.Attempt+1
	return s, append(withdrawn, s.selection()), nil
}

// reopen asks for the answers of the last exchange again that are lost. Each has
// a task with another id, in place of the old one.
func (s State) reopen(e ArtefactLost) (State, []Effect, error) {
	var again []Task
	for _, t := range s.updates() {
		if !slices.Contains(e.Artefacts, t.Digest) {
			continue
		}
		id, asked := askAgain(t.ID)
		if asked > maxAsked {
			return s.fail(e.Reason, e.At, Selecting)
		}
		again = append(again, Task{ID: id, Exchange: t.Exchange, Participant: t.Participant, Seat: t.Seat, Status: Open})
	}
	if len(again) == 0 {
		return s, nil, s.illegal(e, "no accepted answer has such an artefact")
	}
	s.Phase, s.Reason = Exchanging, e.Reason
	s.Deadline = e.At.Add(s.Config.Exchanges[s.Exchange].Window.Deadline)
	effects := []Effect{s.alarm()}
	for _, t := range again {
		s.set(t)
		effects = append(effects, s.OfferOf(t))
	}
	return s, effects, nil
}

// askAgain returns the id of the task that follows one whose artefact is lost:
// its own and "#2", "#3" and so on, and that number.
func askAgain(id string) (next string, asked int) {
	base, number, again := strings.Cut(id, "#")
	asked = 2
	if n, err := strconv.Atoi(number); again && err == nil {
		asked = n + 1
	}
	return base + "#" + strconv.Itoa(asked), asked
}

// NotFinite answers Aggregate or Evaluate: the model that the round leads to, or
// its loss, is not made of finite numbers.
type NotFinite struct {
	Round   int    `json:"round"`
	Attempt int    `json:"attempt"`
	Reason  string `json:"reason"`
}

func (NotFinite) kind() string { return "not_finite" }

// notFinite ends the run with the last version that was published. What follows
// from numbers that are not finite is not finite either.
func (s State) notFinite(e NotFinite) (State, []Effect, error) {
	if !s.releases(e.Round, e.Attempt) {
		if err := s.current(e, e.Round, e.Attempt); err != nil {
			return s, nil, err
		}
		if s.Phase != Aggregating {
			return s, nil, s.illegal(e, "not legal here")
		}
	}
	s, withdrawn := s.withdraw("the training diverged")
	s.Reason = fmt.Sprintf("training diverged in round %d: %s", e.Round, e.Reason)
	return s.end(Diverged), withdrawn, nil
}

// diverges reports whether too many trainings of the attempt have diverged for
// the window ever to close well. They depend on the seed, the run, the round and
// the site alone, so the same sites would find the same again.
func (s State) diverges(minimum int) bool {
	diverged, others := 0, 0
	for _, t := range s.under().tasks.all() {
		if t.Diverged {
			diverged++
		} else {
			others++
		}
	}
	return diverged > 0 && others < minimum
}
