package coordinator

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
)

// A compacter is a journal.Store that can leave out records for which a snapshot
// stands, as journal.File can. One goroutine calls it, the same that appends.
type compacter interface {
	// Due reports whether a compaction is worth its while. It is called after
	// each append and must be quick.
	Due() bool
	// Compact puts snapshot in the place of all records up to head. After an
	// error all is as it was.
	Compact(ctx context.Context, head uint64, snapshot []journal.Record) (journal.Compaction, error)
}

var _ compacter = (*journal.File)(nil)

// compacting is what the loop knows of compactions.
type compacting struct {
	failed time.Time // when the last one did; zero: it did not
}

// After a compaction that has failed the next is tried so much later.
const compactAgain = time.Minute

// compactWhenDue makes the journal shorter where it has grown long. A failure
// leaves the journal as it is, so nothing waits for it.
func (c *Coordinator) compactWhenDue(ctx context.Context) {
	store, ok := c.o.Journal.(compacter)
	if !ok || !store.Due() || time.Since(c.compacting.failed) < compactAgain {
		return
	}
	if _, err := c.compact(ctx, store); err != nil && ctx.Err() == nil {
		c.compacting.failed = time.Now()
		c.log.Warn("journal not compacted, it is as it was", zap.Error(err))
		return
	}
	c.compacting.failed = time.Time{}
}

// Compact makes the journal as short as it can be, whether or not that is due. It
// must not be called after Run.
func (c *Coordinator) Compact(ctx context.Context) (journal.Compaction, error) {
	store, ok := c.o.Journal.(compacter)
	if !ok {
		return journal.Compaction{}, fmt.Errorf("compact: a %T cannot be compacted", c.o.Journal)
	}
	return c.compact(ctx, store)
}

func (c *Coordinator) compact(ctx context.Context, store compacter) (journal.Compaction, error) {
	began := time.Now()
	snapshot, err := c.snapshot()
	if err != nil {
		return journal.Compaction{}, err
	}
	done, err := store.Compact(ctx, c.head, snapshot)
	if err != nil || done.Head == 0 { // nothing has happened yet
		return done, err
	}
	c.log.Info("journal compacted", zap.Uint64("up_to", c.head), zap.Int64("records_removed", done.Removed), zap.Int("runs", len(snapshot)),
		zap.Int64("bytes_before", done.Before), zap.Int64("bytes_after", done.After), zap.Duration("took", time.Since(began).Round(time.Millisecond)))
	c.head = done.Head
	return done, nil
}

// snapshotKind is the kind of the records of a snapshot.
const snapshotKind = "snapshot"

// frozen is the data of such a record: all that the coordinator keeps of a run.
type frozen struct {
	Number uint64          `json:"number"` // of the record that submitted the run
	Seq    uint64          `json:"seq"`    // of its last record
	State  json.RawMessage `json:"state"`  // round.EncodeState
}

// snapshot returns records that say how each run stands.
func (c *Coordinator) snapshot() ([]journal.Record, error) {
	records := make([]journal.Record, len(c.order))
	at := now()
	for i, r := range c.order {
		state, err := round.EncodeState(r.state)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(frozen{r.number, r.seq, state})
		if err != nil {
			return nil, fmt.Errorf("snapshot of run %s: %w", r.state.Run, err)
		}
		records[i] = journal.Record{At: at, Run: r.state.Run, Kind: snapshotKind, Data: data}
	}
	return records, nil
}

// thaw takes in a record of a snapshot.
func (c *Coordinator) thaw(rec journal.Record) error {
	var f frozen
	if err := json.Unmarshal(rec.Data, &f); err != nil {
		return fmt.Errorf("snapshot of run %s: %w", rec.Run, err)
	}
	state, err := round.DecodeState(f.State)
	if err != nil {
		return fmt.Errorf("snapshot of run %s: %w", rec.Run, err)
	}
	if _, twice := c.runs[rec.Run]; twice || state.Run != rec.Run {
		return fmt.Errorf("snapshot of run %s: it is of %s, or there are two", rec.Run, state.Run)
	}
	return c.take(rec.Run, &run{number: f.Number, seq: f.Seq, state: state})
}
