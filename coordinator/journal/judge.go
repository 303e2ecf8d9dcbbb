package journal

import (
	"errors"

	"github.com/accord-fl/accord/internal/checkpoint"
)

// Finding is what a checkpoint that somebody shows means for a journal.
type Finding string

// The findings.
const (
	// Consistent: the journal still has all that the checkpoint covers.
	Consistent Finding = "consistent"
	// Lost: the checkpoint covers records which a restore has given up. Whoever
	// shows it is told so, and takes the new head.
	Lost Finding = "lost in a restore"
	// Later: the checkpoint covers more records than the journal has. The
	// journal is an older copy, or its end was lost: nothing must be offered
	// until accord coordinator restore has said that this is to be so.
	Later Finding = "later"
	// Differs: the journal has other records than the checkpoint covers. As for
	// Later, nothing must be offered.
	Differs Finding = "other records"
	// Foreign: the checkpoint is another journal's. It stops nothing.
	Foreign Finding = "another journal"
	// Unsigned: no key of this journal has signed the checkpoint. It stops
	// nothing.
	Unsigned Finding = "bad signature"
	// Malformed: these bytes are no checkpoint. They stop nothing.
	Malformed Finding = "not a checkpoint"
	// Unread: the disk did not give what it takes to judge the checkpoint. It
	// stops nothing; whoever shows it may show it again.
	Unread Finding = "could not be checked"
)

// Stops reports whether a coordinator must offer nothing after this finding.
func (f Finding) Stops() bool { return f == Later || f == Differs }

// Judge says what a checkpoint, which may come from anybody, means for this
// journal, and what the checkpoint says, as far as it could be read. It may be
// called concurrently with everything but Replay.
func (j *File) Judge(msg []byte) (Finding, checkpoint.Checkpoint) {
	c, err := checkpoint.Parse(msg)
	if err != nil {
		return Malformed, c
	}
	j.mu.RLock()
	defer j.mu.RUnlock()
	if c.Origin != j.s.own.id {
		return Foreign, c
	}
	if _, err := checkpoint.Open(msg, j.s.own.keys...); err != nil {
		return Unsigned, c
	}
	if c.Head.Size <= j.s.tree.size {
		switch root, err := j.s.tree.root(c.Head.Size); {
		case err != nil:
			return Unread, c
		case root == c.Head.Root:
			return Consistent, c
		}
	}
	bound, former := j.s.own.bounds[c.Incarnation]
	switch {
	case former && c.Head.Size > bound:
		return Lost, c
	case c.Head.Size > j.s.tree.size:
		return Later, c
	default:
		return Differs, c
	}
}

// Contested reports whether a site has shown a head, since the last restore,
// after which nothing must be offered, and returns the first that was recorded.
func (j *File) Contested() (checkpoint.Checkpoint, bool) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if len(j.s.own.shown) == 0 {
		return checkpoint.Checkpoint{}, false
	}
	return j.s.own.shown[0].Checkpoint, true
}

// Contest returns the record by which the journal remembers a checkpoint for
// which Judge's finding stops, so that a restart does not forget it and a restore
// knows of it. It needs its Seq. There is nothing to record (false) when the
// checkpoint adds nothing to what is recorded already.
func (j *File) Contest(msg []byte) (Record, bool, error) {
	finding, c := j.Judge(msg)
	if !finding.Stops() {
		return Record{}, false, errors.New("journal: a head that contests nothing: " + string(finding))
	}
	j.mu.RLock()
	defer j.mu.RUnlock()
	for _, known := range j.s.own.shown {
		if known.Incarnation == c.Incarnation && min(known.Opened, known.Head.Size-1) <= min(j.opened, c.Head.Size-1) {
			return Record{}, false, nil
		}
	}
	rec, err := ownRecord(0, kindContested, contested{string(msg), j.opened})
	return rec, err == nil, err
}
