package participant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// Run attends the coordinator as a site that trains with t, until ctx ends,
// which returns nil, or until something fails that trying again can not mend:
// the coordinator refuses this participant, or its own disk fails. While the
// coordinator can not be reached it tries again, more and more slowly, and
// trains on meanwhile.
func Run(ctx context.Context, o Options, t Trainer, log *zap.Logger) (err error) {
	if err := o.Validate(); err != nil {
		return err
	}
	s, err := openState(o.Dir)
	if err != nil {
		return fmt.Errorf("participant %s: %w", o.Name, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p := &peer{
		options: o,
		state:   s,
		line:    newLine(),
		log:     log.Named("participant"),
	}
	p.worker = newWorker(&Site{Name: o.Name, Trainer: t, Blobs: &blobs{spool: s.spool, line: p.line}, Policy: o.Policy}, s, p.log)

	if proxy := proxyTo(o.Coordinator); proxy != "" {
		p.log.Info("dialling through a proxy", zap.String("proxy", proxy))
	}
	g, working := errgroup.WithContext(ctx)
	g.Go(func() error { return p.worker.run(working) })
	g.Go(func() error { return p.attendForever(working) })
	err = g.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		p.log.Info("left", zap.String("coordinator", o.Coordinator))
		return nil
	}
	return err
}

// maxRetry bounds the mean time between two tries to reach the coordinator.
// It is short, because a coordinator that comes back waits for its sites for
// half a minute only before it goes on without them.
const maxRetry = 15 * time.Second

// peer is a participant while Run runs.
type peer struct {
	options Options
	state   *state
	worker  *worker
	line    *line
	log     *zap.Logger
}

// attendForever keeps attending until ctx ends, whose error it returns, or
// until the coordinator refuses for good.
func (p *peer) attendForever(ctx context.Context) error {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval = time.Second
	retry.Multiplier = 2
	retry.MaxInterval = maxRetry
	for {
		event := "coordinator unreachable"
		err := p.attend(ctx, func() {
			event = "connection to the coordinator lost"
			retry.Reset()
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := refusal(err); err != nil {
			return fmt.Errorf("coordinator %s refuses participant %s: %w", p.options.Coordinator, p.options.Name, err)
		}
		wait := retry.NextBackOff().Round(100 * time.Millisecond)
		p.log.Warn(event, zap.Duration("next_try", wait), zap.String("reason", plain(err)))
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}
