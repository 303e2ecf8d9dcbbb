package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// The bounds of a participant's replies on one stream.
const (
	maxReplies       = 128 // that wait for their verdict
	maxMisunderstood = 16  // that are not understood, and nobody awaits
	maxStale         = 16  // to other offers of tasks that are open; each brings all of them once more
)

// attendance is one Attend stream.
type attendance struct {
	*federation
	stream   accordv1.FederationService_AttendServer
	first    chan *accordv1.AttendRequest // the hello
	admitted chan struct{}                // closed once link is attached
	replies  chan *accordv1.Reply
	lease    *time.Timer
	link     *link

	misunderstood, stale int // replies; answer's alone
}

// Attend welcomes a participant and stays with it until it leaves, its lease
// runs out, another takes its name or the server stops.
func (f *federation) Attend(stream accordv1.FederationService_AttendServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	var work sync.WaitGroup
	a := &attendance{
		federation: f,
		stream:     stream,
		first:      make(chan *accordv1.AttendRequest, 1),
		admitted:   make(chan struct{}),
		replies:    make(chan *accordv1.Reply, maxReplies),
		lease:      time.NewTimer(min(helloWithin, f.options.Lease)),
	}
	defer a.lease.Stop()
	failed := make(chan error, 2)
	// These two block in the stream, so they may end only when it does, just after
	// Attend has returned.
	go func() { failed <- a.receive(ctx) }()
	hello, err := a.hello(failed)
	if err == nil {
		err = f.mayAttend(ctx, hello)
	}
	if err != nil {
		cancel()
		return err
	}
	a.link = newLink(hello, certifiedBy(ctx))
	if ahead := a.link.trusts(nil).ahead; ahead != nil {
		wire.LogClock(f.log, "participant", *ahead, zap.String("participant", hello.Name))
	}
	a.link.say(f.welcome(hello))
	detach, err := f.coordinator.Admit(a.link, addressOf(ctx))
	if err != nil {
		cancel()
		return later(err, f.options.Lease)
	}
	go func() { failed <- a.send(ctx) }()

	work.Go(func() { a.answer(ctx) })
	defer work.Wait()
	defer cancel()
	defer detach()
	defer f.anchors.enter(a.link)()
	a.lease.Reset(f.options.Lease)
	close(a.admitted)
	f.log.Debug("participant attends", zap.String("participant", hello.Name), zap.String("version", hello.Version),
		zap.String("trainer", hello.Capabilities.Trainer))
	return a.converse(failed)
}

// mayAttend checks what a hello claims, beside that its process has the place.
func (f *federation) mayAttend(ctx context.Context, h exchange.Hello) error {
	if err := speaksAs(ctx, h.Name); err != nil {
		return err
	}
	ours := f.options.Federation
	if f.options.Security == nil && ours != "" && h.Federation != "" && h.Federation != ours {
		return later(status.Errorf(codes.FailedPrecondition, "this coordinator serves the federation %s, participant %s is of %s: "+
			"is this the right address, or should federation in one of the two configurations be another?", ours, h.Name, h.Federation), f.options.Lease)
	}
	if !f.arrivals.allow(h.Name, addressOf(ctx)) {
		return status.Errorf(codes.ResourceExhausted, "participant %s has connected too often in the last minute", h.Name)
	}
	return nil
}

// receive hands on the hello, and hears whatever a participant says that was
// admitted. It does so by itself, since most is renewals, of thousands of
// participants. When the participant has left, it returns io.EOF.
func (a *attendance) receive(ctx context.Context) error {
	m, err := a.stream.Recv()
	if err != nil {
		return err
	}
	a.first <- m
	select {
	case <-a.admitted:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		m, err := a.stream.Recv()
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.lease.Reset(a.options.Lease)
		if err := a.hear(m); err != nil {
			return err
		}
	}
}

// send empties the link's queue.
func (a *attendance) send(ctx context.Context) error {
	for {
		select {
		case m := <-a.link.queue:
			if err := a.stream.Send(m); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hello waits for the participant to present itself.
func (a *attendance) hello(failed <-chan error) (exchange.Hello, error) {
	select {
	case m := <-a.first:
		return readHello(m)
	case err := <-failed:
		return exchange.Hello{}, err
	case <-a.lease.C:
		return exchange.Hello{}, errSilent
	case <-a.stopping:
		return exchange.Hello{}, errStopping
	}
}

// converse waits until the attendance ends, and returns why.
func (a *attendance) converse(failed <-chan error) error {
	rekeyed, rerooted := a.handKeys(), a.handRoots(false)
	for {
		select {
		case err := <-failed:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-rekeyed:
			rekeyed = a.handKeys()
		case <-rerooted:
			rerooted = a.handRoots(true)
		case <-a.link.down:
			return later(a.link.reason, a.options.Lease)
		case <-a.lease.C:
			return errSilent
		case <-a.stopping:
			return errStopping
		}
	}
}

// hear acts on what the participant said; io.EOF tells that it was a farewell.
func (a *attendance) hear(m *accordv1.AttendRequest) error {
	switch m := m.GetMessage().(type) {
	case *accordv1.AttendRequest_Renewal:
		a.link.beat(int(max(0, m.Renewal.GetLoad())))
		return nil
	case *accordv1.AttendRequest_Reply:
		a.link.beat(a.link.Pulse().Load)
		select {
		case a.replies <- m.Reply:
			return nil
		default:
			return errTalkative
		}
	case *accordv1.AttendRequest_Farewell:
		a.log.Info("participant says farewell", zap.String("participant", a.link.Name()), zap.String("reason", bounded(m.Farewell.GetReason())))
		return io.EOF
	case *accordv1.AttendRequest_Trust:
		return a.hearTrust(m.Trust)
	default:
		return fault.Inputf("a message of kind %T is not expected here", m)
	}
}

// answer brings replies before the coordinator, one after another, and
// queues their receipts, until ctx ends. A reply that could not be judged
// ends the attendance; the participant sends it again.
func (a *attendance) answer(ctx context.Context) {
	for {
		select {
		case r := <-a.replies:
			receipt, err := a.judge(ctx, r)
			if err != nil {
				a.link.hangUp(err)
				return
			}
			message := wire.FromReceipt(receipt)
			message.Checkpoint, _ = a.coordinator.Checkpoint()
			a.link.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Receipt{Receipt: message}})
			if receipt.Verdict != exchange.Late {
				continue
			}
			// Only now, or the participant would still have an answer to it.
			if !a.coordinator.OfferAgain(a.link.Name(), r.GetTask()) {
				continue
			}
			if a.stale++; a.stale > maxStale {
				a.link.hangUp(errStale)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// judge returns the receipt for a reply. One that is not understood is
// rejected; it would be no better the next time.
func (a *attendance) judge(ctx context.Context, r *accordv1.Reply) (exchange.Receipt, error) {
	receipt, err := a.submit(ctx, r)
	switch {
	case errors.Is(err, spool.ErrNotFound):
		return exchange.Receipt{}, status.Error(codes.Unavailable, err.Error()) // it uploads again, too
	case errors.Is(err, fault.Input):
		if a.misunderstood++; a.misunderstood > maxMisunderstood {
			return exchange.Receipt{}, fmt.Errorf("too many replies that are not understood: %w", err)
		}
		a.log.Warn("reply rejected", zap.String("participant", a.link.Name()), zap.String("task", bounded(r.GetTask())), zap.Error(err))
		return exchange.Receipt{Task: r.GetTask(), Verdict: exchange.Rejected, Reason: err.Error()}, nil
	}
	return receipt, err
}

func (a *attendance) submit(ctx context.Context, r *accordv1.Reply) (exchange.Receipt, error) {
	var reply exchange.Reply
	err := json.Unmarshal(r.GetPayload(), &reply)
	if err == nil && reply.Task != r.GetTask() {
		err = fmt.Errorf("the document is about task %.80q", reply.Task)
	}
	if err != nil {
		why := fault.Inputf("reply to %.80q: %s", r.GetTask(), bounded(err.Error()))
		return a.coordinator.Misunderstood(ctx, a.link.Name(), r.GetTask(), why)
	}
	if len(reply.Reason) <= exchange.MaxReason { // a longer one is refused
		reply.Reason = quote.Cut(reply.Reason, exchange.MaxReason)
	}
	reply.Offer = hex.EncodeToString(r.GetOfferDigest())
	return a.coordinator.Answer(ctx, a.link.Name(), reply)
}
