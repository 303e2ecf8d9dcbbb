package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/membership"
	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/gossip"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/version"
	"github.com/accord-fl/accord/participant/trainer"
)

// gossipOptions returns what gossip needs, nil when the configuration has no
// such section.
func gossipOptions(cfg config.Gossip) *gossip.Options {
	if !cfg.On() {
		return nil
	}
	return &gossip.Options{Bind: cfg.Bind, Advertise: cfg.Advertise, Join: cfg.Join, Keyring: cfg.Keyring}
}

// members is a coordinator whose members gossip may know more of.
type members struct {
	*coordinator.Coordinator
	gossip *membership.Membership // nil: without
}

var _ rpc.Runs = members{}

// openMembers starts to listen to gossip where the configuration says so.
func openMembers(cfg config.Coordinator, c *coordinator.Coordinator, log *zap.Logger) (members, error) {
	o := gossipOptions(cfg.Gossip.Gossip)
	if o == nil {
		return members{Coordinator: c}, nil
	}
	self := gossip.Node{
		Role: gossip.Coordinator, Name: cfg.Name, Version: version.Get().String(),
		Capabilities: exchange.Capabilities{Cores: runtime.GOMAXPROCS(0), Memory: memoryLimit()},
	}
	m, err := membership.Open(membership.Options{Self: self, Gossip: *o, Overlap: membership.DefaultOverlap}, c, c, log)
	if err != nil {
		return members{}, err
	}
	log.Info("gossiping", zap.String("address", m.Addr()))
	return members{Coordinator: c, gossip: m}, nil
}

// Members tells of those whom the coordinator knows, and gossip.
func (m members) Members() []coordinator.Member {
	if m.gossip == nil {
		return m.Coordinator.Members()
	}
	return m.gossip.Members()
}

// shared returns the keys that participants get, if they get any.
func (m members) shared(cfg config.Coordinator) rpc.Keyring {
	if m.gossip == nil || !cfg.Gossip.Share {
		return nil
	}
	return m.gossip
}

// follow changes the keys of gossip when a site no longer belongs, also when
// that was while nobody gossiped here. Sites hear of the new key on their own
// streams, of which the one that has gone has none.
func (m members) follow(r *registry.Registry) {
	if m.gossip == nil {
		return
	}
	r.OnEnd(func(role pki.Role, _ string) {
		if role == pki.Participant {
			m.gossip.Rotate()
		}
	})
	for _, s := range r.Sites() {
		if (s.Status == registry.Revoked || s.Status == registry.Left) && !s.Since.Before(m.gossip.Rotated()) {
			m.gossip.Rotate()
		}
	}
}

// run gossips until ctx ends.
func (m members) run(ctx context.Context) error {
	if m.gossip != nil {
		m.gossip.Run(ctx)
	}
	return nil
}

// memoryLimit is how many bytes this process may use: the machine's, or its
// container's when that has less; 0 when neither is known.
func memoryLimit() int64 {
	all, err := memlimit.FromSystem()
	if limit, limited := memlimit.FromCgroup(); limited == nil && (err != nil || limit < all) {
		all = limit
	}
	return int64(all)
}

// calibrationFile lies in a participant's folder.
const calibrationFile = "calibration.json"

// calibrate returns the pace of the built-in engine, and keeps it in the
// participant's folder.
func calibrate(ctx context.Context, dir string, engines *trainer.Pool) (float64, error) {
	_ = os.MkdirAll(dir, 0o755) // participant.Run says what is wrong, or waits
	pace, err := trainer.Calibrate(ctx, engines, filepath.Join(dir, calibrationFile))
	if ctx.Err() != nil {
		return 0, nil // whoever attends finds that out
	}
	if disk.Passing(err) {
		err = nil // it was measured; the next start measures again
	}
	return pace, err
}
