package rpc

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/coordinator/rpc/intake"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// enrollment gives out certificates.
type enrollment struct {
	accordv1.UnimplementedEnrollmentServiceServer
	security Security
	tries    *tries
	renewals *renewals
	anchors  *anchors
	log      *zap.Logger
}

// Enroll redeems a token: the site's key becomes the one that belongs.
func (e *enrollment) Enroll(ctx context.Context, r *accordv1.EnrollRequest) (*accordv1.EnrollResponse, error) {
	// A token that is good always counts, whatever else came from its address. To
	// look it up costs a hash; the request is read for it alone.
	site, err := e.security.Registry.Invited(r.GetSecret())
	if err != nil {
		return nil, e.tries.failed(callerOf(ctx).address, err)
	}
	request, err := pki.ReadRequest(r.GetSigningRequest())
	if err != nil {
		return nil, err
	}
	issuer, err := e.security.Issuer()
	if err != nil {
		return nil, err
	}
	// The token is worth keeping for a request that is right.
	if want := (pki.Identity{Federation: issuer.Federation, Role: pki.Participant, Name: site}); request.Identity != want {
		return nil, fault.Inputf("the token invites %s, the signing request is for %s", want, request.Identity)
	}
	chain, err := issuer.Certify(request.Identity, request.Key, nil, pki.SiteLifetime)
	if err != nil {
		return nil, err
	}
	if _, err := e.security.Registry.Enroll(ctx, r.GetSecret(), request.KeyHash, chain[0].NotAfter); err != nil {
		return nil, e.tries.failed(callerOf(ctx).address, err)
	}
	e.log.Info("site joined", zap.String("participant", site), zap.String("key", request.KeyHash[:16]), zap.String("certificate_until", chain[0].NotAfter.Format(time.RFC3339)))
	now := e.anchors.refresh()
	return &accordv1.EnrollResponse{Chain: pki.EncodeCerts(chain), Roots: now.roots, Endorsements: now.endorsements, Now: timestamppb.Now()}, nil
}

// Renew gives the caller a new certificate for the key that it speaks with.
func (e *enrollment) Renew(ctx context.Context, r *accordv1.RenewRequest) (*accordv1.RenewResponse, error) {
	now := e.anchors.refresh()
	response := &accordv1.RenewResponse{Roots: now.roots, Endorsements: now.endorsements, Now: timestamppb.Now()}
	c := callerOf(ctx)
	if r.GetRootsOnly() {
		e.anchors.handed(c.identity, now.prints, "")
		return response, nil
	}
	chain, err := e.renew(ctx, c)
	if err != nil {
		return nil, err
	}
	e.anchors.handed(c.identity, now.prints, pki.TopOf(chain))
	e.log.Info("certificate renewed", zap.String("identity", c.identity.String()), zap.String("certificate_until", chain[0].NotAfter.Format(time.RFC3339)))
	response.Chain = pki.EncodeCerts(chain)
	return response, nil
}

// renew signs the caller's key again.
func (e *enrollment) renew(ctx context.Context, c *caller) ([]*x509.Certificate, error) {
	if c.identity.Federation == "" {
		return nil, fault.Inputf("the certificate of %s was signed by its own institution, which renews it", c.identity.Name)
	}
	lifetime := pki.SiteLifetime
	if c.identity.Role == pki.Admin {
		lifetime = pki.LeafLifetime
	}
	issuer, err := e.security.Issuer()
	if err != nil {
		return nil, err
	}
	chain, err := issuer.Certify(c.identity, c.State.PeerCertificates[0].PublicKey, nil, lifetime)
	if err != nil || c.identity.Role != pki.Participant {
		return chain, err
	}
	if err := e.renewals.admit(c.identity.Name, pki.TopOf(chain)); err != nil {
		return nil, err
	}
	return chain, e.security.Registry.Renewed(ctx, c.identity.Name, chain[0].NotAfter)
}

// Leave ends the caller's access.
func (e *enrollment) Leave(ctx context.Context, r *accordv1.LeaveRequest) (*accordv1.LeaveResponse, error) {
	name := callerOf(ctx).identity.Name
	if err := e.security.Registry.Leave(ctx, name, bounded(r.GetReason())); err != nil {
		return nil, err
	}
	e.log.Info("site left the federation", zap.String("participant", name), zap.String("reason", bounded(r.GetReason())))
	return &accordv1.LeaveResponse{}, nil
}

// bounded quotes and cuts a text for people that came from outside.
func bounded(text string) string { return quote.Cut(text, 200) }

// The bounds of tries.
const (
	triesBurst   = 64
	triesSecond  = 2
	maxAddresses = 4096
)

// tries counts how often an address fails to redeem a token. Success costs
// nothing, and nobody's failures stand in its way: the sites of a cluster may
// share an address, with others.
type tries struct {
	mu        sync.Mutex
	addresses map[string]*rate.Limiter
	all       *rate.Limiter // of those beyond maxAddresses
}

func newTries() *tries {
	return &tries{addresses: map[string]*rate.Limiter{}, all: rate.NewLimiter(triesSecond, triesBurst)}
}

// failed notes a failure, and returns what to answer: why, or, to an address that
// has failed too often of late, that alone.
func (t *tries) failed(address string, why error) error {
	var refusal *registry.Refusal
	if !errors.As(why, &refusal) {
		return why // it is not the caller's
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	host := intake.Network(hostOf(address))
	limit, known := t.addresses[host]
	if !known {
		t.rest()
		if limit = t.all; len(t.addresses) < maxAddresses {
			limit = rate.NewLimiter(triesSecond, triesBurst)
			t.addresses[host] = limit
		}
	}
	if limit.Allow() {
		return why
	}
	return &registry.Refusal{Reason: registry.TooMany, Text: "too many tries to redeem a token from this address; wait a minute"}
}

// rest forgets addresses that have been quiet, once there are many. mu is held.
func (t *tries) rest() {
	if len(t.addresses) < maxAddresses {
		return
	}
	for host, limit := range t.addresses {
		if limit.Tokens() >= triesBurst {
			delete(t.addresses, host)
		}
	}
}

// hostOf is an address without its port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
