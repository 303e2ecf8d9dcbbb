package participant

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/exchange"
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

// giveUp answers a task with failure when its update can never be uploaded.
// It returns err when the next session may do better.
func (s *session) giveUp(r exchange.Reply, err error) error {
	var lost *lostUpdate
	if !errors.As(err, &lost) {
		return fmt.Errorf("upload the update for %s: %w", r.Task, err)
	}
	s.log.Error("update lost", zap.String("task", r.Task), zap.Error(err))
	return s.state.outbox.put(exchange.Reply{Task: r.Task, Outcome: exchange.Failed, Reason: reason(err)})
}

// lostUpdate is an update that no repetition brings to the coordinator.
type lostUpdate struct{ err error }

func (l *lostUpdate) Error() string { return "the update can not be uploaded: " + l.err.Error() }
func (l *lostUpdate) Unwrap() error { return l.err }
