package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
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

// strangerStays is how long a connection lasts that no member has opened:
// enough to redeem a token.
const strangerStays = 30 * time.Second

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

	mu    sync.Mutex
	conns map[pki.Identity]map[*guarded]struct{}
}

func newGatekeeper(s Security, r *refusals) *gatekeeper {
	config := s.Credential.ServerTLS()
	return &gatekeeper{
		TransportCredentials: credentials.NewTLS(config), security: s, refusals: r, config: config,
		conns: map[pki.Identity]map[*guarded]struct{}{},
	}
}

// ServerHandshake implements credentials.TransportCredentials.
func (g *gatekeeper) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn := tls.Server(raw, g.config)
	address := raw.RemoteAddr().String()
	if err := conn.HandshakeContext(context.Background()); err != nil { // gRPC has set a deadline
		g.refusals.count((&caller{address: address, refusal: err}).name(), "no TLS 1.3 handshake")
		return nil, nil, errors.Join(err, raw.Close())
	}
	state := conn.ConnectionState()
	c := &caller{
		TLSInfo: credentials.TLSInfo{State: state, CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}},
		address: address,
	}
	c.identity, c.refusal = g.security.Registry.Identify(state.PeerCertificates, g.security.Credential.Roots())
	guarded := &guarded{Conn: conn, keeper: g, identity: c.identity}
	if c.refusal != nil {
		guarded.limit = time.AfterFunc(strangerStays, func() { _ = conn.Close() })
	} else {
		c.key = pki.KeyOf(state.PeerCertificates[0])
		g.note(guarded)
	}
	return guarded, c, nil
}

// Clone implements credentials.TransportCredentials; a server never asks.
func (g *gatekeeper) Clone() credentials.TransportCredentials { return g }

func (g *gatekeeper) note(conn *guarded) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conns[conn.identity] == nil {
		g.conns[conn.identity] = map[*guarded]struct{}{}
	}
	g.conns[conn.identity][conn] = struct{}{}
}

func (g *gatekeeper) forget(conn *guarded) {
	g.mu.Lock()
	defer g.mu.Unlock()
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
		_ = conn.Conn.Close() // its streams end with an error; there is nobody to tell another
	}
}

// guarded is a connection that the gatekeeper knows of until it is closed.
type guarded struct {
	net.Conn
	keeper   *gatekeeper
	identity pki.Identity
	limit    *time.Timer // of a stranger
}

// Close implements net.Conn.
func (c *guarded) Close() error {
	if c.limit != nil {
		c.limit.Stop()
	} else {
		c.keeper.forget(c)
	}
	return c.Conn.Close()
}
