package participant

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/gossip"
	"github.com/accord-fl/accord/internal/wire"
)

// Run attends the coordinator as a site that trains with t, until ctx ends,
// which returns nil, or until something fails that trying again cannot mend:
// the coordinator refuses this participant for good, or its folder is taken away.
// While the coordinator cannot be reached, or refuses for what may pass, such as a
// clock that is wrong, it tries again, more and more slowly, and trains on
// meanwhile; while its disk fails it waits.
func Run(ctx context.Context, o Options, t Trainer, log *zap.Logger) (err error) {
	if err := o.Validate(); err != nil {
		return err
	}
	log = log.Named("participant")
	s, err := o.open(ctx, &patience{log: log})
	if ctx.Err() != nil {
		return nil // before the disk allowed anything
	}
	if err != nil {
		return fmt.Errorf("participant %s: %w", o.Name, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p := &peer{
		clock:   &clock{},
		options: o,
		state:   s,
		line:    newLine(),
		keys:    make(chan gossip.Keys, 1),
		process: make([]byte, processBytes),
		log:     log,
	}
	if _, err := rand.Read(p.process); err != nil {
		return fmt.Errorf("participant %s: %w", o.Name, err)
	}
	site := &Site{
		Name: o.Name, Trainer: t, Policy: o.Policy, Retry: s.patience.retry,
		Blobs: &blobs{spool: s.spool, line: p.line, patience: s.patience, room: o.room()},
	}
	site.Confide = func(task string, err error) { p.log.Error("training failed", zap.String("task", task), zap.Error(err)) }
	p.worker = newWorker(site, s, p.log)

	if proxy, err := wire.Proxy(o.Coordinator); err == nil && proxy != "" {
		p.log.Info("dialling through a proxy", zap.String("proxy", proxy))
	}
	g, working := errgroup.WithContext(ctx)
	g.Go(func() error { return p.worker.run(working) })
	g.Go(func() error { return s.keepSafe(working) })
	g.Go(func() error { return s.custody.keep(working, s.patience) })
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

// open opens the participant's folder. It waits for a disk that is full, but not
// for a folder that is misplaced.
func (o Options) open(ctx context.Context, p *patience) (s *state, err error) {
	var final error
	err = p.retry(ctx, func() (err error) {
		if s, err = openState(o.Dir, o.Disk, p); disk.Lasting(err) {
			final, err = err, nil
		}
		return err
	})
	return s, errors.Join(err, final)
}

// room is what is watched on the disk.
func (o Options) room() room {
	r := room{dir: o.Dir, reserve: o.Reserve, space: o.Space, copies: 1}
	if r.space == nil {
		r.space = disk.Space
	}
	if o.Capabilities.Trainer != "builtin" {
		r.copies = 3 // the program is given a copy of the model, and leaves its own
	}
	return r
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
// coordinator. They begin again with Reset, for a site that was let in.
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
	clock   *clock           // the coordinator's
	keys    chan gossip.Keys // of gossip, from the coordinator
	process []byte           // what tells this process from another of the same site
	log     *zap.Logger

	mu           sync.Mutex
	refusedRoots []string // fingerprints of the last that were complained of
}

// attendForever keeps attending until ctx ends, whose error it returns, or
// until the coordinator refuses for good.
func (p *peer) attendForever(ctx context.Context) error {
	lost, slow := Pauses(), slowPauses()
	for {
		event := "coordinator unreachable"
		err := p.attend(ctx, func() {
			event = "connection to the coordinator lost"
			lost.Reset()
			slow.Reset()
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := p.state.custody.flush(); err != nil && !disk.Passing(err) { // keep tries again, and says so
			return err
		}
		var wait time.Duration
		after, elsewhere := slowly(err)
		switch no := refusal(err); {
		case elsewhere:
			wait = max(after, slow.NextBackOff()).Round(time.Second)
			p.log.Warn("not let in for now", zap.Duration("next_try", wait), zap.String("reason", plain(err)))
		case no == nil:
			wait = lost.NextBackOff().Round(time.Millisecond)
			p.log.Warn(event, zap.Duration("next_try", wait), zap.String("reason", plain(err)))
		case passing(err):
			wait = slow.NextBackOff().Round(time.Second)
			p.log.Error("the coordinator refuses this site for now", append(p.clockOf(err), zap.Duration("next_try", wait), zap.String("reason", plain(err)))...)
		default:
			return fmt.Errorf("coordinator %s refuses participant %s: %w", p.options.Coordinator, p.options.Name, no)
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// clockOf says, for the log, by how much the clock of a coordinator that refused
// is ahead of this machine's, when it told.
func (p *peer) clockOf(err error) []zap.Field {
	r, ok := wire.RefusalOf(err)
	if !ok || r.Now.IsZero() {
		return nil
	}
	ahead := time.Until(r.Now)
	if ahead.Abs() < wire.ClockNotable {
		return nil
	}
	return []zap.Field{zap.String("coordinator_clock", wire.ClockText(ahead, "this machine's"))}
}
