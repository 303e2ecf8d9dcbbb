package config

import (
	"net"
	"net/netip"
	"strconv"
)

// maxJoin bounds the nodes that gossip asks for the others.
const maxJoin = 8

// Gossip is a node's part in gossip, in which nodes of one trust domain, such
// as a laboratory's cluster, tell each other what they do. An empty section
// is none.
type Gossip struct {
	Bind      string   `yaml:"bind"`                // IP:port, for UDP and TCP
	Advertise string   `yaml:"advertise,omitempty"` // IP:port that others reach it at; as bound when empty
	Join      []string `yaml:"join,omitempty"`      // host:port of nodes to ask for the others
	Keyring   string   `yaml:"keyring"`             // file of keys, a line each in base64, the first to send with
}

// Hub is a coordinator's part in gossip. Its keyring is made when absent.
type Hub struct {
	Gossip `yaml:",inline"`
	// Share gives the keys to participants that gossip, too.
	Share bool `yaml:"share,omitempty"`
}

// On reports whether the node gossips.
func (g Gossip) On() bool {
	return g.Bind != "" || g.Advertise != "" || len(g.Join) > 0 || g.Keyring != ""
}

// resolve makes relative paths relative to the folder base.
func (g *Gossip) resolve(base string) { g.Keyring = under(base, g.Keyring) }

// check notes what is wrong with the section.
func (g Gossip) check(c *checker) {
	if !g.On() {
		return
	}
	_, err := netip.ParseAddrPort(g.Bind)
	c.require(err == nil, "gossip.bind", "want IP:port, such as 127.0.0.1:7946, got %q", g.Bind)
	if g.Advertise != "" {
		_, err := netip.ParseAddrPort(g.Advertise)
		c.require(err == nil, "gossip.advertise", "want IP:port, got %q", g.Advertise)
	}
	c.require(len(g.Join) <= maxJoin, "gossip.join", "%d nodes, at most %d: they tell of the others", len(g.Join), maxJoin)
	for _, address := range g.Join {
		host, port, err := net.SplitHostPort(address)
		_, portErr := strconv.ParseUint(port, 10, 16)
		c.require(err == nil && portErr == nil && host != "", "gossip.join", "want host:port, got %q", address)
	}
	c.require(g.Keyring != "", "gossip.keyring", "want the file that holds the keys")
}
