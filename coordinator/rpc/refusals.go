package rpc

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/accord-fl/accord/coordinator/registry"
)

// Refusal counts the refused calls of one caller for one reason in one minute.
type Refusal struct {
	Minute time.Time       `json:"minute"`
	Caller string          `json:"caller"`
	Reason registry.Reason `json:"reason"`
	Count  int64           `json:"count"`
}

// The bounds of what refusals remember.
const (
	maxRefusals       = 4096
	maxRefusedCallers = 512 // of one minute; the others are counted together
	others            = "others"
)

// refusals counts who is refused, in bounded space: the oldest minutes are
// forgotten first. Methods may be called concurrently.
type refusals struct {
	mu      sync.Mutex
	counts  map[Refusal]int64 // by Refusal without its count
	minute  time.Time         // the newest
	callers int               // entries of that minute
}

func newRefusals() *refusals { return &refusals{counts: map[Refusal]int64{}} }

func (r *refusals) count(name string, reason registry.Reason) {
	minute := time.Now().UTC().Truncate(time.Minute)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !minute.Equal(r.minute) {
		r.minute, r.callers = minute, 0
		r.forget()
	}
	key := Refusal{Minute: minute, Caller: name, Reason: reason}
	if _, known := r.counts[key]; !known {
		if r.callers >= maxRefusedCallers {
			key.Caller = others
		}
		r.callers++
	}
	r.counts[key]++
}

// forget makes room for another minute. mu is held.
func (r *refusals) forget() {
	for len(r.counts) > maxRefusals-2*maxRefusedCallers {
		oldest := r.minute
		for key := range r.counts {
			if key.Minute.Before(oldest) {
				oldest = key.Minute
			}
		}
		for key := range r.counts {
			if key.Minute.Equal(oldest) {
				delete(r.counts, key)
			}
		}
	}
}

// list returns all counts, the newest first.
func (r *refusals) list() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Refusal, 0, len(r.counts))
	for key, n := range r.counts {
		key.Count = n
		all = append(all, key)
	}
	slices.SortFunc(all, func(a, b Refusal) int {
		return cmp.Or(b.Minute.Compare(a.Minute), cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}
