package participant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// The patience of a session.
const (
	welcomeWithin  = 20 * time.Second // of the hello
	farewellWithin = 2 * time.Second  // for the coordinator to take note
)

// session is one attendance, from hello to the end of the stream. Its main
// goroutine alone sends; one more receives, and one delivers what is finished.
type session struct {
	*peer
	client   accordv1.FederationServiceClient
	renewal  accordv1.EnrollmentServiceClient
	stream   accordv1.FederationService_AttendClient
	incoming chan *accordv1.AttendResponse
	outgoing chan kept
	granted  welcome // set before anything is delivered

	superseded chan struct{} // holds one token when another root certifies now
	changed    chan struct{} // holds one token when roots or certificate have changed
}

// attend attends once and returns why that ended, never nil. It calls
// welcomed when the coordinator has admitted the participant. When ctx ends
// it says farewell first.
func (p *peer) attend(ctx context.Context, welcomed func()) error {
	conn, err := p.options.connect()
	if err != nil {
		return err
	}
	defer conn.Close() // nothing is lost with it

	// The stream outlives ctx for as long as a farewell takes.
	streaming, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	g, streaming := errgroup.WithContext(streaming)
	s := &session{
		peer:     p,
		client:   accordv1.NewFederationServiceClient(conn),
		renewal:  accordv1.NewEnrollmentServiceClient(conn),
		incoming: make(chan *accordv1.AttendResponse),
		outgoing: make(chan kept),

		superseded: make(chan struct{}, 1),
		changed:    make(chan struct{}, 1),
	}
	connected := context.AfterFunc(ctx, cancel) // but a dial need not
	s.stream, err = s.client.Attend(streaming)
	connected()
	if err != nil {
		return err
	}
	g.Go(func() error { return s.receive(streaming) })
	g.Go(func() error { return s.converse(ctx, streaming, g, welcomed) })
	return g.Wait()
}

// receive hands on what the coordinator says until the stream ends.
func (s *session) receive(streaming context.Context) error {
	for {
		m, err := s.stream.Recv()
		if errors.Is(err, io.EOF) {
			return errors.New("the coordinator ended the conversation")
		}
		if err != nil {
			return err
		}
		select {
		case s.incoming <- m:
		case <-streaming.Done():
			return streaming.Err()
		}
	}
}

// converse presents the participant and then talks until ctx, the stream or
// the delivery ends.
func (s *session) converse(ctx, streaming context.Context, g *errgroup.Group, welcomed func()) error {
	welcome, err := s.enter(ctx, streaming)
	if err != nil {
		return err
	}
	s.granted = welcome
	if err := s.acquaint(); err != nil {
		return err
	}
	welcomed()
	s.line.connect(s.client)
	defer s.line.disconnect()
	g.Go(func() error { return s.deliver(streaming) })
	if s.options.Credential != nil {
		g.Go(func() error { return s.renew(streaming) })
	}

	renew := time.NewTicker(welcome.lease / 3)
	defer renew.Stop()
	for {
		select {
		case m := <-s.incoming:
			err = s.handle(m)
		case r := <-s.outgoing:
			err = s.say(streaming, replyMessage(r))
		case <-renew.C:
			err = s.say(streaming, s.leaseRenewal(welcome))
		case <-s.changed:
			if welcome.roots {
				err = s.say(streaming, s.trustMessage())
			}
		case <-streaming.Done():
			return streaming.Err()
		case <-ctx.Done():
			return s.leave(ctx, streaming)
		}
		if err != nil {
			return err
		}
	}
}

// enter says hello and waits for the welcome.
func (s *session) enter(ctx, streaming context.Context) (welcome, error) {
	began := time.Now()
	if err := s.say(streaming, s.helloMessage()); err != nil {
		return welcome{}, err
	}
	patience := time.NewTimer(welcomeWithin)
	defer patience.Stop()
	select {
	case m := <-s.incoming:
		w, err := readWelcome(m)
		if err == nil {
			err = s.options.belongs(m.GetWelcome())
		}
		if err == nil {
			s.clock.observe(w.now, began.Add(time.Since(began)/2)) // half of the way there and back
			s.log.Info("attending", zap.String("participant", s.options.Name), zap.String("coordinator", s.options.Coordinator),
				zap.String("coordinator_version", quote.Cut(m.GetWelcome().GetVersion(), exchange.MaxVersion)), zap.Duration("lease", w.lease), zap.Int("protocol", w.protocol))
			if !w.now.IsZero() {
				wire.LogClock(s.log, "coordinator", wire.Ahead(w.now, began))
			}
		}
		return w, err
	case <-patience.C:
		return welcome{}, fmt.Errorf("no welcome within %v", welcomeWithin)
	case <-streaming.Done():
		return welcome{}, streaming.Err()
	case <-ctx.Done():
		return welcome{}, ctx.Err()
	}
}

// acquaint compares the coordinator's journal with what the site knows of it, and
// lets the policy know which life of the coordinator's it is. Nothing was offered
// yet.
func (s *session) acquaint() error {
	incarnation := s.state.custody.welcome(s.granted.checkpoint, s.granted.journalKey)
	if incarnation == "" || s.options.Policy == nil {
		return nil
	}
	if err := s.options.Policy.Forked(incarnation); !disk.Passing(err) {
		return err
	}
	return nil
}

// say sends a message. When the stream has ended, only its receiver learns
// why; say leaves it the time to return that as the session's error.
func (s *session) say(streaming context.Context, m *accordv1.AttendRequest) error {
	err := s.stream.Send(m)
	if !errors.Is(err, io.EOF) {
		return err
	}
	for {
		select {
		case <-s.incoming: // came before the end; it will come again
		case <-streaming.Done():
			return streaming.Err()
		}
	}
}

// handle acts on what the coordinator said.
func (s *session) handle(m *accordv1.AttendResponse) error {
	switch m := m.GetMessage().(type) {
	case *accordv1.AttendResponse_Offer:
		return s.accept(m.Offer)
	case *accordv1.AttendResponse_Cancel:
		s.worker.cancel(m.Cancel.GetTask(), quote.Cut(m.Cancel.GetReason(), exchange.MaxReason))
		return nil
	case *accordv1.AttendResponse_Receipt:
		receipt, err := wire.ToReceipt(m.Receipt)
		if err != nil {
			return err
		}
		s.state.custody.receipt(m.Receipt.GetCheckpoint())
		return s.settle(receipt)
	case *accordv1.AttendResponse_Keyring:
		return s.offerKeys(m.Keyring.GetKeys())
	case *accordv1.AttendResponse_Roots:
		return s.takeRoots(m.Roots)
	default:
		return fmt.Errorf("the coordinator said something unknown: %T", m)
	}
}

// accept passes an offer on to the worker.
func (s *session) accept(o *accordv1.Offer) error {
	s.clock.observe(toTime(o.GetNow()), time.Now())
	t, refusal := readOffer(o)
	t.until = s.clock.when(t.Deadline)
	return s.worker.offer(t, refusal)
}

// settle ends the story of a reply.
func (s *session) settle(r exchange.Receipt) error {
	if _, ok := s.state.outbox.find(r.Task); !ok {
		return nil // nobody has asked, or it came before
	}
	fields := []zap.Field{zap.String("task", r.Task), zap.String("verdict", string(r.Verdict)), zap.String("reason", r.Reason)}
	if r.Verdict == exchange.Rejected {
		s.log.Warn("reply rejected", fields...)
	} else {
		s.log.Info("reply received", fields...)
	}
	return s.state.outbox.remove(r.Task)
}

// leave says farewell and waits a moment until the coordinator has noted it.
func (s *session) leave(ctx, streaming context.Context) error {
	farewell := &accordv1.Farewell{Reason: "stopped at the site"}
	if err := s.say(streaming, &accordv1.AttendRequest{Message: &accordv1.AttendRequest_Farewell{Farewell: farewell}}); err != nil {
		return ctx.Err()
	}
	patience := time.NewTimer(farewellWithin)
	defer patience.Stop()
	for {
		select {
		case <-s.incoming: // too late for anything it may ask
		case <-streaming.Done():
			return ctx.Err()
		case <-patience.C:
			return ctx.Err()
		}
	}
}
