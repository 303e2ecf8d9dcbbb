package round

import "time"

// Effect is something to do. The concrete types are below; each names the
// event that answers it.
type Effect interface{ effect() }

// Select asks for a cohort; CohortSelected answers. At least one site, and
// in the first round at least MinSites, must attend.
type Select struct {
	Round, Attempt int
	Fraction       float64
	MinSites       int
	Minimum        int // answers without which the round cannot succeed, whatever the cohort
	// Least is how many sites must attend once those that are missing have been
	// given up.
	Least int
}

// Offer asks a participant to do a task; Answered answers.
type Offer struct {
	Round    int
	Model    string // the global model
	Deadline time.Time
	Task     Task
	Redone   int // State.Redone
}

// Replace asks for a participant to take a seat that became vacant; Replaced
// answers. There is one at a time, so that no two draws agree on one.
type Replace struct {
	Round, Attempt, Exchange int
	Seat                     string
	Asked                    []string // who was asked in this attempt, sorted: not one of them
}

// Arm asks for a DeadlinePassed at a time.
type Arm struct {
	Round, Attempt, Exchange int
	At                       time.Time
}

// Aggregate asks for the next global model; Aggregated answers.
type Aggregate struct {
	Round, Attempt int
	Base           string // digest of the global model
	Updates        []Task // accepted, sorted by participant
}

// Evaluate asks for a model to be measured; Evaluated answers.
type Evaluate struct {
	Round, Attempt int
	Model          string
}

// Publish asks for a version to be made visible to all; Published answers.
type Publish struct {
	Round, Attempt int
	Version        Version
	Parent         string // the global model that the round started from
	Updates        []Task // that it was made of
}

// Acknowledge tells a participant what became of its answer. Nothing answers
// it: if it is lost, the participant asks again.
type Acknowledge struct {
	Task, Participant string
	Verdict           Verdict
	Reason            string
}

// Withdraw takes tasks back that nobody waits for any more. Nothing answers
// it.
type Withdraw struct {
	Tasks  []Task
	Reason string
}

func (Select) effect()      {}
func (Offer) effect()       {}
func (Replace) effect()     {}
func (Arm) effect()         {}
func (Aggregate) effect()   {}
func (Evaluate) effect()    {}
func (Publish) effect()     {}
func (Acknowledge) effect() {}
func (Withdraw) effect()    {}

// Pending derives every open effect of s, so that after a restart nothing is
// forgotten. Acknowledge and Withdraw are not among them: what they say is
// said again when a participant asks.
func Pending(s State) []Effect {
	return append(s.releasing(), s.progressing()...)
}

// progressing is what the round waits for.
func (s State) progressing() []Effect {
	switch s.Phase {
	case Selecting:
		return []Effect{s.selection()}
	case Exchanging:
		effects := []Effect{s.alarm()}
		for _, t := range s.under().with(Open) {
			effects = append(effects, s.OfferOf(t))
		}
		return append(effects, s.replacing()...)
	case Aggregating:
		if s.Release == nil {
			return []Effect{Aggregate{s.Round, s.Attempt, s.Model, s.updates()}}
		}
	case Retrying:
		return []Effect{s.alarm()}
	}
	return nil
}

// releasing is what the release waits for.
func (s State) releasing() []Effect {
	switch r := s.Release; {
	case r == nil || r.Halted:
		return nil
	case !r.Measured:
		return []Effect{Evaluate{r.Round, r.Attempt, r.Model}}
	default:
		return []Effect{Publish{r.Round, r.Attempt, r.Version, r.Parent, r.Updates}}
	}
}

// updates are the answers to the round's last exchange.
func (s State) updates() []Task { return s.of(len(s.Config.Exchanges) - 1).with(Accepted) }

func (s State) alarm() Effect { return Arm{s.Round, s.Attempt, s.Exchange, s.Deadline} }

// OfferOf is the offer of a task of the exchange that is under way.
func (s State) OfferOf(t Task) Offer { return Offer{s.Round, s.Model, s.Deadline, t, s.Redone} }

func (s State) selection() Select {
	sel := Select{Round: s.Round, Attempt: s.Attempt, Fraction: s.Config.Fraction, MinSites: s.Config.MinSites, Least: 1}
	for _, x := range s.Config.Exchanges {
		sel.Minimum = max(sel.Minimum, x.Window.Minimum)
		if x.Window.Minimum == 0 {
			sel.Least = max(sel.Least, min(s.Config.Quorum, s.Config.MinSites))
		}
	}
	sel.Least = max(sel.Least, sel.Minimum)
	return sel
}
