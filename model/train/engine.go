package train

import (
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/layer"
)

// shardSize is the largest number of samples that are computed together.
// Changing it changes the rounding of every model trained since.
const shardSize = 16

// MaxThreads bounds the threads of an engine, each of which has memory of its own.
const MaxThreads = 1024

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

// Options change how an engine computes, not what.
type Options struct {
	Threads int // 1 to MaxThreads; with one, the engine starts no goroutine
	// Dense leaves out the backward passes that visit only non-zeros.
	Dense bool
}

// Engine trains and measures networks of one kind. It holds working memory for
// its threads and can be used for one set of weights after the other, but not
// for two at once.
type Engine struct {
	net     *model.Network
	bound   layer.Bound
	blocks  []layer.Block
	weights []float32 // as bound lays them out
	workers []*worker
	team    *team
	batch   batch
	update  update
}

// worker is one thread's memory.
type worker struct {
	pass layer.Pass
	x    []float32 // one shard of samples
	y    []int32
	grad []float32 // of the logits, laid out like them
}

// NewEngine returns an engine for net with the given number of threads. Call
// Close when done.
func NewEngine(net *model.Network, threads int) (*Engine, error) {
	return New(net, Options{Threads: threads})
}

// New returns an engine for net. Call Close when done.
func New(net *model.Network, o Options) (*Engine, error) {
	if o.Threads < 1 || o.Threads > MaxThreads {
		return nil, fault.Inputf("threads: want 1 to %d, got %d", MaxThreads, o.Threads)
	}
	e := &Engine{net: net, bound: net.Bind(o.Dense), team: newTeam(o.Threads)}
	e.blocks, e.weights = e.bound.Blocks(), kernel.Alloc(e.bound.Size())
	e.batch.engine, e.update.engine = e, e
	in := net.Spec().Input
	for range o.Threads {
		e.workers = append(e.workers, &worker{
			pass: e.bound.NewPass(shardSize),
			x:    make([]float32, shardSize*in[0]*in[1]*in[2]),
			y:    make([]int32, shardSize),
			grad: kernel.Alloc(shardSize * e.bound.Out().Size()),
		})
	}
	return e, nil
}

// Close stops the engine's goroutines and waits for them. It must not be called
// during other calls.
func (e *Engine) Close() { e.team.close() }

// load takes over weights.
func (e *Engine) load(p *model.Params) {
	e.bound.Import(e.weights, p.Flat())
	for _, b := range e.blocks {
		e.bound.Refresh(e.weights, b)
	}
}

// gather fills the worker's memory with the samples idx, at most a shard.
func (w *worker) gather(d Data, idx []int) []float32 {
	x := w.x[:len(w.x)/shardSize*len(idx)]
	d.Gather(x, w.y[:len(idx)], idx)
	return x
}

// badLabel returns the first of n samples whose label is out of range, or −1.
func (w *worker) badLabel(n, classes int) int {
	for i, y := range w.y[:n] {
		if y < 0 || int(y) >= classes {
			return i
		}
	}
	return -1
}

// labelError says which sample of a set has a label out of range.
func labelError(sample int, label int32, classes int) error {
	return fault.Inputf("sample %d has label %d, labels must lie in 0…%d", sample, label, classes-1)
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
