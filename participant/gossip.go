package participant

import (
	"context"
	"errors"
	"io/fs"
	"sync"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/internal/gossip"
)

// gossip tells other nodes what this participant does, until ctx ends, whose
// error it returns. It waits for keys where there is no keyring yet; the
// coordinator may send some. Keys that come later take the place of those.
func (p *peer) gossip(ctx context.Context) error {
	o := *p.options.Gossip
	if err := p.awaitKeys(ctx, o.Keyring); err != nil {
		return err
	}
	g, err := gossip.Open(o, p.self(), p.log)
	if err != nil {
		return err
	}
	p.log.Info("gossiping", zap.String("address", g.Addr()))
	var keys sync.WaitGroup
	keys.Go(func() { p.takeKeys(ctx, g) })
	g.Run(ctx, p.self)
	keys.Wait()
	return ctx.Err()
}

// awaitKeys returns once there is a keyring at path.
func (p *peer) awaitKeys(ctx context.Context, path string) error {
	_, err := gossip.LoadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.log.Info("gossip waits for keys from the coordinator", zap.String("keyring", path))
	select {
	case keys := <-p.keys:
		return p.state.patience.retry(ctx, func() error { return keys.Save(path) })
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *peer) takeKeys(ctx context.Context, g *gossip.Gossip) {
	for {
		select {
		case keys := <-p.keys:
			if now, _ := g.Keys(); now.Equal(keys) {
				continue
			}
			if err := g.SetKeys(keys); err != nil {
				p.log.Warn("the keyring stays as it is", zap.Error(err))
			}
		case <-ctx.Done():
			return
		}
	}
}

// self is what this participant tells of itself.
func (p *peer) self() gossip.Node {
	a := p.worker.activity()
	return gossip.Node{
		Role: gossip.Participant, Name: p.options.Name, Version: p.options.Version,
		Run: a.run, Round: a.round, Load: a.load, Capabilities: p.options.Capabilities,
	}
}

// offerKeys leaves keys for whoever gossips; the newest count. One goroutine
// calls it.
func (p *peer) offerKeys(keys gossip.Keys) error {
	if err := keys.Validate(); err != nil {
		return err
	}
	select {
	case <-p.keys:
	default:
	}
	p.keys <- keys // has room: nobody else sends
	return nil
}
