package exchange

import (
	"math"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/spool"
)

// Delta is the role of the artefact that holds w_k − w: the contract's
// tensors, what local training added to the global model.
const Delta = "delta"

// Update is the answer to a training task.
type Update struct {
	Task      string              `json:"task"`
	Base      string              `json:"base"` // digest of the global model trained from
	Artefacts map[string]Artefact `json:"artefacts"`
	Samples   int64               `json:"samples,omitempty"` // 0: not told
	Steps     int64               `json:"steps"`             // 0: not told; with the plan, they tell the samples
	Metrics   map[string]float64  `json:"metrics,omitempty"`
}

// Outcome is what a participant made of a task.
type Outcome string

// The outcomes.
const (
	Done     Outcome = "done"     // trained; the reply carries an update
	Declined Outcome = "declined" // the site will not: its policy, its data, its trainer
	Failed   Outcome = "failed"   // the site tried and could not
)

// Reply answers a task.
type Reply struct {
	Task    string  `json:"task"`
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"`
	Update  *Update `json:"update,omitempty"` // with Done only
	// Later, with Declined only, tells that the site may do such a task at
	// another time: it waits for somebody's approval, or for its hours.
	Later bool `json:"later,omitempty"`
	// Diverged, with Failed only, tells that the training led to numbers that
	// are not finite, and would again.
	Diverged bool `json:"diverged,omitempty"`
	// Offer is the OfferDigest of the offer that the reply answers; "" from a
	// participant that does not tell. It travels beside the document.
	Offer string `json:"-"`
}

// MaxReason bounds, in bytes, the reason that a reply may carry.
const MaxReason = 1024

// maxMetrics bounds how many metrics an update may carry.
const maxMetrics = 64

// Validate checks the form of a reply that came from outside. Whether the
// update suits its task is for the coordinator to find.
func (r Reply) Validate() error {
	if !ValidTaskID(r.Task) {
		return fault.Inputf("reply: task id %.80q is not printable ASCII of 1 to %d bytes", r.Task, MaxTaskID)
	}
	if len(r.Reason) > MaxReason {
		return fault.Inputf("reply to %s: a reason of %d bytes, at most %d", r.Task, len(r.Reason), MaxReason)
	}
	if r.Offer != "" && !spool.ValidDigest(r.Offer) {
		return fault.Inputf("reply to %s: %.20q is not the digest of an offer", r.Task, r.Offer)
	}
	if r.Later && r.Outcome != Declined {
		return fault.Inputf("reply to %s: %s, but for later", r.Task, r.Outcome)
	}
	if r.Diverged && r.Outcome != Failed {
		return fault.Inputf("reply to %s: %s, but diverged", r.Task, r.Outcome)
	}
	switch r.Outcome {
	case Done:
		if r.Update == nil {
			return fault.Inputf("reply to %s: done, but without an update", r.Task)
		}
		return r.Update.validate(r.Task)
	case Declined, Failed:
		if r.Update != nil {
			return fault.Inputf("reply to %s: %s, but with an update", r.Task, r.Outcome)
		}
		return nil
	default:
		return fault.Inputf("reply to %s: outcome %.20q is not known", r.Task, r.Outcome)
	}
}

func (u *Update) validate(task string) error {
	delta, ok := u.Artefacts[Delta]
	switch {
	case u.Task != task:
		return fault.Inputf("reply to %s: its update names task %.80q", task, u.Task)
	case !spool.ValidDigest(u.Base):
		return fault.Inputf("reply to %s: base model %.20q is not a digest", task, u.Base)
	case !ok || len(u.Artefacts) != 1:
		return fault.Inputf("reply to %s: want exactly one artefact, in the role %q", task, Delta)
	case !spool.ValidDigest(delta.Digest) || delta.Bytes <= 0:
		return fault.Inputf("reply to %s: artefact %.20q of %d bytes is not valid", task, delta.Digest, delta.Bytes)
	case u.Samples < 0 || u.Steps < 0:
		return fault.Inputf("reply to %s: negative samples (%d) or steps (%d)", task, u.Samples, u.Steps)
	case len(u.Metrics) > maxMetrics:
		return fault.Inputf("reply to %s: %d metrics, at most %d", task, len(u.Metrics), maxMetrics)
	}
	for key, value := range u.Metrics {
		if len(key) > 64 || math.IsNaN(value) || math.IsInf(value, 0) {
			return fault.Inputf("reply to %s: metric %.64q is not a finite number or its name is too long", task, key)
		}
		if err := quote.Check("reply to "+task+": metric", key); err != nil {
			return err
		}
	}
	return nil
}

// Verdict is what the coordinator made of a reply.
type Verdict string

// The verdicts.
const (
	Accepted  Verdict = "accepted"  // will be aggregated, exactly once
	Rejected  Verdict = "rejected"  // for the reason given; do not send it again
	Late      Verdict = "late"      // its window had closed; discarded
	Duplicate Verdict = "duplicate" // the same answer was accepted before
	Noted     Verdict = "noted"     // a decline or failure, recorded
)

// Receipt tells a participant what became of its reply. It is sent only
// after that is durable.
type Receipt struct {
	Task    string  `json:"task"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"`
}
