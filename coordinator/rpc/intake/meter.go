package intake

import (
	"sync"
	"sync/atomic"
	"time"
)

// What a frame must carry, in bytes, not to count as one that carries little,
// and how many bytes, either way, allow for one of those: whoever receives much
// has much to acknowledge.
const (
	fewBytes = 256
	perFrame = 2 << 10
)

// maxOpen bounds the streams of a connection that a meter follows. gRPC refuses
// those beyond its own, smaller bound, and says so to the meter as it does.
const maxOpen = 1024

// Meter follows one connection. Brought is called by its reader, Sent by its
// writer, Close by either.
type Meter struct {
	account *Account
	cut     func(why error)
	sent    atomic.Int64 // bytes that allow for frames

	held int64 // bytes under way; guarded by the ledger's mu
	why  error // the connection is cut; likewise

	mu     sync.Mutex
	in     scanner
	open   map[uint32]*incoming // streams on which the caller may say more
	total  int64                // bytes brought
	credit int64                // bytes that allow for frames
	calls  int                  // that began with what is being read
	frames int                  // that carry little, likewise
	now    time.Time            // when it came
	pad    bool                 // the next byte is the length of a frame's padding
	data   int                  // bytes of the frame's data that are to come

	outMu sync.Mutex
	out   scanner
}

// Meter follows another connection of the account's caller. cut ends the
// connection from elsewhere; it must not block.
func (a *Account) Meter(cut func(why error)) *Meter {
	return &Meter{account: a, cut: cut, in: scanner{skip: prefaceLength}, open: map[uint32]*incoming{}}
}

// Brought notes what has been read from the connection, in order. The reader is
// to wait for the time returned before it passes it on, or to end the connection
// for the error.
func (m *Meter) Brought(p []byte) (wait time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now, m.calls, m.frames = time.Now(), 0, 0
	m.credit += int64(len(p)) + m.sent.Swap(0)
	if err := m.in.feed(p, m); err != nil {
		return 0, err
	}
	m.total += int64(len(p) + m.calls*CallBytes + m.frames*FrameBytes)
	if limit := m.account.limits.Total; limit > 0 && m.total > limit {
		return 0, ErrLong
	}
	return m.hold(), nil
}

// Cut ends the connection for what Brought has returned.
func (m *Meter) Cut(why error) { m.cut(why) }

// hold is how long the reader is to wait. mu is held.
func (m *Meter) hold() (wait time.Duration) {
	free := min(int(m.credit/perFrame), m.frames)
	m.frames -= free
	m.credit = min(m.credit-int64(free)*perFrame, int64(m.account.frames.Burst())*perFrame)
	if m.calls > 0 {
		wait = m.account.calls.ReserveN(m.now, min(m.calls, m.account.calls.Burst())).DelayFrom(m.now)
	}
	if m.frames > 0 {
		wait = max(wait, m.account.frames.ReserveN(m.now, min(m.frames, m.account.frames.Burst())).DelayFrom(m.now))
	}
	return wait
}

// Sent notes what is written to the connection, in order.
func (m *Meter) Sent(p []byte) {
	m.sent.Add(int64(len(p)))
	m.outMu.Lock()
	defer m.outMu.Unlock()
	_ = m.out.feed(p, answers{m}) // which returns none
}

// Close forgets what is under way.
func (m *Meter) Close() {
	l := m.account.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(m, ErrTooMuch)
}

// late reports whether a message has been under way for too long.
func (m *Meter) late(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, in := range m.open {
		if !in.between() && now.Sub(in.since) > m.account.limits.Within {
			return true
		}
	}
	return false
}

// begin implements follower.
func (m *Meter) begin(f frame) error {
	if f.kind != frameHeaders && f.length < fewBytes {
		m.frames++
	}
	switch f.kind {
	case frameHeaders:
		m.calls++
		if m.open[f.stream] == nil && !f.endsStream() {
			m.open[f.stream] = &incoming{}
		}
		if len(m.open) > maxOpen {
			return ErrStreams
		}
	case frameReset:
		m.ended(f.stream)
	case frameData:
		m.pad, m.data = f.flags&flagPadded != 0, f.length
		if in := m.open[f.stream]; in != nil {
			in.frame = costOf(f.length)
			in.cost += in.frame
			return m.account.ledger.change(m, in.frame)
		}
	}
	return nil
}

// payload implements follower.
func (m *Meter) payload(f frame, p []byte) {
	in := m.open[f.stream]
	if f.kind != frameData || in == nil {
		return
	}
	if m.pad {
		m.pad = false
		m.data = max(0, m.data-1-int(p[0]))
		p = p[1:]
	}
	n := min(m.data, len(p))
	m.data -= n
	in.feed(p[:n], m.now)
}

// end implements follower.
func (m *Meter) end(f frame) {
	if in := m.open[f.stream]; f.kind == frameData && in != nil {
		if over := in.settle(); over > 0 {
			_ = m.account.ledger.change(m, -over) // what was cut is learnt of at the next frame
		}
	}
	if f.endsStream() {
		m.ended(f.stream)
	}
}

// ended notes that no more is taken from the caller on a stream. mu is held.
func (m *Meter) ended(stream uint32) {
	in := m.open[stream]
	if in == nil {
		return
	}
	delete(m.open, stream)
	if in.cost > 0 {
		_ = m.account.ledger.change(m, -in.cost)
	}
}

// answers is a meter as the follower of what is written to the connection: it
// learns which streams have ended.
type answers struct{ m *Meter }

func (a answers) begin(f frame) error {
	if f.kind == frameReset || f.kind == frameHeaders && f.endsStream() {
		a.m.mu.Lock()
		defer a.m.mu.Unlock()
		a.m.ended(f.stream)
	}
	return nil
}

func (answers) payload(frame, []byte) {}
func (answers) end(frame)             {}
