package rpc

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

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

	once   sync.Once
	reason error
	down   chan struct{} // closed once reason says why the link hangs up
}

var _ coordinator.Link = (*link)(nil)

func newLink(h exchange.Hello) *link {
	l := &link{presented: h, queue: make(chan *accordv1.AttendResponse, queueSize), down: make(chan struct{})}
	l.beat(0)
	return l
}

func (l *link) Name() string { return l.presented.Name }

func (l *link) Hello() exchange.Hello { return l.presented }

func (l *link) Pulse() coordinator.Pulse { return *l.pulse.Load() }

// beat notes that the participant was heard, with so many tasks in hand.
func (l *link) beat(load int) { l.pulse.Store(&coordinator.Pulse{Heard: time.Now().UTC(), Load: load}) }

func (l *link) Offer(t exchange.Task) {
	payload, err := json.Marshal(t)
	if err != nil {
		panic("rpc: a task is always representable in JSON: " + err.Error())
	}
	l.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Offer{
		Offer: &accordv1.Offer{Task: t.ID, Exchange: t.Exchange, Payload: payload},
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
