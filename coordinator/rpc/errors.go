package rpc

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
)

// The ends of an attendance that are nobody's mistake.
var (
	errStopping  = status.Error(codes.Unavailable, "the coordinator is stopping")
	errSilent    = status.Error(codes.DeadlineExceeded, "the lease ran out: nothing was heard for too long")
	errDeaf      = status.Error(codes.ResourceExhausted, "too many messages wait to be read")
	errTalkative = status.Error(codes.ResourceExhausted, "too many replies at once")
)

// toStatus gives err its gRPC code. An error that has one keeps it.
func toStatus(err error) error {
	if _, ok := status.FromError(err); ok {
		return err // also nil
	}
	return status.Error(code(err), err.Error())
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
	case registry.NoCertificate, registry.Foreign, registry.Expired:
		return codes.Unauthenticated
	case registry.TooMany:
		return codes.ResourceExhausted
	default:
		return codes.PermissionDenied
	}
}

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
		return fault.As(fault.Unavailable, plain)
	case codes.AlreadyExists:
		return fault.As(fault.Exists, plain)
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.Unauthenticated, codes.PermissionDenied:
		return fault.As(fault.Input, plain)
	case codes.Unimplemented:
		return fault.As(fault.Unavailable, errors.New("no Accord coordinator answers there"))
	case codes.Canceled:
		return context.Canceled
	default:
		return plain
	}
}

// guard maps what the services return, and logs what is not a caller's fault.
type guard struct{ log *zap.Logger }

func (g guard) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	resp, err := h(ctx, req)
	return resp, g.mapped(err, info.FullMethod)
}

func (g guard) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
	return g.mapped(h(srv, blaming{stream}), info.FullMethod)
}

// blaming is a stream on which a message that can not be decoded is its
// sender's mistake. gRPC calls it internal, and has already told the sender so.
type blaming struct{ grpc.ServerStream }

func (b blaming) RecvMsg(m any) error {
	err := b.ServerStream.RecvMsg(m)
	if status.Code(err) == codes.Internal {
		return status.Error(codes.InvalidArgument, status.Convert(err).Message())
	}
	return err
}

// unknownMethod answers calls that no service knows.
func unknownMethod(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	return status.Errorf(codes.Unimplemented, "there is no method %.80q", method)
}

func (g guard) mapped(err error, method string) error {
	err = toStatus(err)
	if status.Code(err) == codes.Internal {
		g.log.Error("call failed", zap.String("method", method), zap.Error(err))
	}
	return err
}
