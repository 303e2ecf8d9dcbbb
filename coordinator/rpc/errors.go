package rpc

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
)

// The ends of an attendance that are nobody's mistake.
var (
	errStopping  = status.Error(codes.Unavailable, "the coordinator is stopping")
	errSilent    = status.Error(codes.DeadlineExceeded, "the lease ran out: nothing was heard for too long")
	errDeaf      = status.Error(codes.ResourceExhausted, "too many messages wait to be read")
	errDisk      = status.Error(codes.Unavailable, wire.DiskFull)
	errTalkative = status.Error(codes.ResourceExhausted, "too many replies at once")
	errStale     = status.Error(codes.ResourceExhausted, "too many replies to other offers than those that this coordinator has made")
)

// toStatus gives err its gRPC code. An error that has one keeps it.
func toStatus(err error) error {
	if _, ok := status.FromError(err); ok {
		return err // also nil
	}
	if disk.Passing(err) {
		return errDisk // the paths of this machine are nobody else's business
	}
	var refusal *registry.Refusal
	if errors.As(err, &refusal) {
		return wire.Refuse(code(err), err.Error(), reasonOf(refusal.Reason), time.Now())
	}
	return status.Error(code(err), err.Error())
}

// reasonOf is how a reason is spelled on the wire; "" for one that callers'
// programs need not know.
func reasonOf(r registry.Reason) wire.Reason {
	return map[registry.Reason]wire.Reason{
		registry.NoCertificate: wire.NoCertificate,
		registry.Foreign:       wire.Foreign,
		registry.Expired:       wire.Expired,
		registry.NotYetValid:   wire.NotYetValid,
		registry.UnknownCaller: wire.Unknown,
		registry.ReplacedKey:   wire.Replaced,
		registry.RevokedCaller: wire.Revoked,
		registry.LeftCaller:    wire.Left,
		registry.WrongRole:     wire.WrongRole,
		registry.WrongName:     wire.WrongName,
		registry.BadToken:      wire.BadToken,
		registry.TooMany:       wire.TooMany,
		registry.Malformed:     wire.Malformed,
	}[r]
}

func code(err error) codes.Code {
	var refusal *registry.Refusal
	switch {
	case errors.As(err, &refusal):
		return refusalCode(refusal.Reason)
	case errors.Is(err, coordinator.ErrReplaced):
		return codes.Aborted
	case elsewhere(err):
		return codes.Unavailable
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, spool.ErrNotFound), errors.Is(err, coordinator.ErrNoRun):
		return codes.NotFound
	case errors.Is(err, fault.Exists):
		return codes.AlreadyExists
	case errors.Is(err, pki.ErrEnded):
		return codes.Unavailable // until the operators have another, or their clock is right
	case errors.Is(err, fault.Input):
		return codes.InvalidArgument
	case errors.Is(err, fault.Unavailable):
		return codes.Unavailable
	default:
		return codes.Internal
	}
}

// elsewhere reports whether another process has the place of a participant, or is
// to have it.
func elsewhere(err error) bool {
	var occupied *coordinator.OccupiedError
	var released *coordinator.ReleasedError
	return errors.As(err, &occupied) || errors.As(err, &released)
}

// later adds to an error that only other people's doing ends, when to ask again.
// One that has no code but is of that kind gets its code.
func later(err error, after time.Duration) error {
	s, coded := status.FromError(err)
	switch {
	case elsewhere(err):
		s = status.New(code(err), err.Error())
	case !coded || s.Code() != codes.FailedPrecondition:
		return err
	}
	detailed, failed := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	if failed != nil {
		return s.Err() // it could not be encoded, and says the same without
	}
	return detailed.Err()
}

func refusalCode(r registry.Reason) codes.Code {
	switch r {
	case registry.NoCertificate, registry.Foreign, registry.Expired, registry.NotYetValid:
		return codes.Unauthenticated
	case registry.TooMany:
		return codes.ResourceExhausted
	default:
		return codes.PermissionDenied
	}
}

// ErrUntimely is the class of calls that failed because the coordinator's
// certificate is out of its time by this machine's clock: it does run.
var ErrUntimely = errors.New("untimely certificate")

// ErrAnswers is the class of calls that a coordinator has answered although it
// cannot do now what it is asked for: its disk is full.
var ErrAnswers = errors.New("the coordinator answers")

// fromStatus puts an error of a call into the class that decides an exit
// code, without the words of gRPC.
func fromStatus(err error) error {
	s, ok := status.FromError(err)
	if !ok || err == nil {
		return err
	}
	plain := errors.New(wire.PlainStatus(s))
	switch s.Code() {
	case codes.Unavailable:
		if wire.Untimely(s) {
			return fault.As(fault.Unavailable, fault.As(ErrUntimely, plain))
		}
		if s.Message() == wire.DiskFull {
			plain = fault.As(ErrAnswers, plain)
		}
		return fault.As(fault.Unavailable, plain)
	case codes.AlreadyExists:
		return fault.As(fault.Exists, plain)
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.Unauthenticated, codes.PermissionDenied:
		return fault.As(fault.Input, plain)
	case codes.Unimplemented:
		if strings.HasPrefix(s.Message(), noMethod) {
			return fault.Inputf("the coordinator does not know this command: it is older, upgrade it")
		}
		return fault.As(fault.Unavailable, errors.New("no Accord coordinator answers there"))
	case codes.Canceled:
		return context.Canceled
	default:
		return plain
	}
}

// guard maps what the services return, and logs what is not a caller's fault.
type guard struct {
	log *zap.Logger

	mu    sync.Mutex
	said  time.Time // when the log said that the disk hinders calls
	since int       // such calls that were not logged after that
}

// sayAgain is how often the log says that the disk hinders calls. Those who call
// come again every few seconds, many of them.
const sayAgain = time.Minute

// hindered logs a call that the disk has hindered, unless one was logged just now.
func (g *guard) hindered(err error, method string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.said) < sayAgain {
		g.since++
		return
	}
	g.log.Error("the disk does not take what calls bring: callers are told to come again",
		zap.String("method", method), zap.Int("not_logged_before", g.since), zap.Error(err))
	g.said, g.since = time.Now(), 0
}

func (g *guard) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	resp, err := h(ctx, req)
	return resp, g.mapped(err, info.FullMethod)
}

func (g *guard) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
	return g.mapped(h(srv, blaming{stream}), info.FullMethod)
}

// blaming is a stream on which a message that cannot be decoded is its
// sender's mistake. gRPC calls it internal, and has already told the sender so.
type blaming struct{ grpc.ServerStream }

func (b blaming) RecvMsg(m any) error {
	err := b.ServerStream.RecvMsg(m)
	if status.Code(err) == codes.Internal {
		return status.Error(codes.InvalidArgument, status.Convert(err).Message())
	}
	return err
}

// noMethod begins what a coordinator answers to a call that it does not know.
const noMethod = "there is no method"

// unknownMethod answers calls that no service knows.
func unknownMethod(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	return status.Errorf(codes.Unimplemented, noMethod+" %.80q", method)
}

func (g *guard) mapped(err error, method string) error {
	mapped := toStatus(err)
	switch {
	case disk.Passing(err):
		g.hindered(err, method)
	case status.Code(mapped) == codes.Internal || errors.Is(err, pki.ErrEnded):
		g.log.Error("call failed", zap.String("method", method), zap.Error(err))
	}
	return mapped
}
