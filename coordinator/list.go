package coordinator

import (
	"cmp"
	"slices"

	"github.com/accord-fl/accord/coordinator/round"
)

// Entry is a run in a list. Its number is the sequence number of the record
// that submitted it, so that a list can go on at the same place although runs
// were removed, or the coordinator started again.
type Entry struct {
	Number uint64
	State  round.State
}

// List returns the newest runs, the newest first: at most limit of those that
// were submitted before the run with the given number; 0 stands for all runs.
// With active, runs that have ended are left out.
func (c *Coordinator) List(before uint64, limit int, active bool) []Entry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	runs := c.order
	if active {
		runs = c.unfinished
	}
	if before > 0 {
		end, _ := slices.BinarySearchFunc(runs, before, func(r *run, n uint64) int { return cmp.Compare(r.number, n) })
		runs = runs[:end]
	}
	runs = runs[max(0, len(runs)-limit):]
	page := make([]Entry, 0, len(runs))
	for _, r := range slices.Backward(runs) {
		page = append(page, Entry{Number: r.number, State: r.state})
	}
	return page
}
