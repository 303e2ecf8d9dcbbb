package crowd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/wire"
	"github.com/accord-fl/accord/participant"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// site is one of the crowd. It has one goroutine of its own, beside gRPC's.
type site struct {
	name        string
	coordinator string // host:port
	credential  *pki.Credential
	models      *models // that all sites have in common
	log         *zap.Logger
}

// attendForever attends, and when that ends once more, until ctx ends or the
// coordinator refuses the site. The error is never nil.
func (s *site) attendForever(ctx context.Context) error {
	pauses := participant.Pauses()
	for {
		welcomed := false
		err := s.attend(ctx, func() {
			welcomed = true
			pauses.Reset()
		})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case welcomed:
			s.log.Warn(Ended, zap.String("participant", s.name), zap.String("reason", wire.Plain(err.Error())))
		case final(err):
			return fmt.Errorf("site %s is refused: %w", s.name, err)
		}
		select {
		case <-time.After(pauses.NextBackOff()):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// final reports whether trying again makes no sense, as a participant sees it.
func final(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.PermissionDenied, codes.Unauthenticated, codes.Aborted, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// connect makes a connection that is a participant's to the coordinator, and
// smaller at this end.
func (s *site) connect() (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+s.coordinator,
		grpc.WithTransportCredentials(credentials.NewTLS(s.credential.ClientTLS())),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithReadBufferSize(0),                                 // TLS has one of its own
		grpc.WithDefaultCallOptions(grpc.MaxRetryRPCBufferSize(0)), // or it keeps most of an upload until that ends
	)
}

// attendance is one stream, from the hello to its end.
type attendance struct {
	*site
	client accordv1.FederationServiceClient
	stream accordv1.FederationService_AttendClient
	lease  time.Duration

	mu    sync.Mutex  // one sends at a time
	renew *time.Timer // costs no goroutine until it is time
}

// attend attends once and returns why that ended, never nil. It calls welcomed
// when the coordinator has let the site in.
func (s *site) attend(ctx context.Context, welcomed func()) error {
	conn, err := s.connect()
	if err != nil {
		return err
	}
	defer conn.Close() // nothing is lost with it
	return s.attendOver(ctx, conn, welcomed)
}

func (s *site) attendOver(ctx context.Context, conn *grpc.ClientConn, welcomed func()) (err error) {
	a := &attendance{site: s, client: accordv1.NewFederationServiceClient(conn)}
	if a.stream, err = a.client.Attend(ctx); err != nil {
		return err
	}
	if err := a.enter(); err != nil {
		return err
	}
	welcomed()
	defer a.keepLease()()
	// A participant asks for the roots of the moment when it is let in.
	if _, err := accordv1.NewEnrollmentServiceClient(conn).Renew(ctx, &accordv1.RenewRequest{RootsOnly: true}); err != nil {
		return err
	}
	for {
		m, err := a.stream.Recv()
		if err != nil {
			return err
		}
		if err := a.handle(ctx, m); err != nil {
			return err
		}
	}
}

// enter says hello and waits for the welcome.
func (a *attendance) enter() error {
	o := participant.DefaultOptions()
	hello := &accordv1.Hello{
		Name: a.name, Version: o.Version, Protocol: exchange.Protocol, OldestProtocol: exchange.Oldest, Features: exchange.Features(),
		Capabilities: &accordv1.Capabilities{Trainer: o.Capabilities.Trainer, Cores: int32(o.Capabilities.Cores)},
	}
	if err := a.say(&accordv1.AttendRequest{Message: &accordv1.AttendRequest_Hello{Hello: hello}}); err != nil {
		return err
	}
	m, err := a.stream.Recv()
	if err != nil {
		return err
	}
	w := m.GetWelcome()
	if w.GetProtocol() != exchange.Protocol {
		return fmt.Errorf("a welcome to protocol %d, want %d: %T", w.GetProtocol(), exchange.Protocol, m.GetMessage())
	}
	a.lease = w.GetLease().AsDuration()
	a.log.Info(Began, zap.String("participant", a.name))
	return nil
}

// say sends a message. When the stream has ended, who receives learns why.
func (a *attendance) say(m *accordv1.AttendRequest) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// keepLease renews the lease every third of it until end is called, or the
// stream has ended.
func (a *attendance) keepLease() (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.renew = time.AfterFunc(a.lease/3, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		renewal := &accordv1.AttendRequest{Message: &accordv1.AttendRequest_Renewal{Renewal: &accordv1.Renewal{}}}
		if a.stream.Send(renewal) == nil {
			a.renew.Reset(a.lease / 3)
		}
	})
	return func() { a.renew.Stop() }
}

// handle acts on what the coordinator says.
func (a *attendance) handle(ctx context.Context, m *accordv1.AttendResponse) error {
	switch m := m.GetMessage().(type) {
	case *accordv1.AttendResponse_Offer:
		return a.answer(ctx, m.Offer)
	case *accordv1.AttendResponse_Receipt:
		r, err := wire.ToReceipt(m.Receipt)
		if err == nil && r.Verdict != exchange.Accepted {
			err = fmt.Errorf("the answer to %s is %s: %s", r.Task, r.Verdict, r.Reason)
		}
		return err
	default:
		return fmt.Errorf("the coordinator said something unexpected: %v", m)
	}
}

// answer does what an offer asks for.
func (a *attendance) answer(ctx context.Context, o *accordv1.Offer) error {
	var t exchange.Task
	if err := json.Unmarshal(o.GetPayload(), &t); err != nil {
		return fmt.Errorf("read task %s: %w", o.GetTask(), err)
	}
	g, err := a.models.download(ctx, a.client, t.Model)
	if err != nil {
		return fmt.Errorf("task %s: download: %w", t.ID, err)
	}
	u, err := g.update(t.ID)
	if err != nil {
		return err
	}
	if err := u.upload(ctx, a.client, a.name, t.ID); err != nil {
		return fmt.Errorf("task %s: upload: %w", t.ID, err)
	}
	payload, err := json.Marshal(exchange.Reply{Task: t.ID, Outcome: exchange.Done, Update: &exchange.Update{
		Task: t.ID, Base: t.Model.Digest, Samples: 1, Steps: 1, Artefacts: map[string]exchange.Artefact{exchange.Delta: u.Artefact},
	}})
	if err != nil {
		return err
	}
	return a.say(&accordv1.AttendRequest{Message: &accordv1.AttendRequest_Reply{Reply: &accordv1.Reply{Task: t.ID, Payload: payload}}})
}
