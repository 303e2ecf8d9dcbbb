package coordinator

import (
	"sync"

	"github.com/accord-fl/accord/coordinator/round"
)

// pins keep artefacts that an event on its way to the loop names: two runs may
// need the same bytes, and the end of one's need must not take them from the
// other. Whoever posts the event pins, the loop unpins. Methods may be called
// concurrently.
type pins struct {
	mu   sync.Mutex
	held map[string]int
}

func newPins() pins { return pins{held: map[string]int{}} }

// pin keeps the artefact until as many calls of unpin.
func (p *pins) pin(digest string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[digest]++
}

func (p *pins) unpin(digest string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held[digest]--; p.held[digest] <= 0 {
		delete(p.held, digest)
	}
}

// remove calls remove unless the artefact is pinned; nobody pins it meanwhile.
func (p *pins) remove(digest string, remove func(string) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held[digest] > 0 {
		return nil
	}
	return remove(digest)
}

// pinned returns the artefact that whoever posts e has pinned; "": none.
func pinned(e round.Event) string {
	switch e := e.(type) {
	case round.Submitted:
		return e.Model
	case round.Answered:
		return e.Digest
	case round.Aggregated:
		return e.Model
	}
	return ""
}

// putPinned stores an artefact and pins it. It stores again what was removed in
// between, which can only be what was there before.
func (c *Coordinator) putPinned(put func() (digest string, err error)) (string, error) {
	for {
		digest, err := put()
		if err != nil {
			return "", err
		}
		c.pins.pin(digest)
		if _, ok := c.o.Spool.Has(digest); ok {
			return digest, nil
		}
		c.pins.unpin(digest)
	}
}
