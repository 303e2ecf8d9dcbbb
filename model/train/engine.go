package train

import (
	"sync"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/layer"
)

// shardSize is the number of samples that are computed together. Changing it
// changes the rounding of every model trained since.
const shardSize = 16

// Data is a set of labelled images. The engine calls Gather from several
// goroutines at once.
type Data interface {
	// Len returns the number of samples.
	Len() int
	// Shape returns height, width and channels of a sample.
	Shape() [3]int
	// Classes returns the number of classes; labels are below it.
	Classes() int
	// Gather writes the samples idx to x, [len(idx), h, w, c], and their
	// labels to y.
	Gather(x []float32, y []int32, idx []int)
}

// Engine trains and measures networks of one kind. It holds working memory for
// its threads and can be used for one set of weights after the other, but not
// for two at once.
type Engine struct {
	net     *model.Network
	bound   layer.Bound
	workers []*worker
	done    chan struct{} // a worker has finished its job
	closed  sync.WaitGroup
	batch   batch
}

// worker is one thread's memory. The first one runs in the caller's goroutine.
type worker struct {
	pass   layer.Pass
	x      []float32 // one shard of samples
	y      []int32
	logits []float32 // and their gradient
	grad   []float32 // of one shard; nil until Fit needs it
	sum    float64   // of the shard's losses
	jobs   chan job  // nil for the first worker
}

// job is a piece of work that a worker does on its own memory.
type job struct {
	task  task
	index int
}

// task is work that is cut into pieces, which run at once on different workers.
type task interface {
	do(w *worker, index int)
}

// NewEngine returns an engine for net with the given number of threads, at
// least 1. With one thread it starts no goroutine. Call Close when done.
func NewEngine(net *model.Network, threads int) (*Engine, error) {
	if threads < 1 {
		return nil, fault.Inputf("threads: %d is below 1", threads)
	}
	e := &Engine{net: net, bound: net.Bind(), done: make(chan struct{}, threads)}
	e.batch.net = net
	in := net.Spec().Input
	for i := range threads {
		w := &worker{
			pass:   e.bound.NewPass(shardSize),
			x:      make([]float32, shardSize*in[0]*in[1]*in[2]),
			y:      make([]int32, shardSize),
			logits: make([]float32, shardSize*net.Classes()),
		}
		if i > 0 {
			w.jobs = make(chan job)
			e.closed.Go(func() { w.serve(e.done) })
		}
		e.workers = append(e.workers, w)
	}
	return e, nil
}

// Close stops the engine's goroutines and waits for them. It must not be called
// during other calls.
func (e *Engine) Close() {
	for _, w := range e.workers[1:] {
		close(w.jobs)
	}
	e.workers = e.workers[:1] // which needs no goroutine
	e.closed.Wait()
}

func (w *worker) serve(done chan<- struct{}) {
	for j := range w.jobs {
		j.task.do(w, j.index)
		done <- struct{}{}
	}
}

// wave runs pieces [first, first+n) of a task, one on each worker, and waits
// for all. There are at most as many as workers.
func (e *Engine) wave(t task, first, n int) {
	for i := 1; i < n; i++ {
		e.workers[i].jobs <- job{t, first + i}
	}
	t.do(e.workers[0], first)
	for i := 1; i < n; i++ {
		<-e.done
	}
}

// fits checks that weights and samples belong to the engine's network.
func (e *Engine) fits(p *model.Params, d Data) error {
	if err := e.fitsParams(p); err != nil {
		return err
	}
	if got, want := d.Shape(), e.net.Spec().Input; got != want {
		return fault.Inputf("samples have shape %v, the network takes %v", got, want)
	}
	if got, want := d.Classes(), e.net.Classes(); got > want {
		return fault.Inputf("the data has %d classes, the network tells only %d apart", got, want)
	}
	if d.Len() < 1 {
		return fault.Inputf("there are no samples")
	}
	return nil
}

func (e *Engine) fitsParams(p *model.Params) error {
	if got, want := p.Contract().Hash(), e.net.Contract().Hash(); got != want {
		return fault.Inputf("the weights have contract %.12s, the network %.12s", got, want)
	}
	return nil
}
