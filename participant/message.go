package participant

import (
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/exchange"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

func (o Options) helloMessage() *accordv1.AttendRequest {
	h := o.hello()
	return &accordv1.AttendRequest{Message: &accordv1.AttendRequest_Hello{Hello: &accordv1.Hello{
		Name:         h.Name,
		Version:      h.Version,
		Protocol:     int32(h.Protocol),
		Capabilities: &accordv1.Capabilities{Trainer: h.Capabilities.Trainer, Cores: int32(h.Capabilities.Cores)},
	}}}
}

// readWelcome checks a welcome and returns its lease.
func readWelcome(m *accordv1.AttendResponse) (time.Duration, error) {
	w := m.GetWelcome()
	if w == nil {
		return 0, fmt.Errorf("the coordinator's first message is no welcome but %T", m.GetMessage())
	}
	if p := int(w.GetProtocol()); p != exchange.Protocol {
		older := "this participant"
		if p < exchange.Protocol {
			older = "the coordinator"
		}
		return 0, status.Errorf(codes.FailedPrecondition, "the coordinator speaks protocol %d, this participant %d: upgrade %s", p, exchange.Protocol, older)
	}
	lease := w.GetLease().AsDuration()
	if lease < time.Second {
		return 0, fmt.Errorf("the coordinator grants a lease of %v, at least 1 s is needed", lease)
	}
	return lease, nil
}

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
