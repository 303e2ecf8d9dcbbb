package participant

import (
	"context"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	grpcpeer "google.golang.org/grpc/peer"

	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// When a site asks for the roots to trust, and for a new certificate when its
// own gets old.
const (
	renewEvery = 6 * time.Hour
	// After a failure it asks again sooner, more and more slowly.
	renewAgain     = time.Minute
	renewAgainLast = time.Hour
	// spread is how far sites that are to renew at once are spread over.
	spread = 2 * time.Second
)

// renew keeps the credential fresh until the session ends. What goes wrong is
// tried again; a certificate is renewed weeks before it ends.
func (s *session) renew(streaming context.Context) error {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.Multiplier, retry.MaxInterval = renewAgain, 2, renewAgainLast
	for superseded := false; ; {
		wait := renewEvery
		if err := s.renewOnce(streaming, superseded); err == nil {
			retry.Reset()
		} else if streaming.Err() == nil {
			wait = retry.NextBackOff().Round(time.Second)
			s.log.Warn("certificate not renewed", zap.String("valid_until", s.options.Credential.Certificate().Leaf.NotAfter.Format(time.RFC3339)),
				zap.Duration("next_try", wait), zap.String("reason", plain(err)))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			superseded = false
		case <-s.superseded:
			timer.Stop()
			superseded = true
			sleep(streaming, rand.N(spread))
		case <-streaming.Done():
			timer.Stop()
			return streaming.Err()
		}
	}
}

// renewOnce asks for the roots to trust, and for a certificate when the one in
// use is due, or another root certifies now: superseded, or seen from what the
// coordinator presents.
func (s *session) renewOnce(ctx context.Context, superseded bool) error {
	credential := s.options.Credential
	// One of its institution's own authority has no identity of the federation,
	// and is renewed there.
	_, err := credential.Identity()
	due := err == nil && (superseded || credential.Due(time.Now()))
	presented, err := s.askAndTake(ctx, due)
	if err != nil || due || !credential.Supersedes(presented) {
		return err
	}
	_, err = s.askAndTake(ctx, true)
	return err
}

// askAndTake makes one call, and returns the fingerprint of the root that the
// coordinator presents.
func (s *session) askAndTake(ctx context.Context, certificate bool) (presented string, err error) {
	began := time.Now()
	var from grpcpeer.Peer
	response, err := s.renewal.Renew(ctx, &accordv1.RenewRequest{RootsOnly: !certificate}, grpc.Peer(&from))
	if err != nil {
		return "", err
	}
	err = s.take(pki.Offer{Chain: response.GetChain(), Roots: response.GetRoots(), Endorsements: response.GetEndorsements()})
	if now := toTime(response.GetNow()); err != nil && !now.IsZero() {
		if ahead := wire.Ahead(now, began); ahead.Abs() >= wire.ClockNotable {
			err = fmt.Errorf("%w; the coordinator's clock is %s", err, wire.ClockText(ahead, "this machine's"))
		}
	}
	if tls, ok := from.AuthInfo.(credentials.TLSInfo); ok {
		presented = pki.TopOf(tls.State.PeerCertificates)
	}
	return presented, err
}

// take takes what the coordinator offers, and says what became of it. A
// coordinator that listens is told what the site trusts and presents then.
func (s *session) take(offer pki.Offer) error {
	credential := s.options.Credential
	taken, err := credential.Take(offer)
	if taken.Roots {
		s.log.Info("trusted roots changed", zap.Strings("roots", pki.Fingerprints(credential.Roots())))
	}
	if taken.Certificate {
		s.log.Info("certificate renewed", zap.String("valid_until", credential.Certificate().Leaf.NotAfter.Format(time.RFC3339)))
	}
	if len(taken.Refused) > 0 && !taken.Older(credential.Roots()) {
		s.complain(taken.Refused)
	}
	if taken.Roots || taken.Certificate {
		select {
		case s.changed <- struct{}{}:
		default: // it is about to be told
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", credential.Dir(), err)
	}
	return nil
}

// complain logs roots that are not taken, each time there are others.
func (s *session) complain(refused []*x509.Certificate) {
	prints := pki.Fingerprints(refused)
	s.mu.Lock()
	again := slices.Equal(s.refusedRoots, prints)
	s.refusedRoots = prints
	s.mu.Unlock()
	if !again {
		s.log.Error("roots not taken: none that is trusted has signed them", zap.Strings("roots", prints),
			zap.String("next", "compare the fingerprints with those who run the federation; if they are right, add the certificate to "+pki.RootsFile+" in "+s.options.Credential.Dir()))
	}
}

// takeRoots takes the roots that the coordinator has sent of its own accord, and
// has the certificate renewed when another root certifies now.
func (s *session) takeRoots(m *accordv1.Roots) error {
	if s.options.Credential == nil {
		return nil // a site without certificates trusts nothing
	}
	if err := s.take(pki.Offer{Roots: m.GetRoots(), Endorsements: m.GetEndorsements()}); err != nil {
		s.log.Warn("roots not taken", zap.Error(err))
		return nil // what is trusted stays
	}
	if s.options.Credential.Supersedes(m.GetSigner()) {
		select {
		case s.superseded <- struct{}{}:
		default: // it is about to be renewed
		}
	}
	return nil
}

// trustMessage says which roots the site trusts, and which is above its
// certificate.
func (s *session) trustMessage() *accordv1.AttendRequest {
	credential := s.options.Credential
	return &accordv1.AttendRequest{Message: &accordv1.AttendRequest_Trust{Trust: &accordv1.Trust{
		Roots: pki.Fingerprints(credential.Roots()), Certified: pki.TopOf(credential.Chain()),
	}}}
}
