package coordinator

import "github.com/accord-fl/accord/coordinator/round"

// RunStatus is how a run stands, for people.
type RunStatus struct {
	Name     string      `json:"name"`
	Phase    round.Phase `json:"phase"`
	Round    int         `json:"round"`
	Rounds   int         `json:"rounds"`
	Attempt  int         `json:"attempt"`
	Cohort   []string    `json:"cohort,omitempty"` // not in lists
	Accepted int         `json:"accepted"`         // answers of this attempt
	Model    string      `json:"model"`            // digest of the global model
	Versions int         `json:"versions"`         // how many were published
	// Published are the last of the versions, in order: at least the newest, and
	// as many more as whoever returns a RunStatus promises.
	Published []round.Version `json:"published,omitempty"`
	Candidate *round.Version  `json:"candidate,omitempty"` // the version to hand out
	Counts    round.Counts    `json:"counts"`
	Reason    string          `json:"reason,omitempty"`
}

// StatusVersions is how many versions, the newest, Describe returns at most.
const StatusVersions = 1000

// Summary is the status of a run with nothing that grows: no cohort, and no
// version but the newest.
func Summary(s round.State) RunStatus {
	status := RunStatus{
		Name: s.Run, Phase: s.Phase, Round: s.Round, Rounds: s.Config.Rounds, Attempt: s.Attempt,
		Accepted: s.Count(round.Accepted), Model: s.Model, Versions: s.Published.Len(), Counts: s.Counts, Reason: s.Remark(),
	}
	if newest, ok := s.Published.Newest(); ok {
		status.Published = []round.Version{newest}
	}
	if best, ok := s.Candidate(); ok {
		status.Candidate = &best
	}
	return status
}

// Describe is the status of a run with its cohort and the newest StatusVersions
// of its versions.
func Describe(s round.State) RunStatus {
	status := Summary(s)
	status.Cohort = s.Cohort()
	status.Published = s.Published.Since(max(0, status.Versions-StatusVersions), StatusVersions)
	return status
}

// Status of one run, as Describe returns it, or ErrNoRun.
func (c *Coordinator) Status(name string) (RunStatus, error) {
	s, err := c.State(name)
	if err != nil {
		return RunStatus{}, err
	}
	return Describe(s), nil
}
