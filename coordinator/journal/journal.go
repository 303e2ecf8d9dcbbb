// Package journal is the append-only record of everything that happened.
//
// An event counts as having happened once Append returned nil: it is on disk
// then. Recovery and audit read the same records. Appending is a
// compare-and-swap on the head, so a writer that has lost its place can not
// write over another's record.
package journal

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Record is one event of one run.
type Record struct {
	Seq  uint64          `json:"seq"` // from 1, without gaps
	At   time.Time       `json:"at"`
	Run  string          `json:"run"`
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
}

// Store keeps records. Append and Replay are called by one goroutine.
type Store interface {
	// Replay calls visit with every record in order and returns the head: the
	// last record's Seq, 0 when there is none. An error from visit ends it.
	Replay(ctx context.Context, visit func(Record) error) (head uint64, err error)
	// Append makes records durable, all or none, after the record head.
	// Their Seq must follow it. ErrConflict: the store's head is another.
	Append(ctx context.Context, head uint64, records []Record) error
	Close() error
}

// ErrConflict tells that somebody else has written to the journal.
var ErrConflict = errors.New("journal: the head has moved: another coordinator writes to it")
