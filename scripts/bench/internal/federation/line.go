package federation

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// Line leads from an address of its own to another, until it is cut: then it
// takes what it is given and delivers nothing, as a network does that drops
// packets. It closes no connection before HangUp or Close.
type Line struct {
	listener net.Listener
	to       string
	dead     atomic.Bool
	carried  atomic.Int64
	work     sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

// NewLine makes a line to an address.
func NewLine(to string) (*Line, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Line{listener: listener, to: to}
	l.work.Go(l.accept)
	return l, nil
}

// Address is where the line begins.
func (l *Line) Address() string { return l.listener.Addr().String() }

// Cut ends all delivery.
func (l *Line) Cut() { l.dead.Store(true) }

// Carried is how many bytes have gone towards the address that the line leads to.
func (l *Line) Carried() int64 { return l.carried.Load() }

// HangUp closes all connections; others may come.
func (l *Line) HangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close() // the other end may have done so
	}
	l.conns = nil
}

// Close hangs up for good.
func (l *Line) Close() error {
	err := l.listener.Close()
	l.HangUp()
	l.work.Wait()
	return err
}

func (l *Line) accept() {
	for {
		near, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		far, err := net.Dial("tcp", l.to)
		if err != nil {
			_ = near.Close() // the site tries again
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, near, far)
		l.mu.Unlock()
		l.work.Go(func() { l.carry(near, far, &l.carried) })
		l.work.Go(func() { l.carry(far, near, new(atomic.Int64)) })
	}
}

func (l *Line) carry(from, to net.Conn, count *atomic.Int64) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		count.Add(int64(n))
		if l.dead.Load() {
			if err != nil {
				return
			}
			continue
		}
		if _, writing := to.Write(buf[:n]); err != nil || writing != nil {
			_, _ = from.Close(), to.Close() // either has ended
			return
		}
	}
}
