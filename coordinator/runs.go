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

// RunStatus is how a run stands, for people.
type RunStatus struct {
	Name      string          `json:"name"`
	Phase     round.Phase     `json:"phase"`
	Round     int             `json:"round"`
	Rounds    int             `json:"rounds"`
	Attempt   int             `json:"attempt"`
	Cohort    []string        `json:"cohort,omitempty"`
	Accepted  int             `json:"accepted"` // answers of this attempt
	Model     string          `json:"model"`    // digest of the global model
	Published []round.Version `json:"published,omitempty"`
	Counts    round.Counts    `json:"counts"`
	Reason    string          `json:"reason,omitempty"` // round.State.Remark
}

func status(s round.State) RunStatus {
	return RunStatus{
		Name: s.Run, Phase: s.Phase, Round: s.Round, Rounds: s.Config.Rounds, Attempt: s.Attempt,
		Cohort: s.Cohort(), Accepted: s.Count(round.Accepted), Model: s.Model, Published: s.Published,
		Counts: s.Counts, Reason: s.Remark(),
	}
}

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
	c.mu.RLock()
	_, exists := c.runs[d.Name]
	c.mu.RUnlock()
	if exists {
		return fault.As(fault.Exists, fmt.Errorf("a run named %s was submitted before: choose another name", d.Name))
	}
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("run %s: %w", d.Name, err)
	}
	digest, err := c.putPinned(func() (string, error) { return c.store(d, initial, bytes) })
	if err != nil {
		return fmt.Errorf("run %s: initial model: %w", d.Name, err)
	}
	told := make(chan answer, 1)
	event := round.Submitted{Run: d.Name, Config: d.config(), Definition: data, Model: digest}
	return c.ask(ctx, input{run: d.Name, event: event, answer: told}, told)
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

// Runs returns how all runs stand, in order of submission.
func (c *Coordinator) Runs() []RunStatus {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]RunStatus, 0, len(c.order))
	for _, name := range c.order {
		all = append(all, status(c.runs[name].state))
	}
	return all
}

// Status of one run, or ErrNoRun.
func (c *Coordinator) Status(name string) (RunStatus, error) {
	s, err := c.State(name)
	if err != nil {
		return RunStatus{}, err
	}
	return status(s), nil
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

// Watch returns a channel that holds the run's newest status whenever it has
// changed; a slow reader misses intermediate ones, never the last. It is
// closed when the run or the coordinator has ended, or ctx has.
func (c *Coordinator) Watch(ctx context.Context, name string) (<-chan RunStatus, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.runs[name]
	if r == nil {
		return nil, fmt.Errorf("%s: %w", name, ErrNoRun)
	}
	ch := make(chan RunStatus, 1)
	ch <- status(r.state)
	if r.state.Phase.Final() || c.closed {
		close(ch)
		return ch, nil
	}
	c.watchers[ch] = name
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.unwatch(ch)
	})
	return ch, nil
}

// unwatch closes ch unless that was done before. mu is held.
func (c *Coordinator) unwatch(ch chan RunStatus) {
	if _, ok := c.watchers[ch]; ok {
		delete(c.watchers, ch)
		close(ch)
	}
}

// notify tells those who watch r's run.
func (c *Coordinator) notify(r *run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ch, name := range c.watchers {
		if name != r.state.Run {
			continue
		}
		select {
		case <-ch: // the reader has not taken the older one
		default:
		}
		ch <- status(r.state)
		if r.state.Phase.Final() {
			c.unwatch(ch)
		}
	}
}

func (c *Coordinator) closeWatchers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for ch := range c.watchers {
		c.unwatch(ch)
	}
}
