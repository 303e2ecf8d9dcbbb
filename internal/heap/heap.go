// Package heap keeps the memory of a small process small, and its garbage
// collector from running all the time.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Small is a floor for a process that has little in memory.
const Small = 16 << 20

// SetFloor lets the heap grow to so many bytes before it is collected; by itself
// Go begins at 4 MB, which a round of small models allocates over and over. From
// three quarters of that alive it may grow to twice what is alive, less half the
// floor.
//
// Who sets GOGC or GOMEMLIMIT knows better, and gets that. It must be called
// once, in the beginning.
func SetFloor(bytes int) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	t := &tuner{floor: int64(bytes), samples: []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}}
	debug.SetGCPercent(t.most())
	t.await()
}

// tuner sets the collector again after each collection.
type tuner struct {
	floor   int64
	samples []metrics.Sample
}

// await has the tuner called after the next collection, which finds an object
// that nothing refers to.
func (t *tuner) await() {
	type collected struct{ _ [16]byte } // smaller ones may share their memory
	runtime.AddCleanup(new(collected), func(t *tuner) {
		t.tune()
		t.await()
	}, t)
}

func (t *tuner) tune() {
	metrics.Read(t.samples)
	live, roots := int64(t.samples[0].Value.Uint64()), int64(t.samples[1].Value.Uint64()+t.samples[2].Value.Uint64())
	goal := max(t.floor, 2*live-t.floor/2)
	debug.SetGCPercent(min(int(100*(goal-live)/(live+roots)), t.most()))
}

// most is the percentage with which Go itself begins at the floor: 4 MB for each
// hundred.
func (t *tuner) most() int { return int(100 * t.floor / (4 << 20)) }
