package participant

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// renewEvery is how often a site asks for the roots to trust, and for a new
// certificate when its own gets old.
const renewEvery = 6 * time.Hour

// renew keeps the credential fresh until the session ends. What goes wrong is
// tried again the next time; a certificate is renewed weeks before it ends.
func (s *session) renew(streaming context.Context) error {
	for {
		if err := s.renewOnce(streaming); err != nil && streaming.Err() == nil {
			s.log.Warn("certificate not renewed", zap.String("valid_until", s.options.Credential.Certificate().Leaf.NotAfter.Format(time.RFC3339)), zap.String("reason", plain(err)))
		}
		if !sleep(streaming, renewEvery) {
			return streaming.Err()
		}
	}
}

func (s *session) renewOnce(ctx context.Context) error {
	credential := s.options.Credential
	// One of its institution's own authority has no identity of the federation,
	// and is renewed there.
	_, err := credential.Identity()
	due := err == nil && credential.Due(time.Now())
	response, err := s.renewal.Renew(ctx, &accordv1.RenewRequest{RootsOnly: !due})
	if err != nil {
		return err
	}
	before := len(credential.Roots())
	if err := credential.ReplacePEM(response.GetChain(), response.GetRoots()); err != nil {
		return fmt.Errorf("%s: %w", credential.Dir(), err)
	}
	if after := len(credential.Roots()); after != before {
		s.log.Info("trusted roots changed", zap.Int("before", before), zap.Int("after", after))
	}
	if due {
		s.log.Info("certificate renewed", zap.String("valid_until", credential.Certificate().Leaf.NotAfter.Format(time.RFC3339)))
	}
	return nil
}
