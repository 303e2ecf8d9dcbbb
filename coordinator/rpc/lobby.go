package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/coordinator/rpc/intake"
)

// lobby takes every connection in, and hands it to the server that is for its
// caller.
type lobby struct {
	listener   net.Listener
	halls      map[kind]*hall
	keeper     *gatekeeper // nil without certificates
	ledger     *intake.Ledger
	silent     *intake.Crowd // who has not said hello
	waiting    *intake.Crowd // who has, and waits for an answer
	answered   *intake.Crowd // who has one, and has not shown who it is
	turns      chan struct{} // holds one token for each handshake that computes
	refusals   *refusals
	complaints *complaints
}

// The pauses after a connection could not be taken in, as when this process has
// no descriptor left.
const (
	firstAcceptPause = 5 * time.Millisecond
	lastAcceptPause  = time.Second
)

// run takes connections in until ctx ends, which returns nil, or nothing more can
// come. It closes the listener, and returns when all handshakes are over.
func (l *lobby) run(ctx context.Context) error {
	var handshakes sync.WaitGroup
	defer handshakes.Wait()
	for _, crowd := range []*intake.Crowd{l.answered, l.waiting, l.silent} {
		defer crowd.End()
	}
	stop := context.AfterFunc(ctx, func() { _ = l.listener.Close() }) // Accept tells
	defer stop()
	pause := firstAcceptPause
	for {
		raw, err := l.listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = raw.Close() // it came too late
			}
			return nil
		case passing(err):
			select {
			case <-time.After(pause):
				pause = min(2*pause, lastAcceptPause)
			case <-ctx.Done():
				return nil
			}
			continue
		case err != nil:
			return fmt.Errorf("serve: %w", err)
		}
		pause = firstAcceptPause
		handshakes.Go(func() { l.receive(ctx, raw) })
	}
}

// passing reports whether an error of Accept may be another the next time.
func passing(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.As(err, &temporary) && temporary.Temporary()
}

// receive finds out who opened a connection, and hands it on.
func (l *lobby) receive(ctx context.Context, raw net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	place := &place{host: hostOf(raw.RemoteAddr().String()), end: func() {
		cancel()
		_ = raw.Close() // its reader finds it closed
	}}
	place.change(l.silent)
	if l.keeper == nil {
		conn := guardConn(raw, raw, nil, l.ledger.Account(allowanceOf(everybody).limits), func(why error) { l.cutOff(place.host, why) })
		conn.leave, conn.spoken = place.leave, place.leave
		l.halls[everybody].enter(ctx, conn)
		return
	}
	conn, err := l.keeper.identify(ctx, raw, l, place)
	place.leave()
	if err != nil {
		_ = raw.Close() // identify has counted why
		return
	}
	setUserTimeout(raw, silentFor)
	l.halls[kindOf(conn.caller)].enter(ctx, conn)
}

// cutOff counts a connection that is ended because of what it brought.
func (l *lobby) cutOff(caller string, why error) {
	l.refusals.count(caller, registry.TooMany)
	l.complaints.note(complaint{from: caller, method: "connection", code: codes.ResourceExhausted}, why.Error())
}
