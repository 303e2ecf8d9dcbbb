package participant

import (
	"testing"

	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// FuzzReadOffer checks that whatever a coordinator offers becomes a task of
// that id, or a valid reply that refuses it.
func FuzzReadOffer(f *testing.F) {
	f.Add("t", "train", []byte(`{"id": "t", "run": "r", "round": 1, "contract": {"tensors": []}}`))
	f.Add("t", "train", []byte(`{"id": "t", "spec": {"input": [28, 28, 1], "layers": [{"flatten": {}}]}}`))
	f.Add("t", "unmask", []byte(`{}`))
	f.Add("t", "train", []byte("{"))
	f.Fuzz(func(t *testing.T, id, exchange string, payload []byte) {
		task, refusal := readOffer(&accordv1.Offer{Task: id, Exchange: exchange, Payload: payload})
		if task.ID != id {
			t.Fatalf("got task %q, offered was %q", task.ID, id)
		}
		if refusal == nil {
			_ = task.Validate() // must not panic, whatever it finds
			return
		}
		if err := refusal.Validate(); err != nil && id != "" && len(id) <= maxTaskID {
			t.Fatal(err)
		}
	})
}
