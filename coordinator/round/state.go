package round

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// Phase is what a run is doing.
type Phase string

// The phases. Completed, Failed, Stopped and Diverged are final.
const (
	Selecting   Phase = "selecting"   // a cohort is being drawn from who attends
	Exchanging  Phase = "exchanging"  // tasks are out, a window is open
	Aggregating Phase = "aggregating" // accepted updates become the next model
	Evaluating  Phase = "evaluating"  // all waits for the new model to be measured
	Publishing  Phase = "publishing"  // and to be published
	Retrying    Phase = "retrying"    // something failed; a pause before the next try
	Completed   Phase = "completed"
	Failed      Phase = "failed"
	Stopped     Phase = "stopped"
	Diverged    Phase = "diverged" // the training led to numbers that are not finite
)

// Final reports whether nothing follows p.
func (p Phase) Final() bool {
	return p == Completed || p == Failed || p == Stopped || p == Diverged
}

// Window says when an exchange is over: when Target answers are accepted, or
// at the deadline with at least Minimum of them, or as soon as nobody is left
// to answer. With fewer than Minimum the attempt fails. Each answer is a
// different site's.
type Window struct {
	Minimum  int           `json:"minimum"`  // 0: half of the target, rounded up, or Config.Quorum if that is more
	Target   int           `json:"target"`   // 0: the whole cohort
	Deadline time.Duration `json:"deadline"` // from the opening of the window
}

// Quorum is the Config.Quorum of runs that are submitted today.
const Quorum = 2

// Exchange is one question to the cohort.
type Exchange struct {
	Name   string `json:"name"`
	Window Window `json:"window"`
}

// Config is what a run was submitted with.
type Config struct {
	Rounds int `json:"rounds"`
	// Fraction of the attending sites that a cohort has, in (0, 1]; at least
	// one site. FedAvg's C (McMahan et al. 2017, Algorithm 1).
	Fraction float64 `json:"fraction"`
	// MinSites is how many sites must attend before the first round.
	MinSites int `json:"min_sites"`
	// Quorum is how many answers a window without a Minimum needs at least,
	// where its target is as many; MinSites below it bounds it when a round
	// begins. 0, in runs from before there was one: half of the target is enough.
	Quorum int `json:"quorum,omitempty"`
	// Exchanges of a round, in order. Who answered one is asked the next;
	// the answers to the last one are aggregated.
	Exchanges []Exchange `json:"exchanges"`
	// MaxSamples is the largest sample count an update may claim. A larger
	// claim is rejected, never clamped.
	MaxSamples int64 `json:"max_samples"`
	// Weighted tells that updates are weighted by their samples, so that a
	// count below 1 is rejected.
	Weighted bool `json:"weighted"`
	// StopAt ends the run once a published version is at least so accurate,
	// on the validation set where there is one; 0: never.
	StopAt float64 `json:"stop_at"`
	// Retries of a round after its first attempt before the run fails, not
	// counting attempts that sites held up which may take part later.
	Retries int `json:"retries"`
	// FrozenCohort forbids replacing a participant that is lost, declines or
	// answers badly: for exchanges that deal shares, and where privacy counts
	// on the sampling.
	FrozenCohort bool `json:"frozen_cohort"`
}

// Validate reports what no run can have.
func (c Config) Validate() error {
	switch {
	case c.Rounds < 1:
		return fmt.Errorf("rounds: got %d, want 1 or more", c.Rounds)
	case !(c.Fraction > 0 && c.Fraction <= 1):
		return fmt.Errorf("fraction: got %g, want more than 0 and at most 1", c.Fraction)
	case c.MinSites < 1:
		return fmt.Errorf("min_sites: got %d, want 1 or more", c.MinSites)
	case c.Quorum < 0:
		return fmt.Errorf("quorum: got %d, want 0 or more", c.Quorum)
	case len(c.Exchanges) == 0:
		return fmt.Errorf("exchanges: there is none")
	case c.MaxSamples < 1:
		return fmt.Errorf("max_samples: got %d, want 1 or more", c.MaxSamples)
	case !(c.StopAt >= 0 && c.StopAt <= 1):
		return fmt.Errorf("stop_at: got %g, want 0 to 1", c.StopAt)
	case c.Retries < 0:
		return fmt.Errorf("retries: got %d, want 0 or more", c.Retries)
	}
	for _, x := range c.Exchanges {
		switch w := x.Window; {
		case x.Name == "":
			return fmt.Errorf("exchanges: one has no name")
		case w.Deadline <= 0:
			return fmt.Errorf("exchange %s: deadline: got %s, want more than 0", x.Name, w.Deadline)
		case w.Minimum < 0 || w.Target < 0:
			return fmt.Errorf("exchange %s: negative minimum (%d) or target (%d)", x.Name, w.Minimum, w.Target)
		case w.Target > 0 && w.Minimum > w.Target:
			return fmt.Errorf("exchange %s: minimum %d above target %d", x.Name, w.Minimum, w.Target)
		}
	}
	return nil
}

// Status is what became of a task.
type Status string

// The statuses. An open or lost task may still be answered.
const (
	Open      Status = "open"
	Accepted  Status = "accepted"
	Rejected  Status = "rejected"
	Declined  Status = "declined" // the site would not, or could not
	Lost      Status = "lost"     // the site went away
	Withdrawn Status = "withdrawn"
)

// Task is one participant's part of an exchange.
type Task struct {
	ID          string `json:"id"`
	Exchange    int    `json:"exchange"` // index into Config.Exchanges
	Participant string `json:"participant"`
	// Seat is whose place in the cohort the task has taken; "": its own. A seat
	// may have many tasks, and has one accepted answer.
	Seat    string `json:"seat,omitempty"`
	Status  Status `json:"status"`
	Digest  string `json:"digest,omitempty"`  // of the accepted answer's artefact
	Samples int64  `json:"samples,omitempty"` // of the accepted answer
	Reason  string `json:"reason,omitempty"`
	Later   bool   `json:"later,omitempty"` // declined, but perhaps not at another time
	// Diverged: rejected or declined because its numbers were not finite.
	Diverged bool `json:"diverged,omitempty"`
}

// Version is a published global model.
type Version struct {
	Round      int      `json:"round"`
	Model      string   `json:"model"`                // digest
	Accuracy   *float64 `json:"accuracy,omitempty"`   // on the test set; nil: not measured
	Loss       *float64 `json:"loss,omitempty"`       // mean, on the test set
	Validation *float64 `json:"validation,omitempty"` // accuracy on the validation set
}

// Release is a version on its way out: first it is measured, then published.
// The next round goes on meanwhile, unless its being depends on the
// measurement, but does not aggregate before the version is out.
type Release struct {
	Version
	Attempt  int    `json:"attempt"`            // of its round
	Parent   string `json:"parent"`             // digest of the model that the round started from
	Updates  []Task `json:"updates,omitempty"`  // that it was made of, sorted by participant
	Measured bool   `json:"measured,omitempty"` // what is left is to publish it
	Halted   bool   `json:"halted,omitempty"`   // that failed, and waits to be tried again
}

// score is what decisions are made by: never the test set where there is a
// validation set.
func (v Version) score() (float64, bool) {
	switch {
	case v.Validation != nil:
		return *v.Validation, true
	case v.Accuracy != nil:
		return *v.Accuracy, true
	}
	return 0, false
}

// Counts tells how many answers ended how, over the whole run.
type Counts struct {
	Accepted int `json:"accepted"`
	Rejected int `json:"rejected"`
	Declined int `json:"declined"`
	Late     int `json:"late"`
	Lost     int `json:"lost"`
}

// State of a run. The zero State awaits a Submitted event. States are
// values: Step never changes the one it is given.
type State struct {
	Run        string
	Config     Config
	Definition json.RawMessage // the run as its owner described it; opaque here
	Phase      Phase
	Round      int // from 1
	Attempt    int // from 0 in each round
	Waited     int // attempts of the round that sites held up which may take part later
	Redone     int // versions of the run that were lost before they were out, so that their rounds were done again
	Exchange   int // index of the open exchange
	Deadline   time.Time
	Model      string   // digest of the global model that the round starts from
	Release    *Release // nil: none is on its way
	Resume     Phase    // the phase after Retrying; a final one: the run ends so once Release is out
	Published  History
	Counts     Counts
	Reason     string // why the last attempt, or the run, failed or stopped

	// What this attempt has asked, by the index of the exchange, and of whom in
	// the first one, sorted. Other states share all of it.
	exchanges []asked
	cohort    []string
	nonce     string // that ends the ids of its tasks
	vacant    vacancies
	absent    absent
}

// Cohort returns the participants selected for this attempt, replacements among
// them, sorted. The caller must not change it.
func (s State) Cohort() []string { return s.cohort }

// Seats is how many answers the cohort can give: a replacement sits in the seat
// of the site that it replaces.
func (s State) Seats() int { return s.of(0).seats }

// Minimum is how many answers are enough in the exchange that is under way.
func (s State) Minimum() int {
	_, minimum := s.bounds()
	return minimum
}

// Tasks yields the tasks of this attempt, by exchange and participant.
func (s State) Tasks() iter.Seq[Task] {
	return func(yield func(Task) bool) {
		for _, x := range s.exchanges {
			for _, t := range x.tasks.all() {
				if !yield(*t) {
					return
				}
			}
		}
	}
}

// Task finds a task of this attempt.
func (s State) Task(id string) (Task, bool) {
	once, _, _ := strings.Cut(id, "#") // see askAgain
	for _, x := range s.exchanges {
		name := strings.TrimSuffix(strings.TrimPrefix(once, x.prefix), x.suffix)
		if t, ok := x.tasks.get(name); ok && t.ID == id {
			return *t, true
		}
	}
	return Task{}, false
}

// TaskOf finds a participant's task in the exchange that is under way, or was the
// last one of this attempt.
func (s State) TaskOf(participant string) (Task, bool) {
	t, ok := s.under().tasks.get(participant)
	if !ok {
		return Task{}, false
	}
	return *t, true
}

// Count is how many tasks of a status the exchange has that is under way, or was
// the last one of this attempt.
func (s State) Count(status Status) int { return s.under().count(status) }

// of is what exchange x has asked in this attempt.
func (s State) of(x int) asked {
	if x >= len(s.exchanges) {
		return asked{}
	}
	return s.exchanges[x]
}

// under is the exchange under way, or the last one of this attempt.
func (s State) under() asked { return s.of(s.Exchange) }

// set replaces a task, or adds one, in the exchange that it names.
func (s *State) set(t Task) {
	s.exchanges = slices.Clone(s.exchanges)
	s.exchanges[t.Exchange] = s.exchanges[t.Exchange].set(t)
}

// clear forgets what the attempt has asked.
func (s *State) clear() { s.exchanges, s.cohort, s.nonce, s.vacant = nil, nil, "", vacancies{} }
