package rpc_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"

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

// A reply of some bytes brings documents of as many as a network has tensors: whoever
// sends such replies all the time is sent away, and may come back.
func TestRepliesToOtherOffersAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, t.TempDir())
		p := n.attend("x")
		synctest.Wait()
		submit(t, n, 1, 1)
		task := p.next(t).GetOffer().GetTask()
		declined, err := json.Marshal(exchange.Reply{Task: task, Outcome: exchange.Declined, Reason: "no"})
		if err != nil {
			t.Fatal(err)
		}
		offers := 0
		for range 100 {
			err = p.Send(&accordv1.AttendRequest{Message: &accordv1.AttendRequest_Reply{
				Reply: &accordv1.Reply{Task: task, Payload: declined, OfferDigest: make([]byte, sha256.Size)},
			}})
			if errors.Is(err, io.EOF) {
				err = nil // the stream has ended: Recv says why
			}
			for err == nil {
				var m *accordv1.AttendResponse
				if m, err = p.Recv(); m.GetOffer() != nil {
					offers++
					break
				}
			}
			if err != nil {
				break
			}
		}
		wantStatus(t, err, codes.ResourceExhausted, "other offers")
		if offers < 8 || offers > 20 {
			t.Errorf("it was offered %d times more", offers)
		}
		synctest.Wait()
		if again := n.attend("x").next(t).GetOffer(); again.GetTask() != task {
			t.Errorf("back again: got %v", again)
		}
	})
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
