package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
)

// A compacter is a journal.Store that can leave out records for which a snapshot
// stands, as journal.File can. Due and Compact are called by the goroutine that
// appends.
type compacter interface {
	// Due reports whether a compaction is worth its while. It is called after
	// each append and must be quick.
	Due() bool
	// Prepare does what takes long of a compaction. It is called while others
	// append, but not while another Prepare or a Compact is under way.
	Prepare(ctx context.Context) error
	// Compact puts snapshot in the place of all records up to head. After an
	// error all is as it was.
	Compact(ctx context.Context, head uint64, snapshot []journal.Record) (journal.Compaction, error)
}

var _ compacter = (*journal.File)(nil)

// compacting is what the loop knows of compactions.
type compacting struct {
	underWay bool
	failed   time.Time // when the last one did; zero: it did not
}

// After a compaction that has failed the next is tried so much later.
const compactAgain = time.Minute

// compactWhenDue begins to make the journal shorter where it has grown long. What
// takes long is prepared beside the loop.
func (c *Coordinator) compactWhenDue(ctx context.Context) {
	store, ok := c.o.Journal.(compacter)
	if !ok || c.compacting.underWay || !store.Due() || time.Since(c.compacting.failed) < compactAgain {
		return
	}
	c.compacting.underWay = true
	c.work.Go(func() {
		ready := c.prepareCompaction(ctx, store)
		_ = c.post(ctx, input{compact: &ready}) // fails only when the coordinator ends
	})
}

// finishCompaction follows compactWhenDue. A failure leaves the journal as it is,
// so nothing waits for it.
func (c *Coordinator) finishCompaction(ctx context.Context, in input) {
	if in.compact == nil {
		return
	}
	_, err := c.compact(ctx, *in.compact)
	c.compacting = compacting{}
	if err != nil && ctx.Err() == nil {
		c.compacting.failed = time.Now()
		c.log.Warn("journal not compacted, it is as it was", zap.Error(err))
	}
}

// Compact makes the journal as short as it can be, whether or not that is due. It
// must not be called once Run was.
func (c *Coordinator) Compact(ctx context.Context) (journal.Compaction, error) {
	store, ok := c.o.Journal.(compacter)
	if !ok {
		return journal.Compaction{}, fmt.Errorf("compact: a %T cannot be compacted", c.o.Journal)
	}
	return c.compact(ctx, c.prepareCompaction(ctx, store))
}

// preparation is a compaction that was prepared.
type preparation struct {
	store compacter
	runs  map[*run]encoded
	began time.Time
	err   error
}

// encoded is a run's part of a snapshot, as long as seq is that of its last
// record.
type encoded struct {
	seq  uint64
	data []byte
}

// prepareCompaction does what a compaction can do while the loop goes on.
func (c *Coordinator) prepareCompaction(ctx context.Context, store compacter) preparation {
	p := preparation{store: store, runs: map[*run]encoded{}, began: time.Now()}
	c.mu.RLock()
	order := slices.Clone(c.order)
	c.mu.RUnlock()
	for _, r := range order {
		c.mu.RLock()
		f := frozen{Number: r.number, Seq: r.seq}
		state := r.state
		c.mu.RUnlock()
		data, err := f.encode(state)
		if err = errors.Join(err, ctx.Err()); err != nil {
			p.err = err
			return p
		}
		p.runs[r] = encoded{f.Seq, data}
	}
	p.err = store.Prepare(ctx)
	return p
}

func (c *Coordinator) compact(ctx context.Context, p preparation) (journal.Compaction, error) {
	if p.err != nil {
		return journal.Compaction{}, p.err
	}
	snapshot, err := c.snapshot(p.runs)
	if err != nil {
		return journal.Compaction{}, err
	}
	done, err := p.store.Compact(ctx, c.head, snapshot)
	if err != nil || done.Head == 0 { // nothing has happened yet
		return done, err
	}
	c.log.Info("journal compacted", zap.Uint64("up_to", c.head), zap.Int64("records_removed", done.Removed), zap.Int("runs", len(snapshot)),
		zap.Int64("bytes_before", done.Before), zap.Int64("bytes_after", done.After), zap.Duration("took", time.Since(p.began).Round(time.Millisecond)))
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

func (f frozen) encode(s round.State) ([]byte, error) {
	var err error
	if f.State, err = round.EncodeState(s); err != nil {
		return nil, err
	}
	data, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("snapshot of run %s: %w", s.Run, err)
	}
	return data, nil
}

// snapshot returns records that say how each run stands. What was prepared of
// runs that have not changed since is used.
func (c *Coordinator) snapshot(ready map[*run]encoded) ([]journal.Record, error) {
	records := make([]journal.Record, len(c.order))
	at := now()
	for i, r := range c.order {
		p := ready[r]
		if p.seq != r.seq {
			var err error
			if p.data, err = (frozen{Number: r.number, Seq: r.seq}).encode(r.state); err != nil {
				return nil, err
			}
		}
		records[i] = journal.Record{At: at, Run: r.state.Run, Kind: snapshotKind, Data: p.data}
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
