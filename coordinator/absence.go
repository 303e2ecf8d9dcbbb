package coordinator

import (
	"maps"
	"slices"
	"time"

	"github.com/accord-fl/accord/exchange"
)

// Pulse is a sign of life.
type Pulse struct {
	Heard time.Time // when the lease was last renewed
	Load  int       // tasks that the participant had in hand then
}

// memory knows since when who attends, and who did. The roster guards it.
type memory struct {
	since map[string]time.Time
	gone  map[string]absence
}

// absence is what stays of a participant that has gone.
type absence struct {
	hello exchange.Hello
	pulse Pulse
	since time.Time
}

// So many that have gone are remembered, and some more until the longest gone
// are forgotten together.
const (
	maxGone   = 4096
	goneSlack = 1024
)

func newMemory() memory {
	return memory{since: map[string]time.Time{}, gone: map[string]absence{}}
}

// came notes that a participant attends.
func (m *memory) came(name string) {
	if _, here := m.since[name]; !here {
		m.since[name] = now()
	}
	delete(m.gone, name)
}

// left notes that a participant attends no more.
func (m *memory) left(l Link) {
	delete(m.since, l.Name())
	m.gone[l.Name()] = absence{hello: l.Hello(), pulse: l.Pulse(), since: now()}
	if len(m.gone) <= maxGone+goneSlack {
		return
	}
	names := slices.SortedFunc(maps.Keys(m.gone), func(a, b string) int { return m.gone[a].since.Compare(m.gone[b].since) })
	for _, name := range names[:len(names)-maxGone] {
		delete(m.gone, name)
	}
}

// members are all that is known of who attends and who did, in no order.
func (r *roster) members() []Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Member, 0, len(r.links)+len(r.memory.gone))
	for name, l := range r.links {
		m := newMember(l.Hello(), l.Pulse(), Attending, r.memory.since[name])
		m.From, m.Rival = r.places.from[name], r.places.rival(name)
		all = append(all, m)
	}
	for _, a := range r.memory.gone {
		all = append(all, newMember(a.hello, a.pulse, Away, a.since))
	}
	return all
}

// leftAt is when a participant left that attends no more; false: it never
// attended, or that is forgotten.
func (r *roster) leftAt(name string) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, known := r.memory.gone[name]
	return a.since, known
}
