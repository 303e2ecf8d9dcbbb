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
	e.bound.Pack(p.Flat(), false)
	n := d.Len()
	t := &measurement{data: d, classes: e.net.Classes(), outcomes: make([]outcome, n), idx: make([]int, n)}
	for i := range t.idx {
		t.idx[i] = i
	}
	blocks := (n + blockSize - 1) / blockSize
	for first := 0; first < blocks; first += len(e.workers) {
		if err := ctx.Err(); err != nil {
			return Evaluation{}, fmt.Errorf("evaluate: %w", err)
		}
		e.wave(t, first, min(len(e.workers), blocks-first))
	}
	for i, o := range t.outcomes {
		if o.label < 0 || int(o.label) >= t.classes {
			return Evaluation{}, labelError(i, o.label, t.classes)
		}
	}
	return summarise(t.outcomes, t.classes), nil
}

// outcome is what the network made of one sample.
type outcome struct {
	label, predicted int32
	loss             float64
	score            float32 // probability of class 1
}

// measurement is a forward pass over a set, cut into blocks.
type measurement struct {
	data     Data
	classes  int
	idx      []int
	outcomes []outcome
}

var _ task = (*measurement)(nil)

func (m *measurement) do(w *worker, block int) {
	end := min((block+1)*blockSize, len(m.idx))
	for begin := block * blockSize; begin < end; begin += shardSize {
		m.shard(w, begin, min(begin+shardSize, end))
	}
}

func (m *measurement) shard(w *worker, begin, end int) {
	n := end - begin
	logits := w.pass.Forward(w.gather(m.data, m.idx[begin:end]), n)
	probs := w.logits[:n*m.classes]
	loss.Softmax(probs, logits, m.classes)
	bad := w.badLabel(n, m.classes) >= 0
	for i := range n {
		z, p := logits[i*m.classes:][:m.classes], probs[i*m.classes:][:m.classes]
		o := outcome{label: w.y[i], predicted: argmax(z), score: p[1]}
		if !bad {
			o.loss = loss.CrossEntropy(z, w.y[i])
		}
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
	t := &prediction{x: x, probs: probs, size: len(e.workers[0].x) / shardSize, classes: e.net.Classes()}
	n := len(x) / t.size
	if len(x) != n*t.size || len(probs) != n*t.classes {
		return fault.Inputf("predict: %d inputs of %d elements give %d probabilities of %d classes, got room for %d",
			n, t.size, n*t.classes, t.classes, len(probs))
	}
	e.bound.Pack(p.Flat(), false)
	shards := (n + shardSize - 1) / shardSize
	for first := 0; first < shards; first += len(e.workers) {
		e.wave(t, first, min(len(e.workers), shards-first))
	}
	return nil
}

// prediction is a forward pass over samples in memory, cut into shards.
type prediction struct {
	x, probs      []float32
	size, classes int
}

var _ task = (*prediction)(nil)

func (t *prediction) do(w *worker, shard int) {
	begin := shard * shardSize
	end := min(begin+shardSize, len(t.x)/t.size)
	logits := w.pass.Forward(t.x[begin*t.size:end*t.size], end-begin)
	loss.Softmax(t.probs[begin*t.classes:end*t.classes], logits, t.classes)
}
