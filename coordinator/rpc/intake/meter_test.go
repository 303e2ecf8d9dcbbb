package intake_test

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/coordinator/rpc/intake"
)

const (
	data, headers, reset = 0x0, 0x1, 0x3
	endStream, padded    = 0x1, 0x8
	kib                  = 1 << 10
)

// frame is one of HTTP/2.
func frame(kind, flags byte, stream uint32, payload ...byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	return append(binary.BigEndian.AppendUint32(append(head, flags), stream), payload...)
}

// message is the prefix of a message of so many bytes, and as many of them as
// have come.
func message(length, come int) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(length)), make([]byte, come)...)
}

func limits() intake.Limits {
	return intake.Limits{UnderWay: 64 * kib, Within: 10 * time.Second, Calls: 100, Frames: 1000, Burst: 2}
}

// line is a connection that is metered.
type line struct {
	t     *testing.T
	meter *intake.Meter

	mu  sync.Mutex
	why error
}

// cut returns why the line was cut off; nil: it was not.
func (l *line) cut() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}

func connect(t *testing.T, a *intake.Account) *line {
	t.Helper()
	l := &line{t: t}
	l.meter = a.Meter(func(why error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.why = why
	})
	l.brings(make([]byte, 24)) // the preface
	return l
}

// brings passes frames; they must be within the limits.
func (l *line) brings(frames ...[]byte) (wait time.Duration) {
	l.t.Helper()
	wait, err := l.meter.Brought(slices.Concat(frames...))
	if err != nil {
		l.t.Fatal(err)
	}
	return wait
}

func TestWhatIsUnderWay(t *testing.T) {
	open := frame(headers, 0, 1)
	begun := frame(data, 0, 1, message(2*kib, 1000)...)
	for _, tt := range []struct {
		name   string
		brings [][]byte
		sends  []byte
		least  int64 // bytes under way in the end
		most   int64
	}{
		{"a message that stalls", [][]byte{open, begun}, nil, 1005, 2 * kib},
		{"only its prefix, and not all of that", [][]byte{open, frame(data, 0, 1, 0, 0)}, nil, 2, kib},
		{"one that is whole", [][]byte{open, begun, frame(data, 0, 1, make([]byte, 2*kib-1000)...)}, nil, 0, 0},
		{"whole ones in one frame", [][]byte{open, frame(data, 0, 1, slices.Concat(message(3, 3), message(0, 0), message(1, 1))...)}, nil, 0, 0},
		{"a whole one and the beginning of the next", [][]byte{open, begun, frame(data, 0, 1, append(make([]byte, 2*kib-1000), message(9, 2)...)...)}, nil, 1048, 8 * kib},
		{"padding is no message", [][]byte{open, frame(data, padded, 1, append([]byte{7}, append(message(2, 2), make([]byte, 7)...)...)...)}, nil, 0, 0},
		{"the caller gives up", [][]byte{open, begun, frame(reset, 0, 1, 0, 0, 0, 8)}, nil, 0, 0},
		{"the caller ends in the middle", [][]byte{open, begun, frame(data, endStream, 1)}, nil, 0, 0},
		{"it was refused", [][]byte{open, begun}, frame(headers, endStream, 1), 0, 0},
		{"it was reset", [][]byte{open, begun}, frame(reset, 0, 1, 0, 0, 0, 8), 0, 0},
		{"headers alone are no end", [][]byte{open, begun}, frame(headers, 0, 1), 1005, 2 * kib},
		{"data of a stream that is over", [][]byte{open, frame(reset, 0, 1, 0, 0, 0, 8), begun}, nil, 0, 0},
		{"a stream that was never opened", [][]byte{frame(data, 0, 3, message(2*kib, 9)...)}, nil, 0, 0},
		{"tiny frames cost what keeps them", [][]byte{open, slices.Repeat(frame(data, 0, 1, 0), 4), slices.Repeat(frame(data, 0, 1, 9), 96)}, nil, 100 * 100, 64 * kib},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ledger := intake.NewLedger(1 << 20)
			l := connect(t, ledger.Account(limits()))
			for _, b := range slices.Concat(tt.brings...) { // as unkindly as it may come
				l.brings([]byte{b})
			}
			for _, b := range tt.sends {
				l.meter.Sent([]byte{b})
			}
			if got := ledger.UnderWay(); got < tt.least || got > tt.most {
				t.Errorf("got %d bytes under way, want %d to %d", got, tt.least, tt.most)
			}
			l.meter.Close()
			if got := ledger.UnderWay(); got != 0 {
				t.Errorf("%d bytes under way on a connection that is closed", got)
			}
		})
	}
}

// Connections of one caller have one budget.
func TestACallerHasABudget(t *testing.T) {
	ledger := intake.NewLedger(1 << 20)
	account := ledger.Account(limits())
	var err error
	cut := 0
	for range 16 {
		l := connect(t, account)
		if _, err = l.meter.Brought(slices.Concat(frame(headers, 0, 1), frame(data, 0, 1, message(kib*16, 8*kib)...))); err != nil {
			cut++
			if !errors.Is(err, intake.ErrTooMuch) {
				t.Errorf("got %v", err)
			}
		}
		if held := ledger.UnderWay(); held > limits().UnderWay {
			t.Fatalf("%d bytes under way, more than %d", held, limits().UnderWay)
		}
	}
	if cut != 13 { // three frames' buffers of 16 KiB are within 64 KiB
		t.Errorf("%d of 16 connections were cut, want 13", cut)
	}
}

// When all together have too much under way, whoever has most is cut off, on all
// connections, and the others go on.
func TestTheLargestIsCutOff(t *testing.T) {
	wide := limits()
	wide.UnderWay = 1 << 20
	ledger := intake.NewLedger(200 * kib)
	stalls := func(a *intake.Account) *line {
		l := connect(t, a)
		l.brings(frame(headers, 0, 1), frame(data, 0, 1, message(1<<20, 8*kib)...), slices.Repeat(frame(data, 0, 1, make([]byte, 16*kib)...), 4))
		return l
	}
	greedy := ledger.Account(wide)
	largest := []*line{stalls(greedy), stalls(greedy), stalls(greedy)}
	var modest []*line
	for range 4 {
		modest = append(modest, stalls(ledger.Account(wide)))
	}
	for _, l := range largest {
		if l.cut() == nil {
			t.Error("a connection of the caller that has most goes on")
		}
		if _, err := l.meter.Brought(frame(data, 0, 1, 1)); err == nil {
			t.Error("more is taken from it")
		}
	}
	for _, l := range modest {
		if l.cut() != nil {
			t.Errorf("another was cut off: %v", l.cut())
		}
	}
	if got := ledger.UnderWay(); got < 4*80*kib || got > 4*82*kib {
		t.Errorf("%d bytes under way", got)
	}
}

// However many bring a little at once, none is in another's way.
func TestAChunkOfEachIsItsOwn(t *testing.T) {
	ledger := intake.NewLedger(0)
	for range 1000 {
		connect(t, ledger.Account(limits())).brings(frame(headers, 0, 1), frame(data, 0, 1, message(40*kib, 16*kib-5)...), frame(data, 0, 1, make([]byte, 16*kib)...))
	}
}

// A message has its time, however it trickles; a stream between two messages may
// be silent.
func TestAMessageHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := intake.NewLedger(1 << 20)
		ctx, stop := context.WithCancel(t.Context())
		go ledger.Run(ctx)
		defer stop()
		slow, silent := connect(t, ledger.Account(limits())), connect(t, ledger.Account(limits()))
		silent.brings(frame(headers, 0, 1), frame(data, 0, 1, message(3, 3)...))
		slow.brings(frame(headers, 0, 1), frame(data, 0, 1, message(1000, 1)...))
		for range 9 {
			time.Sleep(time.Second)
			slow.brings(frame(data, 0, 1, 1))
		}
		synctest.Wait()
		if slow.cut() != nil {
			t.Fatalf("cut off within its time: %v", slow.cut())
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if !errors.Is(slow.cut(), intake.ErrSlow) {
			t.Errorf("the slow one: got %v, want it cut off", slow.cut())
		}
		time.Sleep(time.Hour)
		if silent.cut() != nil {
			t.Errorf("the silent one was cut off: %v", silent.cut())
		}
	})
}

// Calls and frames beyond the rate make their reader wait, whichever of the
// caller's connections they come on.
func TestRatesHoldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := func(n int) (all []byte) {
			for i := range n {
				all = append(all, frame(headers, endStream, uint32(2*i+1))...)
			}
			return all
		}
		account := intake.NewLedger(1 << 20).Account(limits())
		if wait := connect(t, account).brings(opened(200)); wait != 0 {
			t.Errorf("a burst waits %v", wait)
		}
		if wait := connect(t, account).brings(opened(50)); wait != time.Second/2 {
			t.Errorf("50 calls more wait %v, want half a second at 100 a second", wait)
		}
		account = intake.NewLedger(1 << 20).Account(limits())
		ping := frame(6, 0, 0, make([]byte, 8)...)
		l := connect(t, account)
		l.brings(slices.Repeat(ping, 2000))
		if wait := l.brings(slices.Repeat(ping, 1000)); wait < time.Second/2 || wait > time.Second {
			t.Errorf("1000 frames more wait %v, want about a second", wait)
		}
		time.Sleep(10 * time.Second)
		l.meter.Sent(make([]byte, 1<<20)) // much was received, and is acknowledged
		if wait := l.brings(slices.Repeat(ping, 2400)); wait != 0 {
			t.Errorf("frames that much data allow for wait %v", wait)
		}
	})
}

// Of a total, calls and small frames take more than their bytes.
func TestAConnectionMayBringSoMuch(t *testing.T) {
	for name, brings := range map[string]struct {
		piece []byte
		fit   int // of them
	}{
		"bytes":        {frame(data, 0, 1, make([]byte, 1000)...), 16},
		"calls":        {frame(headers, 0, 1), 16 * kib / (9 + intake.CallBytes)},
		"small frames": {frame(6, 0, 0, make([]byte, 8)...), 16 * kib / (17 + intake.FrameBytes)},
	} {
		t.Run(name, func(t *testing.T) {
			few := limits()
			few.Total = 16*kib + 24
			l := connect(t, intake.NewLedger(1<<20).Account(few))
			for range brings.fit {
				l.brings(brings.piece)
			}
			if _, err := l.meter.Brought(brings.piece); !errors.Is(err, intake.ErrLong) {
				t.Errorf("after %d: got %v", brings.fit, err)
			}
		})
	}
}

// However bytes are cut into pieces, the same is under way, and nothing when all
// is over.
func FuzzMeter(f *testing.F) {
	open, begun := frame(headers, 0, 1), frame(data, 0, 1, message(50, 5)...)
	f.Add(slices.Concat(open, begun), frame(headers, endStream, 1), uint8(1))
	f.Add(slices.Concat(open, frame(data, padded, 1, 3, 0, 0, 0, 0)), []byte{}, uint8(7))
	f.Add(slices.Concat(open, begun, frame(reset, 0, 1, 0, 0, 0, 8), begun), []byte{}, uint8(3))
	f.Fuzz(func(t *testing.T, brought, sent []byte, piece uint8) {
		var held []int64
		for _, size := range []int{len(brought) + len(sent) + 1, int(piece) + 1} {
			ledger := intake.NewLedger(1 << 30)
			wide := limits()
			wide.UnderWay = 1 << 30
			m := ledger.Account(wide).Meter(func(error) {})
			_, err := m.Brought(make([]byte, 24))
			for p := range slices.Chunk(brought, size) {
				if err == nil {
					_, err = m.Brought(p)
				}
			}
			for p := range slices.Chunk(sent, size) {
				m.Sent(p)
			}
			held = append(held, ledger.UnderWay())
			m.Close()
			if left := ledger.UnderWay(); left != 0 || held[len(held)-1] < 0 {
				t.Fatalf("%d bytes under way after the end, %d before", left, held)
			}
		}
		if held[0] != held[1] {
			t.Errorf("%d bytes under way, or %d when it comes in pieces of %d", held[0], held[1], piece)
		}
	})
}
