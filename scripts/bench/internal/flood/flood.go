// Package flood throws malformed calls at a coordinator, at a given rate over
// many connections.
package flood

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// Flood is what to throw, and at whom.
type Flood struct {
	Address     string
	Credentials credentials.TransportCredentials
	Connections int
	Rate        int // calls a second, over all connections
}

// Result is what became of the calls.
type Result struct {
	Calls    int                // that were begun
	Took     time.Duration      // from the first to the last
	Outcomes map[codes.Code]int // of those that ended; OK would be a hole
	Endless  int                // streams without an end that were cut off
}

// Rate is how many calls a second there were.
func (r Result) Rate() float64 { return float64(r.Calls) / r.Took.Seconds() }

// patience bounds a call that nobody answers.
const patience = 5 * time.Second

// Run floods until ctx ends and returns what it did. Each connection makes one
// call at a time, and holds a few streams open that never end.
func (f Flood) Run(ctx context.Context) (Result, error) {
	var t tally
	var connections []*grpc.ClientConn
	defer func() {
		for _, c := range connections {
			_ = c.Close() // it has served
		}
	}()
	for range f.Connections {
		conn, err := grpc.NewClient("passthrough:///"+f.Address, grpc.WithTransportCredentials(f.Credentials),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(bare{}), grpc.WaitForReady(true)))
		if err != nil {
			return Result{}, fmt.Errorf("flood %s: %w", f.Address, err)
		}
		connections = append(connections, conn)
	}
	began := time.Now()
	var all sync.WaitGroup
	for i, conn := range connections {
		all.Go(func() { f.calls(ctx, conn, i, &t) })
		for _, e := range endless() {
			all.Go(func() { hold(ctx, conn, e, &t) })
		}
	}
	all.Wait()
	return Result{Calls: t.calls, Took: time.Since(began), Outcomes: t.outcomes, Endless: t.endless}, nil
}

// calls makes a connection's share of the calls. It is late rather than early:
// a call that takes longer than its turn delays the next.
func (f Flood) calls(ctx context.Context, conn *grpc.ClientConn, n int, t *tally) {
	all := attacks()
	turn := time.NewTicker(time.Second * time.Duration(f.Connections) / time.Duration(f.Rate))
	defer turn.Stop()
	for i := n; ; i++ { // connections are out of step
		select {
		case <-turn.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil { // when both were ready, either may have been taken
			return
		}
		a := all[i%len(all)]
		if a.rare && i/len(all)%100 != 0 {
			a = all[0]
		}
		t.began()
		code := call(ctx, conn, a)
		if ctx.Err() == nil {
			t.ended(code)
		}
	}
}

// call makes one, and returns how it ended.
func call(ctx context.Context, conn *grpc.ClientConn, a attack) codes.Code {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, a.method)
	if err != nil {
		return status.Code(err)
	}
	for _, m := range a.messages {
		if stream.SendMsg(&m) != nil {
			break // RecvMsg tells why
		}
	}
	_ = stream.CloseSend() // RecvMsg tells
	return outcome(stream)
}

func outcome(stream grpc.ClientStream) codes.Code {
	for {
		var answer []byte
		switch err := stream.RecvMsg(&answer); {
		case errors.Is(err, io.EOF):
			return codes.OK
		case err != nil:
			return status.Code(err)
		}
	}
}

// hold opens a stream and sends a little again and again, without an end. When
// the coordinator cuts it off, it opens another a second later.
func hold(ctx context.Context, conn *grpc.ClientConn, e attack, t *tally) {
	for ctx.Err() == nil {
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, e.method)
		for i := 0; err == nil; i++ {
			m := e.messages[min(i, len(e.messages)-1)]
			if err = stream.SendMsg(&m); err == nil {
				pause(ctx)
			}
		}
		if ctx.Err() == nil {
			t.cut()
			pause(ctx)
		}
	}
}

func pause(ctx context.Context) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
}

// tally counts. Its methods may be called concurrently.
type tally struct {
	mu       sync.Mutex
	calls    int
	endless  int
	outcomes map[codes.Code]int
}

func (t *tally) began() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
}

func (t *tally) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endless++
}

func (t *tally) ended(c codes.Code) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outcomes == nil {
		t.outcomes = map[codes.Code]int{}
	}
	t.outcomes[c]++
}

// bare is a codec that leaves bytes as they are: what is sent is no message.
type bare struct{}

func (bare) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (bare) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }
func (bare) Name() string                       { return "proto" }

// Summary tells the outcomes, the most frequent first.
func (r Result) Summary() string {
	var parts []string
	for _, c := range byCount(r.Outcomes) {
		parts = append(parts, fmt.Sprintf("%d %v", r.Outcomes[c], c))
	}
	return strings.Join(parts, ", ")
}
