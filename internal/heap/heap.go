// Package heap keeps the garbage collector of a small process from running all
// the time.
package heap

import "sync/atomic"

// Small is a floor for a process that has little in memory.
const Small = 16 << 20

// floor is never touched, so it takes no memory; the collector counts it.
var floor atomic.Pointer[[]byte]

// SetFloor lets the heap grow to bytes and twice what is alive before it is
// collected. By itself Go begins at 4 MB, which a round of small models allocates
// over and over.
func SetFloor(bytes int) {
	half := make([]byte, bytes/2)
	floor.Store(&half)
}
