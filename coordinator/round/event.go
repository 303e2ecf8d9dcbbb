package round

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Event is something that happened. The concrete types are below.
type Event interface{ kind() string }

// Submitted starts a run from an initial global model.
type Submitted struct {
	Run        string          `json:"run"`
	Config     Config          `json:"config"`
	Definition json.RawMessage `json:"definition,omitempty"`
	Model      string          `json:"model"`
}

// CohortSelected answers Select; it opens the first window.
type CohortSelected struct {
	Round   int      `json:"round"`
	Attempt int      `json:"attempt"`
	Cohort  []string `json:"cohort"` // distinct
	// Nonce is random and ends the ids of all tasks of the attempt, so that the
	// answer to a task of a journal that was lost is not taken for one of another
	// life. "" in journals from before there was one.
	Nonce string    `json:"nonce,omitempty"`
	At    time.Time `json:"at"`
}

// Answered is a participant's answer to a task, after its artefact was
// stored and checked.
type Answered struct {
	Task        string    `json:"task"`
	Participant string    `json:"participant"` // who really answered
	Outcome     Outcome   `json:"outcome"`
	Digest      string    `json:"digest,omitempty"`
	Samples     int64     `json:"samples,omitempty"`
	Reason      string    `json:"reason,omitempty"`   // for any outcome but Valid
	Later       bool      `json:"later,omitempty"`    // Refused, but perhaps not at another time
	Diverged    bool      `json:"diverged,omitempty"` // not Valid, because numbers were not finite
	At          time.Time `json:"at"`
}

// Outcome is how an answer looked before the state of the run was considered.
type Outcome string

// The outcomes.
const (
	Valid   Outcome = "valid"
	Invalid Outcome = "invalid" // the artefact does not suit the contract
	Refused Outcome = "refused" // the site declined or failed
	Stale   Outcome = "stale"   // the answer is to another offer of the task, which is open still
)

// ParticipantLost tells that a participant is gone for longer than is
// forgiven.
type ParticipantLost struct {
	Participant string    `json:"participant"`
	At          time.Time `json:"at"`
}

// Replaced answers Replace: the participant takes the seat, or, with none,
// nobody was free and the seat stays empty.
type Replaced struct {
	Round       int       `json:"round"`
	Attempt     int       `json:"attempt"`
	Exchange    int       `json:"exchange"`
	Seat        string    `json:"seat"`
	Participant string    `json:"participant,omitempty"`
	At          time.Time `json:"at"`
}

// DeadlinePassed answers Arm.
type DeadlinePassed struct {
	Round    int       `json:"round"`
	Attempt  int       `json:"attempt"`
	Exchange int       `json:"exchange"`
	At       time.Time `json:"at"`
}

// Aggregated answers Aggregate.
type Aggregated struct {
	Round   int    `json:"round"`
	Attempt int    `json:"attempt"`
	Model   string `json:"model"`
}

// Evaluated answers Evaluate. Nil figures were not measured.
type Evaluated struct {
	Round      int      `json:"round"`
	Attempt    int      `json:"attempt"`
	Accuracy   *float64 `json:"accuracy,omitempty"`
	Loss       *float64 `json:"loss,omitempty"`
	Validation *float64 `json:"validation,omitempty"`
}

// Published answers Publish.
type Published struct {
	Round   int    `json:"round"`
	Attempt int    `json:"attempt"`
	Model   string `json:"model"`
}

// EffectFailed tells that an effect of this attempt cannot be carried out.
type EffectFailed struct {
	Round   int       `json:"round"`
	Attempt int       `json:"attempt"`
	Effect  string    `json:"effect"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// StopRequested ends the run where it is; what was published stays.
type StopRequested struct {
	Reason string `json:"reason,omitempty"`
}

// Removed makes a run that has ended unknown, and its name free.
type Removed struct {
	By string `json:"by,omitempty"` // who asked for it
}

func (Submitted) kind() string       { return "submitted" }
func (CohortSelected) kind() string  { return "cohort_selected" }
func (Answered) kind() string        { return "answered" }
func (ParticipantLost) kind() string { return "participant_lost" }
func (Replaced) kind() string        { return "replaced" }
func (DeadlinePassed) kind() string  { return "deadline_passed" }
func (Aggregated) kind() string      { return "aggregated" }
func (Evaluated) kind() string       { return "evaluated" }
func (Published) kind() string       { return "published" }
func (EffectFailed) kind() string    { return "effect_failed" }
func (StopRequested) kind() string   { return "stop_requested" }
func (Removed) kind() string         { return "removed" }

// Encode gives an event's kind and its JSON.
func Encode(e Event) (kind string, data []byte, err error) {
	data, err = json.Marshal(e)
	if err != nil {
		return "", nil, fmt.Errorf("encode %s event: %w", e.kind(), err)
	}
	return e.kind(), data, nil
}

// Decode is the inverse of Encode. Unknown kinds and fields are errors: a
// journal that this version does not fully understand is not to be continued.
func Decode(kind string, data []byte) (Event, error) {
	switch kind {
	case "submitted":
		// A run from before anybody was replaced does not say so.
		return decode(data, Submitted{Config: Config{FrozenCohort: true}})
	case "cohort_selected":
		return decode(data, CohortSelected{})
	case "answered":
		return decode(data, Answered{})
	case "participant_lost":
		return decode(data, ParticipantLost{})
	case "replaced":
		return decode(data, Replaced{})
	case "deadline_passed":
		return decode(data, DeadlinePassed{})
	case "aggregated":
		return decode(data, Aggregated{})
	case "evaluated":
		return decode(data, Evaluated{})
	case "published":
		return decode(data, Published{})
	case "effect_failed":
		return decode(data, EffectFailed{})
	case "stop_requested":
		return decode(data, StopRequested{})
	case "artefact_lost":
		return decode(data, ArtefactLost{})
	case "not_finite":
		return decode(data, NotFinite{})
	case "removed":
		return decode(data, Removed{})
	default:
		return nil, fmt.Errorf("decode event: kind %.40q is not known", kind)
	}
}

// decode reads data over e, which holds what an absent field means.
func decode[E Event](data []byte, e E) (Event, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return nil, fmt.Errorf("decode %s event: %w", e.kind(), err)
	}
	return e, nil
}
