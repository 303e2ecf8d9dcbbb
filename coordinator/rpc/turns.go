package rpc

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The turns of large transfers: memory follows how many go at full speed, so
// only some do.
const (
	maxTurns  = 8
	turnLasts = 10 * time.Second // who is slower has little on the way at a time
	turnsEach = 4                // that one participant may have or wait for
)

// turns lets large transfers begin a few at a time. Methods may be called
// concurrently.
type turns struct {
	taken chan struct{}

	mu   sync.Mutex
	each map[string]int // by who has one or waits for one
}

func newTurns() *turns { return &turns{taken: make(chan struct{}, maxTurns), each: map[string]int{}} }

// take waits for a turn of who; "" is somebody unknown. It ends with done, or by
// itself when it has lasted long enough, so that slow peers do not keep others
// waiting.
func (t *turns) take(ctx context.Context, who string) (done func(), err error) {
	if !t.queue(who) {
		return nil, status.Errorf(codes.ResourceExhausted, "%s has %d large transfers under way; one after another is enough", who, turnsEach)
	}
	select {
	case t.taken <- struct{}{}:
	case <-ctx.Done():
		t.leave(who)
		return nil, ctx.Err()
	}
	free := sync.OnceFunc(func() { <-t.taken })
	limit := time.AfterFunc(turnLasts, free)
	return sync.OnceFunc(func() {
		limit.Stop()
		free()
		t.leave(who)
	}), nil
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
