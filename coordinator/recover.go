package coordinator

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/spool"
)

// recover replays the journal and removes artefacts that nothing refers to.
func (c *Coordinator) recover(ctx context.Context) error {
	head, err := c.o.Journal.Replay(ctx, c.replay)
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	c.head = head
	c.order = slices.SortedFunc(maps.Values(c.runs), func(a, b *run) int { return cmp.Compare(a.number, b.number) })
	for _, r := range c.order {
		c.references.add(c.needed(r.state))
		if !r.state.Phase.Final() {
			c.unfinished = append(c.unfinished, r)
		}
	}
	if c.o.Custody != nil {
		if shown, contested := c.o.Custody.Contested(); contested {
			c.hold(zap.Int64("records", shown.Head.Size), zap.String("incarnation", shown.Incarnation))
		}
	}
	return c.sweep()
}

// replay takes in a record of the journal.
func (c *Coordinator) replay(rec journal.Record) error {
	if rec.Kind == snapshotKind {
		return c.thaw(rec)
	}
	event, err := round.Decode(rec.Kind, rec.Data)
	if err != nil {
		return err
	}
	r := c.runs[rec.Run]
	if r == nil {
		r = &run{number: rec.Seq}
	}
	if r.state, _, err = round.Step(r.state, event); err != nil {
		return err
	}
	r.seq = rec.Seq
	switch event.(type) {
	case round.Submitted:
		return c.take(rec.Run, r)
	case round.Removed:
		delete(c.runs, rec.Run)
	}
	return nil
}

// take puts a run that the journal knows into the books.
func (c *Coordinator) take(name string, r *run) error {
	if err := json.Unmarshal(r.state.Definition, &r.definition); err != nil {
		return fmt.Errorf("definition of run %s: %w", name, err)
	}
	r.began = time.Now()
	c.runs[name] = r
	return nil
}

// sweep removes every artefact that no run refers to: updates of rounds that
// are over, and what was stored just before a crash and never answered for.
func (c *Coordinator) sweep() error {
	all, err := c.o.Spool.List()
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	for _, digest := range all {
		if c.references[digest] == 0 {
			if err := c.o.Spool.Remove(digest); err != nil {
				return fmt.Errorf("recover: %w", err)
			}
		}
	}
	return c.sweepPartials()
}

// sweepPartials removes what has arrived of artefacts that no answer will
// name any more.
func (c *Coordinator) sweepPartials() error {
	if c.o.Spool.IdlePartials() == 0 {
		return nil
	}
	var open []spool.Key
	for _, r := range c.unfinished {
		for t := range r.state.Tasks() {
			if awaited(t) {
				open = append(open, spool.Key{Owner: t.Participant, Task: t.ID})
			}
		}
	}
	return c.o.Spool.SweepPartials(open)
}
