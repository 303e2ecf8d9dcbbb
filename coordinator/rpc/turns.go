package rpc

import (
	"context"
	"sync"
	"time"
)

// The turns of large uploads: memory follows how many come at full speed, so
// only some do.
const (
	maxTurns  = 8
	turnLasts = 10 * time.Second // who is slower has little on the way at a time
)

// turns lets large uploads begin a few at a time. Methods may be called
// concurrently.
type turns chan struct{}

func newTurns() turns { return make(turns, maxTurns) }

// take waits for a turn. It ends with done, or by itself when it has lasted
// long enough, so that slow senders do not keep others waiting.
func (t turns) take(ctx context.Context) (done func(), err error) {
	select {
	case t <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	free := sync.OnceFunc(func() { <-t })
	limit := time.AfterFunc(turnLasts, free)
	return func() {
		limit.Stop()
		free()
	}, nil
}
