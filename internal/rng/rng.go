// Package rng gives every random decision its own reproducible stream, keyed
// by a seed and by what the decision is for. Streams with different keys are
// independent, so adding a draw in one place never changes another.
//
// It is for experiments that must repeat. Secrets and privacy noise use
// crypto/rand instead; the two never mix.
package rng

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// New returns the stream of the key (seed, labels…). Labels are
// length-prefixed before they are hashed, so ("ab", "c") and ("a", "bc") are
// different keys. The stream is ChaCha8 keyed with the SHA-256 of the key. It
// is not safe for concurrent use.
func New(seed uint64, labels ...string) *rand.Rand {
	h := sha256.New()
	var word [8]byte
	binary.LittleEndian.PutUint64(word[:], seed)
	h.Write(word[:])
	for _, label := range labels {
		binary.LittleEndian.PutUint64(word[:], uint64(len(label)))
		h.Write(word[:])
		h.Write([]byte(label))
	}
	return rand.New(rand.NewChaCha8([32]byte(h.Sum(nil))))
}
