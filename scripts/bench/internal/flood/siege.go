package flood

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/encoding/protowire"
)

// Siege is whom to wear out, and as whom.
type Siege struct {
	Address  string
	Stranger *tls.Config // presents no certificate
	Member   *tls.Config // presents a site's
	Site     string      // the member's name
}

// Assault is one way to do so. Run goes on until ctx ends, and returns how often
// it did what the assault is about.
type Assault struct {
	Name string
	Run  func(ctx context.Context, s Siege) int64
}

// Assaults are all of them.
func Assaults() []Assault {
	const enroll, upload, attend = enrollment + "Enroll", federation + "Upload", federation + "Attend"
	return []Assault{
		{"10,000 connections say nothing", halfOpen(10_000, nil)},
		{"10,000 connections begin a handshake", halfOpen(10_000, beginning())},
		{"strangers' messages of 4 MB stall", func(ctx context.Context, s Siege) int64 {
			return stall(ctx, s.Address, s.Stranger, stalled{8, 32, enroll, 4 << 20, 16 << 10})
		}},
		{"strangers' messages of 16 KB stall, a byte a frame", func(ctx context.Context, s Siege) int64 {
			return stall(ctx, s.Address, s.Stranger, stalled{256, 2, enroll, 16 << 10, 1})
		}},
		{"strangers reset calls", func(ctx context.Context, s Siege) int64 { return reset(ctx, s.Address, s.Stranger, enroll) }},
		{"strangers guess tokens", func(ctx context.Context, s Siege) int64 { return guess(ctx, s.Address, s.Stranger) }},
		{"a member's messages of 1 MB stall", func(ctx context.Context, s Siege) int64 {
			return stall(ctx, s.Address, s.Member, stalled{16, 32, upload, 1 << 20, 16 << 10})
		}},
		{"a member's messages of 64 KB stall, a byte a frame", func(ctx context.Context, s Siege) int64 {
			return stall(ctx, s.Address, s.Member, stalled{16, 32, upload, 64 << 10, 1})
		}},
		{"a member resets calls", func(ctx context.Context, s Siege) int64 { return reset(ctx, s.Address, s.Member, upload) }},
		{"a member sends settings", func(ctx context.Context, s Siege) int64 { return settings(ctx, s.Address, s.Member) }},
		{"a member attends again and again", func(ctx context.Context, s Siege) int64 { return again(ctx, s.Address, s.Member, attend, s.Site) }},
	}
}

// beginning is what a TLS client says first, but not all of it: a record of a
// kilobyte, and some of its bytes.
func beginning() []byte {
	return append([]byte{22, 3, 1, 4, 0, 1, 0, 3, 252, 3, 3}, make([]byte, 500)...)
}

// halfOpen opens connections that say so much, and others when they are closed.
func halfOpen(connections int, says []byte) func(context.Context, Siege) int64 {
	return func(ctx context.Context, s Siege) int64 {
		var opened atomic.Int64
		const openers = 50
		var all sync.WaitGroup
		for range openers {
			all.Go(func() {
				var held []net.Conn
				defer func() {
					for _, c := range held {
						_ = c.Close() // it has served
					}
				}()
				for ctx.Err() == nil {
					c, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address)
					if err != nil {
						pause(ctx)
						continue
					}
					_, _ = c.Write(says) // as good as nothing, when it has been closed
					opened.Add(1)
					if held = append(held, c); len(held) > connections/openers {
						_ = held[0].Close() // likewise
						held = held[1:]
					}
				}
			})
		}
		all.Wait()
		return opened.Load()
	}
}

// stalled is how messages stall.
type stalled struct {
	connections, streams int
	method               string
	bytes                int // of each, but for one that never comes
	frame                int
}

// stall begins messages and never ends them; a connection that is closed is
// opened again. It returns how many were begun.
func stall(ctx context.Context, address string, config *tls.Config, s stalled) int64 {
	var begun atomic.Int64
	var all sync.WaitGroup
	for range s.connections {
		all.Go(func() {
			for ctx.Err() == nil {
				l, err := dial(ctx, address, config)
				if err != nil {
					brief(ctx)
					continue
				}
				var streams sync.WaitGroup
				stop := context.AfterFunc(ctx, l.close)
				var writing sync.Mutex
				for range s.streams {
					id, err := l.open(s.method)
					if err != nil {
						break
					}
					begun.Add(1)
					streams.Go(func() { l.trickle(&writing, id, s) })
				}
				streams.Wait()
				for ctx.Err() == nil && !l.ended() {
					brief(ctx)
				}
				stop()
				l.close()
			}
		})
	}
	all.Wait()
	return begun.Load()
}

// trickle sends all of a message but a byte, beside others that do so.
func (l *line) trickle(writing *sync.Mutex, stream uint32, s stalled) {
	rest := s.bytes - 1
	data := append([]byte{0, byte(s.bytes >> 24), byte(s.bytes >> 16), byte(s.bytes >> 8), byte(s.bytes)}, make([]byte, rest)...)
	for len(data) > 0 {
		n, err := l.allowance(stream, min(s.frame, len(data)))
		if err != nil || n == 0 {
			return
		}
		writing.Lock()
		err = l.framer.WriteData(stream, false, data[:n])
		writing.Unlock()
		if err != nil {
			return
		}
		data = data[n:]
	}
}

// reset begins calls and takes each back at once.
func reset(ctx context.Context, address string, config *tls.Config, method string) int64 {
	return hammer(ctx, address, config, func(l *line) error {
		id, err := l.open(method)
		if err == nil {
			err = l.framer.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		return err
	})
}

// settings sends what must be answered.
func settings(ctx context.Context, address string, config *tls.Config) int64 {
	return hammer(ctx, address, config, func(l *line) error { return l.framer.WriteSettings() })
}

// hammer does something over and over on some connections.
func hammer(ctx context.Context, address string, config *tls.Config, blow func(*line) error) int64 {
	var done atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				l, err := dial(ctx, address, config)
				if err != nil {
					brief(ctx)
					continue
				}
				stop := context.AfterFunc(ctx, l.close)
				for blow(l) == nil {
					done.Add(1)
				}
				stop()
				l.close()
			}
		})
	}
	all.Wait()
	return done.Load()
}

// guess tries tokens.
func guess(ctx context.Context, address string, config *tls.Config) int64 {
	request := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "a guess that is as long as a token's secret")
	request = protowire.AppendBytes(protowire.AppendTag(request, 2, protowire.BytesType), make([]byte, 8<<10))
	return hammer(ctx, address, config, func(l *line) error {
		id, err := l.open(enrollment + "Enroll")
		if err == nil {
			err = l.say(id, request)
		}
		if err == nil {
			err = l.framer.WriteData(id, true, nil)
		}
		return err
	})
}

// again attends, over and over, as a new process each time.
func again(ctx context.Context, address string, config *tls.Config, method, site string) int64 {
	hello := text(1, site)
	hello = protowire.AppendVarint(protowire.AppendTag(hello, 3, protowire.VarintType), 1)
	return hammer(ctx, address, config, func(l *line) error {
		id, err := l.open(method)
		if err == nil {
			err = l.say(id, text(1, string(hello)))
		}
		if err == nil {
			err = l.framer.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		return err
	})
}

// brief lets the other side go on.
func brief(ctx context.Context) {
	select {
	case <-time.After(10 * time.Millisecond):
	case <-ctx.Done():
	}
}
