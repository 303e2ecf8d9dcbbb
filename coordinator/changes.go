package coordinator

import (
	"time"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
)

// stepped is an event that was stepped but is not yet durable.
type stepped struct {
	in      input
	seq     uint64 // of its record
	before  round.Phase
	state   round.State
	effects []round.Effect
}

// changes are what a batch of inputs amounts to before it is durable. The loop
// makes them.
type changes struct {
	c         *Coordinator
	inputs    []input // without those that need no more attention
	steps     []stepped
	records   []journal.Record
	artefacts []string // that the events name, and the spool may not have made durable
	states    map[string]round.State
}

// changes is a batch of n inputs, none of which is in it yet.
func (c *Coordinator) changes(n int) *changes {
	return &changes{c: c, steps: make([]stepped, 0, n), records: make([]journal.Record, 0, n), states: map[string]round.State{}}
}

// prepare steps a batch of inputs. What needs no record is answered.
func (c *Coordinator) prepare(inputs []input) (*changes, error) {
	b := c.changes(len(inputs))
	for _, in := range inputs {
		if err := b.add(in); err != nil {
			return b, err
		}
	}
	return b, nil
}

// add steps an input, and what follows from it at once.
func (b *changes) add(in input) error {
	switch {
	case in.own != nil:
		rec := *in.own
		rec.Seq = b.next()
		b.records = append(b.records, rec)
	case in.event != nil && in.answer == nil && b.c.contested.Load():
		b.c.pins.unpin(pinned(in.event)) // the effect is pending, and done again
		return nil
	case in.event != nil:
		before := len(b.steps)
		for events := []input{in}; len(events) > 0; events = events[1:] {
			follow, err := b.step(events[0])
			if err != nil {
				return err
			}
			events = append(events, follow...)
		}
		if len(b.steps) == before {
			return nil // it was answered, or is overtaken
		}
	}
	b.inputs = append(b.inputs, in)
	return nil
}

// step steps one event and returns those that answer its effects.
func (b *changes) step(in input) ([]input, error) {
	state, ok := b.states[in.run]
	if !ok {
		state = b.c.state(in.run)
	}
	next, effects, err := b.c.step(state, in)
	if err != nil {
		b.c.pins.unpin(pinned(in.event))
		return nil, nil
	}
	kind, data, err := round.Encode(in.event)
	if err != nil {
		return nil, err
	}
	b.artefacts = append(b.artefacts, required(in.event, next)...)
	var follow []input
	var rest []round.Effect
	for _, e := range effects {
		if event := b.c.atOnce(in.run, e); event != nil {
			follow = append(follow, input{run: in.run, event: event})
		} else {
			rest = append(rest, e)
		}
	}
	b.steps = append(b.steps, stepped{in, b.next(), state.Phase, next, rest})
	b.records = append(b.records, journal.Record{Seq: b.next(), At: time.Now().UTC(), Run: in.run, Kind: kind, Data: data})
	b.states[in.run] = next
	return follow, nil
}

// required are the artefacts that an event names and the state after it needs.
func required(e round.Event, after round.State) []string {
	switch e := e.(type) {
	case round.Submitted:
		return []string{e.Model}
	case round.Aggregated:
		return []string{e.Model}
	case round.Answered:
		if t, ok := after.Task(e.Task); ok && t.Digest == e.Digest && e.Digest != "" {
			return []string{e.Digest}
		}
	}
	return nil
}

// next is the sequence number of the next record.
func (b *changes) next() uint64 { return b.c.head + 1 + uint64(len(b.records)) }

// atOnce returns the event that answers an effect of an active run when that takes
// no time, so that both become durable together; nil: it must be carried out.
func (c *Coordinator) atOnce(run string, e round.Effect) round.Event {
	r := c.runs[run]
	if r == nil || r.active == nil || c.contested.Load() {
		return nil
	}
	switch e := e.(type) {
	case round.Select:
		names := c.roster.names()
		if len(names) < e.MinSites {
			return nil // trySelect says so, and looks again
		}
		r.active.selection = nil // of an attempt that is over
		return c.cohort(r, e, names)
	case round.Evaluate:
		if c.o.Evaluator == nil {
			return round.Evaluated{Round: e.Round, Attempt: e.Attempt}
		}
	case round.Publish:
		if c.o.Publisher == nil {
			return round.Published{Round: e.Round, Attempt: e.Attempt, Model: e.Version.Model}
		}
	}
	return nil
}
