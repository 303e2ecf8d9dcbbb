package rpc

import (
	"context"
	"crypto/x509"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/accord-fl/accord/coordinator/rpc/intake"
)

// guarded is a connection whose caller is known as far as it ever will be. What
// it brings is measured before gRPC reads it.
type guarded struct {
	net.Conn // TLS, unless the coordinator has no certificates
	raw      net.Conn
	caller   *caller // nil without certificates
	meter    *intake.Meter
	closed   chan struct{}
	once     sync.Once
	leave    func() // the place that the connection has where connections are bounded
	spoken   func() // when something has come; the reader's

	limit *time.Timer         // ends it; nil: nothing does
	until time.Time           // a member's certificate ends, by the clock
	chain []*x509.Certificate // that a member presented,
	roots []*x509.Certificate // and by which it was judged; watch's, once it is noted
}

// guardConn makes a guarded connection of one of an account's caller.
func guardConn(conn, raw net.Conn, c *caller, account *intake.Account, cut func(why error)) *guarded {
	g := &guarded{Conn: conn, raw: raw, caller: c, closed: make(chan struct{}), leave: func() {}, spoken: func() {}}
	g.meter = account.Meter(func(why error) {
		select {
		case <-g.closed:
		default:
			cut(why)
			g.cut()
		}
	})
	return g
}

// Read implements net.Conn. A caller that sends too much in too little time is
// read more slowly; one that exceeds another limit is cut off.
func (c *guarded) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	c.spoken()
	wait, why := c.meter.Brought(p[:n])
	if why != nil {
		c.meter.Cut(why)
		return 0, why
	}
	if wait > 0 && !c.pause(wait) {
		return 0, net.ErrClosed
	}
	return n, err
}

// pause waits, and reports whether the connection is still there then.
func (c *guarded) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.closed:
		return false
	}
}

// Write implements net.Conn.
func (c *guarded) Write(p []byte) (int, error) {
	c.meter.Sent(p)
	return c.Conn.Write(p)
}

// cut ends the connection at once. A farewell in TLS would wait for a peer that
// does not read.
func (c *guarded) cut() { _ = c.raw.Close() } // gRPC finds it closed, and closes the rest

// Close implements net.Conn.
func (c *guarded) Close() error {
	c.once.Do(func() {
		close(c.closed)
		if c.limit != nil {
			c.limit.Stop()
		}
		c.meter.Close()
		c.leave()
	})
	return c.Conn.Close()
}

// introduced are the credentials of a server whose connections come from a
// lobby, which has made the handshake.
type introduced struct {
	credentials.TransportCredentials
}

func newIntroduced() introduced { return introduced{insecure.NewCredentials()} }

// ServerHandshake implements credentials.TransportCredentials.
func (introduced) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if g, ok := conn.(*guarded); ok && g.caller != nil {
		return g, g.caller, nil
	}
	return nil, nil, net.ErrClosed
}

// Clone implements credentials.TransportCredentials; a server never asks.
func (i introduced) Clone() credentials.TransportCredentials { return i }

// hall is where a server takes connections from that a lobby has let in. It
// implements net.Listener.
type hall struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHall(addr net.Addr) *hall {
	return &hall{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// enter hands over a connection, or closes it when the server has stopped.
func (h *hall) enter(ctx context.Context, conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.closed:
		_ = conn.Close() // nobody is there
	case <-ctx.Done():
		_ = conn.Close() // likewise, soon
	}
}

// Accept implements net.Listener.
func (h *hall) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *hall) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr implements net.Listener.
func (h *hall) Addr() net.Addr { return h.addr }
