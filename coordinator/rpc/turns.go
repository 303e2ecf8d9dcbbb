package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The turns of large transfers: memory follows how many go at full speed, so
// only some do.
const (
	maxTurns  = 8
	turnLasts = 10 * time.Second // and once more, while it moves turnMoves
	turnMoves = 60 << 20         // bytes; who is 50 ms away or slower moves less, and has little on the way
	turnsEach = 4                // that one participant may have or wait for
)

// turns lets large transfers begin a few at a time. Methods may be called
// concurrently.
type turns struct {
	taken chan struct{}

	mu   sync.Mutex
	each map[string]int // by who has one or waits for one
}

// turn is one's turn. What is transferred is written to it, too, to be counted.
type turn struct {
	of    *turns
	who   string
	moved atomic.Int64 // in this turnLasts
	free  func()       // lets the next begin; more than once does no harm
	limit *time.Timer  // guarded by of.mu
}

func newTurns() *turns { return &turns{taken: make(chan struct{}, maxTurns), each: map[string]int{}} }

// take waits for a turn of who; "" is somebody unknown. It ends with done, or by
// itself when it is slow, so that others need not wait for that.
func (t *turns) take(ctx context.Context, who string) (*turn, error) {
	if !t.queue(who) {
		return nil, status.Errorf(codes.ResourceExhausted, "%s has %d large transfers under way; one after another is enough", who, turnsEach)
	}
	select {
	case t.taken <- struct{}{}:
	case <-ctx.Done():
		t.leave(who)
		return nil, ctx.Err()
	}
	one := &turn{of: t, who: who, free: sync.OnceFunc(func() { <-t.taken })}
	t.mu.Lock()
	defer t.mu.Unlock()
	one.limit = time.AfterFunc(turnLasts, one.look)
	return one, nil
}

func (t *turn) Write(p []byte) (int, error) {
	t.moved.Add(int64(len(p)))
	return len(p), nil
}

// look ends the turn unless it is fast.
func (t *turn) look() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.moved.Swap(0) >= turnMoves {
		t.limit.Reset(turnLasts)
		return
	}
	t.free()
}

// done ends the turn; it must be called, once.
func (t *turn) done() {
	t.of.mu.Lock()
	t.limit.Stop()
	t.of.mu.Unlock()
	t.free()
	t.of.leave(t.who)
}

func (t *turns) queue(who string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if who != "" && t.each[who] == turnsEach {
		return false
	}
	t.each[who]++
	return true
}

func (t *turns) leave(who string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.each[who]--; t.each[who] == 0 {
		delete(t.each, who)
	}
}
