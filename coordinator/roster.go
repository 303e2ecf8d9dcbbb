package coordinator

import (
	"maps"
	"slices"
	"sync"

	"github.com/accord-fl/accord/exchange"
)

// Link is a participant as the coordinator sees it: somebody to offer tasks
// to. Its methods are called from several goroutines and must not block.
type Link interface {
	Name() string
	// Offer hands over a task. It may come again after a reconnection; the
	// answer arrives through Coordinator.Answer.
	Offer(exchange.Task)
	// Cancel takes a task back that nobody waits for any more.
	Cancel(task, reason string)
	// Replaced tells that another link has attached under the same name.
	Replaced()
}

// roster holds who attends.
type roster struct {
	mu    sync.Mutex
	links map[string]Link
}

// put adds l and tells a link of the same name that it is replaced.
func (r *roster) put(l Link) {
	r.mu.Lock()
	old := r.links[l.Name()]
	if r.links == nil {
		r.links = map[string]Link{}
	}
	r.links[l.Name()] = l
	r.mu.Unlock()
	if old != nil {
		old.Replaced()
	}
}

// remove takes l away unless it was replaced before; it tells whether it did.
func (r *roster) remove(l Link) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.links[l.Name()] != l {
		return false
	}
	delete(r.links, l.Name())
	return true
}

func (r *roster) get(name string) (Link, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.links[name]
	return l, ok
}

// names of who attends, sorted.
func (r *roster) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.links))
}
