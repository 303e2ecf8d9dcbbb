package rpc

import (
	"sync"

	"golang.org/x/time/rate"

	"github.com/accord-fl/accord/coordinator/rpc/intake"
)

// The bounds of how often a participant may begin to attend. One whose connection
// breaks again and again comes back at once a few times, and then more slowly.
const (
	arrivalsBurst  = 20
	arrivalsSecond = 1
	maxArriving    = 1 << 14 // that are remembered at once
)

// arrival is who begins to attend, and where from: a second process of a site, on
// another machine, must not use up what the first may do.
type arrival struct{ name, network string }

// arrivals limits how often each participant begins to attend. Methods may be
// called concurrently.
type arrivals struct {
	mu     sync.Mutex
	limits map[arrival]*rate.Limiter
}

func newArrivals() *arrivals { return &arrivals{limits: map[arrival]*rate.Limiter{}} }

// allow reports whether a participant may attend from an address now, and counts
// that it does.
func (a *arrivals) allow(name, address string) bool {
	who := arrival{name, intake.Network(hostOf(address))}
	a.mu.Lock()
	defer a.mu.Unlock()
	limit := a.limits[who]
	if limit == nil {
		if len(a.limits) >= maxArriving {
			a.rest()
		}
		limit = rate.NewLimiter(arrivalsSecond, arrivalsBurst)
		a.limits[who] = limit
	}
	return limit.Allow()
}

// rest forgets those who have been quiet; all, when there are none such. mu is
// held.
func (a *arrivals) rest() {
	for who, limit := range a.limits {
		if limit.Tokens() >= arrivalsBurst {
			delete(a.limits, who)
		}
	}
	if len(a.limits) >= maxArriving {
		clear(a.limits) // names cost nothing without certificates, nor networks to who has many
	}
}
