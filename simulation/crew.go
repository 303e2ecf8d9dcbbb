package simulation

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
)

// crew does the tasks of all virtual sites, one a worker at a time.
type crew struct {
	engines *trainer.Pool
	workers sync.WaitGroup
	detach  []func()

	mu    sync.Mutex
	ready *sync.Cond // signalled when queue or done changes
	queue []job
	done  bool
}

type job struct {
	site *participant.Site
	task exchange.Task
}

// hire attaches every site and starts the workers. They stop when ctx ends.
func (o *Options) hire(ctx context.Context, c *coordinator.Coordinator, blobs *spool.Spool) *crew {
	w := &crew{engines: trainer.NewPool(o.Threads, 1)}
	w.ready = sync.NewCond(&w.mu)
	for _, s := range o.Sites {
		builtin := &trainer.Builtin{Data: s.Data, Engines: w.engines}
		if o.Progress != nil {
			builtin.Progress = func(_ exchange.Task, p train.Progress) { o.Progress(s.Name, p) }
		}
		site := &participant.Site{Name: s.Name, Trainer: builtin, Blobs: shared{blobs, c}}
		w.detach = append(w.detach, c.Attach(&link{site: site, crew: w}))
	}
	for range o.Threads {
		w.workers.Go(func() { w.work(ctx, c) })
	}
	return w
}

// work does jobs until there will be no more.
func (w *crew) work(ctx context.Context, c *coordinator.Coordinator) {
	for {
		j, ok := w.next()
		if !ok {
			return
		}
		w.do(ctx, c, j)
	}
}

// do answers one task.
func (w *crew) do(ctx context.Context, c *coordinator.Coordinator, j job) {
	for {
		reply := j.site.Do(ctx, j.task)
		if ctx.Err() != nil {
			return // the task is still open in the journal
		}
		// The same bytes may have been an earlier round's, and gone with it
		// before this answer claimed them. Any other error means that the
		// coordinator is stopping, and why is what its Run returns.
		if _, err := c.Answer(ctx, j.site.Name, reply); !errors.Is(err, spool.ErrNotFound) {
			return
		}
	}
}

func (w *crew) next() (job, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 && !w.done {
		w.ready.Wait()
	}
	if w.done {
		return job{}, false
	}
	j := w.queue[0]
	w.queue = w.queue[1:]
	return j, true
}

// close waits for the workers, whose context must have ended.
func (w *crew) close() {
	w.mu.Lock()
	w.done = true
	w.mu.Unlock()
	w.ready.Broadcast()
	w.workers.Wait()
	for _, detach := range w.detach {
		detach()
	}
	w.engines.Close()
}

// link is a virtual site as the coordinator sees it.
type link struct {
	site *participant.Site
	crew *crew
}

var _ coordinator.Link = (*link)(nil)

// Name implements coordinator.Link.
func (l *link) Name() string { return l.site.Name }

// Hello implements coordinator.Link.
func (l *link) Hello() exchange.Hello { return exchange.Hello{Name: l.site.Name} }

// Pulse implements coordinator.Link. A virtual site has no lease.
func (l *link) Pulse() coordinator.Pulse { return coordinator.Pulse{} }

// Offer implements coordinator.Link.
func (l *link) Offer(t exchange.Task) {
	l.crew.mu.Lock()
	defer l.crew.mu.Unlock()
	l.crew.queue = append(l.crew.queue, job{site: l.site, task: t})
	l.crew.ready.Signal()
}

// Cancel implements coordinator.Link. A task that is being trained goes on,
// and its answer comes late.
func (l *link) Cancel(task, _ string) {
	l.crew.mu.Lock()
	defer l.crew.mu.Unlock()
	l.crew.queue = slices.DeleteFunc(l.crew.queue, func(j job) bool { return j.task.ID == task })
}

// Replaced implements coordinator.Link. No two virtual sites share a name.
func (l *link) HangUp(error) {}

// shared lets sites fetch from and store in the coordinator's own spool.
type shared struct {
	spool       *spool.Spool
	coordinator *coordinator.Coordinator
}

var _ participant.Blobs = shared{}

// Fetch implements participant.Blobs. A global model that cannot be read it has
// repaired, as a download does.
func (s shared) Fetch(ctx context.Context, a exchange.Artefact) (participant.Blob, error) {
	for {
		b, err := s.spool.Open(a.Digest)
		if err == nil {
			return b, nil
		}
		if !errors.Is(err, spool.ErrNotFound) {
			return nil, err
		}
		if err := s.coordinator.Mend(ctx, a.Digest); err != nil {
			return nil, err
		}
	}
}

// Store implements participant.Blobs.
func (s shared) Store(_ context.Context, write func(io.Writer) error) (exchange.Artefact, error) {
	digest, size, err := s.spool.PutFunc(write)
	return exchange.Artefact{Digest: digest, Bytes: size}, err
}
