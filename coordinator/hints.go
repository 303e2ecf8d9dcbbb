package coordinator

import (
	"sync"
	"time"
)

// Hints come from outside the lease, such as from gossip. They may be wrong,
// so a live stream is never ended by one, and nobody is let in by one.

// hintShare is the part of the patience that is left with a participant whose
// stream is broken and of which a hint says that it has gone.
const hintShare = 10

// maxHints bounds how many names are held as suspects.
const maxHints = 4096

// hints holds of whom it was said that they have gone.
type hints struct {
	mu   sync.Mutex
	gone map[string]bool
}

// note takes a hint; it reports whether that is news. A hint too many is lost.
func (h *hints) note(participant string, gone bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone[participant] == gone || gone && len(h.gone) >= maxHints {
		return false
	}
	if h.gone == nil {
		h.gone = map[string]bool{}
	}
	if gone {
		h.gone[participant] = true
	} else {
		delete(h.gone, participant)
	}
	return true
}

// suspects reports whether the participant is said to have gone.
func (h *hints) suspects(participant string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone[participant]
}

// patience is what a hint leaves of it.
func (h *hints) patience(participant string, d time.Duration) time.Duration {
	if h.suspects(participant) {
		return d / hintShare
	}
	return d
}

// Suspect is a hint that a participant has gone. One that attends stays; one
// whose stream is broken is given up sooner than after Options.Away.
func (c *Coordinator) Suspect(participant string) { c.hint(participant, true) }

// Back is a hint that a participant has not gone, or is back: the one before
// counts no more.
func (c *Coordinator) Back(participant string) { c.hint(participant, false) }

// hint notes a hint, and looks sooner for a participant that is looked out
// for, or as late as without one; never later.
func (c *Coordinator) hint(participant string, gone bool) {
	if !c.hints.note(participant, gone) || !c.roster.watched(participant) {
		return
	}
	left, known := c.roster.leftAt(participant)
	if rest := c.o.Away - time.Since(left); known && rest > 0 {
		c.roster.watch(participant, c.after(min(rest, c.hints.patience(participant, c.o.Away)), input{gone: participant}))
	}
}
