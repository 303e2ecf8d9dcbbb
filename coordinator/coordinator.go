package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
)

// Coordinator runs the runs submitted to it, several at a time.
type Coordinator struct {
	o      Options
	log    *zap.Logger
	roster roster
	pins   pins
	// what open tasks have brought
	uploads uploads
	hints   hints
	inbox   chan input
	done    chan struct{} // closed when Run has returned
	work    sync.WaitGroup
	head    uint64

	// The loop alone writes what follows mu, and reads it without mu.
	mu       sync.RWMutex
	runs     map[string]*run
	order    []string
	watchers map[chan RunStatus]string
	closed   bool // Run has returned
}

// run is one run's state and definition.
type run struct {
	state      round.State
	definition Definition
	active     *active // nil: it has ended, or its turn has not come
	// measured is what the effects found last. They write it, under mu.
	measured measuredModel
	// updates holds what accepted answers told beside their artefacts, by
	// task, until their round's publication. It is not recovered.
	updates map[string]exchange.Update
	// When this process took the run up, and when this attempt's first
	// window opened. Not recovered.
	began, opened time.Time
	// unasked counts answers of this attempt that nobody awaited, by
	// participant. Not recovered.
	unasked map[string]int
	// training is how long the windows of each round were open that is not
	// published yet. Not recovered.
	training map[int]time.Duration
}

// input is what the loop is told: an event of a run, or a change in who
// attends.
type input struct {
	run    string
	event  round.Event
	update *exchange.Update // of a round.Answered
	answer chan<- answer    // who waits for what becomes of the event, if anybody

	attached string // has just attached
	gone     string // has been away for as long as is forgiven
	deserted bool   // and was given more time, because nobody was there
}

type answer struct {
	verdict round.Verdict
	reason  string
	err     error
}

// New recovers all runs from the journal. Nothing happens before Run.
func New(ctx context.Context, o Options) (*Coordinator, error) {
	o = o.withDefaults()
	c := &Coordinator{
		o: o, log: o.Log, roster: newRoster(), pins: newPins(), runs: map[string]*run{}, watchers: map[chan RunStatus]string{},
		inbox: make(chan input, 64), done: make(chan struct{}),
	}
	if err := c.recover(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// ErrClosed is returned to callers of a coordinator whose Run has returned.
var ErrClosed = fault.As(fault.Unavailable, errors.New("the coordinator has stopped"))

// Run drives all runs until ctx ends, and returns nil then. Any other error
// means that an event could not be made durable; what was not recorded has
// not happened, and a new process goes on from there.
func (c *Coordinator) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for _, r := range c.activeRuns() {
			r.deactivate()
		}
		close(c.done)
		c.work.Wait()
		c.closeWatchers()
	}()
	c.activate(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case in := <-c.inbox:
			if err := c.apply(ctx, c.drain(in)); err != nil {
				return err
			}
		}
	}
}

// drain takes what else is waiting, so that one fsync serves all of it.
func (c *Coordinator) drain(first input) []input {
	batch := []input{first}
	for len(batch) < 256 {
		select {
		case in := <-c.inbox:
			batch = append(batch, in)
		default:
			return batch
		}
	}
	return batch
}

// stepped is an event that was stepped but is not yet durable.
type stepped struct {
	in      input
	before  round.Phase
	state   round.State
	effects []round.Effect
}

// apply steps a batch of inputs, makes the events durable together, and only
// then lets anything outside know.
func (c *Coordinator) apply(ctx context.Context, batch []input) error {
	var steps []stepped
	var records []journal.Record
	states := map[string]round.State{}
	for _, in := range batch {
		if in.event == nil {
			continue
		}
		state, ok := states[in.run]
		if !ok {
			state = c.state(in.run)
		}
		next, effects, err := c.step(state, in)
		if err != nil {
			c.pins.unpin(pinned(in.event))
			continue
		}
		kind, data, err := round.Encode(in.event)
		if err != nil {
			return err
		}
		records = append(records, journal.Record{
			Seq: c.head + 1 + uint64(len(records)), At: time.Now().UTC(), Run: in.run, Kind: kind, Data: data,
		})
		steps = append(steps, stepped{in, state.Phase, next, effects})
		states[in.run] = next
	}
	if len(records) > 0 {
		if err := c.o.Journal.Append(ctx, c.head, records); err != nil {
			return fmt.Errorf("coordinator stops: %w", err)
		}
		c.head += uint64(len(records))
	}
	for _, s := range steps {
		c.commit(ctx, s)
	}
	for _, in := range batch {
		c.attendance(in)
	}
	// Once for all of the batch: many come at the same time.
	for _, r := range c.activeRuns() {
		c.trySelect(r)
	}
	return nil
}

// step judges what needs no event at once and steps the rest. An error means
// that there is nothing to record; whoever waits has been told.
func (c *Coordinator) step(state round.State, in input) (round.State, []round.Effect, error) {
	if a, ok := in.event.(round.Answered); ok {
		if verdict, reason := round.Judge(state, a); verdict == round.VerdictDuplicate || !c.worthRecording(state, a) {
			in.tell(answer{verdict: verdict, reason: reason})
			return state, nil, errors.New("nothing to record")
		}
	}
	next, effects, err := round.Step(state, in.event)
	if err != nil {
		// An effect's result that was overtaken, by a stop for example.
		c.log.Debug("event dropped", zap.String("run", in.run), zap.Error(err))
		in.tell(answer{err: err})
	}
	return next, effects, err
}

func (in input) tell(a answer) {
	if in.answer != nil {
		in.answer <- a // buffered by whoever waits
	}
}

// commit makes a durable step the run's state, tells who waits, and carries
// out its effects.
func (c *Coordinator) commit(ctx context.Context, s stepped) {
	r, before := c.install(s)
	c.pins.unpin(pinned(s.in.event)) // the state keeps it now, if anything does
	released := before.Release != nil && s.state.Release == nil
	if released || s.state.Round != before.Round || s.state.Attempt != before.Attempt || s.state.Phase.Final() {
		r.unasked = nil
		c.discard(r, append(c.needed(before), c.uploads.take(c.over)...))
		if err := c.sweepPartials(); err != nil {
			c.log.Warn("partial artefacts not removed", zap.Error(err))
		}
	}
	if e, ok := s.in.event.(round.Answered); ok {
		if t, _ := s.state.Task(e.Task); t.Digest != e.Digest { // it was not accepted
			c.discard(r, []string{e.Digest})
		}
	}
	c.logTransition(s)
	if c.o.Observe != nil {
		c.o.Observe(s.state, s.in.event)
	}
	c.notify(r)
	switch s.in.event.(type) {
	case round.Submitted:
		s.in.tell(answer{})
		c.activate(ctx)
		return
	case round.StopRequested:
		s.in.tell(answer{})
	}
	for _, e := range s.effects {
		c.execute(r, s.in, e)
	}
	if s.state.Phase.Final() && r.active != nil {
		r.deactivate()
		c.activate(ctx)
	}
}

// install makes a durable step its run's state and returns the state before.
func (c *Coordinator) install(s stepped) (r *run, before round.State) {
	c.mu.Lock()
	r = c.runs[s.in.run]
	if r == nil {
		r = &run{}
		c.runs[s.in.run] = r
		c.order = append(c.order, s.in.run)
	}
	before = r.state
	r.state = s.state
	c.mu.Unlock()
	switch {
	case s.state.Phase == round.Exchanging && s.before == round.Selecting:
		r.opened = time.Now()
	case s.state.Phase == round.Aggregating && s.before == round.Exchanging && !r.opened.IsZero():
		if r.training == nil {
			r.training = map[int]time.Duration{}
		}
		r.training[s.state.Round] = time.Since(r.opened)
	}
	switch e := s.in.event.(type) {
	case round.Submitted:
		// Submit has encoded it a moment ago.
		r.began = time.Now()
		if err := json.Unmarshal(e.Definition, &r.definition); err != nil {
			c.log.DPanic("definition", zap.Error(err))
		}
	case round.Published:
		delete(r.training, e.Round)
		maps.DeleteFunc(r.updates, func(task string, _ exchange.Update) bool {
			_, open := s.state.Task(task)
			return !open
		})
	}
	return r, before
}

// state returns a run's state; the zero state if there is no such run.
func (c *Coordinator) state(name string) round.State {
	if r := c.runs[name]; r != nil {
		return r.state
	}
	return round.State{}
}

// post tells the loop something, unless the coordinator has stopped.
func (c *Coordinator) post(ctx context.Context, in input) error {
	select {
	case c.inbox <- in:
		return nil
	case <-c.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}
