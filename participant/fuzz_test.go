package participant

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// FuzzReadOffer checks that whatever a coordinator offers becomes a task of
// that id, or a valid reply that refuses it.
func FuzzReadOffer(f *testing.F) {
	f.Add("t", "train", []byte(`{"id": "t", "run": "r", "round": 1, "contract": {"tensors": []}}`))
	f.Add("t", "train", []byte(`{"id": "t", "spec": {"input": [28, 28, 1], "layers": [{"flatten": {}}]}}`))
	f.Add("t", "unmask", []byte(`{}`))
	f.Add("t", "train", []byte("{"))
	f.Fuzz(func(t *testing.T, id, kind string, payload []byte) {
		task, refusal := readOffer(&accordv1.Offer{Task: id, Exchange: kind, Payload: payload})
		if task.ID != id {
			t.Fatalf("got task %q, offered was %q", task.ID, id)
		}
		if refusal == nil {
			_ = task.Validate() // must not panic, whatever it finds
			return
		}
		if err := refusal.Validate(); err != nil && exchange.ValidTaskID(id) {
			t.Fatal(err)
		}
	})
}

// FuzzSaid: whatever bytes a coordinator says are a message that can be acted
// on, or an error.
func FuzzSaid(f *testing.F) {
	for _, m := range []*accordv1.AttendResponse{
		{Message: &accordv1.AttendResponse_Welcome{Welcome: &accordv1.Welcome{Protocol: exchange.Protocol, Lease: durationpb.New(time.Minute)}}},
		{Message: &accordv1.AttendResponse_Offer{Offer: &accordv1.Offer{Task: "t", Exchange: exchange.Training, Payload: []byte(`{"id": "t"}`)}}},
		{Message: &accordv1.AttendResponse_Receipt{Receipt: &accordv1.Receipt{Task: "t", Verdict: accordv1.Verdict_VERDICT_LATE}}},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m accordv1.AttendResponse
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		if w, err := readWelcome(&m); err == nil && (m.GetWelcome() == nil || w.lease < time.Second) {
			t.Fatalf("took %v for a welcome with lease %v", &m, w.lease)
		}
		if m.GetOffer() != nil {
			task, refusal := readOffer(m.GetOffer())
			if task.ID != m.GetOffer().GetTask() || refusal != nil && refusal.Task != task.ID {
				t.Fatalf("offered %q, got task %q and refusal %v", m.GetOffer().GetTask(), task.ID, refusal)
			}
		}
		if receipt, err := wire.ToReceipt(m.GetReceipt()); err == nil && receipt.Verdict == "" {
			t.Fatalf("took %v for a receipt", &m)
		}
	})
}
