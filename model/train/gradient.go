package train

import (
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/loss"
	"github.com/accord-fl/accord/model/optim"
)

// minShards is the number of shards that even a small batch is cut into, for two
// threads to have something to do.
const minShards = 2

// maxGroups is the number of parts of a batch that are computed at once at most,
// each with a gradient of its own.
const maxGroups = 16

// batch is the first part of a step, forward and backward over the samples idx.
// They are cut into shards of equal size, give or take a sample, and these into
// groups, by the batch's size only; gradients add up within a group in the order
// of the shards, and then in the order of the groups.
type batch struct {
	engine *Engine
	data   Data
	idx    []int
	groups []*group
	shards int // of the current batch
	used   int // groups of it
}

// group is one part of a batch.
type group struct {
	grad []float32
	sum  float64 // of the losses
	err  error   // what is wrong with a sample
}

var _ task = (*batch)(nil)

// run computes the gradients of all groups and returns the mean loss.
func (b *batch) run(d Data, idx []int) (float64, error) {
	b.data, b.idx = d, idx
	b.shards = max((len(idx)+shardSize-1)/shardSize, min(minShards, len(idx)))
	b.used = min(b.shards, maxGroups)
	for len(b.groups) < b.used {
		b.groups = append(b.groups, &group{grad: kernel.Alloc(b.engine.bound.Size())})
	}
	b.engine.team.run(b, b.used)
	sum := 0.0
	for _, g := range b.groups[:b.used] {
		if g.err != nil {
			return 0, g.err
		}
		sum += g.sum
	}
	return sum / float64(len(idx)), nil
}

// do computes one group.
func (b *batch) do(member, number int) {
	g := b.groups[number]
	g.sum, g.err = 0, nil
	n := len(b.idx)
	first, end := number*b.shards/b.used, (number+1)*b.shards/b.used
	for shard := first; shard < end && g.err == nil; shard++ {
		b.shard(b.engine.workers[member], g, b.idx[shard*n/b.shards:(shard+1)*n/b.shards], shard > first)
	}
}

// shard gives the group, or adds to it, the loss and the gradient of the samples
// idx, as their part of the mean over the whole batch.
func (b *batch) shard(w *worker, g *group, idx []int, add bool) {
	e := b.engine
	n, classes, stride := len(idx), e.net.Classes(), e.bound.Out().Stride
	x := w.gather(b.data, idx)
	if bad := w.badLabel(n, classes); bad >= 0 {
		g.err = labelError(idx[bad], w.y[bad], classes)
		return
	}
	logits := w.pass.Forward(e.weights, x, n)
	scale := 1 / float32(len(b.idx))
	for i, label := range w.y[:n] {
		dz, z := w.grad[i*stride:][:classes], logits[i*stride:][:classes]
		g.sum += loss.SoftmaxCrossEntropy(dz, z, label, scale)
	}
	w.pass.Backward(e.weights, w.grad[:n*stride], n, g.grad, add)
}

// update is the second part of a step: it adds up the groups' gradients and
// moves the weights, block by block.
type update struct {
	engine *Engine
	opt    optim.Optimizer
}

var _ task = (*update)(nil)

func (u *update) do(_, number int) {
	e := u.engine
	b := e.blocks[number]
	w := e.weights[b.Begin:b.End]
	u.opt.Update(b.Begin, w, e.batch.sum(b.Begin, b.End))
	e.bound.Refresh(e.weights, b)
}

// sum adds up elements [begin, end) of all groups' gradients in the first.
func (b *batch) sum(begin, end int) []float32 {
	total := b.groups[0].grad[begin:end]
	for _, g := range b.groups[1:b.used] {
		kernel.AddScaled(total, 1, g.grad[begin:end])
	}
	return total
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
	e.load(p)
	mean, err := e.batch.run(d, idx)
	if err != nil {
		return 0, err
	}
	e.bound.Export(grad, e.batch.sum(0, e.bound.Size()))
	return mean, nil
}
