package exchange

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"time"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// Training is the name of the exchange in which participants train.
const Training = "train"

// Bounds of a task, beyond anything that is asked.
const (
	MaxTaskID = 256       // bytes
	MaxRounds = 1_000_000 // of a run
	maxCohort = 1_000_000
)

// Artefact names a safetensors file.
type Artefact struct {
	Digest string `json:"digest"` // SHA-256, lower-case hexadecimal
	Bytes  int64  `json:"bytes"`
}

// Task is one participant's part of a training exchange.
type Task struct {
	ID          string         `json:"id"`
	Run         string         `json:"run"`
	Round       int            `json:"round"` // from 1
	Exchange    string         `json:"exchange"`
	Participant string         `json:"participant"`
	Seed        uint64         `json:"seed"`
	Model       Artefact       `json:"model"` // the global model to start from
	Contract    model.Contract `json:"contract"`
	Spec        *model.Spec    `json:"spec,omitempty"` // nil: the contract is all that is known
	Plan        train.Plan     `json:"plan"`
	// SendSamples asks for the number of training samples, which leaves the
	// site only because the run weighs updates by it.
	SendSamples bool      `json:"send_samples"`
	Deadline    time.Time `json:"deadline"` // answers after it come late
	// What follows is for the site's policy to judge by; zero: not told.
	Strategy string `json:"strategy,omitempty"` // what becomes of the updates
	Rounds   int    `json:"rounds,omitempty"`   // of the whole run
	Cohort   int    `json:"cohort,omitempty"`   // participants that this round asks
	Minimum  int    `json:"minimum,omitempty"`  // answers that are enough for a model
	// Dataset is which of the site's data sets to train on; "" is the one that
	// it trains on unless told otherwise.
	Dataset string `json:"dataset,omitempty"`
	// Redone is how many versions of the run the coordinator has lost and made
	// again: after each, a round may be asked once more, with another model.
	Redone int `json:"redone,omitempty"`
}

// name is what runs and participants may be called: a file name everywhere.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ValidName reports whether s can name a run or a participant: letters, digits,
// '.', '_' and '-', starting with a letter or digit, at most 64.
func ValidName(s string) bool { return name.MatchString(s) }

// ValidTaskID reports whether id can name a task: printable ASCII without
// spaces, at most MaxTaskID bytes. It need not be a file name.
func ValidTaskID(id string) bool {
	if id == "" || len(id) > MaxTaskID {
		return false
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Validate checks a task that came from outside.
func (t Task) Validate() error {
	switch {
	case !ValidTaskID(t.ID):
		return fault.Inputf("task: id %.80q is not printable ASCII of 1 to %d bytes", t.ID, MaxTaskID)
	case !ValidName(t.Run):
		return fault.Inputf("task %s: run name %.80q is not valid", t.ID, t.Run)
	case !ValidName(t.Participant):
		return fault.Inputf("task %s: participant name %.80q is not valid", t.ID, t.Participant)
	case t.Round < 1:
		return fault.Inputf("task %s: round %d, want 1 or more", t.ID, t.Round)
	case t.Round > MaxRounds || t.Rounds > MaxRounds:
		return fault.Inputf("task %s: round %d of %d, at most %d", t.ID, t.Round, t.Rounds, MaxRounds)
	case t.Rounds > 0 && t.Round > t.Rounds:
		return fault.Inputf("task %s: round %d of a run of %d", t.ID, t.Round, t.Rounds)
	case t.Exchange != Training:
		return fault.Inputf("task %s: exchange %.20q is not known here, want %q", t.ID, t.Exchange, Training)
	case t.Rounds < 0 || t.Cohort < 0 || t.Minimum < 0:
		return fault.Inputf("task %s: negative rounds (%d), cohort (%d) or minimum (%d)", t.ID, t.Rounds, t.Cohort, t.Minimum)
	case t.Cohort > maxCohort || t.Minimum > maxCohort:
		return fault.Inputf("task %s: a cohort of %d, of which %d are enough: at most %d", t.ID, t.Cohort, t.Minimum, maxCohort)
	case t.Redone < 0 || t.Redone > MaxRounds:
		return fault.Inputf("task %s: %d versions made again, want 0 to %d", t.ID, t.Redone, MaxRounds)
	case t.Strategy != "" && !ValidName(t.Strategy):
		return fault.Inputf("task %s: strategy %.80q is not valid", t.ID, t.Strategy)
	case t.Dataset != "" && !ValidName(t.Dataset):
		return fault.Inputf("task %s: data set name %.80q is not valid", t.ID, t.Dataset)
	case !spool.ValidDigest(t.Model.Digest) || t.Model.Bytes <= 0:
		return fault.Inputf("task %s: model artefact %.20q of %d bytes is not valid", t.ID, t.Model.Digest, t.Model.Bytes)
	}
	if err := t.Contract.Validate(); err != nil {
		return fmt.Errorf("task %s: %w", t.ID, err)
	}
	if limit := t.Contract.MaxFile(); t.Model.Bytes > limit {
		return fault.Inputf("task %s: a model of %d bytes, its contract allows %d", t.ID, t.Model.Bytes, limit)
	}
	if t.Spec != nil {
		if got, want := t.Spec.Contract().Hash(), t.Contract.Hash(); got != want {
			return fault.Inputf("task %s: the spec gives contract %.12s, the task names %.12s", t.ID, got, want)
		}
	}
	if err := t.Plan.Validate(); err != nil {
		return fmt.Errorf("task %s: %w", t.ID, err)
	}
	return nil
}

// Document is the task as it travels, JSON: the same bytes for the same task, so
// that their digest says which offer an answer is to.
func (t Task) Document() []byte {
	data, err := json.Marshal(t)
	if err != nil {
		panic("exchange: a task is always representable in JSON: " + err.Error())
	}
	return data
}

// OfferDigest names an offer by the document that it carried: SHA-256, lower-case
// hexadecimal.
func OfferDigest(document []byte) string {
	sum := sha256.Sum256(document)
	return hex.EncodeToString(sum[:])
}

// Rand returns the stream that all randomness of the task's training draws
// from. It depends on (seed, run, round, participant name) alone, so a task
// offered again, or trained elsewhere, trains alike.
func (t Task) Rand() *rand.Rand {
	return rng.New(t.Seed, "train", t.Run, strconv.Itoa(t.Round), t.Participant)
}
