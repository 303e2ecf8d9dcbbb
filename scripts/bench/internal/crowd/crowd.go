// Package crowd is sites by the thousand in one process, to measure a
// coordinator on the processors that they share with it. They only speak the
// wire: each has a key, a certificate and a connection of its own, attends,
// downloads every byte of the global models that it is offered, and uploads
// updates that nobody else uploads; but none trains, and none keeps anything.
package crowd

import (
	"context"
	"path/filepath"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/participant"
)

// What the log tells of each attendance.
const (
	Began = "attending"
	Ended = "attendance ended" // and why: whatever went wrong ends it
)

// joinTogether is how many sites join at a time.
const joinTogether = 32

// Attend joins with each token, the identities in dir, and attends until ctx
// ends, which returns nil, or until the coordinator refuses a site. As long as no
// attendance has ended, all tasks were answered and all answers accepted.
func Attend(ctx context.Context, dir string, tokens []pki.Token, log *zap.Logger) error {
	shared := &models{}
	places := make(chan struct{}, joinTogether)
	g, attending := errgroup.WithContext(ctx)
	for _, token := range tokens {
		g.Go(func() error {
			identity := filepath.Join(dir, token.Site)
			if err := join(attending, token, identity, places); err != nil {
				return err
			}
			credential, err := pki.OpenCredential(identity)
			if err != nil {
				return err
			}
			s := &site{name: token.Site, coordinator: token.Coordinator, credential: credential, models: shared, log: log}
			return s.attendForever(attending)
		})
	}
	if err := g.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

// join redeems a token when there is a place.
func join(ctx context.Context, token pki.Token, identity string, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
		_, err := participant.Join(ctx, token, identity)
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
