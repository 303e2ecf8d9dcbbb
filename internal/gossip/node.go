package gossip

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// Role is what a node is in the federation.
type Role string

// The roles.
const (
	Participant Role = "participant"
	Coordinator Role = "coordinator"
)

// Node is what a node tells of itself.
type Node struct {
	Role         Role
	Name         string // unique for its role
	Version      string // of its binary, for people
	Run          string // that it works on; "" when it works on none
	Round        int
	Load         int // tasks in hand; at a coordinator, participants that attend
	Capabilities exchange.Capabilities

	leaving bool
}

// maxMeta bounds an encoded node, in bytes; memberlist carries no more.
const maxMeta = 512

// address is the node's name among all nodes: a role and a name, which has no
// slash.
func (n Node) address() string { return string(n.Role) + "/" + n.Name }

// encode writes the node but for its role and name. Data sets, and then the
// version, are left out where they do not fit.
func (n Node) encode() []byte {
	m := &accordv1.GossipNode{
		State: accordv1.GossipState_GOSSIP_STATE_IDLE, Run: n.Run, Round: int32(n.Round), Load: int32(n.Load), Version: n.Version,
		Cores: int32(n.Capabilities.Cores), Memory: n.Capabilities.Memory,
		SamplesPerSecond: n.Capabilities.SamplesPerSecond, Datasets: n.Capabilities.Datasets,
	}
	switch {
	case n.leaving:
		m.State = accordv1.GossipState_GOSSIP_STATE_LEAVING
	case n.Run != "":
		m.State = accordv1.GossipState_GOSSIP_STATE_WORKING
	}
	for proto.Size(m) > maxMeta {
		if len(m.Datasets) == 0 {
			m.Version = ""
			break
		}
		m.Datasets = m.Datasets[:len(m.Datasets)-1]
	}
	data, err := proto.Marshal(m)
	if err != nil {
		return nil // text that is not UTF-8: nothing is told
	}
	return data
}

// decode reads what the node at an address tells of itself. Errors are of
// class fault.Input.
func decode(address string, data []byte) (Node, error) {
	role, name, _ := strings.Cut(address, "/")
	n := Node{Role: Role(role), Name: name}
	if n.Role != Participant && n.Role != Coordinator || !exchange.ValidName(name) {
		return Node{}, fault.Inputf("gossip: %.80q is no node's name", address)
	}
	if len(data) > maxMeta {
		return Node{}, fault.Inputf("gossip: %s tells %d bytes of itself, at most %d", address, len(data), maxMeta)
	}
	var m accordv1.GossipNode
	if err := proto.Unmarshal(data, &m); err != nil {
		return Node{}, fault.Inputf("gossip: %s: %v", address, err)
	}
	n.Version, n.Run, n.Round, n.Load = m.GetVersion(), m.GetRun(), int(m.GetRound()), int(m.GetLoad())
	n.Capabilities = exchange.Capabilities{
		Cores: int(m.GetCores()), Memory: m.GetMemory(), SamplesPerSecond: m.GetSamplesPerSecond(), Datasets: m.GetDatasets(),
	}
	if err := quote.Check("gossip: the version of "+address, n.Version); err != nil {
		return Node{}, err
	}
	n.leaving = m.GetState() == accordv1.GossipState_GOSSIP_STATE_LEAVING
	if n.Run != "" && !exchange.ValidName(n.Run) || n.Round < 0 || n.Load < 0 {
		return Node{}, fault.Inputf("gossip: %s works on run %.80q, round %d, with %d in hand", address, n.Run, n.Round, n.Load)
	}
	if err := n.Capabilities.Validate(); err != nil {
		return Node{}, fault.Inputf("gossip: %s: %v", address, err)
	}
	return n, nil
}
