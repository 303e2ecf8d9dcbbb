package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
	MaxArtefact() int64 // in bytes; 0 while no run needs any
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
}

var (
	_ Federation = (*coordinator.Coordinator)(nil)
	_ Runs       = (*coordinator.Coordinator)(nil)
)

// Options of a server.
type Options struct {
	Version string // of the binary, for people
	// Lease is how long a participant may be silent before it counts as gone.
	Lease time.Duration
	// StopWithin bounds how long Serve waits for what is under way when it
	// is to stop.
	StopWithin time.Duration
	// Prepare makes a submission ready to run.
	Prepare Prepare
}

// DefaultOptions returns options that lack Prepare.
func DefaultOptions() Options {
	return Options{Version: "devel", Lease: 30 * time.Second, StopWithin: 5 * time.Second}
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

// Listen opens the address to serve at. Without certificates only a loopback
// address will do. One that can not be opened is an error of class
// fault.Unavailable.
func Listen(addr string, insecure bool) (net.Listener, error) {
	if err := wire.CheckPlain(addr, insecure); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
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
	g := guard{log: log}
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(wire.MaxMessage),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(g.unary),
		grpc.StreamInterceptor(g.stream),
	)
	accordv1.RegisterFederationServiceServer(server, &federation{
		coordinator: f, options: o, stopping: ctx.Done(), log: log,
	})
	accordv1.RegisterAdminServiceServer(server, &admin{runs: r, options: o, stopping: ctx.Done()})

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
