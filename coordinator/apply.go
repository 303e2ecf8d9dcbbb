package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
)

// apply steps a batch of inputs, makes the events durable together, and only
// then lets anything outside know. It returns what has come in while it waited for
// the disk.
func (c *Coordinator) apply(ctx context.Context, inputs []input) (later []input, err error) {
	c.takeContests(inputs)
	batch, err := c.prepare(inputs)
	if err != nil {
		return nil, err
	}
	batch, later, err = c.append(ctx, batch)
	if err != nil {
		return later, err
	}
	c.head += uint64(len(batch.records))
	for _, s := range batch.steps {
		c.commit(ctx, s)
	}
	for _, in := range batch.inputs {
		if in.own != nil {
			in.tell(answer{})
		}
		if in.contest != nil && in.own != nil {
			c.notifyAll(c.head)
		}
		c.attendance(in)
		c.custody(ctx, in)
		c.finishCompaction(ctx, in)
	}
	// Once for all of the batch: many come at the same time.
	for _, r := range c.activeRuns() {
		c.trySelect(r)
	}
	return later, nil
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
	c.refer(before, s)
	released := before.Release != nil && s.state.Release == nil
	if released || s.state.Round != before.Round || s.state.Attempt != before.Attempt || s.state.Phase.Final() {
		r.unasked = nil
		c.discard(s.in.run, c.uploads.take(c.over)...)
		if err := c.sweepPartials(); err != nil {
			c.log.Warn("partial artefacts not removed", zap.Error(err))
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
	case round.StopRequested, round.Removed:
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
		r = &run{number: s.seq}
		c.runs[s.in.run] = r
		c.order = append(c.order, r)
	}
	before = r.state
	r.state, r.seq = s.state, s.seq
	switch {
	case before.Phase == "":
		c.unfinished = append(c.unfinished, r)
	case s.state.Phase.Final() && !before.Phase.Final():
		c.unfinished = slices.DeleteFunc(c.unfinished, func(other *run) bool { return other == r })
		r.updates = nil
	}
	if _, removed := s.in.event.(round.Removed); removed {
		c.drop(s.in.run, r)
	}
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
