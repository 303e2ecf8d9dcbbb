package rpc

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/accord-fl/accord/coordinator/rpc/intake"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/wire"
)

// kind is what kind of caller opened a connection. Each kind has a server of
// its own, so that what a caller may send is decided before any of it is read.
type kind string

// The kinds.
const (
	strangers kind = "strangers" // without a certificate of the federation
	sites     kind = "sites"
	admins    kind = "admins"
	everybody kind = "everybody" // of a coordinator without certificates
)

// allowance is what one caller may take of the server.
type allowance struct {
	message     int    // bytes of one message
	streams     uint32 // at once, on a connection
	connections int    // at once
	limits      intake.Limits
}

// The bounds of what callers bring. A participant has one Attend stream and few
// transfers at a time; the rates are far above what the shortest rounds take.
const (
	maxStreams  = 32               // of a member, at once on a connection
	maxHeaders  = 16 << 10         // bytes of a call's headers
	maxUnderWay = 48 << 20         // bytes of all callers' messages that have not arrived whole, beyond intake.OwnBytes of each
	callRate    = 1000             // calls a second
	frameRate   = 5000             // frames a second that carry little
	rateBurst   = 2                // seconds' worth of both
	arrivesIn   = 30 * time.Second // of a member's message, from its first byte on

	maxSilent   = 4096 // connections that have not said hello,
	maxWaiting  = 4096 // that have, and wait for the handshake's answer,
	maxAnswered = 512  // and that have it, and have not shown whose they are

	strangerMessage = 24 << 10 // bytes: a token and a signing request
	strangerTotal   = 64 << 10 // bytes that a connection brings
	strangerStreams = 2
)

// allowanceOf is what a caller of a kind may take.
func allowanceOf(k kind) allowance {
	member := intake.Limits{
		UnderWay: 4 << 20, Within: arrivesIn, Calls: callRate, Frames: frameRate, Burst: rateBurst,
	}
	switch k {
	case strangers:
		return allowance{message: strangerMessage, streams: strangerStreams, connections: 1, limits: intake.Limits{
			UnderWay: 2 * strangerTotal, Within: strangerStays, Total: strangerTotal, Calls: callRate, Frames: frameRate, Burst: rateBurst,
		}}
	case sites:
		// Others than this binary may send chunks of 1 MB.
		return allowance{message: 1<<20 + 64<<10, streams: maxStreams, connections: 16, limits: member}
	default:
		member.UnderWay = 8 << 20
		return allowance{message: wire.MaxMessage, streams: maxStreams, connections: 64, limits: member}
	}
}

// kindOf is the kind of a caller whom the gatekeeper has looked at.
func kindOf(c *caller) kind {
	switch {
	case c.refusal != nil:
		return strangers
	case c.identity.Role == pki.Admin:
		return admins
	default:
		return sites
	}
}

// options are what gRPC itself bounds for callers of a kind.
func (k kind) options() []grpc.ServerOption {
	a := allowanceOf(k)
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(a.message),
		// A frame is read when it is the next, so that it can be counted before; and
		// TLS has a buffer of its own.
		grpc.ReadBufferSize(0),
		grpc.MaxConcurrentStreams(a.streams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(helloWithin),
		// Whoever renews a lease is never asked; this ends what else hangs.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: silentFor}),
		// Half of what participants ask after, for pings that arrive unevenly.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
	if k == strangers {
		return append(options, grpc.InitialWindowSize(strangerTotal), grpc.InitialConnWindowSize(strangerTotal), grpc.WriteBufferSize(strangerMessage))
	}
	return append(options, wire.Flow()...)
}
