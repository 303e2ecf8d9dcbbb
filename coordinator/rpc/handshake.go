package rpc

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/accord-fl/accord/coordinator/rpc/intake"
)

// The bounds of a handshake.
const (
	maxHelloBytes = 4 << 10  // of the first record that a caller sends: its hello
	maxChainBytes = 24 << 10 // of what it sends after that: its certificates
	silentFor     = 5 * time.Second
)

var (
	errNoHello       = errors.New("the first record is not a TLS handshake, or is too long")
	errHandshakeLong = errors.New("more bytes than a handshake has")
)

// handshake makes a TLS connection within helloWithin. Until the caller's hello is
// there a connection costs little more than its descriptor. What the handshake
// computes before the caller has shown anything takes turns, so that those who only
// begin handshakes do not take the processor from rounds; no turn waits for a peer.
func (l *lobby) handshake(ctx context.Context, raw net.Conn, p *place) (*tls.Conn, error) {
	if err := raw.SetDeadline(time.Now().Add(helloWithin)); err != nil {
		return nil, err
	}
	hello, err := readHelloRecord(raw)
	if err != nil {
		return nil, err
	}
	p.change(l.waiting)
	select {
	case l.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	o := &opening{Conn: raw, hello: hello, left: maxChainBytes, over: sync.OnceFunc(func() {
		<-l.turns
		p.change(l.answered)
	})}
	conn := tls.Server(o, l.keeper.config)
	err = conn.Handshake() // the deadline, or who closes raw, ends it
	o.over()
	o.open = true
	return conn, errors.Join(err, raw.SetDeadline(time.Time{}))
}

// A record of TLS begins with its type, a version, and the length of the rest (RFC
// 8446, section 5.1).
const (
	recordHead      = 5
	recordHandshake = 22
)

// readHelloRecord reads the first record that a client sends.
func readHelloRecord(r io.Reader) ([]byte, error) {
	var head [recordHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(head[3:]))
	if head[0] != recordHandshake || length == 0 || length > maxHelloBytes {
		return nil, errNoHello
	}
	record := make([]byte, recordHead+length)
	copy(record, head[:])
	_, err := io.ReadFull(r, record[recordHead:])
	return record, err
}

// opening is a connection while its handshake is under way, by one goroutine.
type opening struct {
	net.Conn
	hello []byte // that was read already
	left  int    // bytes that the caller may still send until it is over
	over  func() // ends the turn that its computing has
	open  bool   // the handshake is over
}

// Read implements net.Conn.
func (o *opening) Read(p []byte) (int, error) {
	switch {
	case len(o.hello) > 0:
		n := copy(p, o.hello)
		o.hello = o.hello[n:]
		return n, nil
	case o.open:
		return o.Conn.Read(p)
	}
	o.over()
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

// place is where a connection is whose caller is not known: in one crowd, then
// another, so that those who say nothing are in nobody's way who does.
type place struct {
	host  string
	end   func()
	leave func()
}

// change leaves the crowd that the connection is in for another.
func (p *place) change(to *intake.Crowd) {
	if p.leave != nil {
		p.leave()
	}
	p.leave = to.Enter(p.host, p.end)
}
