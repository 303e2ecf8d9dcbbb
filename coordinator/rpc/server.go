package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/coordinator/rpc/intake"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// Federation is the coordinator as participants meet it. Its methods are
// called concurrently.
type Federation interface {
	// Admit makes a link from an address one that attends; a participant whose
	// place another process has is refused.
	Admit(l coordinator.Link, from string) (detach func(), err error)
	Answer(ctx context.Context, participant string, r exchange.Reply) (exchange.Receipt, error)
	// Misunderstood is Answer for a reply that could not be read.
	Misunderstood(ctx context.Context, participant, task string, why error) (exchange.Receipt, error)
	// Checkpoint returns a signed checkpoint of the journal, which covers every
	// verdict that was returned, and the key that verifies it; nil and "" where
	// there is none. It is called for each welcome and each receipt.
	Checkpoint() (signed []byte, verifier string)
	// OfferAgain offers a task to its participant once more, if it is still
	// open: for after a receipt that leaves it so.
	OfferAgain(participant, task string) (again bool)
	// Awaits is how many bytes an artefact of the participant's answer to the
	// task may have; 0 when none is awaited.
	Awaits(participant, task string) int64
	// Stored notes that a task has brought an artefact.
	Stored(task, digest string)
	// Offered reports whether participants may fetch an artefact.
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
	// Remove removes a run that has ended, for the caller named by; kept reports
	// whether its results are still there.
	Remove(ctx context.Context, name, by string, files bool) (kept bool, err error)
	// List returns at most limit runs that were submitted before the one of a
	// number, or with 0 of all, the newest first.
	List(before uint64, limit int, active bool) []coordinator.Entry
	State(name string) (round.State, error)
	// Since waits until the run's last change is another than seq.
	Since(ctx context.Context, name string, seq uint64) (_ round.State, last uint64, err error)
	Attending() []string
	// Held returns why no run goes on, for people; "": they do.
	Held() string
	Members() []coordinator.Member // sorted by role and name
	// Release gives the place of a participant away from the process that has it.
	Release(ctx context.Context, name, by string) (coordinator.Rival, error)
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
	// Federation is the name of a federation without certificates; a participant
	// that names another is refused. "": it has none.
	Federation string
	// Keyring holds the keys that participants who gossip get; nil: none.
	Keyring Keyring
	// Scratch is the folder in which a submission's model lies until the run
	// is queued; "" for the system's place.
	Scratch string
	// Disk is what Scratch is on; nil: the operating system's.
	Disk disk.Disk
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

// Listen opens the address to serve at. One that cannot be opened is an error
// of class fault.Unavailable.
func Listen(addr string) (net.Listener, error) {
	// The server's own pings find out who is gone; TCP's would cost four calls of the
	// system for each connection, also of those who say nothing.
	l, err := (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fault.As(fault.Unavailable, fmt.Errorf("cannot serve there (is another coordinator running?): %w", err))
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
	s := newServers(ctx, l, f, r, o, log.Named("rpc"))
	counting, counted := context.WithCancel(context.WithoutCancel(ctx))
	var reports sync.WaitGroup
	reports.Go(func() { s.lobby.complaints.run(counting) })
	reports.Go(func() { s.lobby.ledger.Run(counting) })
	if s.lobby.keeper != nil {
		reports.Go(func() { s.lobby.keeper.watch(counting) })
		reports.Go(func() { s.anchors.watch(counting) })
	}
	defer reports.Wait()
	defer counted()
	return s.serve(ctx, o.StopWithin)
}

// servers are one for each kind of callers, behind one lobby.
type servers struct {
	lobby   *lobby
	anchors *anchors
	each    map[kind]*grpc.Server
}

func newServers(ctx context.Context, l net.Listener, f Federation, r Runs, o Options, log *zap.Logger) *servers {
	refused := newRefusals()
	anchors := newAnchors(o.Security, log)
	s := &servers{each: map[kind]*grpc.Server{}, anchors: anchors, lobby: &lobby{
		listener: l, halls: map[kind]*hall{}, ledger: intake.NewLedger(maxUnderWay), silent: intake.NewCrowd(within(maxSilent)),
		waiting: intake.NewQueue(within(maxWaiting)), answered: intake.NewCrowd(within(maxAnswered)), turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		refusals: refused, complaints: newComplaints(refused, o.Security != nil, log),
	}}
	kinds := []kind{everybody}
	if o.Security != nil {
		kinds = []kind{strangers, sites, admins}
		s.lobby.keeper = newGatekeeper(*o.Security)
		o.Security.Registry.OnEnd(s.lobby.keeper.expel)
	}
	services := services{
		federation: &federation{
			coordinator: f, options: o, uploads: newTurns(), downloads: newTurns(), arrivals: newArrivals(), anchors: anchors, stopping: ctx.Done(), log: log,
		},
		admin: &admin{runs: r, options: o, refusals: refused, anchors: anchors, stopping: ctx.Done(), log: log},
	}
	if o.Security != nil {
		services.enrollment = &enrollment{security: *o.Security, tries: newTries(), renewals: newRenewals(), anchors: anchors, log: log}
	}
	for _, k := range kinds {
		s.each[k], s.lobby.halls[k] = services.server(k, s.lobby, o.Security, log), newHall(l.Addr())
	}
	return s
}

// services are what all servers offer; the gate says to whom.
type services struct {
	federation *federation
	admin      *admin
	enrollment *enrollment // nil without certificates
}

// server makes the one for callers of a kind.
func (s services) server(k kind, l *lobby, security *Security, log *zap.Logger) *grpc.Server {
	guard := &guard{log: log}
	unary, stream := []grpc.UnaryServerInterceptor{guard.unary}, []grpc.StreamServerInterceptor{guard.stream}
	options := append(k.options(), grpc.StatsHandler(l.complaints), grpc.UnknownServiceHandler(unknownMethod))
	if security == nil {
		server := grpc.NewServer(append(options, grpc.ChainUnaryInterceptor(unary...), grpc.ChainStreamInterceptor(stream...))...)
		s.register(server)
		return server
	}
	gate := &gate{registry: security.Registry, refusals: l.refusals, may: mayCall()}
	server := grpc.NewServer(append(options, grpc.Creds(newIntroduced()),
		grpc.ChainUnaryInterceptor(append(unary, gate.unary)...), grpc.ChainStreamInterceptor(append(stream, gate.stream)...))...)
	s.register(gatedServices{server, gate})
	return server
}

func (s services) register(server grpc.ServiceRegistrar) {
	accordv1.RegisterFederationServiceServer(server, s.federation)
	accordv1.RegisterAdminServiceServer(server, s.admin)
	if s.enrollment != nil {
		accordv1.RegisterEnrollmentServiceServer(server, s.enrollment)
	}
}

// serve lets callers in until ctx ends, and has the servers stop then.
func (s *servers) serve(ctx context.Context, stopWithin time.Duration) error {
	serving, stop := context.WithCancel(ctx)
	defer stop()
	var servers sync.WaitGroup
	for k, server := range s.each {
		servers.Go(func() { _ = server.Serve(s.lobby.halls[k]) }) // which ends when it is stopped
	}
	err := s.lobby.run(serving)
	limit := time.AfterFunc(stopWithin, func() {
		for _, server := range s.each {
			server.Stop()
		}
	})
	defer limit.Stop()
	for _, server := range s.each {
		servers.Go(server.GracefulStop)
	}
	servers.Wait()
	return err
}
