package rpc

import (
	"container/list"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/internal/pki"
)

// Security is what a server with certificates works with. All of it is
// required; the server owns none of it.
type Security struct {
	Credential *pki.Credential
	Registry   *registry.Registry
	// Issuer returns the authority that signs certificates; a rotation changes
	// it while the server runs.
	Issuer func() (*pki.Authority, error)
}

// The bounds of connections. What one of them may take is in server.go.
const (
	strangerStays  = 30 * time.Second // of a connection that no member has opened: enough to redeem a token
	maxStrangers   = 1024             // one more closes the oldest
	maxConnections = 128              // of one member, at once
)

// caller is who opened a connection.
type caller struct {
	credentials.TLSInfo
	address  string
	identity pki.Identity
	key      string
	refusal  error // a *registry.Refusal when nobody known stands behind it
}

// AuthType implements credentials.AuthInfo.
func (*caller) AuthType() string { return "accord" }

// name is how refusals are counted: by who a caller is, or where from.
func (c *caller) name() string {
	if c.refusal == nil {
		return string(c.identity.Role) + " " + c.identity.Name
	}
	return hostOf(c.address)
}

// gatekeeper makes TLS connections out of plain ones, knows whose they are, and
// closes those of whom nobody may serve any longer.
type gatekeeper struct {
	credentials.TransportCredentials
	security Security
	refusals *refusals
	config   *tls.Config

	handshakes chan struct{} // holds one token for each that is under way

	mu        sync.Mutex
	conns     map[pki.Identity]map[*guarded]struct{}
	strangers list.List // of *guarded, the oldest first
}

func newGatekeeper(s Security, r *refusals) *gatekeeper {
	config := s.Credential.ServerTLS()
	return &gatekeeper{
		TransportCredentials: credentials.NewTLS(config), security: s, refusals: r, config: config,
		handshakes: make(chan struct{}, maxHandshakes()), conns: map[pki.Identity]map[*guarded]struct{}{},
	}
}

// ServerHandshake implements credentials.TransportCredentials.
func (g *gatekeeper) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c := &caller{address: raw.RemoteAddr().String()}
	conn, err := g.handshake(raw)
	if err != nil {
		c.refusal = err
		g.refusals.count(c.name(), "no TLS 1.3 handshake")
		return nil, nil, errors.Join(err, raw.Close())
	}
	state := conn.ConnectionState()
	c.TLSInfo = credentials.TLSInfo{State: state, CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}
	roots := g.security.Credential.Roots()
	c.identity, c.refusal = g.security.Registry.Identify(state.PeerCertificates, roots)
	guarded := &guarded{Conn: conn, raw: raw, keeper: g, identity: c.identity, chain: state.PeerCertificates, roots: roots}
	if c.refusal != nil {
		g.host(guarded)
		return guarded, c, nil
	}
	leaf := state.PeerCertificates[0]
	c.key = pki.KeyOf(leaf)
	if !g.note(guarded, leaf.NotAfter) {
		g.refusals.count(c.name(), registry.TooMany)
		return nil, nil, errors.Join(errors.New("too many connections of "+c.name()), raw.Close())
	}
	return guarded, c, nil
}

// handshake makes a TLS connection, unless too many are being made: those who
// never finish must not take the descriptors that rounds need.
func (g *gatekeeper) handshake(raw net.Conn) (*tls.Conn, error) {
	select {
	case g.handshakes <- struct{}{}:
		defer func() { <-g.handshakes }()
	default:
		return nil, errors.New("too many handshakes at once")
	}
	conn := tls.Server(raw, g.config)
	return conn, conn.HandshakeContext(context.Background()) // gRPC has set a deadline
}

// Clone implements credentials.TransportCredentials; a server never asks.
func (g *gatekeeper) Clone() credentials.TransportCredentials { return g }

// host lets a stranger stay for a while; the oldest makes room.
func (g *gatekeeper) host(conn *guarded) {
	conn.limit = time.AfterFunc(strangerStays, conn.cut)
	g.mu.Lock()
	defer g.mu.Unlock()
	conn.place = g.strangers.PushBack(conn)
	if g.strangers.Len() > maxStrangers {
		oldest := g.strangers.Front()
		g.strangers.Remove(oldest)
		oldest.Value.(*guarded).cut()
	}
}

// note keeps a member's connection until its certificate ends, or tells that it
// has too many.
func (g *gatekeeper) note(conn *guarded, until time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.conns[conn.identity]) >= maxConnections {
		return false
	}
	if g.conns[conn.identity] == nil {
		g.conns[conn.identity] = map[*guarded]struct{}{}
	}
	g.conns[conn.identity][conn] = struct{}{}
	conn.until = until
	conn.limit = time.AfterFunc(conn.left(), conn.expire)
	return true
}

// lookAgain bounds how long a connection goes by what a clock said that may have
// been wrong.
const lookAgain = time.Hour

// left is how long the connection may stay before its certificate is looked at
// again.
func (c *guarded) left() time.Duration { return min(time.Until(c.until), lookAgain) }

// expire ends the connection if its certificate has ended.
func (c *guarded) expire() {
	if time.Now().Before(c.until) {
		c.keeper.mu.Lock()
		defer c.keeper.mu.Unlock()
		if _, here := c.keeper.conns[c.identity][c]; here {
			c.limit.Reset(c.left())
		}
		return
	}
	c.cut()
}

func (g *gatekeeper) forget(conn *guarded) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if conn.place != nil {
		g.strangers.Remove(conn.place) // does nothing when it has made room
		return
	}
	delete(g.conns[conn.identity], conn)
	if len(g.conns[conn.identity]) == 0 {
		delete(g.conns, conn.identity)
	}
}

// expel closes every connection of a role and name, whatever streams it has.
func (g *gatekeeper) expel(role pki.Role, name string) {
	g.mu.Lock()
	var ending []*guarded
	for id, conns := range g.conns {
		if id.Role != role || id.Name != name {
			continue
		}
		for conn := range conns {
			ending = append(ending, conn)
		}
	}
	g.mu.Unlock()
	for _, conn := range ending {
		conn.cut() // its streams end with an error; there is nobody to tell another
	}
}

// judgeEvery is how often the gatekeeper looks for other roots.
const judgeEvery = 10 * time.Second

// watch judges members anew, until ctx ends, when other roots are trusted than when
// they came.
func (g *gatekeeper) watch(ctx context.Context) {
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.judge(g.security.Credential.Roots())
		case <-ctx.Done():
			return
		}
	}
}

// judge cuts the connections of members behind whom none of the roots stands.
func (g *gatekeeper) judge(roots []*x509.Certificate) {
	g.mu.Lock()
	var judged []*guarded
	for _, conns := range g.conns {
		for conn := range conns {
			if !slices.Equal(conn.roots, roots) {
				judged = append(judged, conn)
			}
		}
	}
	g.mu.Unlock()
	for _, conn := range judged {
		if id, err := g.security.Registry.Identify(conn.chain, roots); err != nil || id != conn.identity {
			conn.cut()
		}
		conn.roots = roots
	}
}

// guarded is a connection that the gatekeeper knows of until it is closed.
type guarded struct {
	net.Conn // TLS
	raw      net.Conn
	keeper   *gatekeeper
	identity pki.Identity
	chain    []*x509.Certificate // that the peer presented,
	roots    []*x509.Certificate // and by which it was judged; watch's, once it is noted
	limit    *time.Timer         // ends it
	until    time.Time           // its certificate ends, by the clock
	place    *list.Element       // of a stranger
}

// cut ends the connection at once. A farewell in TLS would wait for a peer that
// does not read.
func (c *guarded) cut() { _ = c.raw.Close() } // gRPC finds it closed, and closes the rest

// Close implements net.Conn.
func (c *guarded) Close() error {
	c.keeper.forget(c)
	c.limit.Stop()
	return c.Conn.Close()
}
