package intake

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The reasons for which a connection is cut.
var (
	ErrTooMuch  = errors.New("too many bytes of messages that have not arrived whole")
	ErrSlow     = errors.New("a message did not arrive whole in time")
	ErrLong     = errors.New("more than a caller without a certificate may send")
	ErrStreams  = errors.New("too many calls at once")
	errCrowdOut = errors.New("all callers together have too many bytes under way, and this one has most")
)

// Limits are what one caller may bring. A caller that keeps within them is never
// held up; one that sends calls or frames faster is read more slowly, and one
// that exceeds another limit is cut off.
type Limits struct {
	UnderWay int64         // bytes of memory for messages that have not arrived whole
	Within   time.Duration // a message must arrive whole, from its first byte on
	// Total is how many bytes one connection may bring; 0: any number. A call
	// counts for CallBytes more, and a frame that carries little for FrameBytes.
	Total  int64
	Calls  rate.Limit // a second
	Frames rate.Limit // a second, of those that carry little
	// Burst is for how many seconds' worth of calls and frames a caller that was
	// quiet is not held up.
	Burst int
}

// What calls and frames take of Limits.Total, in bytes, for they cost more than
// theirs.
const (
	CallBytes  = 2 << 10
	FrameBytes = 128
)

// Ledger knows what is under way of all callers together. Its methods may be
// called concurrently.
type Ledger struct {
	limit int64 // bytes

	mu       sync.Mutex
	total    int64                 // bytes under way
	beyond   int64                 // of these, what is beyond each caller's OwnBytes
	accounts map[*Account]struct{} // that have something under way
}

// OwnBytes is how much each caller may have under way whatever the others have:
// a chunk or two. However many upload at once, none of them is in the way.
const OwnBytes = 64 << 10

// NewLedger returns a ledger that cuts off whoever has most under way when what
// all callers have, each beyond its OwnBytes, takes more than limit bytes of
// memory.
func NewLedger(limit int64) *Ledger {
	return &Ledger{limit: limit, accounts: map[*Account]struct{}{}}
}

// Account is one caller's, over all of its connections.
type Account struct {
	ledger        *Ledger
	limits        Limits
	calls, frames *rate.Limiter

	held   int64               // bytes; guarded by ledger.mu
	meters map[*Meter]struct{} // that have something under way; likewise
}

// Account opens one.
func (l *Ledger) Account(limits Limits) *Account {
	return &Account{
		ledger: l, limits: limits, meters: map[*Meter]struct{}{},
		calls:  rate.NewLimiter(limits.Calls, int(limits.Calls)*limits.Burst),
		frames: rate.NewLimiter(limits.Frames, int(limits.Frames)*limits.Burst),
	}
}

// UnderWay is how many bytes of memory messages take that have not arrived
// whole.
func (l *Ledger) UnderWay() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// change notes that a meter has so much more under way, or less. It returns why
// the meter's connection is cut, if it is.
func (l *Ledger) change(m *Meter, delta int64) error {
	l.mu.Lock()
	if m.why != nil {
		defer l.mu.Unlock()
		return m.why
	}
	l.book(m, delta)
	var ended []*Meter
	if delta > 0 && m.account.held > m.account.limits.UnderWay {
		ended = append(ended, l.drop(m, ErrTooMuch))
	}
	for delta > 0 && l.beyond > l.limit {
		for other := range l.largest().meters {
			ended = append(ended, l.drop(other, errCrowdOut))
		}
	}
	why := m.why
	l.mu.Unlock()
	for _, e := range ended {
		if e != m { // m's reader learns it here
			e.cut(errCrowdOut)
		}
	}
	return why
}

// book changes the counts. mu is held.
func (l *Ledger) book(m *Meter, delta int64) {
	l.beyond -= max(0, m.account.held-OwnBytes)
	m.held += delta
	m.account.held += delta
	l.total += delta
	l.beyond += max(0, m.account.held-OwnBytes)
	if m.held == 0 {
		delete(m.account.meters, m)
	} else {
		m.account.meters[m] = struct{}{}
	}
	if m.account.held == 0 {
		delete(l.accounts, m.account)
	} else {
		l.accounts[m.account] = struct{}{}
	}
}

// drop forgets what a meter has under way: its connection ends. mu is held.
func (l *Ledger) drop(m *Meter, why error) *Meter {
	l.book(m, -m.held)
	m.why = why
	return m
}

// largest is the account that has most under way; there is one. mu is held.
func (l *Ledger) largest() *Account {
	var most *Account
	for a := range l.accounts {
		if most == nil || a.held > most.held {
			most = a
		}
	}
	return most
}

// lookEvery is how often the ledger looks for messages that are late.
const lookEvery = time.Second

// Run cuts off whoever's message does not arrive whole in time, until ctx ends.
func (l *Ledger) Run(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case now := <-look.C:
			for _, m := range l.busy() {
				if m.late(now) {
					m.cut(ErrSlow)
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// busy are the meters that have something under way.
func (l *Ledger) busy() []*Meter {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*Meter
	for a := range l.accounts {
		for m := range a.meters {
			all = append(all, m)
		}
	}
	return all
}
