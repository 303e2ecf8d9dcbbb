package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// Federation is the coordinator as participants meet it. Its methods are
// called concurrently.
type Federation interface {
	Attach(coordinator.Link) (detach func())
	Answer(ctx context.Context, participant string, r exchange.Reply) (exchange.Receipt, error)
	// Misunderstood is Answer for a reply that could not be read.
	Misunderstood(ctx context.Context, participant, task string, why error) (exchange.Receipt, error)
	// Awaits is how many bytes an artefact of the participant's answer to the
	// task may have; 0 when none is awaited.
	Awaits(participant, task string) int64
	// Stored notes that a task has brought an artefact.
	Stored(task, digest string)
	// Offered tells whether participants may fetch an artefact.
	Offered(digest string) bool
	// Mend repairs such an artefact, if it can be repaired, after reading it has
	// failed with spool.ErrNotFound.
	Mend(ctx context.Context, digest string) error
	Spool() *spool.Spool
}

// Runs is the coordinator as its operators meet it. Its methods are called
// concurrently.
type Runs interface {
	Submit(ctx context.Context, d coordinator.Definition, initial io.ReaderAt, bytes int64) error
	Stop(ctx context.Context, name, reason string) error
	Runs() []coordinator.RunStatus
	Status(name string) (coordinator.RunStatus, error)
	Watch(ctx context.Context, name string) (<-chan coordinator.RunStatus, error)
	Attending() []string
	Members() []coordinator.Member // sorted by role and name
}

var (
	_ Federation = (*coordinator.Coordinator)(nil)
	_ Runs       = (*coordinator.Coordinator)(nil)
)

// Options of a server.
type Options struct {
	Version string // of the binary, for people
	// Lease is how long a participant may be silent before it counts as gone.
	// With coordinator.DefaultAway it bounds how late a site is found lost that
	// hangs, or whose packets are dropped.
	Lease time.Duration
	// StopWithin bounds how long Serve waits for what is under way when it
	// is to stop.
	StopWithin time.Duration
	// Prepare makes a submission ready to run.
	Prepare Prepare
	// Security is what certificates are checked with; nil: none are, which
	// Listen allows on loopback addresses only.
	Security *Security
	// Keyring holds the keys that participants who gossip get; nil: none.
	Keyring Keyring
	// Scratch is the folder in which a submission's model lies until the run
	// is queued; "" for the system's place.
	Scratch string
}

// DefaultOptions returns options that lack Prepare.
func DefaultOptions() Options {
	return Options{Version: "devel", Lease: 10 * time.Second, StopWithin: 5 * time.Second}
}

// Validate reports the first field that makes no sense. It changes nothing.
func (o Options) Validate() error {
	switch {
	case o.Lease < time.Second:
		return fault.Inputf("lease: got %v, want 1s or more", o.Lease)
	case o.StopWithin < 0:
		return fault.Inputf("stop within: got %v, want 0 or more", o.StopWithin)
	case o.Prepare == nil:
		return errors.New("rpc: Options.Prepare is missing")
	}
	return nil
}

// What one connection may take of the server. A participant has one Attend
// stream and few transfers at a time.
const (
	maxStreams = 32       // at once
	maxHeaders = 16 << 10 // bytes of a call's headers
)

// helloWithin is how long an Attend stream may last without a hello, at most;
// a shorter lease counts, too.
const helloWithin = 10 * time.Second

// ListenPlain opens the address to serve at without certificates, which must be
// asked for and a loopback address; errors are those of Listen.
func ListenPlain(addr string, insecure bool) (net.Listener, error) {
	if err := wire.CheckPlain(addr, insecure); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return Listen(addr)
}

// Listen opens the address to serve at. One that can not be opened is an error
// of class fault.Unavailable.
func Listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fault.As(fault.Unavailable, fmt.Errorf("can not serve there (is another coordinator running?): %w", err))
	}
	return l, nil
}

// Serve serves both services at l, which it closes, until ctx ends. Then it
// hangs up on the participants, lets what else is under way end for at most
// StopWithin, and returns nil.
func Serve(ctx context.Context, l net.Listener, f Federation, r Runs, o Options, log *zap.Logger) error {
	if err := o.Validate(); err != nil {
		return errors.Join(err, l.Close())
	}
	log = log.Named("rpc")
	refused := newRefusals()
	complaints := newComplaints(refused, o.Security != nil, log)
	var keeper *gatekeeper
	if o.Security != nil {
		keeper = newGatekeeper(*o.Security, refused)
		o.Security.Registry.OnEnd(keeper.expel)
	}
	server := grpc.NewServer(append(append(o.interceptors(keeper, refused, log), wire.Flow()...),
		grpc.MaxRecvMsgSize(wire.MaxMessage),
		// TLS has a buffer of its own; thousands of connections are mostly idle.
		grpc.ReadBufferSize(0),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.StatsHandler(complaints),
		grpc.UnknownServiceHandler(unknownMethod),
		grpc.ConnectionTimeout(10*time.Second),
		// Whoever renews a lease is never asked; this ends what else hangs.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		// Half of what participants ask after, for pings that arrive unevenly.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)...)
	accordv1.RegisterFederationServiceServer(server, &federation{
		coordinator: f, options: o, uploads: newTurns(), downloads: newTurns(), stopping: ctx.Done(), log: log,
	})
	accordv1.RegisterAdminServiceServer(server, &admin{runs: r, options: o, refusals: refused, stopping: ctx.Done(), log: log})
	if o.Security != nil {
		accordv1.RegisterEnrollmentServiceServer(server, &enrollment{security: *o.Security, tries: newTries(), log: log})
	}

	counting, counted := context.WithCancel(context.WithoutCancel(ctx))
	var reports sync.WaitGroup
	reports.Go(func() { complaints.run(counting) })
	if keeper != nil {
		reports.Go(func() { keeper.watch(counting) })
	}
	defer reports.Wait()
	defer counted()
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	limit := time.AfterFunc(o.StopWithin, server.Stop)
	defer limit.Stop()
	server.GracefulStop()
	if err := <-served; !errors.Is(err, grpc.ErrServerStopped) { // stopped before it had begun
		return err
	}
	return nil
}

// interceptors is what every call passes: with certificates keeper and gate, and
// always what maps errors.
func (o Options) interceptors(keeper *gatekeeper, refused *refusals, log *zap.Logger) []grpc.ServerOption {
	guard := guard{log: log}
	if keeper == nil {
		return []grpc.ServerOption{grpc.ChainUnaryInterceptor(guard.unary), grpc.ChainStreamInterceptor(guard.stream)}
	}
	gate := &gate{registry: o.Security.Registry, refusals: refused, may: mayCall()}
	return []grpc.ServerOption{
		grpc.Creds(keeper),
		grpc.ChainUnaryInterceptor(guard.unary, gate.unary),
		grpc.ChainStreamInterceptor(guard.stream, gate.stream),
	}
}
