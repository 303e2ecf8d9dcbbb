package round

import "time"

// LongestWait is how long the time until Deadline was when it was set: the
// window's, or the pause's before another attempt. A clock that was put back
// since then, over a restart, makes it look longer than it can be.
func (s State) LongestWait() time.Duration {
	if s.Phase == Retrying {
		return pause(s.Attempt)
	}
	return s.Config.Exchanges[s.Exchange].Window.Deadline
}
