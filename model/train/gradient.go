package train

import (
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/loss"
)

// batch is one step's work: forward and backward over the samples idx, cut into
// shards.
type batch struct {
	net  *model.Network
	data Data
	idx  []int
}

var _ task = (*batch)(nil)

// do computes the loss and the gradient of one shard, as its part of the mean
// over the whole batch.
func (b *batch) do(w *worker, shard int) {
	idx := b.idx[shard*shardSize : min((shard+1)*shardSize, len(b.idx))]
	n, classes := len(idx), b.net.Classes()
	x := w.gather(b.data, idx)
	if w.badLabel(n, classes) >= 0 {
		return
	}
	logits := w.pass.Forward(x, n)
	grad := w.logits[:n*classes]
	w.sum = loss.SoftmaxCrossEntropy(grad, logits, w.y[:n], classes, 1/float32(len(b.idx)))
	w.pass.Backward(grad, n, w.grad)
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

// Gradient computes the mean loss over the samples idx of d and writes its
// gradient with respect to p's flat weights to grad. It does not change p.
func (e *Engine) Gradient(p *model.Params, d Data, idx []int, grad []float32) (float64, error) {
	if err := e.fits(p, d); err != nil {
		return 0, err
	}
	if len(grad) != len(p.Flat()) || len(idx) < 1 {
		return 0, fault.Inputf("a gradient of %d elements over %d samples does not fit %d weights", len(grad), len(idx), len(p.Flat()))
	}
	return e.gradient(p, d, idx, grad)
}

// gradient is Gradient for operands that fit. Shards run in waves of one a
// worker; their gradients and losses are added in the order of the shards.
func (e *Engine) gradient(p *model.Params, d Data, idx []int, grad []float32) (float64, error) {
	e.bound.Pack(p.Flat(), true)
	e.batch.data, e.batch.idx = d, idx
	sum := 0.0
	shards := (len(idx) + shardSize - 1) / shardSize
	for first := 0; first < shards; first += len(e.workers) {
		n := min(len(e.workers), shards-first)
		for _, w := range e.workers[:n] {
			if w.grad == nil {
				w.grad = make([]float32, len(grad))
			}
		}
		e.wave(&e.batch, first, n)
		for i, w := range e.workers[:n] {
			begin := (first + i) * shardSize
			if bad := w.badLabel(min(shardSize, len(idx)-begin), e.net.Classes()); bad >= 0 {
				return 0, labelError(idx[begin+bad], w.y[bad], e.net.Classes())
			}
			sum += w.sum
			if first+i == 0 {
				copy(grad, w.grad)
			} else {
				kernel.AddTo(grad, w.grad)
			}
		}
	}
	return sum / float64(len(idx)), nil
}
