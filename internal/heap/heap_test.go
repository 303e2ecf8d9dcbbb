package heap

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

var sink []byte

func goal() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// The heap grows to the floor, and beyond it with what is alive.
func TestFloor(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	const mb = 1 << 20
	SetFloor(16 * mb)
	collections := func() uint32 {
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.NumGC
	}
	began := collections()
	for range 2 * 160 {
		sink = make([]byte, mb/2)
	}
	if n := collections() - began; n > 20 {
		t.Errorf("%d collections of 160 MB, from a heap of at most 16", n)
	}
	for _, test := range []struct{ alive, want uint64 }{{1, 16}, {11, 16}, {50, 92}, {1, 16}} {
		alive := make([]byte, test.alive*mb)
		got := uint64(0)
		for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(time.Millisecond) {
			runtime.GC()
			if got = goal(); got > test.want*mb*9/10 && got < test.want*mb*11/10 {
				break
			}
		}
		if got < test.want*mb*9/10 || got > test.want*mb*11/10 {
			t.Errorf("with %d MB alive the heap may grow to %.1f MB, want %d", test.alive, float64(got)/mb, test.want)
		}
		runtime.KeepAlive(alive)
	}
}

// Who says in the environment what the collector should do is obeyed.
func TestFloorYields(t *testing.T) {
	before := goal()
	t.Setenv("GOMEMLIMIT", "1GiB")
	SetFloor(1 << 40)
	runtime.GC()
	if got := goal(); got > 2*before {
		t.Errorf("the heap may grow to %d bytes now, before to %d", got, before)
	}
}
