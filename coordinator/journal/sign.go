package journal

import (
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/accord-fl/accord/internal/checkpoint"
)

// Head returns how far the journal reaches on disk. Like all methods of this
// file it may be called concurrently with everything but Replay.
func (j *File) Head() Head {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.s.head
}

// RootAt returns the root over the first size records.
func (j *File) RootAt(size int64) (tlog.Hash, error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.s.tree.root(size)
}

// ErrNoKey is returned by Checkpoint where a journal has no key.
var ErrNoKey = errors.New("journal: it has no key to sign with")

// Checkpoint returns a signed checkpoint of the journal's head. What Append has
// acknowledged is covered.
func (j *File) Checkpoint() ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.o.Key == nil || j.s.own.id == "" {
		return nil, ErrNoKey
	}
	if j.signed == nil {
		signed, err := j.o.Key.Sign(checkpoint.Checkpoint{Origin: j.s.own.id, Head: j.s.head, Incarnation: j.s.own.incarnation})
		if err != nil {
			return nil, err
		}
		j.signed = signed
	}
	return j.signed, nil
}

// Verifier returns the key that verifies the journal's checkpoints now, in the
// form of golang.org/x/mod/sumdb/note; empty: it has none.
func (j *File) Verifier() string {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if len(j.s.own.keys) == 0 {
		return ""
	}
	return j.s.own.keys[len(j.s.own.keys)-1]
}

// Origin returns the journal's id; empty: it has none.
func (j *File) Origin() string {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.s.own.id
}

// Incarnation returns the journal's present life.
func (j *File) Incarnation() string {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.s.own.incarnation
}

// RegistryHead returns the record of a registry's head. It needs its Seq.
func RegistryHead(h Head) (Record, error) {
	return ownRecord(0, kindRegistry, registryHead{h.Size, h.Root})
}
