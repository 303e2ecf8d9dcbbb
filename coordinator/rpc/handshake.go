package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"sync"
	"time"
)

// The bounds of a handshake. What it computes before the caller has shown anything
// is done by few at a time, so that those who only begin handshakes do not take
// the processor from rounds; none waits for a peer meanwhile.
const (
	maxHelloBytes = 8 << 10  // from the caller
	maxChainBytes = 24 << 10 // likewise, after that: its certificates
	silentFor     = 5 * time.Second
)

var errHandshakeLong = errors.New("more bytes than a handshake has")

// handshake makes a TLS connection within helloWithin.
func (g *gatekeeper) handshake(ctx context.Context, o *opening) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, helloWithin)
	defer cancel()
	conn := tls.Server(o, g.config)
	err := conn.HandshakeContext(ctx)
	o.over()
	o.open = true
	return conn, err
}

// inTurn returns config for connections that are an opening each.
func inTurn(config *tls.Config) *tls.Config {
	turns := make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		o, ok := hello.Conn.(*opening)
		if !ok {
			return nil, errors.New("the connection is no opening")
		}
		o.greeted()
		select {
		case turns <- struct{}{}:
			o.left = maxChainBytes
			o.over = sync.OnceFunc(func() {
				<-turns
				o.answered()
			})
			return nil, nil
		case <-hello.Context().Done():
			return nil, hello.Context().Err()
		}
	}
	return config
}

// opening is a connection while its handshake is under way, by one goroutine.
type opening struct {
	net.Conn
	left     int    // bytes that the caller may still send until it is over
	greeted  func() // tells that the caller's hello is there
	answered func() // tells that it has been answered
	over     func() // ends the turn that its computing has
	open     bool   // the handshake is over
}

// Read implements net.Conn.
func (o *opening) Read(p []byte) (int, error) {
	if o.open {
		return o.Conn.Read(p)
	}
	if o.left <= 0 {
		return 0, errHandshakeLong
	}
	n, err := o.Conn.Read(p[:min(len(p), o.left)])
	o.left -= n
	return n, err
}

// Write implements net.Conn. All of the server's part goes in one, before it
// waits for the caller again.
func (o *opening) Write(p []byte) (int, error) {
	if !o.open {
		o.over()
	}
	return o.Conn.Write(p)
}
