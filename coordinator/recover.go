package coordinator

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/spool"
)

// recover replays the journal and removes artefacts that nothing refers to.
func (c *Coordinator) recover(ctx context.Context) error {
	head, err := c.o.Journal.Replay(ctx, func(rec journal.Record) error {
		event, err := round.Decode(rec.Kind, rec.Data)
		if err != nil {
			return err
		}
		r := c.runs[rec.Run]
		if r == nil {
			r = &run{}
		}
		if r.state, _, err = round.Step(r.state, event); err != nil {
			return err
		}
		if e, ok := event.(round.Submitted); ok {
			if err := json.Unmarshal(e.Definition, &r.definition); err != nil {
				return fmt.Errorf("definition of run %s: %w", rec.Run, err)
			}
			r.began = time.Now()
			c.runs[rec.Run] = r
			c.order = append(c.order, rec.Run)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	c.head = head
	return c.sweep()
}

// sweep removes every artefact that no run refers to: updates of rounds that
// are over, and what was stored just before a crash and never answered for.
func (c *Coordinator) sweep() error {
	keep := map[string]bool{}
	for _, r := range c.runs {
		for _, digest := range c.needed(r.state) {
			keep[digest] = true
		}
	}
	all, err := c.o.Spool.List()
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	for _, digest := range all {
		if !keep[digest] {
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
	var open []spool.Key
	for _, r := range c.runs {
		for _, t := range r.state.Tasks {
			if !r.state.Phase.Final() && awaited(*t) {
				open = append(open, spool.Key{Owner: t.Participant, Task: t.ID})
			}
		}
	}
	return c.o.Spool.SweepPartials(open)
}

// needed lists the artefacts that s refers to.
func (c *Coordinator) needed(s round.State) []string {
	digests := []string{s.Model}
	if s.Release != nil {
		digests = append(digests, s.Release.Model, s.Release.Parent)
		for _, t := range s.Release.Updates { // until it is out, it can be made of them again
			digests = append(digests, t.Digest)
		}
	}
	if !s.Phase.Final() {
		for _, t := range s.Tasks {
			digests = append(digests, t.Digest)
		}
	}
	if best, ok := s.Candidate(); ok {
		digests = append(digests, best.Model)
	}
	if c.o.KeepVersions {
		for _, v := range s.Published {
			digests = append(digests, v.Model)
		}
	}
	return digests
}

// discard removes those of the digests that no run needs now.
func (c *Coordinator) discard(r *run, digests []string) {
	keep := map[string]bool{}
	for _, other := range c.runs {
		for _, digest := range c.needed(other.state) {
			keep[digest] = true
		}
	}
	for _, digest := range digests {
		if digest == "" || keep[digest] {
			continue
		}
		if err := c.pins.remove(digest, c.o.Spool.Remove); err != nil {
			c.log.Warn("artefact not removed", zap.String("run", r.state.Run), zap.Error(err))
		}
	}
}
