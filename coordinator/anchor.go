package coordinator

import (
	"context"
	"errors"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/internal/fault"
)

// errNotRunning is returned to callers of a coordinator whose Run has not begun.
var errNotRunning = fault.As(fault.Unavailable, errors.New("the coordinator has not started yet"))

// Anchor writes a registry's head into the journal and returns once it is
// durable, so that one checkpoint covers both. It does not wait for a Run that
// has not begun, or has returned: that is an error.
func (c *Coordinator) Anchor(ctx context.Context, head journal.Head) error {
	rec, err := journal.RegistryHead(head)
	if err != nil {
		return err
	}
	return c.Record(ctx, rec)
}

// Record appends a record of the journal's own, such as journal.File.Contest
// returns, and returns once it is durable. Seq is filled in. It does not wait for
// a Run that has not begun, or has returned: that is an error.
func (c *Coordinator) Record(ctx context.Context, rec journal.Record) error {
	select {
	case <-c.running:
	default:
		return errNotRunning
	}
	told := make(chan answer, 1)
	return c.ask(ctx, input{own: &rec, answer: told}, told)
}
