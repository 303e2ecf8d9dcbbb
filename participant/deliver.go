package participant

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
)

// deliver uploads the artefacts of every reply in the outbox and hands the
// reply on to be sent, each entry once a session. It returns when the session
// ends.
func (s *session) deliver(streaming context.Context) error {
	sent := map[int]bool{} // by the entry's number: another reply to the same task is another entry
	for {
		entries := s.state.outbox.all()
		there := map[int]bool{}
		for _, e := range entries {
			if there[e.number] = sent[e.number]; sent[e.number] {
				continue
			}
			if err := s.upload(streaming, e.Reply); err != nil {
				if err := s.giveUp(e, err); err != nil {
					return err
				}
				continue // the outbox now holds another reply to the task
			}
			select {
			case s.outgoing <- e.kept:
				there[e.number] = true
			case <-streaming.Done():
				return streaming.Err()
			}
		}
		sent = there
		select {
		case <-s.state.outbox.changed:
		case <-streaming.Done():
			return streaming.Err()
		}
	}
}

// giveUp answers a task with failure when its update can never be uploaded.
// It returns err when the next session may do better: when the update is missing
// or damaged on the disk, its reply goes, and in the next session the coordinator
// offers the task again.
func (s *session) giveUp(e entry, err error) error {
	if errors.Is(err, spool.ErrNotFound) {
		s.log.Error("update lost, it will be trained again", zap.String("task", e.Task), zap.Error(err))
		return errors.Join(fmt.Errorf("the update for %s is lost: %w", e.Task, err), s.state.outbox.remove(e.Task))
	}
	var refused *refusedUpdate
	if !errors.As(err, &refused) {
		return fmt.Errorf("upload the update for %s: %w", e.Task, err)
	}
	s.log.Error("update refused", zap.String("task", e.Task), zap.Error(err))
	return s.state.outbox.put(exchange.Reply{Task: e.Task, Outcome: exchange.Failed, Reason: reason(err)}, e.Offer)
}

// refusedUpdate is an update that no repetition brings to the coordinator.
type refusedUpdate struct{ err error }

func (r *refusedUpdate) Error() string { return "the update cannot be uploaded: " + r.err.Error() }
func (r *refusedUpdate) Unwrap() error { return r.err }
