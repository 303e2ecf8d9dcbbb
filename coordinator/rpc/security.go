package rpc

import (
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
	"github.com/accord-fl/accord/coordinator/rpc/intake"
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

// The bounds of strangers' connections.
const (
	strangerStays = 30 * time.Second // enough to redeem a token
	maxStrangers  = 256              // one more ends the oldest of the address that has most
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
	security  Security
	config    *tls.Config
	strangers *intake.Crowd

	mu      sync.Mutex
	members map[pki.Identity]*presence
}

// presence is a member's connections, and what they may bring together.
type presence struct {
	conns   map[*guarded]struct{}
	account *intake.Account
}

func newGatekeeper(s Security) *gatekeeper {
	return &gatekeeper{
		security: s, config: s.Credential.ServerTLS(),
		strangers: intake.NewCrowd(maxStrangers), members: map[pki.Identity]*presence{},
	}
}

// identify makes the handshake, and finds out whose the connection is. It counts
// those that it refuses.
func (g *gatekeeper) identify(ctx context.Context, raw net.Conn, l *lobby, p *place) (*guarded, error) {
	c := &caller{address: raw.RemoteAddr().String()}
	conn, err := l.handshake(ctx, raw, p)
	if err != nil {
		l.refusals.count(hostOf(c.address), "no TLS 1.3 handshake")
		return nil, err
	}
	state := conn.ConnectionState()
	c.TLSInfo = credentials.TLSInfo{State: state, CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}
	roots := g.security.Credential.Roots()
	c.identity, c.refusal = g.security.Registry.Identify(state.PeerCertificates, roots)
	cut := func(why error) { l.cutOff(c.name(), why) }
	if c.refusal != nil {
		stranger := guardConn(conn, raw, c, l.ledger.Account(allowanceOf(strangers).limits), cut)
		stranger.limit = time.AfterFunc(strangerStays, stranger.cut)
		stranger.leave = g.strangers.Enter(hostOf(c.address), stranger.cut)
		return stranger, nil
	}
	leaf := state.PeerCertificates[0]
	c.key = pki.KeyOf(leaf)
	member := g.note(l.ledger, c, func(a *intake.Account) *guarded {
		m := guardConn(conn, raw, c, a, cut)
		m.chain, m.roots = state.PeerCertificates, roots
		m.until = leaf.NotAfter
		m.limit = time.AfterFunc(m.left(), func() { g.expire(m) })
		m.leave = func() { g.forget(m) }
		return m
	})
	if member == nil {
		l.refusals.count(c.name(), registry.TooMany)
		return nil, errors.New("too many connections of " + c.name())
	}
	return member, nil
}

// note keeps a member's connection, which admit makes; nil when it has too many.
func (g *gatekeeper) note(l *intake.Ledger, c *caller, admit func(*intake.Account) *guarded) *guarded {
	g.mu.Lock()
	defer g.mu.Unlock()
	allowance := allowanceOf(kindOf(c))
	p := g.members[c.identity]
	if p == nil {
		p = &presence{conns: map[*guarded]struct{}{}, account: l.Account(allowance.limits)}
		g.members[c.identity] = p
	}
	if len(p.conns) >= allowance.connections {
		return nil
	}
	conn := admit(p.account)
	p.conns[conn] = struct{}{}
	return conn
}

// lookAgain bounds how long a connection goes by what a clock said that may have
// been wrong.
const lookAgain = time.Hour

// left is how long the connection may stay before its certificate is looked at
// again.
func (c *guarded) left() time.Duration { return min(time.Until(c.until), lookAgain) }

// expire ends a member's connection if its certificate has ended.
func (g *gatekeeper) expire(conn *guarded) {
	if !time.Now().Before(conn.until) {
		conn.cut()
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.members[conn.caller.identity]; p != nil {
		if _, here := p.conns[conn]; here {
			conn.limit.Reset(conn.left())
		}
	}
}

func (g *gatekeeper) forget(conn *guarded) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.members[conn.caller.identity]
	delete(p.conns, conn)
	if len(p.conns) == 0 {
		delete(g.members, conn.caller.identity)
	}
}

// expel closes every connection of a role and name, whatever streams it has.
func (g *gatekeeper) expel(role pki.Role, name string) {
	g.mu.Lock()
	var ending []*guarded
	for id, p := range g.members {
		if id.Role != role || id.Name != name {
			continue
		}
		for conn := range p.conns {
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

// watch judges members again, until ctx ends, when other roots are trusted than when
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
	for _, p := range g.members {
		for conn := range p.conns {
			if !slices.Equal(conn.roots, roots) {
				judged = append(judged, conn)
			}
		}
	}
	g.mu.Unlock()
	for _, conn := range judged {
		if id, err := g.security.Registry.Identify(conn.chain, roots); err != nil || id != conn.caller.identity {
			conn.cut()
		}
		conn.roots = roots
	}
}
