package coordinator

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/accord-fl/accord/exchange"
)

// Link is a participant as the coordinator sees it: somebody to offer tasks
// to. Its methods are called from several goroutines and must not block.
type Link interface {
	Name() string
	// Hello is how the participant presented itself.
	Hello() exchange.Hello
	// Pulse tells of what was heard last.
	Pulse() Pulse
	// Offer hands over a task. It may come again after a reconnection; the
	// answer arrives through Coordinator.Answer.
	Offer(exchange.Task)
	// Cancel takes a task back that nobody waits for any more.
	Cancel(task, reason string)
	// HangUp ends the link, for the reason given: ErrReplaced, or a
	// *ReleasedError.
	HangUp(why error)
}

// roster holds who attends, and who is looked out for.
type roster struct {
	mu    sync.Mutex
	links map[string]Link
	order []string               // the links' names, sorted; nil: to be made when needed
	away  map[string]*time.Timer // that ends the patience with who is not there
	left  time.Time              // when the last one did

	memory memory
	places places
}

func newRoster() roster {
	return roster{links: map[string]Link{}, away: map[string]*time.Timer{}, left: time.Now(), memory: newMemory(), places: newPlaces()}
}

// put adds l, and hangs up on a link of the same name.
func (r *roster) put(l Link) {
	r.mu.Lock()
	old := r.seat(l, "")
	r.mu.Unlock()
	if old != nil {
		old.HangUp(ErrReplaced)
	}
}

// admit is put unless another process has the place of l, or l must not have it.
func (r *roster) admit(l Link, from string) error {
	r.mu.Lock()
	err := r.places.refuse(l, r.links[l.Name()], from, r.memory.since[l.Name()])
	var old Link
	if err == nil {
		old = r.seat(l, from)
	}
	r.mu.Unlock()
	if old != nil {
		old.HangUp(ErrReplaced)
	}
	return err
}

// seat makes l the link of its name, and returns what was. mu is held.
func (r *roster) seat(l Link, from string) (old Link) {
	old = r.links[l.Name()]
	r.links[l.Name()] = l
	if old == nil {
		r.order = nil
	}
	r.memory.came(l.Name())
	r.places.took(l, from)
	if t := r.away[l.Name()]; t != nil {
		t.Stop()
		delete(r.away, l.Name())
	}
	return old
}

// remove takes l away unless it was replaced before; it reports whether it did.
func (r *roster) remove(l Link) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unseat(l)
}

// release takes the link of a name away, and keeps its process from coming back;
// nil: there is none.
func (r *roster) release(name, by string) (l Link, from string, why *ReleasedError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l = r.links[name]
	if l == nil {
		return nil, "", nil
	}
	from, why = r.places.from[name], r.places.give(l, by)
	r.unseat(l)
	return l, from, why
}

// unseat is remove with mu held.
func (r *roster) unseat(l Link) bool {
	if r.links[l.Name()] != l {
		return false
	}
	delete(r.links, l.Name())
	r.order = nil
	r.memory.left(l)
	r.places.left(l.Name())
	r.left = time.Now()
	return true
}

// watch keeps the timer that ends the patience with a participant; its return
// stops it.
func (r *roster) watch(name string, t *time.Timer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.away[name]; old != nil {
		old.Stop()
	}
	r.away[name] = t
}

func (r *roster) watched(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.away[name] != nil
}

// forget drops a timer that has fired.
func (r *roster) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.away, name)
}

// lastLeft is when the last one left, or else when the roster was made.
func (r *roster) lastLeft() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.left
}

func (r *roster) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.links)
}

func (r *roster) get(name string) (Link, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.links[name]
	return l, ok
}

// names of who attends, sorted. The caller must not change them.
func (r *roster) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.order == nil {
		r.order = slices.Sorted(maps.Keys(r.links))
	}
	return r.order
}
