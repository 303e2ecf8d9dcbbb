package participant

import (
	"encoding/json"
	"fmt"

	"github.com/accord-fl/accord/exchange"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// readOffer reads the task that is offered. When there is none in it that
// could be trained, the reply to send instead is not nil.
func readOffer(o *accordv1.Offer) (exchange.Task, *exchange.Reply) {
	refuse := func(outcome exchange.Outcome, format string, args ...any) (exchange.Task, *exchange.Reply) {
		return exchange.Task{ID: o.GetTask()}, &exchange.Reply{Task: o.GetTask(), Outcome: outcome, Reason: reason(fmt.Errorf(format, args...))}
	}
	if o.GetExchange() != exchange.Training {
		return refuse(exchange.Declined, "exchange %.40q is not known to this participant", o.GetExchange())
	}
	var t exchange.Task
	if err := json.Unmarshal(o.GetPayload(), &t); err != nil {
		return refuse(exchange.Failed, "read the task: %w", err)
	}
	if t.ID != o.GetTask() {
		return refuse(exchange.Failed, "the task inside the offer is another one: %.80q", t.ID)
	}
	return t, nil
}

// replyMessage wraps a reply whose artefacts have been uploaded.
func replyMessage(r exchange.Reply) *accordv1.AttendRequest {
	payload, err := json.Marshal(r)
	if err != nil {
		panic("participant: a reply is always representable in JSON: " + err.Error())
	}
	return &accordv1.AttendRequest{Message: &accordv1.AttendRequest_Reply{Reply: &accordv1.Reply{Task: r.Task, Payload: payload}}}
}
