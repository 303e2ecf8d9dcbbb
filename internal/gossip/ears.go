package gossip

import (
	"errors"
	"time"

	"github.com/hashicorp/memberlist"
)

// ears is what memberlist calls. It holds locks meanwhile, so nothing here
// calls it back or waits.
type ears struct{ g *Gossip }

var (
	_ memberlist.Delegate      = ears{}
	_ memberlist.EventDelegate = ears{}
	_ memberlist.AliveDelegate = ears{}
)

// NodeMeta tells what the node tells of itself.
func (e ears) NodeMeta(limit int) []byte {
	e.g.mu.Lock()
	defer e.g.mu.Unlock()
	if data := e.g.self.encode(); len(data) <= limit {
		return data
	}
	return nil
}

// NotifyMsg hears messages of other kinds, of which there are none.
func (ears) NotifyMsg([]byte) {}

// GetBroadcasts has no messages of other kinds.
func (ears) GetBroadcasts(_, _ int) [][]byte { return nil }

// LocalState has nothing to add to what memberlist tells.
func (ears) LocalState(bool) []byte { return nil }

// MergeRemoteState takes nothing beside what memberlist tells.
func (ears) MergeRemoteState([]byte, bool) {}

var errFull = errors.New("gossip: too many nodes are known")

// NotifyAlive keeps out whoever tells something impossible of itself, and
// whoever is one too many.
func (e ears) NotifyAlive(n *memberlist.Node) error {
	node, err := decode(n.Name, n.Meta)
	if err != nil {
		return err
	}
	e.g.mu.Lock()
	defer e.g.mu.Unlock()
	if _, known := e.g.peers[n.Name]; !known && len(e.g.peers) >= maxPeers && node.address() != e.g.self.address() && !e.g.forget() {
		return errFull
	}
	return nil
}

// NotifyJoin hears that a node is there, or back.
func (e ears) NotifyJoin(n *memberlist.Node) { e.hear(n, Alive) }

// NotifyUpdate hears that a node tells something new of itself.
func (e ears) NotifyUpdate(n *memberlist.Node) { e.hear(n, Alive) }

// NotifyLeave hears that a node has gone.
func (e ears) NotifyLeave(n *memberlist.Node) { e.hear(n, Dead) }

// hear notes what became of a node.
func (e ears) hear(n *memberlist.Node, s State) {
	node, err := decode(n.Name, n.Meta)
	if err != nil {
		return // NotifyAlive has kept it out
	}
	e.g.mu.Lock()
	defer e.g.mu.Unlock()
	if node.address() == e.g.self.address() {
		return
	}
	if s == Dead && node.leaving {
		s = Left
	}
	p, known := e.g.peers[n.Name]
	if !known || p.State != s {
		p.State, p.Since = s, time.Now().UTC()
	}
	p.Node = node
	e.g.peers[n.Name] = p
	select {
	case e.g.wake <- struct{}{}:
	default: // there is a token already
	}
}

// forget makes room by dropping a node that has gone; false: all are alive.
// The caller holds mu.
func (g *Gossip) forget() bool {
	for address, p := range g.peers {
		if p.State != Alive {
			delete(g.peers, address)
			return true
		}
	}
	return false
}
