package participant

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/accord-fl/accord/exchange"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// offered is a task as it was offered.
type offered struct {
	exchange.Task
	digest string    // SHA-256 of the offer's payload, hexadecimal
	size   int       // of the payload, in bytes
	until  time.Time // the deadline, by this machine's clock; zero: not known
}

// readOffer reads the task that is offered. When there is none in it that
// could be trained, the reply to send instead is not nil.
func readOffer(o *accordv1.Offer) (offered, *exchange.Reply) {
	sum := sha256.Sum256(o.GetPayload())
	t := offered{digest: hex.EncodeToString(sum[:]), size: len(o.GetPayload())}
	refuse := func(outcome exchange.Outcome, format string, args ...any) (offered, *exchange.Reply) {
		t.Task = exchange.Task{ID: o.GetTask()}
		return t, &exchange.Reply{Task: o.GetTask(), Outcome: outcome, Reason: reason(fmt.Errorf(format, args...))}
	}
	if o.GetExchange() != exchange.Training {
		return refuse(exchange.Declined, "exchange %.40q is not known to this participant", o.GetExchange())
	}
	if err := json.Unmarshal(o.GetPayload(), &t.Task); err != nil {
		return refuse(exchange.Failed, "read the task: %w", err)
	}
	if t.ID != o.GetTask() {
		return refuse(exchange.Failed, "the task inside the offer is another one: %.80q", t.ID)
	}
	return t, nil
}

// replyMessage wraps a reply whose artefacts have been uploaded.
func replyMessage(k kept) *accordv1.AttendRequest {
	payload, err := json.Marshal(k.Reply)
	if err != nil {
		panic("participant: a reply is always representable in JSON: " + err.Error())
	}
	offer, err := hex.DecodeString(k.Offer)
	if err != nil {
		panic("participant: the digest of an offer is hexadecimal: " + err.Error())
	}
	return &accordv1.AttendRequest{Message: &accordv1.AttendRequest_Reply{
		Reply: &accordv1.Reply{Task: k.Task, Payload: payload, OfferDigest: offer},
	}}
}
