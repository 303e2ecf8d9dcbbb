package wiretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// PlayClient says what the transcript's client said, when it did, to the
// server that conn leads to, and checks that the server answers at least what
// it did. act does what was done beside.
func (t Transcript) PlayClient(ctx context.Context, conn *grpc.ClientConn, act func(what string)) error {
	begin := time.Now()
	streams := map[Stream]*heard{}
	for n, l := range t {
		time.Sleep(l.At - time.Since(begin))
		if l.Action != "" {
			act(l.Action)
			continue
		}
		if streams[l.Stream] == nil {
			s, err := open(ctx, conn, l.Stream.Method)
			if err != nil {
				return err
			}
			streams[l.Stream] = &heard{ClientStream: s}
		}
		if err := l.playClient(streams[l.Stream]); err != nil {
			return fmt.Errorf("line %d of the transcript: %w", n+1, err)
		}
	}
	return nil
}

// heard is a stream and what the server has said on it that was not asked
// for yet. A server may say a thing twice, such as an offer around a
// participant's arrival, and what it says at one moment in another order.
type heard struct {
	grpc.ClientStream
	held [][]byte
}

// hear waits until the server has said at least what l does.
func (h *heard) hear(l Line) error {
	for n, data := range h.held {
		if l.says(data) == nil {
			h.held = slices.Delete(h.held, n, n+1)
			return nil
		}
	}
	var others error // why what was said instead is not it
	for {
		data, err := receive(h)
		if err != nil {
			return errors.Join(fmt.Errorf("%v: %w", l.Stream, err), others)
		}
		err = l.says(data)
		if err == nil {
			return nil
		}
		h.held = append(h.held, data)
		others = errors.Join(others, err)
	}
}

// finish waits for the end of what the server says.
func (h *heard) finish(l Line) error {
	for {
		if data, err := receive(h); err != nil {
			return l.ends(data, err)
		}
	}
}

func (l Line) playClient(s *heard) error {
	switch {
	case l.Up && l.End:
		return s.CloseSend()
	case l.Up:
		return s.SendMsg(&l.Data)
	case l.End:
		return s.finish(l)
	default:
		return s.hear(l)
	}
}

// ends checks that a stream has ended where one of the transcript did.
func (l Line) ends(data []byte, err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return errors.Join(fmt.Errorf("%v: got %x, want the end", l.Stream, data), err)
}

// Player is a server that says what a transcript's server said.
type Player struct {
	transcript Transcript

	mu     sync.Mutex
	calls  map[string]int // so far, by method
	errs   []error
	played int
}

// PlayServer returns a server that says what the transcript's server said,
// and checks that its clients say at least what they did.
func (t Transcript) PlayServer() (*Player, *grpc.Server) {
	p := &Player{transcript: t, calls: map[string]int{}}
	return p, server(p.serve)
}

// Finish returns what was not as in the transcript.
func (p *Player) Finish() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := 0
	for _, l := range p.transcript {
		if l.Action == "" {
			lines++
		}
	}
	err := errors.Join(p.errs...)
	if err == nil && p.played < lines {
		err = fmt.Errorf("only %d of %d lines were played", p.played, lines)
	}
	return err
}

func (p *Player) serve(method string, s grpc.ServerStream) error {
	if !slices.ContainsFunc(p.transcript, func(l Line) bool { return l.Stream.Method == method }) {
		return status.Errorf(codes.Unimplemented, "%s came later", method)
	}
	p.mu.Lock()
	p.calls[method]++
	stream := Stream{method, p.calls[method]}
	p.mu.Unlock()
	for n, l := range p.transcript {
		if l.Stream != stream {
			continue
		}
		err := l.playServer(s)
		p.mu.Lock()
		p.played++
		if err != nil {
			p.errs = append(p.errs, fmt.Errorf("line %d of the transcript: %w", n+1, err))
		}
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

func (l Line) playServer(s grpc.ServerStream) error {
	switch {
	case !l.Up && l.End:
		return nil
	case !l.Up:
		return s.SendMsg(&l.Data)
	}
	data, err := receive(s)
	if l.End {
		return l.ends(data, err)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", l.Stream, err)
	}
	return l.says(data)
}
