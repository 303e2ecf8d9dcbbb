package rpc

import (
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/exchange"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// queueSize bounds the messages that wait for one participant.
const queueSize = 128

// link is a participant's stream as the coordinator sees it. Its methods
// never block: messages wait in the queue, and when that is full the link
// hangs up. Whoever misses an offer so gets it again after reconnecting.
type link struct {
	presented exchange.Hello
	queue     chan *accordv1.AttendResponse
	pulse     atomic.Pointer[coordinator.Pulse]

	mu    sync.Mutex
	trust trust

	once   sync.Once
	reason error
	down   chan struct{} // closed once reason says why the link hangs up
}

var _ coordinator.Link = (*link)(nil)

// trust is what a participant that attends has said of the roots that it trusts,
// and what its certificate shows.
type trust struct {
	roots     []string       // fingerprints of those that it trusts; nil: not known
	certified string         // fingerprint of the root above its certificate; "": its own institution's, or none
	ahead     *time.Duration // its clock of the coordinator's, when it came; nil: not known
}

// newLink is the link of a participant that has presented itself, and whose
// certificate, if any, has the root certified above it.
func newLink(h exchange.Hello, certified string) *link {
	l := &link{presented: h, queue: make(chan *accordv1.AttendResponse, queueSize), down: make(chan struct{})}
	l.trust = trust{roots: h.Roots, certified: certified}
	if !h.Now.IsZero() {
		ahead := -time.Since(h.Now)
		l.trust.ahead = &ahead
	}
	l.beat(0)
	return l
}

func (l *link) Name() string { return l.presented.Name }

func (l *link) Hello() exchange.Hello { return l.presented }

func (l *link) Pulse() coordinator.Pulse { return *l.pulse.Load() }

// beat notes that the participant was heard, with so many tasks in hand.
func (l *link) beat(load int) { l.pulse.Store(&coordinator.Pulse{Heard: time.Now().UTC(), Load: load}) }

// trusts returns what the participant trusts, after change, unless that is nil,
// has noted something of it.
func (l *link) trusts(change func(*trust)) trust {
	l.mu.Lock()
	defer l.mu.Unlock()
	if change != nil {
		change(&l.trust)
	}
	return l.trust
}

func (l *link) Offer(t exchange.Task) {
	l.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Offer{
		Offer: &accordv1.Offer{Task: t.ID, Exchange: t.Exchange, Payload: t.Document(), Now: timestamppb.Now()},
	}})
}

func (l *link) Cancel(task, reason string) {
	l.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Cancel{
		Cancel: &accordv1.Cancel{Task: task, Reason: reason},
	}})
}

func (l *link) HangUp(why error) { l.hangUp(why) }

// say queues a message.
func (l *link) say(m *accordv1.AttendResponse) {
	select {
	case l.queue <- m:
	default:
		l.hangUp(errDeaf)
	}
}

// hangUp ends the attendance; the first reason counts.
func (l *link) hangUp(reason error) {
	l.once.Do(func() {
		l.reason = reason
		close(l.down)
	})
}
