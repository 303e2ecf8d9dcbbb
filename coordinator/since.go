package coordinator

import (
	"context"
	"fmt"

	"github.com/accord-fl/accord/coordinator/round"
)

// Since waits until the run's last change is another than seq, and returns the
// state after it and its number, for the next call; 0 is no change's number, so
// that it does not wait. Numbers are those of the journal's records: they stay
// the same when the coordinator starts again. Who calls it in a loop misses
// states that another has followed, never the last; and since a state holds the
// whole history of versions, which costs nothing, never a version.
//
// The error is ErrNoRun when there is no such run, or it was removed meanwhile,
// ErrClosed when the coordinator has stopped before a change, or ctx's.
func (c *Coordinator) Since(ctx context.Context, name string, seq uint64) (round.State, uint64, error) {
	for stopped := false; ; {
		state, last, changed, err := c.look(name, seq)
		if err != nil || changed == nil {
			return state, last, err
		}
		if stopped {
			return round.State{}, 0, ErrClosed
		}
		select {
		case <-changed:
		case <-c.done:
			stopped = true // there may be a last change
		case <-ctx.Done():
			return round.State{}, 0, ctx.Err()
		}
	}
}

// look returns how a run stands if its last change is another than seq;
// otherwise what is closed with the next one.
func (c *Coordinator) look(name string, seq uint64) (_ round.State, last uint64, changed <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.runs[name]
	switch {
	case r == nil:
		return round.State{}, 0, nil, fmt.Errorf("%s: %w", name, ErrNoRun)
	case r.seq != seq:
		return r.state, r.seq, nil, nil
	case r.changed == nil:
		r.changed = make(chan struct{})
	}
	return round.State{}, 0, r.changed, nil
}

// notify wakes those who wait for a change of r. It computes nothing for them.
func (c *Coordinator) notify(r *run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}
