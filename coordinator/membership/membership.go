package membership

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/gossip"
)

// Hints is who may want to know of participants that gossip finds gone or
// back. Its methods are called by one goroutine and must be quick.
type Hints interface {
	Suspect(participant string)
	Back(participant string)
}

// Source tells what this coordinator does and who attends it. Its methods are
// called concurrently.
type Source interface {
	// List returns at most limit runs, the newest first; with active those that have
	// not ended.
	List(before uint64, limit int, active bool) []coordinator.Entry
	Members() []coordinator.Member
}

var (
	_ Hints  = (*coordinator.Coordinator)(nil)
	_ Source = (*coordinator.Coordinator)(nil)
)

// Options of the membership. Changed in Gossip is not used.
type Options struct {
	Self   gossip.Node // role, name, version and capabilities
	Gossip gossip.Options
	// Overlap is how long each step of a key's rotation lasts, so that every
	// node has taken it before the next.
	Overlap time.Duration
}

// DefaultOverlap lets sites that reconnect take new keys in time.
const DefaultOverlap = 30 * time.Second

// Membership is this coordinator among all nodes. Methods may be called
// concurrently.
type Membership struct {
	o      Options
	source Source
	gossip *gossip.Gossip
	log    *zap.Logger
	begun  time.Time
	rotate chan struct{} // holds one token when a new key is wanted
}

// Open starts to listen; it draws a keyring where there is none. Run does the
// rest and closes what Open opened.
func Open(o Options, source Source, hints Hints, log *zap.Logger) (*Membership, error) {
	if _, err := os.Stat(o.Gossip.Keyring); errors.Is(err, fs.ErrNotExist) {
		if err := (gossip.Keys{gossip.NewKey()}).Save(o.Gossip.Keyring); err != nil {
			return nil, err
		}
	}
	o.Gossip.Changed = func(p gossip.Peer) {
		switch {
		case p.Role != gossip.Participant:
		case p.State == gossip.Alive:
			hints.Back(p.Name)
		default:
			hints.Suspect(p.Name)
		}
	}
	g, err := gossip.Open(o.Gossip, o.Self, log)
	if err != nil {
		return nil, err
	}
	return &Membership{o: o, source: source, gossip: g, log: log.Named("membership"), begun: time.Now().UTC(), rotate: make(chan struct{}, 1)}, nil
}

// Addr is where this coordinator gossips.
func (m *Membership) Addr() string { return m.gossip.Addr() }

// Run gossips until ctx ends.
func (m *Membership) Run(ctx context.Context) {
	var rotating sync.WaitGroup
	rotating.Go(func() { m.rotateAlways(ctx) })
	m.gossip.Run(ctx, m.self)
	rotating.Wait()
}

// self is what this coordinator tells of itself: the newest run that has not
// ended.
func (m *Membership) self() gossip.Node {
	n := m.o.Self
	for _, r := range m.source.List(0, 1, true) {
		n.Run, n.Round = r.State.Run, r.State.Round
	}
	for _, member := range m.source.Members() {
		if member.State == coordinator.Attending {
			n.Load++
		}
	}
	return n
}

// Members returns everybody whom the coordinator or gossip knows, sorted.
func (m *Membership) Members() []coordinator.Member {
	members := m.source.Members()
	at := make(map[string]int, len(members)) // participants, by name
	for i, member := range members {
		at[member.Name] = i
	}
	for _, p := range m.gossip.Peers() {
		i, known := at[p.Name]
		if p.Role == gossip.Participant && known {
			members[i].Gossip = string(p.State)
			continue
		}
		members = append(members, fromPeer(p, coordinator.Unknown))
	}
	members = append(members, fromPeer(gossip.Peer{Node: m.gossip.Self(), State: gossip.Alive, Since: m.begun}, coordinator.Serving))
	coordinator.SortMembers(members)
	return members
}

// fromPeer is a member of which only gossip knows.
func fromPeer(p gossip.Peer, state coordinator.Presence) coordinator.Member {
	return coordinator.Member{
		Name: p.Name, Role: coordinator.Role(p.Role), State: state, Since: p.Since, Gossip: string(p.State),
		Version: p.Version, Run: p.Run, Round: p.Round, Load: p.Load, Capabilities: p.Capabilities,
	}
}
