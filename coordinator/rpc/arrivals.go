package rpc

import (
	"sync"

	"golang.org/x/time/rate"
)

// The bounds of how often a participant may begin to attend. One whose connection
// breaks again and again comes back at once a few times, and then more slowly.
const (
	arrivalsBurst  = 20
	arrivalsSecond = 1
	maxArriving    = 1 << 14 // names that are remembered at once
)

// arrivals limits how often each participant begins to attend. Methods may be
// called concurrently.
type arrivals struct {
	mu    sync.Mutex
	names map[string]*rate.Limiter
}

func newArrivals() *arrivals { return &arrivals{names: map[string]*rate.Limiter{}} }

// allow reports whether a participant may attend now, and counts that it does.
func (a *arrivals) allow(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	limit := a.names[name]
	if limit == nil {
		if len(a.names) >= maxArriving {
			a.rest()
		}
		limit = rate.NewLimiter(arrivalsSecond, arrivalsBurst)
		a.names[name] = limit
	}
	return limit.Allow()
}

// rest forgets names that have been quiet; all, when there are none such. mu is
// held.
func (a *arrivals) rest() {
	for name, limit := range a.names {
		if limit.Tokens() >= arrivalsBurst {
			delete(a.names, name)
		}
	}
	if len(a.names) >= maxArriving {
		clear(a.names) // without certificates alone, where names cost nothing
	}
}
