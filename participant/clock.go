package participant

import (
	"sync"
	"time"
)

// clock estimates the coordinator's clock, by which deadlines are meant; the
// site's own may be wrong. Between two observations it goes by time that passes,
// so that setting either machine's clock changes nothing. Methods may be called
// concurrently.
type clock struct {
	mu     sync.Mutex
	theirs time.Time // what the coordinator's clock showed; zero: not known
	at     time.Time // when that was, here
}

// observe notes what the coordinator's clock showed at a time of this machine,
// as time.Now returned it. A zero theirs, of a coordinator that does not say, is
// nothing.
func (c *clock) observe(theirs, at time.Time) {
	if theirs.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.theirs, c.at = theirs, at
}

// when returns the time of this machine, to be compared with time.Now, at which
// the coordinator's clock shows t; zero when that is not known or t is zero.
func (c *clock) when(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.IsZero() || c.theirs.IsZero() {
		return time.Time{}
	}
	return c.at.Add(t.Sub(c.theirs))
}
