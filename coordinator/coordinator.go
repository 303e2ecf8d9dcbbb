package coordinator

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
)

// Coordinator runs the runs submitted to it, several at a time.
type Coordinator struct {
	o      Options
	log    *zap.Logger
	roster roster
	visits *visits
	pins   pins
	// what open tasks have brought
	uploads uploads
	hints   hints
	remarks remarks // on checkpoints
	inbox   chan input
	running chan struct{} // closed when Run has begun
	done    chan struct{} // closed when Run has returned
	work    sync.WaitGroup
	head    uint64
	names   chan struct{} // holds one token while a name is given out or made free
	// how often states refer to artefacts; the loop's alone
	references references
	mending    map[string]*mending // by artefact; the loop's
	// contested: a site has seen records that the journal lacks. The loop sets it.
	contested  atomic.Bool
	compacting compacting // the loop's

	// The loop alone writes what follows mu, and reads it without mu.
	mu         sync.RWMutex
	runs       map[string]*run
	order      []*run // all of them, in order of submission
	unfinished []*run // likewise; the first ones are active
}

// run is one run's state and definition.
type run struct {
	state      round.State
	definition Definition
	number     uint64        // sequence number of the record that submitted it
	seq        uint64        // and of its last record
	changed    chan struct{} // closed with the next change; nil: nobody waits for it
	active     *active       // nil: it has ended, or its turn has not come
	// measured is what the effects found last. They write it, under mu.
	measured measuredModel
	// updates holds what accepted answers told beside their artefacts, by
	// task, until their round's publication. It is not recovered.
	updates map[string]exchange.Update
	// When this process took the run up, and when this attempt's first
	// window opened. Not recovered.
	began, opened time.Time
	// unasked counts answers of this attempt that nobody awaited, by
	// participant. Not recovered.
	unasked map[string]int
	// training is how long the windows of each round were open that is not
	// published yet. Not recovered.
	training map[int]time.Duration
	effects  sync.WaitGroup // those that are carried out beside the loop
}

// input is what the loop is told: an event of a run, or a change in who
// attends.
type input struct {
	run    string
	event  round.Event
	update *exchange.Update // of a round.Answered
	own    *journal.Record  // of the journal's own, in place of an event
	answer chan<- answer    // who waits for what becomes of the event, if anybody

	contest *contest // that a participant has brought

	attached string // has just attached
	gone     string // has been away for as long as is forgiven
	deserted bool   // and was given more time, because nobody was there

	lost   string  // artefact that somebody cannot read; answer is told when it can be
	mended *mended // what became of that

	compact *preparation // of the journal, which can be made shorter now
}

type answer struct {
	verdict round.Verdict
	reason  string
	err     error
}

// New recovers all runs from the journal. Nothing happens before Run.
func New(ctx context.Context, o Options) (*Coordinator, error) {
	o = o.withDefaults()
	c := &Coordinator{
		o: o, log: o.Log, roster: newRoster(), visits: newVisits(), pins: newPins(), references: references{}, runs: map[string]*run{},
		inbox: make(chan input, 64), running: make(chan struct{}), done: make(chan struct{}), names: make(chan struct{}, 1), mending: map[string]*mending{},
	}
	if err := c.recover(ctx); err != nil {
		return nil, err
	}
	if store, ok := o.Journal.(compacter); ok && store.Due() {
		ready := c.prepareCompaction(ctx, store)
		c.finishCompaction(ctx, input{compact: &ready})
	}
	return c, nil
}

// ErrClosed is returned to callers of a coordinator whose Run has returned.
var ErrClosed = fault.As(fault.Unavailable, errors.New("the coordinator has stopped"))

// Run drives all runs until ctx ends, and returns nil then. Any other error
// means that an event could not be made durable, for another reason than a disk
// that is full or fails, which Run waits for; what was not recorded has not
// happened, and a new process goes on from there.
func (c *Coordinator) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	close(c.running)
	defer func() {
		cancel()
		for _, r := range c.activeRuns() {
			r.deactivate()
		}
		close(c.done)
		c.work.Wait()
	}()
	c.activate(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case in := <-c.inbox:
			for batch := c.drain(in); len(batch) > 0; {
				var err error
				if batch, err = c.apply(ctx, batch); err != nil && ctx.Err() == nil {
					return err
				} else if err != nil {
					return nil
				}
			}
			c.compactWhenDue(ctx)
		}
	}
}

// maxBatch is how many inputs share an fsync.
const maxBatch = 256

// drain takes what else is waiting, so that one fsync serves all of it.
func (c *Coordinator) drain(first input) []input {
	batch := []input{first}
	for len(batch) < maxBatch {
		select {
		case in := <-c.inbox:
			batch = append(batch, in)
		default:
			return batch
		}
	}
	return batch
}

// state returns a run's state; the zero state if there is no such run.
func (c *Coordinator) state(name string) round.State {
	if r := c.runs[name]; r != nil {
		return r.state
	}
	return round.State{}
}

// post tells the loop something, unless the coordinator has stopped.
func (c *Coordinator) post(ctx context.Context, in input) error {
	select {
	case c.inbox <- in:
		return nil
	case <-c.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}
