package participant

import (
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/wire"
)

// connect makes a connection to the coordinator, which opens when it is first
// used, through the proxy that HTTPS_PROXY names if there is one. Validate has
// made sure that it may be a plain one when there is no credential.
func (o Options) connect() (*grpc.ClientConn, error) {
	if _, err := wire.Proxy(o.Coordinator); err != nil {
		return nil, err
	}
	target := o.Coordinator
	secure := insecure.NewCredentials()
	if o.Credential != nil {
		secure = credentials.NewTLS(o.Credential.ClientTLS())
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(secure),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessage)),
		// A coordinator that says nothing for so long and does not answer then is
		// as good as gone.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
	}
	if o.Dial != nil {
		target = "passthrough:///" + target
		options = append(options, grpc.WithContextDialer(o.Dial))
	}
	return grpc.NewClient(target, options...)
}

// refusal returns err, put plainly and in its class, when the coordinator has
// refused a call, and nil when it could not be reached.
func refusal(err error) error {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.PermissionDenied, codes.Unauthenticated:
		return fault.Inputf("%s", plain(err))
	case codes.Unimplemented:
		return fault.Inputf("no Accord coordinator answers there: %s", plain(err))
	default:
		return nil
	}
}

// neverJoined is how a coordinator that tells no reasons refuses a site that its
// registry does not have.
const neverJoined = "has never joined this federation"

// passing reports whether a refusal may end by itself, or by what is done at the
// coordinator: a clock that is wrong, a registry that was restored from a copy, a
// root that is about to be trusted. A site that was revoked, that has left or
// whose name another key has taken is refused for good.
func passing(err error) bool {
	code := status.Code(err)
	if r, ok := wire.RefusalOf(err); ok {
		switch r.Reason {
		case wire.NoCertificate, wire.Foreign, wire.Expired, wire.NotYetValid, wire.Unknown:
			return true
		}
		return code == codes.Unauthenticated
	}
	return code == codes.Unauthenticated || code == codes.PermissionDenied && strings.Contains(plain(err), neverJoined)
}

// disconnected reports whether an RPC failed because the connection did, so
// that the same call may succeed over the next one.
func disconnected(err error) bool {
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.Canceled
}

// plain says in one clear line what an error of gRPC means.
func plain(err error) string {
	var carrier interface{ GRPCStatus() *status.Status }
	if errors.As(err, &carrier) {
		return wire.PlainStatus(carrier.GRPCStatus())
	}
	return wire.Plain(err.Error())
}
