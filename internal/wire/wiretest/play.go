package wiretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// PlayClient says what the transcript's client said, when it did, to the
// server that conn leads to, and checks that the server answers at least what
// it did. act does what was done beside.
func (t Transcript) PlayClient(ctx context.Context, conn *grpc.ClientConn, act func(what string)) error {
	begin := time.Now()
	streams := map[Stream]grpc.ClientStream{}
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
			streams[l.Stream] = s
		}
		if err := l.playClient(streams[l.Stream]); err != nil {
			return fmt.Errorf("line %d of the transcript: %w", n+1, err)
		}
	}
	return nil
}

func (l Line) playClient(s grpc.ClientStream) error {
	switch {
	case l.Up && l.End:
		return s.CloseSend()
	case l.Up:
		return s.SendMsg(&l.Data)
	}
	data, err := receive(s)
	if l.End {
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("%v: got %x and error %v, want the end", l.Stream, data, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("%v: %w", l.Stream, err)
	}
	return l.says(data)
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
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("%v: got %x and error %v, want the end", l.Stream, data, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("%v: %w", l.Stream, err)
	}
	return l.says(data)
}
