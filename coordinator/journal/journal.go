// Package journal is the append-only record of everything that happened.
//
// An event counts as having happened once Append returned nil: it is on disk
// then. Recovery and audit read the same records. Appending is a
// compare-and-swap on the head, so a writer that has lost its place cannot
// write over another's record.
//
// A File is a chain: each record holds the hash of the record before, and the
// records are the leaves of a Merkle tree (RFC 6962), so that its head, a number
// of records and a root, stands for all of them. Records are written in batches
// that say how long they are and end in a mark: what a crash has cut short is
// told apart from damage. docs/design/001-journal-chain.md has the format.
//
// The invariants:
//
//   - The bytes of a record's line are what is hashed. They are never encoded
//     again, so fields that this version does not know stay what they are.
//   - Only the last batch is ever cut, and only when the file ends inside it or a
//     block of it reads as zeros. Anything else that does not fit is a *Damage.
//   - A record of a kind that starts with "journal_" or "registry_" is the
//     journal's own: it says what the file is, which lives it has had and with
//     which keys it signs. Replay keeps these to itself.
package journal

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/accord-fl/accord/internal/checkpoint"
)

// Record is one event of one run.
type Record struct {
	Seq  uint64          `json:"seq"` // from 1, without gaps
	At   time.Time       `json:"at"`
	Run  string          `json:"run"`
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
}

// Head is how far a journal reaches: its number of records and the root of the
// tree over them.
type Head = checkpoint.Head

// Store keeps records. Append and Replay are called by one goroutine.
type Store interface {
	// Replay calls visit with every record in order and returns the head: the
	// last record's Seq, 0 when there is none. An error from visit ends it.
	// Records that are the store's own are counted and not visited.
	Replay(ctx context.Context, visit func(Record) error) (head uint64, err error)
	// Append makes records durable, all or none, after the record head.
	// Their Seq must follow it. ErrConflict: the store's head is another. After
	// an error for which disk.Passing holds, the same call may be made again.
	Append(ctx context.Context, head uint64, records []Record) error
	Close() error
}

// ErrConflict reports that somebody else has written to the journal.
var ErrConflict = errors.New("journal: the head has moved: another coordinator writes to it")
