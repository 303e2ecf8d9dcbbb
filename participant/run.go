package participant

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/accord-fl/accord/internal/gossip"
	"github.com/accord-fl/accord/internal/wire"
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
		keys:    make(chan gossip.Keys, 1),
		process: make([]byte, processBytes),
		log:     log.Named("participant"),
	}
	if _, err := rand.Read(p.process); err != nil {
		return fmt.Errorf("participant %s: %w", o.Name, err)
	}
	site := &Site{Name: o.Name, Trainer: t, Blobs: &blobs{spool: s.spool, line: p.line}, Policy: o.Policy}
	site.Confide = func(task string, err error) { p.log.Error("training failed", zap.String("task", task), zap.Error(err)) }
	p.worker = newWorker(site, s, p.log)

	if proxy, err := wire.Proxy(o.Coordinator); err == nil && proxy != "" {
		p.log.Info("dialling through a proxy", zap.String("proxy", proxy))
	}
	g, working := errgroup.WithContext(ctx)
	g.Go(func() error { return p.worker.run(working) })
	g.Go(func() error { return s.keepSafe(working) })
	g.Go(func() error { return p.attendForever(working) })
	if o.Gossip != nil {
		g.Go(func() error { return p.gossip(working) })
	}
	err = g.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		p.log.Info("left", zap.String("coordinator", o.Coordinator))
		return nil
	}
	return err
}

// The time between two tries to reach the coordinator: at first at most
// firstRetry, for one that is gone for longer than a moment loses its task, then
// twice as long each time, but at most maxRetry, for a coordinator that comes
// back goes on after half a minute without those who are missing. Within these
// bounds all times are as likely, so that sites that were cut off together do
// not come back together.
const (
	firstRetry = 500 * time.Millisecond
	maxRetry   = 15 * time.Second
)

// Pauses returns the times that Run lets pass between two tries to reach the
// coordinator. They begin anew with Reset, for a site that was let in.
func Pauses() *backoff.ExponentialBackOff {
	retry := backoff.NewExponentialBackOff()
	retry.RandomizationFactor = 1 // from 0 to twice the interval
	retry.InitialInterval = firstRetry / 2
	retry.Multiplier = 2
	retry.MaxInterval = maxRetry / 2
	return retry
}

// processBytes is how long a process id is.
const processBytes = 16

// peer is a participant while Run runs.
type peer struct {
	options Options
	state   *state
	worker  *worker
	line    *line
	keys    chan gossip.Keys // of gossip, from the coordinator
	process []byte           // what tells this process from another of the same site
	log     *zap.Logger
}

// attendForever keeps attending until ctx ends, whose error it returns, or
// until the coordinator refuses for good.
func (p *peer) attendForever(ctx context.Context) error {
	retry, slow := Pauses(), slowPauses()
	for {
		event := "coordinator unreachable"
		err := p.attend(ctx, func() {
			event = "connection to the coordinator lost"
			retry.Reset()
			slow.Reset()
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := retry.NextBackOff().Round(time.Millisecond)
		if after, ok := slowly(err); ok {
			event, wait = "not let in for now", max(after, slow.NextBackOff()).Round(time.Second)
		} else if err := refusal(err); err != nil {
			return fmt.Errorf("coordinator %s refuses participant %s: %w", p.options.Coordinator, p.options.Name, err)
		}
		p.log.Warn(event, zap.Duration("next_try", wait), zap.String("reason", plain(err)))
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}
