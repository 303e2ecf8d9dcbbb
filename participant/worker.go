package participant

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/exchange"
)

const (
	maxQueue  = 64  // tasks that wait for the one in training
	maxTaskID = 256 // bytes, as exchange.Reply allows
)

// worker trains the tasks that were offered, one at a time, in the order of
// the offers, and puts the answers into the outbox. offer and cancel may be
// called while run runs.
type worker struct {
	site  *Site
	state *state
	log   *zap.Logger
	wake  chan struct{} // holds one token when there may be work

	mu      sync.Mutex
	queue   []exchange.Task
	current string        // the id of the task in training, or ""
	task    exchange.Task // in training, while current is not ""
	stop    context.CancelCauseFunc
}

func newWorker(site *Site, s *state, log *zap.Logger) *worker {
	return &worker{site: site, state: s, log: log, wake: make(chan struct{}, 1)}
}

// offer queues a task, or, when refusal is not nil, answers it with that. A
// task that is queued, in training or answered already is not taken again, and
// one whose id no reply could carry is an error.
func (w *worker) offer(t exchange.Task, refusal *exchange.Reply) error {
	if t.ID == "" || len(t.ID) > maxTaskID {
		return fmt.Errorf("the coordinator offers a task whose id %.20q is empty or too long", t.ID)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.knows(t.ID) {
		return nil
	}
	if refusal == nil && len(w.queue) >= maxQueue {
		refusal = &exchange.Reply{Task: t.ID, Outcome: exchange.Declined, Reason: fmt.Sprintf("%d tasks are waiting already", maxQueue)}
	}
	if refusal != nil {
		w.log.Warn("task refused", zap.String("task", t.ID), zap.String("reason", refusal.Reason))
		return w.state.outbox.put(*refusal)
	}
	w.queue = append(w.queue, t)
	wake(w.wake)
	return nil
}

// knows tells whether the task has been taken. The caller holds mu.
func (w *worker) knows(task string) bool {
	if w.current == task {
		return true
	}
	for _, t := range w.queue {
		if t.ID == task {
			return true
		}
	}
	return w.state.outbox.has(task)
}

// errWithdrawn is why a task stops that the coordinator cancelled.
var errWithdrawn = errors.New("withdrawn by the coordinator")

// cancel drops a task from the queue, or stops it when it is in training. A
// task that is answered or not known stays as it is.
func (w *worker) cancel(task, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, t := range w.queue {
		if t.ID == task {
			w.queue = append(w.queue[:i], w.queue[i+1:]...)
			w.log.Info("task withdrawn", zap.String("task", task), zap.String("reason", reason))
			return
		}
	}
	if w.current == task && task != "" {
		w.stop(errWithdrawn)
		w.log.Info("training withdrawn", zap.String("task", task), zap.String("reason", reason))
	}
}

// run trains until ctx ends, whose error it returns, or the disk fails.
func (w *worker) run(ctx context.Context) error {
	for {
		t, training := w.next(ctx)
		if training == nil {
			select {
			case <-w.wake:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := w.train(training, t); err != nil {
			return err
		}
	}
}

// next takes a task from the queue and gives the context to train it under,
// which cancel ends. The context is nil when the queue is empty.
func (w *worker) next(ctx context.Context) (exchange.Task, context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 || ctx.Err() != nil {
		return exchange.Task{}, nil
	}
	t := w.queue[0]
	w.queue = w.queue[1:]
	training, stop := context.WithCancelCause(ctx)
	w.current, w.task, w.stop = t.ID, t, stop
	return t, training
}

// train answers one task. A training that was cut short has no answer: the
// coordinator wants none, or the participant is stopping.
func (w *worker) train(training context.Context, t exchange.Task) error {
	log := w.log.With(zap.String("run", t.Run), zap.Int("round", t.Round), zap.String("task", t.ID))
	if err := w.state.sweep(t.Model.Digest); err != nil {
		log.Warn("old files stay", zap.Error(err))
	}
	log.Info("task begins")
	begin := time.Now()
	r := w.site.Do(training, t)
	switch {
	case training.Err() != nil:
		log.Info("training stopped", zap.Error(context.Cause(training)))
	case r.Outcome == exchange.Done:
		log.Info("trained", zap.Duration("took", time.Since(begin).Round(time.Millisecond)))
	case r.Later: // the policy has said what it waits for, as a warning
		log.Info("task waits", zap.String("reason", r.Reason))
	default:
		log.Warn("not trained", zap.String("outcome", string(r.Outcome)), zap.String("reason", r.Reason))
	}

	// Under the lock, so that an offer of the same task finds it either in
	// training or in the outbox.
	w.mu.Lock()
	defer w.mu.Unlock()
	cut := training.Err() != nil
	w.stop(nil)
	w.current, w.task, w.stop = "", exchange.Task{}, nil
	if cut {
		return nil
	}
	return w.state.outbox.put(r)
}

// wake leaves a token in c unless there is one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
