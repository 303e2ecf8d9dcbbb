package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/model"
)

// ErrNoRun tells that there is no run of a name.
var ErrNoRun = fault.As(fault.Input, errors.New("there is no run of that name"))

// Submit queues a run; when it returns nil the run is durable. initial holds
// the first global model, bytes long, as a safetensors file; with nil the
// spec's own initialisation is drawn, keyed by the seed.
func (c *Coordinator) Submit(ctx context.Context, d Definition, initial io.ReaderAt, bytes int64) error {
	if err := d.Validate(); err != nil {
		return err
	}
	if _, err := c.o.Strategy(d); err != nil {
		return err
	}
	if err := c.vacant(d.Name); err != nil { // say so before a long wait
		return err
	}
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("run %s: %w", d.Name, err)
	}
	digest, err := c.putPinned(func() (string, error) { return c.store(d, initial, bytes) })
	if err != nil {
		return fmt.Errorf("run %s: initial model: %w", d.Name, err)
	}
	if err := c.takeNames(ctx); err != nil {
		c.pins.unpin(digest)
		return err
	}
	defer c.freeNames()
	if err := c.vacant(d.Name); err != nil {
		c.pins.unpin(digest)
		return err
	}
	told := make(chan answer, 1)
	event := round.Submitted{Run: d.Name, Config: d.config(), Definition: data, Model: digest}
	return c.ask(ctx, input{run: d.Name, event: event, answer: told}, told)
}

// vacant returns an error of class fault.Exists unless a run may be given the name.
func (c *Coordinator) vacant(name string) error {
	c.mu.RLock()
	_, exists := c.runs[name]
	c.mu.RUnlock()
	if exists {
		return fault.As(fault.Exists, fmt.Errorf("a run named %s was submitted before: choose another name", name))
	}
	kept, err := c.kept(name)
	if err != nil {
		return err
	}
	if kept {
		return fault.As(fault.Exists, fmt.Errorf("the results of an earlier run named %s are still there, in the folder runs/%s of the coordinator: choose another name, or move them away", name, name))
	}
	return nil
}

// store puts the initial model into the spool, in the form in which all
// global models are written.
func (c *Coordinator) store(d Definition, initial io.ReaderAt, bytes int64) (digest string, err error) {
	if initial == nil {
		if d.Spec == nil {
			return "", fault.Inputf("a run without a spec needs an initial model")
		}
		digest, _, err = c.o.Spool.PutFunc(InitialModel(d.Spec, d.Seed).Write)
		return digest, err
	}
	f, err := model.OpenFile(initial, bytes, d.Contract)
	if err == nil {
		err = f.CheckFinite()
	}
	if err != nil {
		return "", err
	}
	digest, _, err = c.o.Spool.PutFunc(func(w io.Writer) error { return d.Contract.Write(w, f) })
	return digest, err
}

// InitialModel draws the weights that a run with this seed starts from.
func InitialModel(spec *model.Spec, seed uint64) *model.Params {
	return spec.Init(rng.New(seed, "init"))
}

// ask posts in and waits for what becomes of it.
func (c *Coordinator) ask(ctx context.Context, in input, told <-chan answer) error {
	if err := c.post(ctx, in); err != nil {
		c.pins.unpin(pinned(in.event))
		return err
	}
	select {
	case a := <-told:
		return a.err
	case <-c.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop ends a run where it is. What was published stays.
func (c *Coordinator) Stop(ctx context.Context, name, reason string) error {
	c.mu.RLock()
	r := c.runs[name]
	final := r != nil && r.state.Phase.Final()
	c.mu.RUnlock()
	switch {
	case r == nil:
		return fmt.Errorf("%s: %w", name, ErrNoRun)
	case final:
		return fault.Inputf("run %s has ended already", name)
	}
	told := make(chan answer, 1)
	return c.ask(ctx, input{run: name, event: round.StopRequested{Reason: reason}, answer: told}, told)
}

// State of one run, or ErrNoRun.
func (c *Coordinator) State(name string) (round.State, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	r := c.runs[name]
	if r == nil {
		return round.State{}, fmt.Errorf("%s: %w", name, ErrNoRun)
	}
	return r.state, nil
}

// Definition of one run, or ErrNoRun.
func (c *Coordinator) Definition(name string) (Definition, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	r := c.runs[name]
	if r == nil {
		return Definition{}, fmt.Errorf("%s: %w", name, ErrNoRun)
	}
	return r.definition, nil
}
