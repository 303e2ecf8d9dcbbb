package coordinator

import (
	"context"
	"fmt"
	"slices"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/fault"
)

// Results are what a Publisher has left of runs outside the coordinator. While
// there is anything of a run, no other run gets its name: what it publishes
// would be mixed with it.
type Results interface {
	// Has reports whether there is anything of a run of this name. It is called
	// before each submission and after each removal, for one run at a time.
	Has(run string) (bool, error)
	// Remove removes all of it, durably; nothing to remove is no error. It may be
	// called again after a crash. Nothing is published of the run meanwhile.
	Remove(run string) error
}

// Remove makes a run that has ended unknown to the coordinator, with its history
// and what the spool keeps of it; by is who asked for that. With files its results
// are removed as well; kept reports whether there are any afterwards, so that
// the name is not free. An error of class fault.Input means that there is no such run
// (ErrNoRun), or that it has not ended. After any other error the run may still be
// there, without its results; Remove may be called again.
func (c *Coordinator) Remove(ctx context.Context, name, by string, files bool) (kept bool, err error) {
	if err := c.takeNames(ctx); err != nil {
		return false, err
	}
	defer c.freeNames()
	c.mu.RLock()
	r := c.runs[name]
	ended := r != nil && r.state.Phase.Final()
	c.mu.RUnlock()
	switch {
	case r == nil:
		return false, fmt.Errorf("%s: %w", name, ErrNoRun)
	case !ended:
		return false, fault.Inputf("run %s has not ended: stop it before you remove it", name)
	}
	if err := quiet(ctx, r); err != nil {
		return false, err
	}
	// The results go first: after a crash in between the run is still listed.
	if files && c.o.Results != nil {
		if err := c.o.Results.Remove(name); err != nil {
			return false, fmt.Errorf("remove the results of run %s: %w", name, err)
		}
	}
	told := make(chan answer, 1)
	if err := c.ask(ctx, input{run: name, event: round.Removed{By: by}, answer: told}, told); err != nil {
		return false, err
	}
	return c.kept(name)
}

// quiet waits until no effect of a run that has ended is under way: it may have
// been stopped while a version was being published.
func quiet(ctx context.Context, r *run) error {
	done := make(chan struct{})
	go func() { // which ends with the effects, for which Run waits
		r.effects.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// kept reports whether there are results of a run of this name.
func (c *Coordinator) kept(name string) (bool, error) {
	if c.o.Results == nil {
		return false, nil
	}
	kept, err := c.o.Results.Has(name)
	if err != nil {
		return false, fmt.Errorf("look for results of run %s: %w", name, err)
	}
	return kept, nil
}

// takeNames waits for the right to give out a name or to make one free, which
// freeNames gives back.
func (c *Coordinator) takeNames(ctx context.Context) error {
	select {
	case c.names <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Coordinator) freeNames() { <-c.names }

// drop takes a run out of the books. mu is held.
func (c *Coordinator) drop(name string, r *run) {
	delete(c.runs, name)
	i := slices.Index(c.order, r)
	c.order = slices.Delete(c.order, i, i+1)
}
