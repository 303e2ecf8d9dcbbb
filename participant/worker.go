package participant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/exchange"
)

// The bounds of the tasks that wait for the one in training.
const (
	maxQueue      = 64
	maxRunQueue   = 4        // of one run, which asks one thing at a time
	maxQueueBytes = 32 << 20 // of their documents
)

// idleSweep is how long after the last task its files go: another attempt may
// want them.
const idleSweep = time.Hour

// worker trains the tasks that were offered, one at a time, in the order of
// the offers, and puts the answers into the outbox. offer and cancel may be
// called while run runs.
type worker struct {
	site  *Site
	state *state
	log   *zap.Logger
	wake  chan struct{} // holds one token when there may be work

	mu      sync.Mutex
	queue   []offered
	current *offered // in training, or nil
	stop    context.CancelCauseFunc
}

func newWorker(site *Site, s *state, log *zap.Logger) *worker {
	return &worker{site: site, state: s, log: log, wake: make(chan struct{}, 1)}
}

// offer queues a task, or, when refusal is not nil, answers it with that. A
// task that is queued, in training or answered already is not taken again, unless
// the coordinator means another by the same id; then what came of the former goes.
// A task whose id no reply could carry is an error, and so is one too many of a
// coordinator that acknowledges nothing.
func (w *worker) offer(t offered, refusal *exchange.Reply) error {
	if !exchange.ValidTaskID(t.ID) {
		return fmt.Errorf("the coordinator offers a task whose id %.80q is not printable ASCII of 1 to %d bytes", t.ID, exchange.MaxTaskID)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, err := w.knows(t); known || err != nil {
		return err
	}
	if n := w.state.outbox.len(); n >= maxUnanswered {
		return fmt.Errorf("the coordinator has not acknowledged %d answers, and offers another task", n)
	}
	if refusal != nil {
		return w.refuse(t, *refusal)
	}
	if reason := w.full(t); reason != "" {
		return w.refuse(t, later(t, reason))
	}
	if err := w.supersede(t.Run); err != nil {
		return err
	}
	w.queue = append(w.queue, t)
	wake(w.wake)
	return nil
}

// later declines a task for now.
func later(t offered, reason string) exchange.Reply {
	return exchange.Reply{Task: t.ID, Outcome: exchange.Declined, Reason: reason, Later: true}
}

// refuse answers a task that is not taken. The caller holds mu.
func (w *worker) refuse(t offered, r exchange.Reply) error {
	w.log.Warn("task refused", zap.String("task", t.ID), zap.String("reason", r.Reason))
	return w.state.outbox.put(r, t.digest)
}

// full says why there is no place for a task in the queue, or "". The caller
// holds mu.
func (w *worker) full(t offered) string {
	bytes := t.size
	for _, q := range w.queue {
		bytes += q.size
	}
	switch {
	case len(w.queue) >= maxQueue:
		return fmt.Sprintf("%d tasks are waiting already", maxQueue)
	case bytes > maxQueueBytes:
		return "the tasks that are waiting already are too large together"
	default:
		return ""
	}
}

// supersede declines, for now, a run's oldest task in the queue when it has as
// many there as it may. The caller holds mu.
func (w *worker) supersede(run string) error {
	oldest, n := -1, 0
	for i, q := range w.queue {
		if q.Run == run {
			if n++; n == 1 {
				oldest = i
			}
		}
	}
	if n < maxRunQueue {
		return nil
	}
	t := w.queue[oldest]
	w.queue = slices.Delete(w.queue, oldest, oldest+1)
	return w.refuse(t, later(t, fmt.Sprintf("%d newer tasks of the run are waiting", maxRunQueue)))
}

// knows reports whether the task has been taken, and lets go of another one that
// had its id. The caller holds mu.
func (w *worker) knows(t offered) (bool, error) {
	if w.current != nil && w.current.ID == t.ID {
		if w.current.digest == t.digest {
			return true, nil
		}
		w.stop(errWithdrawn)
	}
	if i := slices.IndexFunc(w.queue, func(q offered) bool { return q.ID == t.ID }); i >= 0 {
		if w.queue[i].digest == t.digest {
			return true, nil
		}
		w.queue = slices.Delete(w.queue, i, i+1)
	}
	e, ok := w.state.outbox.find(t.ID)
	if !ok {
		return false, nil
	}
	if e.Offer == "" || e.Offer == t.digest { // "": kept by a version that did not note it
		return true, nil
	}
	w.log.Warn("another task of the same id: its former answer is dropped", zap.String("task", t.ID))
	return false, w.state.outbox.remove(t.ID)
}

// errWithdrawn is why a task stops that the coordinator cancelled.
var errWithdrawn = errors.New("withdrawn by the coordinator")

// cancel drops a task from the queue, or stops it when it is in training. A
// task that is answered or not known stays as it is.
func (w *worker) cancel(task, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.IndexFunc(w.queue, func(q offered) bool { return q.ID == task }); i >= 0 {
		w.queue = slices.Delete(w.queue, i, i+1)
		w.log.Info("task withdrawn", zap.String("task", task), zap.String("reason", reason))
		return
	}
	if w.current != nil && w.current.ID == task {
		w.stop(errWithdrawn)
		w.log.Info("training withdrawn", zap.String("task", task), zap.String("reason", reason))
	}
}

// run trains until ctx ends, whose error it returns, or the outbox cannot be
// written to for good.
func (w *worker) run(ctx context.Context) error {
	idle := time.NewTimer(idleSweep) // also after a start, for what the last process has left
	defer idle.Stop()
	for {
		t, training := w.next(ctx)
		if training == nil {
			select {
			case <-w.wake:
			case <-idle.C:
				w.sweep("")
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		if err := w.train(training, t); err != nil {
			return err
		}
		idle.Reset(idleSweep)
	}
}

// sweep removes the files of earlier tasks but keep.
func (w *worker) sweep(keep string) {
	if err := w.state.sweep(keep); err != nil {
		w.log.Warn("old files stay", zap.Error(err))
	}
}

// next takes a task from the queue and gives the context to train it under,
// which cancel and the task's deadline end. The context is nil when the queue is
// empty.
func (w *worker) next(ctx context.Context) (offered, context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 || ctx.Err() != nil {
		return offered{}, nil
	}
	t := w.queue[0]
	w.queue = w.queue[1:]
	training, stop := context.WithCancelCause(ctx)
	w.current, w.stop = &t, stop
	return t, training
}

// train answers one task. A training that was withdrawn, or that ends with the
// participant, has no answer.
func (w *worker) train(training context.Context, t offered) error {
	log := w.log.With(zap.String("run", t.Run), zap.Int("round", t.Round), zap.String("task", t.ID))
	w.sweep(t.Model.Digest)
	r := w.do(training, t, log)

	// Under the lock, so that an offer of the same task finds it either in
	// training or in the outbox.
	w.mu.Lock()
	defer w.mu.Unlock()
	cut := training.Err() != nil
	w.stop(nil)
	w.current, w.stop = nil, nil
	if cut {
		log.Info("training stopped", zap.Error(context.Cause(training)))
		return nil
	}
	return w.state.outbox.put(r, t.digest)
}

// do trains until the deadline at most and returns the answer.
func (w *worker) do(training context.Context, t offered, log *zap.Logger) exchange.Reply {
	begin := time.Now()
	if !t.until.IsZero() {
		if !begin.Before(t.until) {
			log.Warn("task not begun: its deadline has passed", zap.Time("deadline", t.Deadline))
			return later(t, "the deadline had passed before the training could begin")
		}
		limited, done := context.WithDeadlineCause(training, t.until, errDeadline)
		defer done()
		training = limited
	}
	log.Info("task begins")
	r := w.site.Do(training, t.Task)
	switch {
	case r.Outcome == exchange.Done:
		log.Info("trained", zap.Duration("took", time.Since(begin).Round(time.Millisecond)))
	case training.Err() != nil && !errors.Is(context.Cause(training), errDeadline): // train says why
	case r.Later: // the policy has said what it waits for, as a warning
		log.Info("task waits", zap.String("reason", r.Reason))
	default:
		log.Warn("not trained", zap.String("outcome", string(r.Outcome)), zap.String("reason", r.Reason))
	}
	return r
}

// wake leaves a token in c unless there is one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
