package train

import (
	"context"
	"fmt"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/loss"
)

// blockSize is the number of samples that a worker measures before it meets the
// others.
const blockSize = 8 * shardSize

// Evaluate measures p on all samples of d. It stops when ctx ends and returns
// ctx's error.
func (e *Engine) Evaluate(ctx context.Context, p *model.Params, d Data) (Evaluation, error) {
	if err := e.fits(p, d); err != nil {
		return Evaluation{}, err
	}
	e.load(p)
	n := d.Len()
	t := &measurement{engine: e, ctx: ctx, data: d, outcomes: make([]outcome, n), idx: make([]int, n)}
	for i := range t.idx {
		t.idx[i] = i
	}
	e.team.run(t, (n+blockSize-1)/blockSize)
	if err := ctx.Err(); err != nil {
		return Evaluation{}, fmt.Errorf("evaluate: %w", err)
	}
	classes := e.net.Classes()
	for i, o := range t.outcomes {
		if o.label < 0 || int(o.label) >= classes {
			return Evaluation{}, labelError(i, o.label, classes)
		}
	}
	return summarise(t.outcomes, classes), nil
}

// outcome is what the network made of one sample.
type outcome struct {
	label, predicted int32
	loss             float64
	score            float32 // probability of class 1
}

// measurement is a forward pass over a set, cut into blocks.
type measurement struct {
	engine   *Engine
	ctx      context.Context // of the call that waits for it
	data     Data
	idx      []int
	outcomes []outcome
}

var _ task = (*measurement)(nil)

func (m *measurement) do(member, block int) {
	end := min((block+1)*blockSize, len(m.idx))
	for begin := block * blockSize; begin < end && m.ctx.Err() == nil; begin += shardSize {
		m.shard(m.engine.workers[member], begin, min(begin+shardSize, end))
	}
}

func (m *measurement) shard(w *worker, begin, end int) {
	n, classes, stride := end-begin, m.engine.net.Classes(), m.engine.bound.Out().Stride
	logits := w.pass.Forward(m.engine.weights, w.gather(m.data, m.idx[begin:end]), n)
	bad := w.badLabel(n, classes) >= 0
	for i := range n {
		z := logits[i*stride:][:classes]
		o := outcome{label: w.y[i], predicted: argmax(z)}
		if !bad {
			o.loss = loss.CrossEntropy(z, w.y[i])
		}
		loss.Softmax(z, z)
		o.score = z[1]
		m.outcomes[begin+i] = o
	}
}

// argmax returns the first of the largest elements.
func argmax(z []float32) int32 {
	best := 0
	for i, v := range z {
		if v > z[best] {
			best = i
		}
	}
	return int32(best)
}

// Predict writes the class probabilities of the samples x, [n, h, w, c], to
// probs, [n, classes].
func (e *Engine) Predict(p *model.Params, x, probs []float32) error {
	if err := e.fitsParams(p); err != nil {
		return err
	}
	t := &prediction{engine: e, x: x, probs: probs, size: len(e.workers[0].x) / shardSize}
	n, classes := len(x)/t.size, e.net.Classes()
	if len(x) != n*t.size || len(probs) != n*classes {
		return fault.Inputf("predict: %d inputs of %d elements give %d probabilities of %d classes, got room for %d",
			n, t.size, n*classes, classes, len(probs))
	}
	e.load(p)
	e.team.run(t, (n+shardSize-1)/shardSize)
	return nil
}

// prediction is a forward pass over samples in memory, cut into shards.
type prediction struct {
	engine   *Engine
	x, probs []float32
	size     int
}

var _ task = (*prediction)(nil)

func (t *prediction) do(member, shard int) {
	e := t.engine
	begin := shard * shardSize
	end := min(begin+shardSize, len(t.x)/t.size)
	logits := e.workers[member].pass.Forward(e.weights, t.x[begin*t.size:end*t.size], end-begin)
	classes, stride := e.net.Classes(), e.bound.Out().Stride
	for i := range end - begin {
		loss.Softmax(t.probs[(begin+i)*classes:][:classes], logits[i*stride:][:classes])
	}
}
