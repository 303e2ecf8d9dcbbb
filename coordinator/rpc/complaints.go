package rpc

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/coordinator/registry"
)

// What is logged of refused calls in a minute is bounded, whatever is thrown at
// the server.
const (
	complaintWindow = time.Minute
	maxComplaints   = 256 // kinds that are told apart in a window
	maxReason       = 300 // bytes of the first reason that are logged
)

// complaint is one kind of calls that were refused.
type complaint struct {
	from   string // who called
	method string
	code   codes.Code
}

// complaints logs the calls that end in an error of the caller's: the first of
// a kind in a window with its reason, the others as a number when the window is
// over. It sees every call, also those that never reach a handler or the gate,
// and counts these among the refusals. Methods may be called concurrently.
type complaints struct {
	log      *zap.Logger
	refusals *refusals
	gated    bool // calls that are decoded pass a gate, which counts by itself

	mu     sync.Mutex
	counts map[complaint]int
}

var _ stats.Handler = (*complaints)(nil)

func newComplaints(r *refusals, gated bool, log *zap.Logger) *complaints {
	return &complaints{log: log, refusals: r, gated: gated, counts: map[complaint]int{}}
}

// methodKey is the context key of a call's method.
type methodKey struct{}

// TagRPC implements stats.Handler.
func (c *complaints) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, methodKey{}, info.FullMethodName)
}

// HandleRPC implements stats.Handler.
func (c *complaints) HandleRPC(ctx context.Context, s stats.RPCStats) {
	end, ok := s.(*stats.End)
	if !ok {
		return
	}
	code := status.Code(end.Error)
	switch code {
	case codes.OK, codes.Canceled, codes.Unavailable, codes.Aborted:
		return // done, or nobody's mistake
	}
	method, _ := ctx.Value(methodKey{}).(string)
	if _, known := mayCall()[method]; !known {
		method = "unknown" // callers choose what they name it
	}
	from, reason := nameOf(ctx), status.Convert(end.Error).Message()
	// What gRPC itself refuses cannot be read, or is too large.
	if undecoded := strings.HasPrefix(reason, "grpc: ") && code != codes.InvalidArgument; undecoded || !c.gated && code == codes.InvalidArgument {
		c.refusals.count(from, registry.Malformed)
	}
	c.note(complaint{from, method, code}, reason)
}

// TagConn implements stats.Handler.
func (c *complaints) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (c *complaints) HandleConn(context.Context, stats.ConnStats) {}

// nameOf names who makes a call: by its certificate, or the machine that it
// comes from.
func nameOf(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return "unknown"
	}
	if c, ok := p.AuthInfo.(*caller); ok {
		return c.name()
	}
	return hostOf(p.Addr.String())
}

func (c *complaints) note(kind complaint, reason string) {
	c.mu.Lock()
	if _, known := c.counts[kind]; !known && len(c.counts) >= maxComplaints {
		kind, reason = complaint{from: others}, "too many kinds to tell apart"
	}
	c.counts[kind]++
	first := c.counts[kind] == 1
	c.mu.Unlock()
	if first {
		c.log.Warn("call refused", append(kind.fields(), zap.String("reason", reason[:min(len(reason), maxReason)]))...)
	}
}

func (k complaint) fields() []zap.Field {
	return []zap.Field{zap.String("caller", k.from), zap.String("method", k.method), zap.Stringer("code", k.code)}
}

// run reports at the end of each window, until ctx ends, and once more then.
func (c *complaints) run(ctx context.Context) {
	window := time.NewTicker(complaintWindow)
	defer window.Stop()
	for {
		select {
		case <-window.C:
			c.report()
		case <-ctx.Done():
			c.report()
			return
		}
	}
}

// report logs the counts of a window that is over, and begins the next.
func (c *complaints) report() {
	c.mu.Lock()
	counts := c.counts
	c.counts = map[complaint]int{}
	c.mu.Unlock()
	for kind, n := range counts {
		if n > 1 { // of one all is told
			c.log.Warn("calls refused", append(kind.fields(), zap.Int("count", n))...)
		}
	}
}
