package rpc_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/accord-fl/accord/exchange"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// A reply to another offer of an open task is late, and the task is offered
// again, but only after the receipt. One without a digest is taken as before.
func TestAReplyToAnotherOffer(t *testing.T) {
	for name, digest := range map[string]func(offer []byte) []byte{
		"told":     func(offer []byte) []byte { sum := sha256.Sum256(offer); return sum[:] },
		"not told": func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, t.TempDir())
				p := n.attend("x")
				synctest.Wait() // attached, or it might be offered the task twice
				submit(t, n, 1, 1)
				first := p.next(t).GetOffer()
				if first == nil {
					t.Fatal("nothing was offered")
				}
				declined, err := json.Marshal(exchange.Reply{Task: first.GetTask(), Outcome: exchange.Declined, Reason: "no"})
				if err != nil {
					t.Fatal(err)
				}
				answer := func(digest []byte) *accordv1.Receipt {
					p.say(&accordv1.AttendRequest{Message: &accordv1.AttendRequest_Reply{
						Reply: &accordv1.Reply{Task: first.GetTask(), Payload: declined, OfferDigest: digest},
					}})
					return p.next(t).GetReceipt()
				}
				if r := answer(make([]byte, sha256.Size)); r.GetVerdict() != accordv1.Verdict_VERDICT_LATE {
					t.Errorf("to another offer: got %v, want it late", r)
				}
				if again := p.next(t).GetOffer(); again.GetTask() != first.GetTask() || !bytes.Equal(again.GetPayload(), first.GetPayload()) {
					t.Errorf("after the receipt: got %v, want %v again", again, first)
				}
				if r := answer(digest(first.GetPayload())); r.GetVerdict() != accordv1.Verdict_VERDICT_NOTED {
					t.Errorf("got %v, want it noted", r)
				}
			})
		})
	}
}

// next is what the coordinator says next.
func (p *peer) next(t *testing.T) *accordv1.AttendResponse {
	t.Helper()
	m, err := p.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return m
}
