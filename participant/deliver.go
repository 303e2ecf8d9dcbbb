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
// reply on to be sent, each once a session. It returns when the session ends.
func (s *session) deliver(streaming context.Context) error {
	sent := map[string]bool{}
	for {
		for _, r := range s.state.outbox.all() {
			if sent[r.Task] {
				continue
			}
			if err := s.upload(streaming, r); err != nil {
				if err := s.giveUp(r, err); err != nil {
					return err
				}
				continue // the outbox now holds another reply to the task
			}
			select {
			case s.outgoing <- r:
				sent[r.Task] = true
			case <-streaming.Done():
				return streaming.Err()
			}
		}
		select {
		case <-s.state.outbox.changed:
		case <-streaming.Done():
			return streaming.Err()
		}
	}
}

// giveUp answers a task with failure when its update can never be uploaded, and
// forgets one whose update is lost here: the coordinator offers that task again to
// whoever attends again. It returns an error when the next session may do better.
func (s *session) giveUp(r exchange.Reply, err error) error {
	if errors.Is(err, spool.ErrNotFound) {
		s.log.Error("update lost, it will be trained again", zap.String("task", r.Task), zap.Error(err))
		return errors.Join(fmt.Errorf("the update for %s is lost: %w", r.Task, err), s.state.outbox.remove(r.Task))
	}
	var refused *refusedUpdate
	if !errors.As(err, &refused) {
		return fmt.Errorf("upload the update for %s: %w", r.Task, err)
	}
	s.log.Error("update refused", zap.String("task", r.Task), zap.Error(err))
	return s.state.outbox.put(exchange.Reply{Task: r.Task, Outcome: exchange.Failed, Reason: reason(err)})
}

// refusedUpdate is an update that no repetition brings to the coordinator.
type refusedUpdate struct{ err error }

func (r *refusedUpdate) Error() string { return "the update can not be uploaded: " + r.err.Error() }
func (r *refusedUpdate) Unwrap() error { return r.err }
