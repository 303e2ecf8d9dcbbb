package coordinator

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/internal/checkpoint"
)

// Custody signs and judges checkpoints of the journal. The coordinator calls it
// once it has replayed the journal, concurrently, for each site that attends and
// for each receipt. A *journal.File is one.
type Custody interface {
	// Checkpoint returns a signed checkpoint that covers every record of which
	// Append has returned nil. It is called often: nothing may be written for it.
	Checkpoint() ([]byte, error)
	// Verifier returns the key that verifies it.
	Verifier() string
	// Judge says what a checkpoint, which may come from anybody, means for the
	// journal.
	Judge(msg []byte) (journal.Finding, checkpoint.Checkpoint)
	// Contest returns the record by which the journal remembers a checkpoint
	// after which nothing may be offered; false: it adds nothing.
	Contest(msg []byte) (journal.Record, bool, error)
	// Contested reports whether such a checkpoint is recorded since the last
	// restore, and returns the first.
	Contested() (checkpoint.Checkpoint, bool)
}

var _ Custody = (*journal.File)(nil)

// held is the reason that people are given for a run which does not go on.
const held = "a site has seen records that this coordinator's journal does not have, so nothing is offered: " +
	"put back the newest copy of the coordinator's folder, or let accord coordinator restore go on from this one"

// stopsOffering is the event that the log has of it.
const stopsOffering = "the journal lacks records that a site has seen: nothing is offered"

// contest is a checkpoint after which nothing may be offered.
type contest struct {
	shown       []byte
	head        checkpoint.Checkpoint
	finding     journal.Finding
	participant string // who has shown it
}

// Checkpoint returns a signed checkpoint of the journal, which covers all that
// was acknowledged, and the key that verifies it; nil and "" where there is none.
func (c *Coordinator) Checkpoint() (signed []byte, verifier string) {
	if c.o.Custody == nil {
		return nil, ""
	}
	signed, err := c.o.Custody.Checkpoint()
	if err != nil {
		return nil, "" // a journal without a key
	}
	return signed, c.o.Custody.Verifier()
}

// Held returns why no run goes on, for people; "": they do.
func (c *Coordinator) Held() string {
	if c.contested.Load() {
		return held
	}
	return ""
}

// examine judges the checkpoint that a participant brings, before it can be
// offered anything.
func (c *Coordinator) examine(l Link) {
	shown := l.Hello().Checkpoint
	if c.o.Custody == nil || len(shown) == 0 {
		return
	}
	finding, head := c.o.Custody.Judge(shown)
	fields := []zap.Field{zap.String("participant", l.Name()), zap.String("finding", string(finding)), zap.Int64("records", head.Head.Size)}
	switch {
	case finding.Stops():
		// A coordinator that has stopped offers nothing.
		_ = c.post(context.Background(), input{contest: &contest{slices.Clone(shown), head, finding, l.Name()}})
	case finding == journal.Lost:
		c.remarks.note(c.log.Info, "a site has seen records that a restore has given up", fields)
	case finding == journal.Unread:
		c.remarks.note(c.log.Error, "a site's checkpoint could not be compared with the journal, which cannot be read", fields)
	case finding != journal.Consistent:
		c.remarks.note(c.log.Warn, "a site's checkpoint is not one of this journal", append(fields, zap.String("journal", head.Origin)))
	}
}

// hold stops all runs where they are, until a restore and a restart. Only what is
// asked from outside, answers among it, is still recorded; all that a run would do
// is pending.
func (c *Coordinator) hold(fields ...zap.Field) {
	c.contested.Store(true)
	for _, r := range c.unfinished {
		r.deactivate()
	}
	c.log.Error(stopsOffering, append(fields,
		zap.Uint64("own_records", c.head),
		zap.String("next", "stop this coordinator; put back the newest copy of its folder, or, to go on from this one, run accord coordinator restore -f FILE with its configuration"))...)
}

// takeContests stops all runs when a batch shows that the journal lacks records,
// and has the batch record what it has not recorded yet.
func (c *Coordinator) takeContests(batch []input) {
	smallest := map[string]int64{} // head of this batch, by incarnation
	for i := range batch {
		in := batch[i].contest
		if in == nil {
			continue
		}
		if !c.contested.Load() {
			c.hold(zap.String("participant", in.participant), zap.String("finding", string(in.finding)),
				zap.Int64("records", in.head.Head.Size), zap.String("incarnation", in.head.Incarnation))
		}
		size := in.head.Head.Size
		if known, ok := smallest[in.head.Incarnation]; ok && known <= size {
			continue
		}
		smallest[in.head.Incarnation] = size
		rec, fresh, err := c.o.Custody.Contest(in.shown)
		if err != nil {
			c.log.Error("what a site has shown is not recorded", zap.String("participant", in.participant), zap.Error(err))
		}
		if fresh {
			batch[i].own = &rec
		}
	}
}

// notifyAll lets everybody who waits for a change of a run that has not ended look
// at it again, as after the record seq.
func (c *Coordinator) notifyAll(seq uint64) {
	for _, r := range c.unfinished {
		c.mu.Lock()
		r.seq = seq
		c.mu.Unlock()
		c.notify(r)
	}
}

// remarks bounds the lines about checkpoints: so many in a minute, whoever brings
// them, the last of which says that more are left out.
type remarks struct {
	mu     sync.Mutex
	minute time.Time
	lines  int // of this minute
}

const maxRemarks = 20 // lines in a minute

// note logs by log, unless there was too much to say.
func (r *remarks) note(log func(string, ...zap.Field), event string, fields []zap.Field) {
	r.mu.Lock()
	if minute := now().Truncate(time.Minute); !minute.Equal(r.minute) {
		r.minute, r.lines = minute, 0
	}
	r.lines++
	n := r.lines
	r.mu.Unlock()
	switch {
	case n < maxRemarks:
		log(event, fields...)
	case n == maxRemarks:
		log(event, append(fields, zap.String("note", "the rest of this minute is not logged"))...)
	}
}
