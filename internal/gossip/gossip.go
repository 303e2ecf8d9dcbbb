package gossip

import (
	"context"
	"fmt"
	"log"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"go.uber.org/zap"

	"github.com/accord-fl/accord/internal/fault"
)

// Options of a node's gossip.
type Options struct {
	Bind      string   // IP:port, for UDP and TCP; port 0 takes a free one
	Advertise string   // IP:port that others reach it at; "": as bound
	Join      []string // host:port of nodes to ask for the others
	Keyring   string   // file, as LoadKeys reads it; followed when it changes
	// Changed is told of each other node that is new, has gone or is back. One
	// goroutine calls it, in order; it must be quick. nil: nobody looks.
	Changed func(Peer)
}

// Bounds of what is kept of others, and the pace of one's own.
const (
	maxPeers     = 4096
	look         = time.Second      // between two looks at oneself and the keyring
	rejoin       = 15 * time.Second // between two tries to find a coordinator
	leaveWithin  = time.Second
	updateWithin = time.Second
)

// State is what gossip makes of a node.
type State string

// The states. A node that does not answer is alive until enough others agree
// that it does not.
const (
	Alive State = "alive"
	Dead  State = "dead" // does not answer any more
	Left  State = "left" // by its own will
)

// Peer is a node and what gossip makes of it.
type Peer struct {
	Node
	State State
	Since time.Time
}

// Gossip is a node's part in it. Methods may be called concurrently.
type Gossip struct {
	o    Options
	log  *zap.Logger
	list *memberlist.Memberlist
	ring *memberlist.Keyring
	wake chan struct{} // holds one token when peers have changed

	mu      sync.Mutex
	self    Node
	keys    Keys
	rekeyed chan struct{}   // closed when keys change
	peers   map[string]Peer // by address
}

// Open binds the address and starts to listen. Run does the rest, and closes
// what Open opened. An address that cannot be bound is of class
// fault.Unavailable.
func Open(o Options, self Node, log *zap.Logger) (*Gossip, error) {
	keys, err := LoadKeys(o.Keyring)
	if err != nil {
		return nil, err
	}
	ring, err := memberlist.NewKeyring(keys, keys[0])
	if err != nil {
		return nil, fault.As(fault.Input, fmt.Errorf("keyring: %w", err))
	}
	g := &Gossip{
		o: o, log: log.Named("gossip"), ring: ring, wake: make(chan struct{}, 1),
		self: self, keys: keys, rekeyed: make(chan struct{}), peers: map[string]Peer{},
	}
	config, err := g.config()
	if err != nil {
		return nil, err
	}
	if g.list, err = memberlist.Create(config); err != nil {
		return nil, fault.As(fault.Unavailable, fmt.Errorf("gossip at %s: %w", o.Bind, err))
	}
	return g, nil
}

// config is what memberlist needs to know.
func (g *Gossip) config() (*memberlist.Config, error) {
	bind, err := netip.ParseAddrPort(g.o.Bind)
	if err != nil {
		return nil, fault.Inputf("gossip: bind: want IP:port, got %q", g.o.Bind)
	}
	c := memberlist.DefaultLANConfig()
	c.Name = g.self.address()
	c.BindAddr, c.BindPort = bind.Addr().String(), int(bind.Port())
	c.AdvertisePort = c.BindPort
	if g.o.Advertise != "" {
		advertise, err := netip.ParseAddrPort(g.o.Advertise)
		if err != nil {
			return nil, fault.Inputf("gossip: advertise: want IP:port, got %q", g.o.Advertise)
		}
		c.AdvertiseAddr, c.AdvertisePort = advertise.Addr().String(), int(advertise.Port())
	}
	c.Keyring = g.ring // with one, what is not encrypted is neither sent nor read
	c.TCPTimeout = 3 * time.Second
	c.DeadNodeReclaimTime = time.Second // a site that is back may have another address
	c.Logger = log.New(logWriter{sampled(g.log)}, "", 0)
	ears := ears{g}
	c.Delegate, c.Events, c.Alive = ears, ears, ears
	return c, nil
}

// Addr is where the node gossips.
func (g *Gossip) Addr() string {
	local := g.list.LocalNode()
	return net.JoinHostPort(local.Addr.String(), strconv.Itoa(int(local.Port)))
}

// Self is what the node tells of itself.
func (g *Gossip) Self() Node {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.self
}

// Peers returns all other nodes that are known, sorted by role and name.
func (g *Gossip) Peers() []Peer {
	g.mu.Lock()
	defer g.mu.Unlock()
	peers := make([]Peer, 0, len(g.peers))
	for _, address := range slices.Sorted(maps.Keys(g.peers)) {
		peers = append(peers, g.peers[address])
	}
	return peers
}

// Run gossips until ctx ends; then it leaves and closes what Open opened.
// self is asked every second what the node now tells of itself; its role and
// name stay.
func (g *Gossip) Run(ctx context.Context, self func() Node) {
	var joining sync.WaitGroup
	joining.Go(func() { g.join(ctx) })
	ticks := time.NewTicker(look)
	defer ticks.Stop()
	told := map[string]Peer{}
	for {
		select {
		case <-ticks.C:
			g.tell(self())
			g.followKeyring()
		case <-g.wake:
			g.report(told)
		case <-ctx.Done():
			joining.Wait()
			g.leave()
			return
		}
	}
}

// tell lets the others know what the node does, when that has changed.
func (g *Gossip) tell(now Node) {
	g.mu.Lock()
	now.Role, now.Name = g.self.Role, g.self.Name
	changed := string(g.self.encode()) != string(now.encode())
	g.self = now
	g.mu.Unlock()
	if !changed {
		return
	}
	if err := g.list.UpdateNode(updateWithin); err != nil {
		g.log.Debug("the others learn later what this node does", zap.Error(err))
	}
}

// report calls Changed for what is not as it was told.
func (g *Gossip) report(told map[string]Peer) {
	now := g.Peers()
	known := make(map[string]bool, len(now))
	for _, p := range now {
		known[p.address()] = true
		if old, ok := told[p.address()]; ok && old.State == p.State && old.Since.Equal(p.Since) {
			told[p.address()] = p
			continue
		}
		told[p.address()] = p
		g.log.Info("node heard of", zap.String("role", string(p.Role)), zap.String("name", p.Name), zap.String("state", string(p.State)))
		if g.o.Changed != nil {
			g.o.Changed(p)
		}
	}
	maps.DeleteFunc(told, func(address string, _ Peer) bool { return !known[address] })
}

// join looks for others, again whenever no coordinator is alive: whoever was
// cut off for long, or came first, is found so.
func (g *Gossip) join(ctx context.Context) {
	again := time.NewTicker(rejoin)
	defer again.Stop()
	for {
		for _, address := range g.o.Join {
			if ctx.Err() != nil || g.hasCoordinator() {
				break
			}
			if _, err := g.list.Join([]string{address}); err != nil {
				g.log.Debug("nobody gossips there", zap.String("address", address), zap.Error(err))
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

func (g *Gossip) hasCoordinator() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.peers {
		if p.Role == Coordinator && p.State == Alive {
			return true
		}
	}
	return false
}

// leave says farewell and stops listening.
func (g *Gossip) leave() {
	g.mu.Lock()
	g.self.leaving = true
	g.mu.Unlock()
	if err := g.list.UpdateNode(updateWithin); err != nil {
		g.log.Debug("farewell", zap.Error(err))
	}
	if err := g.list.Leave(leaveWithin); err != nil {
		g.log.Debug("farewell", zap.Error(err))
	}
	if err := g.list.Shutdown(); err != nil {
		g.log.Warn("gossip does not stop", zap.Error(err))
	}
}
