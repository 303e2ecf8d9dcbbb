package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/accord-fl/accord/internal/hours"
)

// Policy is what a site allows. The zero value allows nothing to leave but
// the update itself, and else everything.
type Policy struct {
	Runs          []string // patterns of names, as path.Match takes them; none: every run
	Datasets      []string // that a run may ask for by name
	MaxEpochs     int      // in a round; 0: no limit
	MaxParameters int      // of the model; 0: no limit
	MaxModel      int64    // bytes of the model's tensors; 0: no limit
	MaxRepeats    int      // further answers to a round after the coordinator was restored, or has made a version again
	MinCohort     int      // fewest participants whose updates become a model together
	ShareSamples  bool     // the number of samples may leave, where a run weighs by it
	ShareMetrics  bool     // the trainer's metrics may leave
	Hours         hours.Hours
	Manual        bool // a person must approve each run
}

// DefaultMaxRepeats is how often a round may be answered again after restores
// unless a site says otherwise: a coordinator that is restored from the copy of
// yesterday asks for the rounds of today once more.
const DefaultMaxRepeats = 3

// Default returns the policy of a site that trains whatever it is asked to,
// on the data that it trains on unless told otherwise.
func Default() Policy {
	return Policy{ShareSamples: true, ShareMetrics: true, MaxRepeats: DefaultMaxRepeats}
}

// Verdict is what a site decides about a task.
type Verdict string

// The verdicts.
const (
	Allow   Verdict = "allow"
	Decline Verdict = "decline" // for good, as long as task and policy stay
	Hold    Verdict = "hold"    // declined for now
)

// Names of the rules, as they are called in a site's configuration.
const (
	RuleRuns          = "runs"
	RuleDatasets      = "datasets"
	RuleMaxEpochs     = "max_epochs"
	RuleMaxParameters = "max_parameters"
	RuleMaxModel      = "max_model"
	RuleMaxRepeats    = "max_repeats"
	RuleDiskReserve   = "disk_reserve"
	RuleMinCohort     = "min_cohort"
	RuleShareSamples  = "share_samples"
	RuleHours         = "hours"
	RuleApprove       = "approve"
)

// Decision about a task.
type Decision struct {
	Verdict Verdict
	Rule    string // that does not allow the task; "" with Allow
	Reason  string // why, for both ends to read; "" with Allow
	// Until is when an allowed training must have ended; zero: no limit.
	Until time.Time
}

// Judge decides about a task of a round for which the updates of together
// participants may be enough, given the approval of its run, which may be nil.
// What can never be allowed is told before what only has to wait.
func (p Policy) Judge(f Facts, together int, a *Approval, now time.Time) Decision {
	if rule, reason := p.forbids(f, together); rule != "" {
		return Decision{Verdict: Decline, Rule: rule, Reason: reason}
	}
	if p.Manual {
		if reason := a.lacks(f); reason != "" {
			return Decision{Verdict: Hold, Rule: RuleApprove, Reason: reason}
		}
	}
	change := p.Hours.Change(now)
	if !p.Hours.Open(now) {
		return Decision{Verdict: Hold, Rule: RuleHours, Reason: "outside hours, open again at " + change.Format("Mon 2 Jan 15:04 MST")}
	}
	return Decision{Verdict: Allow, Until: change}
}

// forbids returns the first rule that never allows the task, and why.
func (p Policy) forbids(f Facts, together int) (rule, reason string) {
	switch {
	case len(p.Runs) > 0 && !slices.ContainsFunc(p.Runs, func(pattern string) bool { return matches(pattern, f.Run) }):
		return RuleRuns, fmt.Sprintf("the site takes no part in runs called %s", f.Run)
	case f.Dataset != "" && !slices.Contains(p.Datasets, f.Dataset):
		return RuleDatasets, fmt.Sprintf("the site offers no data set %s%s", f.Dataset, p.offered())
	case p.MaxEpochs > 0 && f.Plan.Epochs > p.MaxEpochs:
		return RuleMaxEpochs, fmt.Sprintf("%d epochs a round, the site allows %d", f.Plan.Epochs, p.MaxEpochs)
	case p.MaxParameters > 0 && f.Parameters > p.MaxParameters:
		return RuleMaxParameters, fmt.Sprintf("a model of %d parameters, the site allows %d", f.Parameters, p.MaxParameters)
	case p.MaxModel > 0 && 4*int64(f.Parameters) > p.MaxModel:
		return RuleMaxModel, fmt.Sprintf("a model of %d bytes, the site allows %d", 4*int64(f.Parameters), p.MaxModel)
	case p.Manual && f.Rounds == 0:
		return RuleApprove, "the coordinator does not say how many rounds the run has, so nobody can approve them: upgrade it"
	case p.MinCohort > 0 && together == 0:
		return RuleMinCohort, "the coordinator does not tell how many updates are enough: upgrade it"
	case together < p.MinCohort:
		return RuleMinCohort, fmt.Sprintf("%d updates may be enough for a model, the site takes part where %d or more must be (window.minimum of the run)", together, p.MinCohort)
	case f.SendSamples && !p.ShareSamples:
		return RuleShareSamples, "the run weighs updates by samples, and how many there are does not leave the site; weighting uniform needs no count"
	default:
		return "", ""
	}
}

// matches reports whether a valid pattern fits a run's name.
func matches(pattern, run string) bool {
	ok, err := path.Match(pattern, run)
	return ok && err == nil
}

func (p Policy) offered() string {
	if len(p.Datasets) == 0 {
		return ""
	}
	return "; it offers " + strings.Join(slices.Sorted(slices.Values(p.Datasets)), ", ")
}

// Refusal is the error of a task that the policy does not allow.
type Refusal struct {
	Rule, Reason string
	Later        bool // at another time it may be allowed
}

func (r *Refusal) Error() string { return fmt.Sprintf("site policy (%s): %s", r.Rule, r.Reason) }

// Terms are what an allowed task is done under.
type Terms struct {
	Samples bool      // the number of samples may leave
	Metrics bool      // the trainer's metrics may leave
	Until   time.Time // when the training must have ended; zero: no limit
}
