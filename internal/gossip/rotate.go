package gossip

import (
	"bytes"
	"slices"

	"go.uber.org/zap"
)

// followKeyring takes over what the keyring file now holds. While it cannot
// be read, the ring stays.
func (g *Gossip) followKeyring() {
	keys, err := LoadKeys(g.o.Keyring)
	if err != nil {
		g.log.Debug("the keyring stays as it is", zap.Error(err))
		return
	}
	if now, _ := g.Keys(); now.Equal(keys) {
		return
	}
	if err := g.use(keys); err != nil {
		g.log.Warn("the keyring stays as it is", zap.Error(err))
		return
	}
	g.log.Info("keyring changed", zap.Int("keys", len(keys)))
}

// Keys returns the ring, and what is closed once it is another.
func (g *Gossip) Keys() (keys Keys, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.keys, g.rekeyed
}

// SetKeys changes the ring, at once and in the file.
func (g *Gossip) SetKeys(keys Keys) error {
	if err := keys.Save(g.o.Keyring); err != nil {
		return err
	}
	return g.use(keys)
}

// use makes the ring what keys is. memberlist reads its ring without a lock
// while it drops a key from the middle, so keys to drop are brought to the end
// first.
func (g *Gossip) use(keys Keys) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range keys {
		if err := g.ring.AddKey(bytes.Clone(key)); err != nil {
			return err
		}
	}
	for _, key := range slices.Backward(keys) {
		if err := g.ring.UseKey(key); err != nil {
			return err
		}
	}
	for _, old := range slices.Backward(g.ring.GetKeys()) {
		if keys.has(old) {
			break
		}
		if err := g.ring.RemoveKey(old); err != nil {
			return err
		}
	}
	g.keys = keys
	close(g.rekeyed)
	g.rekeyed = make(chan struct{})
	return nil
}
